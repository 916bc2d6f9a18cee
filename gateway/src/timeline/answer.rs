//! The timeline as the answer shows it.

use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use crate::extraction::{Code, CodeFile, Field, NoteId, TreatmentCourse};

/// What the notes of one patient say, per tumour and in order of time.
#[derive(Debug, Serialize, ToSchema)]
pub struct Timeline {
    /// The tumours of the patient, in the order in which the notes name them.
    pub tumours: Vec<PatientTumour>,
    /// Values of which the notes do not say to which of several tumours they belong.
    pub unassigned: FieldTimelines,
    /// Statements that cannot all be right, and tumours that cannot be told apart. The timeline keeps each of them.
    pub contradictions: Vec<Contradiction>,
    /// Whether every note that was sent was read. If not, values may be missing.
    pub complete: bool,
    /// The operator's files with codes, as in the answer to a note; absent if the service has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<CodeFile>>, nullable = false)]
    pub code_files: Option<Box<RawValue>>,
}

/// A tumour of the patient.
#[derive(Debug, Serialize, ToSchema)]
pub struct PatientTumour {
    /// The id in this answer: `p1`, `p2` and so on.
    #[schema(example = "p1")]
    pub id: String,
    /// Its most telling name in the notes.
    #[schema(example = "lung adenocarcinoma")]
    pub cancer_type: String,
    /// The organ; null for malignancies of blood and lymph, and where no note names it.
    #[schema(required = true, example = "lung")]
    pub site: Option<String>,
    /// The side of a paired organ: `left`, `right` or `bilateral`; null where no note says.
    #[schema(required = true, example = "left")]
    pub laterality: Option<String>,
    /// The codes of its name in standard terminologies; absent if it has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<Code>>, nullable = false)]
    pub codes: Option<Box<RawValue>>,
    /// The earliest date beside its name; null if no note has one.
    #[schema(required = true)]
    pub date: Option<TimelineDate>,
    /// The notes that name it, in order of time.
    pub notes: Vec<TumourInNote>,
    /// TNM formulas, in order of time; at most 256.
    pub tnm: Vec<TimelineTnm>,
    /// Its values.
    #[serde(flatten)]
    pub fields: FieldTimelines,
}

/// A tumour of the patient as one note names it.
#[derive(Debug, Serialize, ToSchema)]
pub struct TumourInNote {
    /// The note: its position in the request, from 0.
    #[schema(example = 0)]
    pub index: usize,
    /// The caller's id of the note; null if it has none.
    #[schema(required = true)]
    pub note: Option<NoteId>,
    /// The id of the tumour in the answer to that note.
    #[schema(example = "t1")]
    pub tumour: String,
    /// What that note says of it: `index`, `synchronous` or `previous`.
    #[schema(example = "index")]
    pub role: String,
}

macro_rules! field_timelines {
    ($($(#[doc = $doc:literal])+ $name:ident = $variant:ident;)+) => {
        /// The values of each field, in order of time.
        #[derive(Debug, Default, Serialize, ToSchema)]
        pub struct FieldTimelines {
            $($(#[doc = $doc])+ pub $name: Vec<TimelineEntry>,)+
        }

        impl FieldTimelines {
            /// Returns the values of a field; none for the cancer type, which is the tumour itself.
            #[must_use]
            pub fn get(&self, field: Field) -> &[TimelineEntry] {
                match field { $(Field::$variant => &self.$name,)+ Field::CancerType => &[] }
            }

            /// Sets the values of a field. The cancer type has none: it is the tumour itself.
            pub(super) fn set(&mut self, field: Field, entries: Vec<TimelineEntry>) {
                match field { $(Field::$variant => self.$name = entries,)+ Field::CancerType => {} }
            }
        }
    };
}

field_timelines! {
    /// Stages, in order of time.
    stage = Stage;
    /// Alterations of genes, in order of time.
    gene_mutation = GeneMutation;
    /// Results of markers, in order of time.
    biomarker = Biomarker;
    /// Treatments, in order of time.
    treatment = Treatment;
    /// Responses, in order of time.
    response = Response;
    /// Sites of metastases, in order of time.
    metastasis_site = MetastasisSite;
}

/// A value at a time, with the places of the notes that state it.
#[derive(Debug, Serialize, ToSchema)]
pub struct TimelineEntry {
    /// The value.
    #[schema(example = "osimertinib")]
    pub value: String,
    /// When: the date that the words near the value state, else that of the first note that states the value; null if
    /// neither is known. Entries without a date come last.
    #[schema(required = true)]
    pub date: Option<TimelineDate>,
    /// The date of the latest note that states the value; null if no such note has a date.
    #[schema(required = true, example = "2021-05-20")]
    pub last_note: Option<String>,
    /// The codes of the value in standard terminologies; absent if it has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<Code>>, nullable = false)]
    pub codes: Option<Box<RawValue>>,
    /// The line of therapy, for a treatment of which the notes state more than that it was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub line: Option<TherapyLine>,
    /// How many places of the notes state the value.
    #[schema(example = 1, minimum = 1)]
    pub mention_count: usize,
    /// The first eight of these places.
    pub mentions: Vec<Mention>,
}

/// A line of therapy: the courses that the notes state for one treatment, together.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct TherapyLine {
    /// How far it has gone by the latest note that says so: `ongoing`, `completed` or `stopped`.
    #[schema(required = true, example = "stopped")]
    pub status: Option<String>,
    /// The earliest start that a note states.
    #[schema(required = true, example = "2021-04")]
    pub start: Option<String>,
    /// When it was stopped or completed, by the latest note that says so.
    #[schema(required = true, example = "2022-05")]
    pub stop: Option<String>,
    /// Why it was stopped, in the words of that note.
    #[schema(required = true, example = "pneumonitis")]
    pub reason: Option<String>,
    /// The responses that the notes tie to it, in the order of the notes.
    pub responses: Vec<LineResponse>,
}

/// A response that a note ties to a line of therapy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct LineResponse {
    /// The words of the note.
    #[schema(example = "partial response")]
    pub value: String,
    /// The note: its position in the request, from 0.
    #[schema(example = 0)]
    pub index: usize,
}

/// A TNM formula at a time.
#[derive(Debug, Serialize, ToSchema)]
pub struct TimelineTnm {
    /// The tumour, without the prefix.
    #[schema(example = "T2a")]
    pub t: String,
    /// The regional nodes; null if the formula has none.
    #[schema(required = true, example = "N1")]
    pub n: Option<String>,
    /// Distant metastasis; null if the formula has none.
    #[schema(required = true, example = "cM0")]
    pub m: Option<String>,
    /// The letters before the tumour, such as `p` or `yp`; null if there is none.
    #[schema(required = true, example = "p")]
    pub prefix: Option<String>,
    /// The edition beside the formula; null if there is none.
    #[schema(required = true, example = 8)]
    pub edition: Option<u8>,
    /// When, as in an entry.
    #[schema(required = true)]
    pub date: Option<TimelineDate>,
    /// The place of the formula.
    pub mention: Mention,
}

/// A place of a note.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Mention {
    /// The note: its position in the request, from 0.
    #[schema(example = 0)]
    pub index: usize,
    /// The caller's id of the note; null if it has none.
    #[schema(required = true)]
    pub note: Option<NoteId>,
    /// What the note says of the value, as in its evidence.
    #[schema(required = true, example = "present")]
    pub assertion: Option<String>,
    /// The words of the note; null if it does not support the value.
    #[schema(required = true, example = "osimertinib")]
    pub quote: Option<String>,
    /// The first position of the quote in the note, in the unit of the request.
    #[schema(required = true, example = 20)]
    pub start: Option<usize>,
    /// One past the last position of the quote.
    #[schema(required = true, example = 31)]
    pub end: Option<usize>,
    /// The course of a treatment as this note states it; absent if it states none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<TreatmentCourse>, nullable = false)]
    pub course: Option<Box<RawValue>>,
}

impl Mention {
    /// Returns whether both are the same words of the same note.
    pub(super) fn same_place(&self, other: &Self) -> bool {
        (self.index, self.start, self.end) == (other.index, other.start, other.end)
    }
}

/// A date, and how it is known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct TimelineDate {
    /// `YYYY-MM-DD`, `YYYY-MM` or `YYYY`.
    #[schema(example = "2021-03")]
    pub value: String,
    /// How it is known.
    pub source: DateSource,
}

/// How a date is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(example = "text")]
pub enum DateSource {
    /// The words of the note state it.
    Text,
    /// It is the day on which the note was written.
    Note,
}

/// Statements of the notes that cannot all be right, or that this service cannot bring together.
#[derive(Debug, Serialize, ToSchema)]
pub struct Contradiction {
    /// What kind it is.
    pub kind: ContradictionKind,
    /// The tumours that it concerns, by their `id`; empty if it is not known which.
    #[schema(example = json!(["p1"]))]
    pub tumours: Vec<String>,
    /// The field; null if the contradiction is about the tumours themselves.
    #[schema(required = true, example = "biomarker")]
    pub field: Option<&'static str>,
    /// What contradicts what, in words.
    #[schema(example = "Two results of one marker at times that cannot be ordered.")]
    pub message: &'static str,
    /// The statements, in order of time.
    pub statements: Vec<Statement>,
}

/// One of the statements of a contradiction.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Statement {
    /// What the note says.
    #[schema(example = "HER2 negative")]
    pub value: String,
    /// When, as in an entry.
    #[schema(required = true)]
    pub date: Option<TimelineDate>,
    /// Where.
    #[serde(flatten)]
    pub mention: Mention,
}

/// The kinds of contradictions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(example = "results_differ")]
pub enum ContradictionKind {
    /// Two results of one marker, or two responses, that cannot both hold and whose order is not known.
    ResultsDiffer,
    /// Two stages of one tumour of which neither is a part of the other. The stage at diagnosis does not change.
    StagesDiffer,
    /// One note states a value, and another note of the same time or later says that it is absent.
    StatedAndDenied,
    /// Two notes name tumours of one organ on different sides, and no note names both.
    SidesDiffer,
    /// A tumour of one note may be one of several tumours of other notes, or a further one.
    TumourUnclear,
    /// A note states that something happened after the day on which the note was written.
    DateAfterNote,
    /// A field has more different values than are compared with each other.
    NotCompared,
}
