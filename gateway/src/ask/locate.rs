//! Finds a quote in a note, apart from white space and letter case.

use std::ops::Range;

use memchr::memmem;

use crate::steps;

/// A text with one space for each run of white space, in ASCII lower case, and where its bytes come from.
pub(super) struct Squeezed {
    text: String,
    origin: Vec<usize>,
    length: usize,
}

impl Squeezed {
    pub(super) fn of(source: &str) -> Self {
        steps::count(source.len());
        let mut squeezed = Self { text: String::with_capacity(source.len()), origin: Vec::new(), length: source.len() };
        for (at, character) in source.char_indices() {
            if !character.is_whitespace() {
                squeezed.text.push(character.to_ascii_lowercase());
            } else if !squeezed.text.ends_with(' ') {
                squeezed.text.push(' ');
            }
            squeezed.origin.resize(squeezed.text.len(), at);
        }
        squeezed
    }

    /// Returns the first place of a quote that begins and ends at the bounds of words; `None` if the text does not
    /// contain it.
    pub(super) fn find(&self, quote: &str) -> Option<Range<usize>> {
        let marks = |c: char| c.is_whitespace() || matches!(c, '"' | '\u{201c}' | '\u{201d}' | '\u{2026}');
        let quote = Self::of(quote.trim_matches(marks).trim_end_matches("...")).text;
        let quote = quote.trim();
        if !quote.contains(char::is_alphanumeric) {
            return None;
        }
        steps::count(self.text.len());
        memmem::find_iter(self.text.as_bytes(), quote.as_bytes()).find_map(|start| {
            let end = start + quote.len();
            let before = self.text.get(..start)?.chars().next_back();
            let after = self.text.get(end..)?.chars().next();
            let joins = |inner: Option<char>, outer: Option<char>| {
                inner.is_some_and(char::is_alphanumeric) && outer.is_some_and(char::is_alphanumeric)
            };
            let is_whole = !joins(quote.chars().next(), before) && !joins(quote.chars().next_back(), after);
            let from = self.origin.get(start).copied()?;
            let to = self.origin.get(end).copied().unwrap_or(self.length);
            is_whole.then_some(from..to)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_are_found_as_whole_words_only() {
        let note = "Inoperable é tumour.\r\n  She takes\tmetformin  500 mg.";
        let squeezed = Squeezed::of(note);
        for (quote, expected) in [
            ("she takes metformin 500 mg", Some("She takes\tmetformin  500 mg")),
            ("\u{201c}metformin 500\u{201d}", Some("metformin  500")),
            ("operable", None),
            ("metformin 50", None),
            ("aspirin", None),
            ("...", None),
            ("", None),
        ] {
            let found = squeezed.find(quote).map(|range| note.get(range).unwrap());
            assert_eq!(found.map(str::trim_end), expected, "{quote}");
        }
    }
}
