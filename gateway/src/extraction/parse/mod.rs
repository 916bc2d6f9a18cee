//! Model text to a record. Total: every text is a record, or says why it is not one.
//!
//! The training format, and any strict JSON object of the seven keys, takes the fast path in `strict`.
//! Everything else goes through `lenient`, which mends only what can be mended without guessing and
//! says so in `repairs`. What was cut off is never completed, and a key that is not there is never
//! taken for null. Time is linear in the text, whatever the text; nothing recurses.

mod builder;
mod cursor;
mod lenient;
mod lines;
mod object;
mod strict;
mod string;
mod synonyms;
#[cfg(test)]
mod tests;
mod thinking;
mod value;

use serde::Serialize;
use utoipa::ToSchema;

use super::{Field, Record};

/// A record and what had to be mended to get it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parsed {
    /// The record.
    pub record: Record,
    /// The repairs, in the order in which they were made, each once.
    pub repairs: Vec<Repair>,
}

/// One thing that was mended in model output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Repair {
    /// What was mended.
    pub code: RepairCode,
    /// The field it was mended in; null where it concerns the whole text.
    #[schema(required = true)]
    pub field: Option<Field>,
}

/// Kinds of repairs. White space around the text and around values is not one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(example = "code_fence")]
pub enum RepairCode {
    /// A `<think>` block was left out.
    Thinking,
    /// A Markdown code fence around the record was removed.
    CodeFence,
    /// Text before the record was left out.
    TextBefore,
    /// Text after the record, or between equal records, was left out.
    TextAfter,
    /// The same record was given more than once.
    RepeatedRecord,
    /// The record was read from lines of the form `key: value`.
    KeyValueLines,
    /// A key was in other letters or separators, such as `Cancer Type`.
    KeySpelling,
    /// A key of another name was read as the field that it means, such as `treatments` or `diagnosis`.
    KeySynonym,
    /// A key had no quotation marks.
    UnquotedKey,
    /// A key that is not of the record was left out with its value.
    UnknownKey,
    /// A key was given more than once, with equal values.
    RepeatedKey,
    /// A comma before a closing bracket was removed.
    TrailingComma,
    /// Single or typographic quotation marks were read as double ones.
    QuoteMarks,
    /// A line break, tab or other control character stood unescaped in a string.
    RawControl,
    /// A backslash before a character that needs none was dropped, or half of a surrogate pair became
    /// U+FFFD.
    InvalidEscape,
    /// An unquoted `None`, `NULL` or `undefined` was read as null.
    NullSpelling,
    /// A text that says nothing, such as `N/A` or the empty text, was read as null.
    NullWord,
    /// A whole number was read as text (only for the stage).
    NumberAsText,
    /// A list of texts was joined by `"; "`.
    ListJoined,
}

/// Why a text is not a record. None of the reasons holds any of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// There is no object with any of the seven keys, nor lines of the form `key: value`.
    #[error("no record in the output")]
    NoRecord,
    /// A `<think>` block never closes: the answer was never begun.
    #[error("the output ends while thinking")]
    UnclosedThinking,
    /// The text ends inside an object or a string.
    #[error("the record is cut off")]
    CutOff,
    /// An object or the lines cannot be read for certain.
    #[error("the record is malformed")]
    Malformed,
    /// At least one of the seven keys is there and at least one is not.
    #[error("a key of the record is missing")]
    MissingKey,
    /// A value is an object, a boolean, a number (other than a whole number for the stage), or a list
    /// of anything but texts and nulls.
    #[error("a value of the record has the wrong type")]
    WrongType,
    /// One record has the same key twice with different values.
    #[error("a key of the record has two different values")]
    ConflictingKey,
    /// There are two or more complete records, and they differ.
    #[error("the output holds records that differ")]
    ConflictingRecords,
    /// The record is empty, and the output says more than that, or came in an envelope that tells of a failure.
    #[error("the record is empty and the output is not")]
    SaysMore,
}

/// A text as a field's value: trimmed, and nothing where it says nothing ("N/A").
pub(super) fn settled(text: String) -> Option<String> {
    value::settle(text)
}

/// The words of a model text without the names of the keys, which are words of oncology themselves; at most so many
/// bytes of them.
pub(super) fn beside_keys(text: &str, most: usize) -> String {
    let mut words = String::with_capacity(text.len().min(most));
    let mut rest = text;
    while let Some(c) = rest.chars().next().filter(|_| words.len() < most) {
        let at_word = !words.ends_with(char::is_alphanumeric);
        let key = Field::ALL.into_iter().find_map(|field| value::after_name(rest, field)).filter(|_| at_word);
        if let Some(after) = key {
            (rest, words) = (after, words + " ");
        } else {
            words.push(c);
            rest = rest.get(c.len_utf8()..).unwrap_or_default();
        }
    }
    words
}

/// Reads a record from model text.
pub fn parse(text: &str) -> Result<Parsed, Unusable> {
    let text = text.trim_start_matches('\u{feff}').trim();
    match strict::parse(text) {
        Some(parsed) => Ok(parsed),
        None => lenient::parse(text),
    }
}
