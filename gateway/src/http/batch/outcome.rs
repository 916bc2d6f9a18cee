//! The outcomes of the notes of a batch, as JSON.

use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    extraction::{Answer, CalendarDate, NoteId},
    http::{
        error::{ErrorCode, NestedProblem},
        note::Rejection,
    },
};

/// The outcome of one note.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct NoteOutcome {
    /// The note's id, as it was sent; null if it had no id that can be read.
    #[schema(required = true)]
    pub(super) id: Option<NoteId>,
    /// The note's index in the batch, from 0.
    pub(super) index: usize,
    /// The status that `/extract` would have answered.
    #[schema(example = 200, minimum = 200, maximum = 599)]
    pub(super) status: u16,
    /// The answer; only with status 200.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(super) result: Option<Answer>,
    /// The problem; only without a result.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(super) error: Option<NestedProblem>,
    /// True only in the last line if lines end early: notes from its `index` on were not read.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    #[schema(required = false, example = false)]
    pub(super) ends: bool,
    /// The day on which the note was written, as the request says.
    #[serde(skip)]
    pub(super) note_date: Option<CalendarDate>,
    /// The codes of the answer's warnings, where the answer itself is not shown.
    #[serde(skip)]
    pub(super) warnings: Vec<&'static str>,
}

/// The answer to a batch in one JSON body.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct BatchAnswer {
    /// In the order of the notes.
    results: Vec<NoteOutcome>,
    summary: Summary,
}

/// How many notes have a result, and how many an error.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub(in crate::http) struct Summary {
    /// Notes with a result.
    #[schema(example = 2)]
    pub(super) ok: usize,
    /// Notes with an error.
    #[schema(example = 0)]
    pub(super) failed: usize,
}

impl Summary {
    pub(super) fn count(&mut self, outcome: &NoteOutcome) {
        if outcome.error.is_none() { self.ok += 1 } else { self.failed += 1 }
    }
}

impl NoteOutcome {
    pub(super) fn of(id: Option<NoteId>, index: usize, outcome: Result<Answer, Rejection>) -> Self {
        match outcome {
            Ok(answer) => Self {
                id,
                index,
                status: 200,
                result: Some(answer),
                error: None,
                ends: false,
                note_date: None,
                warnings: Vec::new(),
            },
            Err(problem) => {
                let (status, error) = (problem.status, Some((*problem).into()));
                Self { id, index, status, result: None, error, ends: false, note_date: None, warnings: Vec::new() }
            }
        }
    }

    /// Returns the outcome of a note whose answer is used elsewhere.
    pub(super) fn read(id: Option<NoteId>, index: usize) -> Self {
        Self { id, index, status: 200, result: None, error: None, ends: false, note_date: None, warnings: Vec::new() }
    }

    /// Returns the code of the error; `None` if the note was read.
    pub(in crate::http) fn code(&self) -> Option<ErrorCode> {
        self.error.as_ref().map(NestedProblem::code)
    }

    /// Returns the outcome as JSON, followed by `end`.
    pub(in crate::http) fn to_json(&self, end: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(4 << 10);
        // Serializing these types cannot fail.
        let _ = serde_json::to_writer(&mut bytes, self);
        bytes.extend_from_slice(end);
        bytes
    }
}
