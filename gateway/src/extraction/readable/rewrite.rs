//! A text made from another, of which each byte knows the stretch of the other that it stands for.

use std::ops::Range;

/// A text under construction.
#[derive(Debug, Default)]
pub(super) struct Rewrite {
    text: String,
    from: Vec<(usize, usize)>,
}

impl Rewrite {
    /// Adds a stretch of the source as it is.
    pub(super) fn copy(&mut self, source: &str, range: Range<usize>) {
        let start = range.start;
        for (at, character) in source.get(range).unwrap_or_default().char_indices() {
            self.put(character, start + at..start + at + character.len_utf8());
        }
    }

    /// Adds a character that stands for a stretch of the source.
    pub(super) fn put(&mut self, character: char, from: Range<usize>) {
        self.text.push(character);
        self.from.resize(self.text.len(), (from.start, from.end));
    }

    /// What was made until now.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// The same text as one made from the source of an earlier rewrite, where this one was made from that one's text.
    pub(super) fn after(self, earlier: &Self) -> Self {
        let first = |at: usize| earlier.from.get(at).map_or(0, |&(start, _)| start);
        let last = |end: usize| end.checked_sub(1).and_then(|at| earlier.from.get(at)).map_or(0, |&(_, end)| end);
        let from = self.from.into_iter().map(|(start, end)| (first(start), last(end))).collect();
        Self { text: self.text, from }
    }

    /// The text, and for each of its bytes where it came from.
    pub(super) fn into_parts(self) -> (String, Vec<(usize, usize)>) {
        (self.text, self.from)
    }
}
