//! Writes the spoken numbers of a transcript as figures, where the words around them say what they count: "exon
//! nineteen", "stage three B", "thirty percent", "T two N one", "HER two", "L eight five eight R".
//!
//! This changes the transcript that a person reads before anything is extracted, and never a note: an extracted value
//! is proven by a quotation of the note, which must be exactly as its author wrote it. A number without such words
//! stays as it is, as do "one of them" and "second opinion". Each change is listed with the words that were spoken.

mod lists;
mod places;
mod words;

use std::ops::Range;

use crate::rules::VocabularyKind;

/// A text with its spoken numbers in figures.
#[derive(Debug, Default)]
pub(super) struct Rewritten {
    /// The text with figures.
    pub(super) text: String,
    /// The changes, in order.
    pub(super) changes: Vec<Change>,
}

/// One number that was written as figures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Change {
    /// The bytes of the spoken words in the source.
    pub(super) source: Range<usize>,
    /// The bytes of the figures in the text.
    pub(super) target: Range<usize>,
}

/// A replacement in the source.
#[derive(Debug, PartialEq, Eq)]
struct Edit {
    range: Range<usize>,
    with: String,
}

/// Returns the text with its spoken numbers as figures.
pub(super) fn in_figures(source: &str, terms: &[(Range<usize>, VocabularyKind)]) -> Rewritten {
    let words = words::words(source);
    let mut rewritten = Rewritten::default();
    let mut copied = 0;
    for edit in places::Places::new(&words, terms).edits() {
        rewritten.text.push_str(source.get(copied..edit.range.start).unwrap_or_default());
        let start = rewritten.text.len();
        rewritten.text.push_str(&edit.with);
        copied = edit.range.end;
        rewritten.changes.push(Change { source: edit.range, target: start..rewritten.text.len() });
    }
    rewritten.text.push_str(source.get(copied..).unwrap_or_default());
    rewritten
}

impl Rewritten {
    /// Returns where a range of the source is in the text. A range that begins or ends within a change takes all of it.
    pub(super) fn target(&self, source: &Range<usize>) -> Range<usize> {
        self.offset(source.start, false)..self.offset(source.end, true)
    }

    fn offset(&self, at: usize, is_end: bool) -> usize {
        // The last change that begins before the offset.
        let count = self.changes.partition_point(|change| change.source.start < at);
        let Some(change) = count.checked_sub(1).and_then(|last| self.changes.get(last)) else { return at };
        if at >= change.source.end {
            return at - change.source.end + change.target.end;
        }
        if is_end { change.target.end } else { change.target.start }
    }
}

#[cfg(test)]
mod tests;
