//! Makes the readable text of a note: decodes encoded text, removes markup and invisible characters, writes characters
//! that look alike in one way, joins words that are split at a line end, and removes values that a form offers and that
//! are not ticked.
//!
//! The rules, the aligner and the assertions read this text. Each byte of it maps back to the note as sent, so that
//! quotes and offsets refer to that note. Most notes are readable already and are not copied.

mod characters;
mod choices;
mod control_words;
mod json_escapes;
mod line_ends;
mod markup;
mod misdecoded;
mod quoted_printable;
mod rewrite;
#[cfg(test)]
mod tests;

use std::ops::Range;

use self::rewrite::Rewrite;
use super::Note;
use crate::steps;
pub(super) use characters::{is_apostrophe, is_hyphen};
pub(super) use choices::unticked;

/// A note and its readable text.
#[derive(Debug)]
pub(crate) struct Readable<'note> {
    note: &'note Note,
    made: Option<(Note, Vec<(usize, usize)>)>,
    is_doubtful: bool,
}

impl<'note> Readable<'note> {
    /// Makes the readable text of a note.
    pub(crate) fn of(note: &'note Note) -> Self {
        let text = note.as_str();
        steps::count(text.len());
        let mut made: Option<Rewrite> = None;
        let mut is_doubtful = line_ends::is_doubtful(text);
        // From the outermost layer inwards: RTF and HL7, JSON escapes, mail encoding, HTML, then the text itself.
        for step in [
            control_words::decode,
            json_escapes::decode,
            quoted_printable::decode,
            markup::remove,
            misdecoded::repair,
            characters::unify,
            line_ends::join,
            choices::remove_unticked,
        ] {
            let current = made.as_ref().map_or(text, Rewrite::text);
            if let Some(next) = step(current) {
                // Checked after each step: a step can decode doubtful characters, and the last step removes them.
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

    /// Returns the readable note, which is the original note where nothing was changed.
    pub(crate) fn note(&self) -> &Note {
        self.made.as_ref().map_or(self.note, |(note, _)| note)
    }

    /// Returns whether the readable text differs from the note.
    pub(crate) fn is_made(&self) -> bool {
        self.made.is_some()
    }

    /// Returns whether the note has characters that may have separated words, reversed letters or replaced letters.
    pub(crate) fn is_doubtful(&self) -> bool {
        self.is_doubtful
    }

    /// Converts a byte range of the readable note to one of the note as the client sent it.
    pub(crate) fn origin(&self, range: Range<usize>) -> Range<usize> {
        let Some((_, from)) = &self.made else { return range };
        let start = from.get(range.start).map_or(self.note.as_str().len(), |&(start, _)| start);
        let end = range.end.checked_sub(1).and_then(|last| from.get(last)).map_or(start, |&(_, end)| end);
        start..end.max(start)
    }
}
