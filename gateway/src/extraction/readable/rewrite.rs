//! Builds a text from a source text and records, for each byte, the range of the source that it stands for.

use std::ops::Range;

/// A rewritten text and the source range of each of its bytes.
#[derive(Debug, Default)]
pub(super) struct Rewrite {
    text: String,
    from: Vec<(usize, usize)>,
}

impl Rewrite {
    /// Copies a range of the source.
    pub(super) fn copy(&mut self, source: &str, range: Range<usize>) {
        let start = range.start;
        for (at, character) in source.get(range).unwrap_or_default().char_indices() {
            self.put(character, start + at..start + at + character.len_utf8());
        }
    }

    /// Adds a character that stands for the range `from` of the source.
    pub(super) fn put(&mut self, character: char, from: Range<usize>) {
        self.text.push(character);
        self.from.resize(self.text.len(), (from.start, from.end));
    }

    /// Returns the rewritten text so far.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Maps this rewrite to the source of an earlier rewrite, whose text is the source of this one.
    pub(super) fn after(self, earlier: &Self) -> Self {
        let first = |at: usize| earlier.from.get(at).map_or(0, |&(start, _)| start);
        let last = |end: usize| end.checked_sub(1).and_then(|at| earlier.from.get(at)).map_or(0, |&(_, end)| end);
        let from = self.from.into_iter().map(|(start, end)| (first(start), last(end))).collect();
        Self { text: self.text, from }
    }

    /// Returns the text and the source range of each of its bytes.
    pub(super) fn into_parts(self) -> (String, Vec<(usize, usize)>) {
        (self.text, self.from)
    }
}
