//! Reads a record from model text. Every text gives a record or the reason why it is not one.
//!
//! The training format, and any other strict JSON object with the seven keys, takes the fast path in `strict`. All
//! other texts go through `lenient`, which makes only repairs with exactly one possible meaning and lists them in
//! `repairs`. The parser never completes a record that is cut off, and never reads a missing key as null. Time is
//! linear in the length of any text; no function is recursive.

mod builder;
mod cursor;
mod fence;
mod key_aliases;
mod lenient;
mod lines;
mod no_value;
mod object;
mod strict;
mod string;
#[cfg(test)]
mod tests;
mod thinking;
mod value;

use serde::Serialize;
use utoipa::ToSchema;

use super::{Field, Record};

/// A record and the repairs that were needed to read it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParsedRecord {
    /// The record.
    pub record: Record,
    /// The repairs in the order in which they were made, without repetitions.
    pub repairs: Vec<Repair>,
}

/// One repair of model output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Repair {
    /// The kind of repair.
    pub code: RepairCode,
    /// The field that the repair concerns; null if it concerns the whole text.
    #[schema(required = true)]
    pub field: Option<Field>,
}

/// Kinds of repairs. Removing white space around the text or around a value is not a repair.
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
    /// A key differed in letter case or separators, such as `Cancer Type`.
    KeySpelling,
    /// A synonym of a key, such as `treatments` or `diagnosis`, was read as the field that it means.
    KeySynonym,
    /// A key had no quotation marks.
    UnquotedKey,
    /// An unknown key was left out with its value.
    UnknownKey,
    /// A key was given more than once, with equal values.
    RepeatedKey,
    /// A comma before a closing bracket was removed.
    TrailingComma,
    /// Single or typographic quotation marks were read as double ones.
    QuoteMarks,
    /// A string had an unescaped line break, tab or other control character, or an invisible character was removed from
    /// a value.
    RawControl,
    /// A backslash before a character that needs none was dropped, or half of a surrogate pair was replaced by U+FFFD.
    InvalidEscape,
    /// An unquoted `None`, `NULL` or `undefined` was read as null.
    NullSpelling,
    /// A text without information, such as `N/A` or the empty text, was read as null.
    NullWord,
    /// A whole number was read as text (only for the stage).
    NumberAsText,
    /// A list of texts was joined by `"; "`.
    ListJoined,
}

impl RepairCode {
    /// Every kind of repair.
    pub const ALL: [Self; 19] = [
        Self::Thinking,
        Self::CodeFence,
        Self::TextBefore,
        Self::TextAfter,
        Self::RepeatedRecord,
        Self::KeyValueLines,
        Self::KeySpelling,
        Self::KeySynonym,
        Self::UnquotedKey,
        Self::UnknownKey,
        Self::RepeatedKey,
        Self::TrailingComma,
        Self::QuoteMarks,
        Self::RawControl,
        Self::InvalidEscape,
        Self::NullSpelling,
        Self::NullWord,
        Self::NumberAsText,
        Self::ListJoined,
    ];
}

/// The reason why a text is not a record. No reason contains any of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// The text has neither an object with one of the seven keys nor lines of the form `key: value`.
    #[error("no record in the output")]
    NoRecord,
    /// A `<think>` block is not closed, so the text has no answer.
    #[error("the output ends inside its `<think>` block")]
    UnclosedThinking,
    /// The text ends inside an object or a string.
    #[error("the record is cut off")]
    CutOff,
    /// An object or the lines cannot be read with certainty.
    #[error("the record is malformed")]
    Malformed,
    /// At least one of the seven keys is present and at least one is missing.
    #[error("a key of the record is missing")]
    MissingKey,
    /// A value is an object, a boolean, a number (other than a whole number for the stage), or a list
    /// of anything but texts and nulls.
    #[error("a value of the record has the wrong type")]
    WrongType,
    /// One record has the same key twice with different values.
    #[error("a key of the record has two different values")]
    ConflictingKey,
    /// The text has two or more complete records, and they differ.
    #[error("the output holds records that differ")]
    ConflictingRecords,
    /// The record is empty, but the output has more text, or its envelope reports a failure.
    #[error("the record is empty although the output contains other text or reports a failure")]
    EmptyRecord,
}

/// Returns a text as a field's value: trimmed, or `None` if it carries no information ("N/A").
pub(super) fn text_or_null(text: String) -> Option<String> {
    value::text_or_null(text)
}

/// Returns the words of a model text without the names of the keys, because these are words of oncology too. Stops
/// after `most` bytes.
pub(super) fn beside_keys(text: &str, most: usize) -> String {
    let mut words = String::with_capacity(text.len().min(most));
    let mut rest = text;
    while let Some(c) = rest.chars().next().filter(|_| words.len() < most) {
        let at_word_start = !words.ends_with(char::is_alphanumeric);
        let key = Field::ALL.into_iter().find_map(|field| value::after_name(rest, field)).filter(|_| at_word_start);
        if let Some(after) = key {
            (rest, words) = (after, words + " ");
        } else {
            words.push(c);
            rest = rest.get(c.len_utf8()..).unwrap_or_default();
        }
    }
    words
}

/// Reads a record from model text; returns the reason if the text is not a record.
pub fn parse(text: &str) -> Result<ParsedRecord, Unusable> {
    let text = text.trim_start_matches('\u{feff}').trim();
    match strict::parse(text) {
        Some(parsed) => Ok(parsed),
        None => lenient::parse(text),
    }
}
