//! The folded form of a note, in which terms are looked up: ASCII lower case, one kind of dash, one space between
//! words. Each byte keeps its offset in the source, so that the original case and spans are preserved. The source is
//! readable text, in which characters that look alike are written in one way already.

use std::ops::Range;

use crate::{extraction::places_of, steps};

/// A folded text, with the offsets of its bytes in the source text.
#[derive(Debug)]
pub(crate) struct FoldedNote<'text> {
    source: &'text str,
    text: String,
    /// For each byte of `text`, the offset of its character in `source`; the last entry is the length of `source`.
    origin: Vec<usize>,
}

impl<'text> FoldedNote<'text> {
    /// Folds a text.
    pub(crate) fn of(source: &'text str) -> Self {
        steps::count(source.len());
        let mut folded =
            Self { source, text: String::with_capacity(source.len()), origin: Vec::with_capacity(source.len() + 1) };
        let mut at = 0;
        while let Some(&byte) = source.as_bytes().get(at) {
            let next = source.as_bytes().get(at + 1);
            // Almost all characters of a note are these, so they take the shortest way.
            let is_plain = byte.is_ascii_graphic() && byte != b'-';
            if is_plain || (byte == b' ' && next.is_some_and(u8::is_ascii_graphic)) {
                folded.text.push(char::from(byte.to_ascii_lowercase()));
                folded.origin.push(at);
                at += 1;
            } else {
                at += folded.push_other(at);
            }
        }
        folded.origin.push(source.len());
        folded
    }

    /// Adds white space, a dash, or a character outside ASCII, and returns how many bytes of the source it takes.
    fn push_other(&mut self, at: usize) -> usize {
        let Some(c) = self.source.get(at..).and_then(|rest| rest.chars().next()) else { return 1 };
        let rest = self.source.get(at + c.len_utf8()..).unwrap_or_default();
        let mut length = c.len_utf8();
        if c.is_whitespace() {
            length += rest.len() - rest.trim_start().len();
            let line_ends = self.source.get(at..at + length).unwrap_or_default().bytes().filter(|&byte| byte == b'\n');
            // An empty line ends a phrase. A single line break does not, because notes are wrapped anywhere.
            self.push(if line_ends.count() > 1 { '\n' } else { ' ' }, at);
        } else {
            match c {
                '-' => self.push(if self.joins_words(rest.chars().next()) { ' ' } else { '-' }, at),
                '\u{2014}' | '\u{2015}' => self.push('-', at),
                _ => self.push(c, at),
            }
        }
        length
    }

    fn push(&mut self, c: char, at: usize) {
        self.text.push(c);
        self.origin.resize(self.text.len(), at);
    }

    /// Returns whether a dash joins two words: "ER-positive" becomes "er positive", "1-2" and "ER-/PR-" keep the dash.
    fn joins_words(&self, next: Option<char>) -> bool {
        match (self.text.chars().next_back(), next) {
            (Some(before), Some(after)) => {
                before.is_alphanumeric()
                    && after.is_alphanumeric()
                    && !(before.is_ascii_digit() && after.is_ascii_digit())
            }
            _ => false,
        }
    }

    /// Returns the folded text.
    pub(crate) fn as_str(&self) -> &str {
        // Callers search the text many bytes at a time, so it counts fewer steps than bytes.
        steps::count(self.text.len() / 16);
        &self.text
    }

    /// Returns where the folded text has these words, in order and without overlaps.
    pub(crate) fn places<'a>(&'a self, words: &'a str) -> impl Iterator<Item = usize> + 'a {
        places_of(self.as_str(), words)
    }

    /// Returns whether the folded text has these words.
    pub(crate) fn contains(&self, words: &str) -> bool {
        self.places(words).next().is_some()
    }

    /// Returns the bytes of the folded text, for access to single bytes.
    pub(crate) fn bytes(&self) -> &[u8] {
        self.text.as_bytes()
    }

    /// Returns a stretch of the folded text; empty if the range is invalid.
    pub(crate) fn slice(&self, range: Range<usize>) -> &str {
        // At most 64 steps: callers reject longer stretches by their length, or count the steps of their own search.
        steps::count(1 + range.len().min(64));
        self.text.get(range).unwrap_or_default()
    }

    /// Returns the folded text from an offset on, at most `most` bytes.
    pub(crate) fn after(&self, at: usize, most: usize) -> &str {
        let mut end = at.saturating_add(most).min(self.text.len());
        while !self.text.is_char_boundary(end) {
            end -= 1;
        }
        steps::count(end.saturating_sub(at));
        self.slice(at..end)
    }

    /// Returns the folded text up to an offset, at most `most` bytes.
    pub(crate) fn before(&self, at: usize, most: usize) -> &str {
        let mut start = at.saturating_sub(most);
        while !self.text.is_char_boundary(start) {
            start += 1;
        }
        steps::count(at.saturating_sub(start));
        self.slice(start..at)
    }

    /// Returns the range in the source of a stretch of the folded text.
    pub(crate) fn origin(&self, range: &Range<usize>) -> Range<usize> {
        let start = self.origin.get(range.start).copied().unwrap_or(self.source.len());
        let last = range.end.checked_sub(1).and_then(|last| self.origin.get(last)).copied().unwrap_or(start);
        let width = self.source.get(last..).and_then(|rest| rest.chars().next()).map_or(0, char::len_utf8);
        start..(last + width).max(start)
    }

    /// Returns the first offset of the folded text that comes from this offset of the source or a later one.
    pub(crate) fn offset_of(&self, at: usize) -> usize {
        let mut found = self.origin.partition_point(|&origin| origin < at).min(self.text.len());
        while !self.text.is_char_boundary(found) {
            found -= 1;
        }
        found
    }

    /// Returns the source text of a stretch of the folded text.
    pub(crate) fn quote(&self, range: &Range<usize>) -> &'text str {
        self.source.get(self.origin(range)).unwrap_or_default()
    }

    /// Returns whether a stretch begins and ends at word boundaries.
    pub(crate) fn is_bounded(&self, range: &Range<usize>) -> bool {
        let before = self.text.get(..range.start).unwrap_or_default().chars().next_back();
        let after = self.text.get(range.end..).unwrap_or_default().chars().next();
        !before.is_some_and(char::is_alphanumeric) && !after.is_some_and(char::is_alphanumeric)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_dashes_and_space_are_folded() {
        for (source, folded) in [
            ("HER-2", "her 2"),
            ("Non-Small-Cell  Lung\nCancer", "non small cell lung cancer"),
            ("ER-/PR-", "er-/pr-"),
            ("1-2 cm", "1-2 cm"),
            ("III\u{2014}no", "iii-no"),
            ("liver\n\nLungs", "liver\nlungs"),
        ] {
            assert_eq!(FoldedNote::of(source).as_str(), folded);
        }
    }

    #[test]
    fn stretches_are_quoted_from_the_source() {
        let folded = FoldedNote::of("é HER-2  +");
        let at = folded.as_str().find("her 2").unwrap();
        assert_eq!(folded.quote(&(at..at + 5)), "HER-2");
        assert!(folded.is_bounded(&(at..at + 5)));
        assert!(!folded.is_bounded(&(at..at + 2)));
    }
}
