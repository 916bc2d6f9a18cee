//! One timeline for each patient of the run, in place of one result for each note. What the notes say is kept in memory
//! until the run ends, because the notes of a patient may lie anywhere in the inputs; their texts are not.

use std::{borrow::Cow, collections::HashMap};

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{
    bulk::{
        BulkError,
        outcome::{EntryOutcome, NoteOrigin},
    },
    extraction::NoteId,
    timeline::{NoteReading, PatientNote, Timeline},
};

/// The most bytes of what the notes say: that of some hundred thousand notes.
const MOST_BYTES: usize = 1 << 30;

/// What the notes of each patient say.
#[derive(Debug, Default)]
pub(super) struct PatientTimelines {
    /// The notes of each patient; those that name no patient are together.
    by_patient: HashMap<Option<String>, Vec<StoredNote>>,
    bytes: usize,
}

/// A note: its place in the run, and what it says or why it was not read.
#[derive(Debug)]
struct StoredNote {
    id: String,
    origin: NoteOrigin,
    status: u16,
    warnings: Vec<Cow<'static, str>>,
    outcome: Result<NoteReading, Box<RawValue>>,
}

/// The line of a note, as the other formats get it.
#[derive(Deserialize)]
struct Line<'a> {
    status: u16,
    #[serde(borrow, default)]
    result: Option<&'a RawValue>,
    #[serde(borrow, default)]
    error: Option<&'a RawValue>,
}

/// One patient in the output, as `POST /api/v1/patient` answers.
#[derive(Serialize)]
struct PatientLine<'a> {
    patient: Option<&'a str>,
    notes: Vec<NoteLine>,
    timeline: Timeline,
    summary: Summary,
}

#[derive(Serialize)]
struct NoteLine {
    id: String,
    index: usize,
    status: u16,
    note_date: Option<String>,
    warnings: Vec<Cow<'static, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Box<RawValue>>,
}

#[derive(Serialize)]
struct Summary {
    ok: usize,
    failed: usize,
}

impl PatientTimelines {
    /// Keeps what a note says.
    pub(super) fn add(&mut self, outcome: &EntryOutcome) {
        let line: Option<Line<'_>> = serde_json::from_str(&outcome.line).ok();
        let reading = line.as_ref().and_then(|line| NoteReading::of_json(line.result?.get()));
        let status = line.as_ref().map_or(0, |line| line.status);
        let error = || line.as_ref().and_then(|line| line.error).map_or_else(Box::default, ToOwned::to_owned);
        let kept = StoredNote {
            id: outcome.id.clone(),
            origin: outcome.origin.clone(),
            status,
            warnings: outcome.remarks.clone(),
            outcome: reading.ok_or_else(error),
        };
        self.bytes += size_of::<StoredNote>() + kept.id.len();
        self.bytes += kept.outcome.as_ref().map_or_else(|error| error.get().len(), NoteReading::bytes);
        self.by_patient.entry(kept.origin.patient.clone()).or_default().push(kept);
    }

    /// Returns an error if the notes say more than can be kept.
    pub(super) fn check(&self) -> Result<(), BulkError> {
        if self.bytes <= MOST_BYTES {
            return Ok(());
        }
        let why = "the patients of this run are too many to be kept at once (1 GiB)";
        let next = "Split the input by patient, and run each part; all notes of a patient must be in one part";
        Err(BulkError::Failed(format!("{why}. {next}")))
    }

    /// Returns a JSON text for each patient, in the order of their first notes. `complete`: whether every note of the
    /// inputs has an outcome.
    pub(super) fn into_json(self, complete: bool) -> impl Iterator<Item = String> {
        let mut patients: Vec<(Option<String>, Vec<StoredNote>)> = self.by_patient.into_iter().collect();
        for (_, notes) in &mut patients {
            notes.sort_by_key(|note| note.origin.position);
        }
        patients.sort_by_key(|(_, notes)| notes.first().map(|note| note.origin.position));
        patients.into_iter().map(move |(patient, notes)| {
            let (mut lines, mut read) = (Vec::with_capacity(notes.len()), Vec::with_capacity(notes.len()));
            for (index, note) in notes.into_iter().enumerate() {
                let StoredNote { id, origin, status, warnings, outcome } = note;
                let note_date = origin.note_date.map(|day| day.to_string());
                let error = match outcome {
                    Ok(reading) => {
                        let note_id = Some(NoteId::Text(id.clone()));
                        read.push(PatientNote::new(index, note_id, origin.note_date, reading));
                        None
                    }
                    Err(error) => Some(error),
                };
                lines.push(NoteLine { id, index, status, note_date, warnings, error });
            }
            let summary = Summary { ok: read.len(), failed: lines.len() - read.len() };
            let complete = complete && summary.failed == 0;
            let timeline = Timeline::of(read, complete);
            let line = PatientLine { patient: patient.as_deref(), notes: lines, timeline, summary };
            // Serialising cannot fail: a patient consists of strings, numbers and lists of them.
            serde_json::to_string(&line).unwrap_or_default()
        })
    }
}
