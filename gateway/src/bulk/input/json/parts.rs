//! The parts of a note in JSON.

use super::super::{CalendarDate, Fault, InputNote};

/// The parts of an object; each may be faulty without the others.
#[derive(Debug)]
pub(super) struct NoteParts {
    pub(super) id: Result<Option<String>, Fault>,
    pub(super) text: Result<String, Fault>,
    pub(super) patient: Result<Option<String>, Fault>,
    pub(super) note_date: Result<Option<CalendarDate>, Fault>,
    pub(super) carried: Vec<String>,
}

impl NoteParts {
    pub(super) fn at(self, place: String, weight: u64) -> InputNote {
        let Self { id, text, patient, note_date, carried } = self;
        InputNote { id, place, text, patient, note_date, carried, warning: None, weight }
    }
}
