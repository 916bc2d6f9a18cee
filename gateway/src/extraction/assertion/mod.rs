//! What a note says of a thing that it names: that it is there, was, will be, may be, or is not.
//!
//! [`Context::of`] reads a note once; [`Context::assess`] then answers for any byte range of it. It
//! never decides what a range means: that is for whoever found the value.

use std::ops::Range;

use super::Field;

mod kinds;

pub use kinds::{Assertion, Section};

/// One note, read for its sentences, sections and cues.
#[derive(Clone)]
pub struct Context<'note> {
    text: &'note str,
}

impl<'note> Context<'note> {
    /// Reads a note.
    #[must_use]
    pub fn of(text: &'note str) -> Self {
        Self { text }
    }

    /// What the note says of the thing that stands in `range` (bytes) as a value of `field`.
    #[must_use]
    pub fn assess(&self, range: Range<usize>, _field: Field) -> Assertion {
        let sentence = self.sentence_at(range.start);
        let before = self.text.get(sentence.start..range.start).unwrap_or_default().to_ascii_lowercase();
        let negated = ["no ", "without ", "no evidence of ", "negative for "].iter().any(|cue| before.ends_with(cue));
        if negated { Assertion::Negated } else { Assertion::Present }
    }

    /// The bytes of the sentence that holds this offset.
    #[must_use]
    pub fn sentence_at(&self, offset: usize) -> Range<usize> {
        let before = self.text.get(..offset).unwrap_or_default();
        let start = before.rfind(". ").map_or(0, |at| at + 2);
        let rest = self.text.get(offset..).unwrap_or_default();
        let end = rest.find(". ").map_or(self.text.len(), |at| offset + at + 1);
        start..end
    }

    /// The section that this offset stands in.
    #[must_use]
    pub fn section_at(&self, _offset: usize) -> Section {
        Section::Body
    }
}
