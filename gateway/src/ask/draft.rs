//! What a model writes to a question: its parse, whole and while it is being written.

use serde::Deserialize;

/// Most quotes of one draft; further ones are left out.
pub const MOST_QUOTES: usize = 3;
/// Longest quote and longest answer, in bytes. What is longer is no short answer.
const LONGEST_QUOTE: usize = 2_000;
const LONGEST_ANSWER: usize = 2_000;

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

/// Returns the quotes that are complete in a draft that is still being written, at most [`MOST_QUOTES`].
#[must_use]
pub(super) fn complete_quotes(text: &str) -> Vec<String> {
    let Some((_, rest)) = text.split_once("\"quotes\"") else { return Vec::new() };
    let Some(mut rest) = rest.trim_start().strip_prefix(':').map(str::trim_start).and_then(|it| it.strip_prefix('['))
    else {
        return Vec::new();
    };
    let mut quotes = Vec::new();
    while quotes.len() < MOST_QUOTES {
        rest = rest.trim_start_matches(|c: char| c.is_whitespace() || c == ',');
        let Some(length) = string_length(rest) else { break };
        let Some(quote) = rest.get(..length).and_then(|text| serde_json::from_str::<String>(text).ok()) else { break };
        quotes.push(quote);
        rest = rest.get(length..).unwrap_or_default();
    }
    quotes.retain(|quote| quote.len() <= LONGEST_QUOTE);
    quotes
}

/// Returns the length of the JSON string at the start, with its quotation marks; `None` if it is not complete.
fn string_length(text: &str) -> Option<usize> {
    let inner = text.strip_prefix('"')?;
    let mut escaped = false;
    for (at, byte) in inner.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return Some(at + 2),
            _ => {}
        }
    }
    None
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
            assert_eq!(complete_quotes(text), expected, "{text}");
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
