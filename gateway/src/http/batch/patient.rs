//! `POST /api/v1/patient`: reads the notes of one patient and returns one timeline. The notes are read as those of a
//! batch; only the parts of each answer that the timeline needs are kept.

use axum::{
    Extension,
    extract::{Request, State},
    response::Response,
};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    AnswerForm, answer,
    outcome::{NoteOutcome, Summary},
};
use crate::{
    extraction::NoteId,
    http::{
        App,
        context::RequestContext,
        error::{ErrorCode, NestedProblem},
        media::AcceptedFormats,
        request::{BatchRequest, QueryOptions},
    },
    memory::MemoryReservation,
    telemetry::Route,
    timeline::{NoteReading, PatientNote, Timeline},
};

pub(super) const ROUTE: Route = "/api/v1/patient";

const TOO_MUCH: &str = "The note was read, but the service has no memory for a longer timeline now. The timeline is \
                        incomplete. Try again later, or send fewer notes.";

/// Reads the notes of one patient.
///
/// Takes the same bodies as `/extract/batch`: `{"notes": [{"id", "text", "note_date"}, ...]}`, or with
/// `application/x-ndjson` one note per line.
/// Returns what the notes say together: the tumours, and for each tumour stages, markers, treatments, responses and
/// metastases in order of time, each with the note and its words. A value without a date of its own has the `note_date`
/// of its note, so give one with every note. Statements that cannot all be right are kept and listed in
/// `contradictions`. The part `notes` states for each note whether it was read; if one was not, `complete` is false.
#[utoipa::path(post, path = ROUTE, tag = "extraction", operation_id = "readPatient", params(QueryOptions),
    request_body = BatchRequest,
    responses((status = 200, description = "The timeline", body = PatientAnswer)))]
pub(in crate::http) async fn patient(
    State(app): State<App>,
    Extension(context): Extension<RequestContext>,
    request: Request,
) -> Response {
    answer(&app, &context, request, ROUTE, AcceptedFormats::JsonOrLines, AnswerForm::Timeline).await
}

/// The answer to the notes of one patient.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct PatientAnswer {
    /// In the order of the request.
    notes: Vec<PatientNoteOutcome>,
    timeline: Timeline,
    summary: Summary,
}

/// Whether a note of the patient was read.
#[derive(Debug, Serialize, ToSchema)]
struct PatientNoteOutcome {
    /// The note's id, as it was sent; null if it had no id that can be read.
    #[schema(required = true)]
    id: Option<NoteId>,
    /// The note's position in the request, from 0.
    index: usize,
    /// The status that `/extract` would have answered.
    #[schema(example = 200, minimum = 200, maximum = 599)]
    status: u16,
    /// The day on which the note was written, as the request says; null if it does not.
    #[schema(required = true, example = "2021-05-20")]
    note_date: Option<String>,
    /// The codes of the warnings of its answer, and `degraded` if the rules engine answered in place of the model. `/extract`
    /// shows the warnings.
    #[schema(example = json!(["several_primaries"]))]
    warnings: Vec<&'static str>,
    /// The problem; only if the note was not read.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    error: Option<NestedProblem>,
    /// True only in the last entry if the notes end early: those from its `index` on were not read.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    #[schema(required = false, example = false)]
    ends: bool,
}

/// Collects the contents of the notes of one patient.
#[derive(Debug)]
pub(super) struct PatientNotes {
    notes: Vec<PatientNote>,
    /// The memory reservation of `notes`.
    reservation: MemoryReservation,
}

impl PatientNotes {
    /// Returns an empty collection. `reservation` grows with the notes.
    pub(super) fn new(reservation: MemoryReservation) -> Self {
        Self { notes: Vec::new(), reservation }
    }

    /// Stores the content of a note. Returns the outcome without its answer; a failed one if there is no memory to keep
    /// it.
    pub(super) fn keep(&mut self, outcome: NoteOutcome, request_id: &str) -> NoteOutcome {
        let NoteOutcome { id, index, result: Some(answer), note_date, .. } = outcome else { return outcome };
        let json = serde_json::to_string(&answer).unwrap_or_default();
        let fail = |id, problem| NoteOutcome { note_date, ..NoteOutcome::of(id, index, Err(problem)) };
        let Some(reading) = NoteReading::of_json(&json) else {
            return fail(id, ErrorCode::Internal.problem(request_id).into());
        };
        if self.reservation.grow(reading.bytes()).is_err() {
            return fail(id, ErrorCode::Overloaded.problem(request_id).with_detail(TOO_MUCH).into());
        }
        self.notes.push(PatientNote::new(index, id.clone(), note_date, reading));
        let mut warnings: Vec<&'static str> = answer.warnings.iter().map(|warning| warning.code.name()).collect();
        warnings.extend(answer.degraded.then_some("degraded"));
        warnings.sort_unstable();
        warnings.dedup();
        NoteOutcome { note_date, warnings, ..NoteOutcome::read(id, index) }
    }

    /// Returns the end of the answer: the timeline and the summary. Building it may take as long as reading a note, so
    /// it runs on a thread of its own.
    pub(super) async fn end(&mut self, summary: Summary, complete: bool) -> Option<Vec<u8>> {
        let notes = std::mem::take(&mut self.notes);
        let build = move || {
            let timeline = Timeline::of(notes, complete);
            let mut json = b"],\"timeline\":".to_vec();
            serde_json::to_writer(&mut json, &timeline).ok()?;
            json.extend_from_slice(b",\"summary\":");
            serde_json::to_writer(&mut json, &summary).ok()?;
            json.push(b'}');
            Some(json)
        };
        tokio::task::spawn_blocking(build).await.ok()?
    }

    /// Returns the JSON of an outcome as this route shows it.
    pub(super) fn to_json(outcome: NoteOutcome) -> Vec<u8> {
        let NoteOutcome { id, index, status, error, ends, note_date, warnings, .. } = outcome;
        let note_date = note_date.map(|day| day.to_string());
        // Serializing these types cannot fail.
        serde_json::to_vec(&PatientNoteOutcome { id, index, status, note_date, warnings, error, ends })
            .unwrap_or_default()
    }
}
