//! Corrects the assertion of values in parts of a note that are not in English.

use std::ops::Range;

use super::{Assertion, Note, language};

/// The parts of a note that are not in English. The cues of the assertions are English.
pub(super) struct ForeignText(Vec<Range<usize>>);

impl ForeignText {
    /// Finds the parts of a note that are not in English.
    pub(super) fn of(note: &Note) -> Self {
        // Lower case may have another length than the text. Then only ASCII letters are folded, so that the ranges fit
        // the note.
        let lower = note.as_str().to_lowercase();
        let ranges = language::foreign_ranges(&lower);
        let whole = ranges.contains(&(0..lower.len()));
        match (whole, lower.len() == note.as_str().len()) {
            (true, _) => Self(std::iter::once(0..note.as_str().len()).collect()),
            (false, true) => Self(ranges),
            (false, false) => Self(language::foreign_ranges(&note.as_str().to_ascii_lowercase())),
        }
    }

    /// Returns `unknown` for a value in a foreign part of the note, unless an English cue there gives it an assertion.
    pub(super) fn reassess(&self, assertion: Assertion, span: Range<usize>) -> Assertion {
        let foreign = self.0.iter().any(|range| range.start < span.end && span.start < range.end);
        if foreign && assertion == Assertion::Present { Assertion::Unknown } else { assertion }
    }
}
