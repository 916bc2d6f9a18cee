//! What a model writes to a question: its parse, whole and while it is being written.

use serde::Deserialize;

/// Most quotes of one draft; further ones are left out.
pub const MOST_QUOTES: usize = 3;
/// Longest quote and longest answer, in bytes. A longer text is not a short answer.
const LONGEST_QUOTE: usize = 2_000;
const LONGEST_ANSWER: usize = 2_000;
const QUOTES_KEY: &str = "\"quotes\"";

/// The answer of a model, before it is checked against the note.
#[derive(Clone, PartialEq, Eq, Deserialize)]
pub struct ModelDraft {
    /// Whether the model found an answer in the note.
    pub found: bool,
    /// The words of the note that it names.
    #[serde(default)]
    pub quotes: Vec<String>,
    /// Its answer in its own words.
    #[serde(default)]
    pub answer: String,
}

impl std::fmt::Debug for ModelDraft {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ModelDraft({} quotes, {} bytes)", self.quotes.len(), self.answer.len())
    }
}

impl ModelDraft {
    /// Parses a whole draft; `None` if it is not of the form that was asked for.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut draft: Self = serde_json::from_str(text.trim()).ok()?;
        draft.quotes.truncate(MOST_QUOTES);
        draft.quotes.retain(|quote| quote.len() <= LONGEST_QUOTE);
        (draft.answer.len() <= LONGEST_ANSWER).then_some(draft)
    }
}

/// Finds the quotes of a draft that is still being written. Each character is read once.
#[derive(Debug, Default)]
pub(super) struct QuoteReader {
    place: Place,
    /// The bytes that were read.
    at: usize,
    found: usize,
}

/// Where the reader is in the draft.
#[derive(Clone, Copy, Debug, Default)]
enum Place {
    /// Before the list of quotes.
    #[default]
    Before,
    /// Between the key and the list.
    AfterKey,
    /// In the list, between two quotes.
    Between,
    /// In a quote that starts at this byte, after a backslash or not.
    Quote { start: usize, escaped: bool },
    /// After the last quote that counts.
    End,
}

impl QuoteReader {
    /// Returns the quotes that are complete since the last call, at most [`MOST_QUOTES`] of a draft. `text` is the draft so
    /// far; it only grows.
    pub(super) fn read(&mut self, text: &str) -> Vec<String> {
        let mut quotes = Vec::new();
        if matches!(self.place, Place::Before) {
            // The key may have begun in the part that was read.
            let from = text.floor_char_boundary(self.at.saturating_sub(QUOTES_KEY.len()));
            match text.get(from..).and_then(|rest| rest.find(QUOTES_KEY)) {
                Some(key) => (self.place, self.at) = (Place::AfterKey, from + key + QUOTES_KEY.len()),
                None => self.at = text.len(),
            }
        }
        for (at, byte) in text.bytes().enumerate().skip(self.at) {
            self.at = at + 1;
            self.place = match (self.place, byte) {
                (Place::Before | Place::End, _) => break,
                (Place::AfterKey, b':' | b' ' | b'\n' | b'\t' | b'\r') => Place::AfterKey,
                (Place::AfterKey, b'[') | (Place::Between, b',' | b' ' | b'\n' | b'\t' | b'\r') => Place::Between,
                (Place::Between, b'"') => Place::Quote { start: at, escaped: false },
                (Place::AfterKey | Place::Between, _) => Place::End,
                (Place::Quote { start, escaped: false }, b'"') => {
                    self.found += 1;
                    let quote = text.get(start..=at).and_then(|json| serde_json::from_str::<String>(json).ok());
                    quotes.extend(quote.filter(|quote| quote.len() <= LONGEST_QUOTE));
                    if self.found == MOST_QUOTES { Place::End } else { Place::Between }
                }
                (Place::Quote { start, escaped }, byte) => Place::Quote { start, escaped: byte == b'\\' && !escaped },
            };
        }
        quotes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_are_complete_as_soon_as_their_string_ends() {
        for (text, expected) in [
            ("", &[][..]),
            ("{\"found\": true, \"quotes\": [\"ab", &[]),
            ("{\"found\": true, \"quotes\": [\"ab\"", &["ab"]),
            ("{\"quotes\":[\"a\\\"b\", \"c\\\\\", \"d", &["a\"b", "c\\"]),
            ("{\"quotes\":[\"1\",\"2\",\"3\",\"4\"], \"answer\": \"x\"}", &["1", "2", "3"]),
            ("{\"quotes\": null", &[]),
        ] {
            assert_eq!(QuoteReader::default().read(text), expected, "{text}");
            // Byte by byte, each quote comes once, as soon as it is complete.
            let (mut reader, mut quotes) = (QuoteReader::default(), Vec::new());
            for end in 0..=text.len() {
                let more = reader.read(text.get(..end).unwrap());
                assert!(more.is_empty() || text.get(..end).unwrap().ends_with('"'), "{text}");
                quotes.extend(more);
            }
            assert_eq!(quotes, expected, "{text}");
        }
    }

    #[test]
    fn a_draft_of_another_form_is_none() {
        for (text, good) in [
            ("{\"found\": false, \"quotes\": [], \"answer\": \"\"}", true),
            (" {\"found\": true, \"quotes\": [\"a\"], \"answer\": \"b\"}\n", true),
            ("{\"found\": \"yes\"}", false),
            ("The answer is 5.", false),
            ("", false),
        ] {
            assert_eq!(ModelDraft::parse(text).is_some(), good, "{text}");
        }
        let long = format!("{{\"found\": true, \"quotes\": [], \"answer\": \"{}\"}}", "x".repeat(3_000));
        assert_eq!(ModelDraft::parse(&long), None);
    }
}
