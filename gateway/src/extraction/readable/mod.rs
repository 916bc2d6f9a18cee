//! A note as a person would read it: markup, encoded text and invisible characters taken out, words that a line end
//! breaks put together again.
//!
//! The rules and the aligner read this text; every place in it leads back to the note as it was sent, so that quotes
//! and offsets are the note's own. Most notes need nothing of this and are not copied.

mod encoded;
mod escaped;
mod line_ends;
mod markup;
mod rewrite;
#[cfg(test)]
mod tests;

use std::ops::Range;

use self::rewrite::Rewrite;
use super::Note;
use crate::steps;

/// A note, and the text that is read in its place.
#[derive(Debug)]
pub(crate) struct Readable<'note> {
    note: &'note Note,
    made: Option<(Note, Vec<(usize, usize)>)>,
    is_doubtful: bool,
}

impl<'note> Readable<'note> {
    /// The readable text of a note.
    pub(crate) fn of(note: &'note Note) -> Self {
        let text = note.as_str();
        steps::count(text.len());
        let mut made: Option<Rewrite> = None;
        let mut is_doubtful = line_ends::is_doubtful(text);
        // In the order in which a mail in a record would be undone: the record, the mail, the page in it, the text on the page.
        for step in [escaped::decoded, encoded::decoded, markup::removed, line_ends::mended] {
            let current = made.as_ref().map_or(text, Rewrite::text);
            if let Some(next) = step(current) {
                // What was encoded is seen only now, what a step takes out only before.
                is_doubtful |= line_ends::is_doubtful(next.text());
                steps::count(next.text().len());
                made = Some(match &made {
                    Some(earlier) => next.after(earlier),
                    None => next,
                });
            }
        }
        let made = made.map(Rewrite::into_parts).map(|(text, from)| (note.part(text), from));
        Self { note, made, is_doubtful }
    }

    /// The note to read: the note itself where it is readable as it is.
    pub(crate) fn note(&self) -> &Note {
        self.made.as_ref().map_or(self.note, |(note, _)| note)
    }

    /// Whether it is another text than the note's own.
    pub(crate) fn is_made(&self) -> bool {
        self.made.is_some()
    }

    /// Whether characters were taken out that may have parted words or turned the order of the letters.
    pub(crate) fn is_doubtful(&self) -> bool {
        self.is_doubtful
    }

    /// Where a stretch of the readable note stands in the note as it was sent.
    pub(crate) fn origin(&self, range: Range<usize>) -> Range<usize> {
        let Some((_, from)) = &self.made else { return range };
        let start = from.get(range.start).map_or(self.note.as_str().len(), |&(start, _)| start);
        let end = range.end.checked_sub(1).and_then(|last| from.get(last)).map_or(start, |&(_, end)| end);
        start..end.max(start)
    }
}
