//! Defines the text types: the note of a request, the text that a model wrote, and spans that quote the note.
//!
//! Neither text type can be printed or serialised: `Debug` shows the length, and there is no `Display` and
//! no `Serialize`. So a note cannot reach a log or an error by accident.

use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::steps;

/// A clinical note that is not blank, has no NUL and does not exceed the length limit.
#[derive(Clone)]
pub struct Note {
    text: String,
    code_points: usize,
}

/// Why a text is not a note.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoteRefusal {
    /// It is empty or only white space.
    Blank,
    /// It contains U+0000, which tokenizers and databases downstream reject.
    Nul,
    /// It has more code points than `limits.max_note_chars`.
    TooLong,
}

impl Note {
    /// Checks a text and returns it as a note. Control characters other than NUL (form feeds, tabs, CR LF) are kept,
    /// because they are common in exported notes.
    pub fn new(text: String, max_code_points: usize) -> Result<Self, NoteRefusal> {
        let code_points = if text.is_ascii() { text.len() } else { text.chars().count() };
        if code_points > max_code_points {
            Err(NoteRefusal::TooLong)
        } else if memchr::memchr(0, text.as_bytes()).is_some() {
            Err(NoteRefusal::Nul)
        } else if text.chars().all(char::is_whitespace) {
            Err(NoteRefusal::Blank)
        } else {
            Ok(Self { text, code_points })
        }
    }

    /// Returns a note made of parts of this note. It needs no new check, except that it may be blank.
    pub(super) fn part(&self, text: String) -> Self {
        let code_points = if self.text.len() == self.code_points { text.len() } else { text.chars().count() };
        Self { text, code_points }
    }

    /// Returns the text, for engines and the grounder only.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns the length in Unicode code points.
    #[must_use]
    pub fn code_points(&self) -> usize {
        self.code_points
    }

    /// Returns the span between two byte offsets; `None` if it is empty or they are not ordered character boundaries
    /// of this note.
    #[must_use]
    pub fn span(&self, start: usize, end: usize) -> Option<Span<'_>> {
        let quote = self.text.get(start..end)?;
        (!quote.is_empty()).then_some(Span { quote, start })
    }

    /// Returns a converter from byte offsets of this note to another unit.
    #[must_use]
    pub fn offsets(&self, unit: OffsetUnit) -> Offsets<'_> {
        let identity = unit == OffsetUnit::Byte || self.text.len() == self.code_points;
        Offsets { text: &self.text, unit, identity, at: (0, 0) }
    }
}

impl fmt::Debug for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Note({} code points)", self.code_points)
    }
}

/// The text that a model wrote. It is as confidential as the note.
#[derive(Clone, PartialEq, Eq)]
pub struct ModelText(String);

impl ModelText {
    /// Wraps model output.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// Returns the text, for the parser.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the text, for `raw_output` of the answer to the caller that sent the note.
    #[must_use]
    pub fn into_string(self) -> String {
        self.0
    }
}

impl fmt::Debug for ModelText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ModelText({} bytes)", self.0.len())
    }
}

/// A part of one note. It borrows its quote from the note, so it cannot quote other text.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Span<'note> {
    quote: &'note str,
    start: usize,
}

impl<'note> Span<'note> {
    /// Returns the exact slice of the note.
    #[must_use]
    pub fn quote(self) -> &'note str {
        self.quote
    }

    /// Returns the offset of the first byte.
    #[must_use]
    pub fn start(self) -> usize {
        self.start
    }

    /// Returns the offset after the last byte.
    #[must_use]
    pub fn end(self) -> usize {
        self.start + self.quote.len()
    }
}

impl fmt::Debug for Span<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Span({}..{})", self.start(), self.end())
    }
}

/// The unit of `start` and `end` in the evidence.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase", try_from = "String")]
#[schema(example = "codepoint", default = "codepoint")]
pub enum OffsetUnit {
    /// Unicode code points, as Python counts.
    #[default]
    Codepoint,
    /// UTF-16 code units, as JavaScript and Java count.
    Utf16,
    /// Bytes of UTF-8, as Rust and Go count.
    Byte,
}

/// Accepts text only, because serde's derived reading of an enum also accepts `{"byte": null}`.
impl TryFrom<String> for OffsetUnit {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        match text.as_str() {
            "codepoint" => Ok(Self::Codepoint),
            "utf16" => Ok(Self::Utf16),
            "byte" => Ok(Self::Byte),
            _ => Err("unknown offset unit"),
        }
    }
}

/// Converts byte offsets of a note into another unit. It remembers its last offset, so that a series of
/// ascending offsets costs one pass over the note.
#[derive(Debug)]
pub struct Offsets<'note> {
    text: &'note str,
    unit: OffsetUnit,
    identity: bool,
    at: (usize, usize),
}

impl Offsets<'_> {
    /// Converts a byte offset, which must be a character boundary of the note.
    pub fn convert(&mut self, byte: usize) -> usize {
        if self.identity {
            return byte;
        }
        let (from, counted) = if self.at.0 <= byte { self.at } else { (0, 0) };
        let part = self.text.get(from..byte).unwrap_or_default();
        steps::count(part.len());
        let more = match self.unit {
            OffsetUnit::Codepoint => part.chars().count(),
            OffsetUnit::Utf16 => part.chars().map(char::len_utf16).sum(),
            OffsetUnit::Byte => part.len(),
        };
        self.at = (byte, counted + more);
        self.at.1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note(text: &str) -> Note {
        Note::new(text.to_owned(), 1_000).unwrap()
    }

    #[test]
    fn invalid_texts_are_rejected() {
        for (text, refusal) in [
            ("", NoteRefusal::Blank),
            (" \t\r\n\u{a0}", NoteRefusal::Blank),
            ("a\0b", NoteRefusal::Nul),
            ("abcdef", NoteRefusal::TooLong),
            ("ééééé!", NoteRefusal::TooLong),
        ] {
            assert_eq!(Note::new(text.to_owned(), 5).unwrap_err(), refusal);
        }
        assert!(Note::new("ééééé".to_owned(), 5).is_ok());
        assert!(Note::new("\u{c}a\r\n\t".to_owned(), 5).is_ok());
    }

    #[test]
    fn debug_shows_no_text() {
        let text = "CANARY";
        let note = note(text);
        let shown = format!("{note:?} {:?} {:?}", ModelText::new(text.to_owned()), note.span(0, 6).unwrap());
        assert!(!shown.contains(text), "{shown}");
    }

    #[test]
    fn spans_need_character_boundaries() {
        let note = note("é1");
        assert!(note.span(0, 1).is_none());
        assert!(note.span(2, 2).is_none());
        assert!(note.span(3, 2).is_none());
        assert!(note.span(0, 9).is_none());
        assert_eq!(note.span(0, 2).unwrap().quote(), "é");
    }

    #[test]
    fn offsets_in_each_unit() {
        let note = note("a😀é b");
        let b = note.as_str().find('b').unwrap();
        for (unit, expected) in [(OffsetUnit::Codepoint, 4), (OffsetUnit::Utf16, 5), (OffsetUnit::Byte, 8)] {
            let mut offsets = note.offsets(unit);
            assert_eq!(offsets.convert(b), expected);
            assert_eq!(offsets.convert(0), 0, "an earlier offset");
            assert_eq!(offsets.convert(1), 1);
        }
    }
}
