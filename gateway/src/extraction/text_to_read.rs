//! The text that an engine is to read: a whole note, or a chunk with the context before it.

use super::Note;

/// A text for an engine.
#[derive(Clone, Copy, Debug)]
pub(super) struct TextToRead<'a> {
    pub(super) text: &'a Note,
    /// Where its own part begins, in bytes: after the context of a chunk.
    pub(super) own_from: usize,
    /// Whether it is a note, and not a chunk of one.
    pub(super) is_whole_note: bool,
}

impl<'a> TextToRead<'a> {
    /// Returns the text of a whole note.
    pub(super) fn whole(text: &'a Note) -> Self {
        Self { text, own_from: 0, is_whole_note: true }
    }
}
