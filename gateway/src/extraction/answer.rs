//! What a caller gets for one note: the record, where each value comes from, and what to be wary of.

use std::io;

use serde::Serialize;
use utoipa::ToSchema;

use super::{Assertion, Confidence, CrossCheck, EngineName, Evidence, Field, Record, parse::Repair};

/// The answer to one note.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Answer {
    /// The seven fields.
    #[serde(flatten)]
    pub record: Record,
    /// What the engine said, before any repair; from the rules engine, the record as JSON.
    #[schema(example = "{\"cancer_type\": \"melanoma (cutaneous)\", \"stage\": \"IV\", ...}")]
    pub raw_output: String,
    /// Prompt and answer tokens of all attempts; 0 from the rules engine, or where the model server
    /// reported none.
    #[schema(example = 0, minimum = 0)]
    pub tokens_used: u32,
    /// Which engine answered.
    pub engine: EngineName,
    /// The model that answered; `rules` from the rules engine.
    #[schema(example = "rules")]
    pub model: String,
    /// Version of the prompt; null from the rules engine.
    #[schema(required = true, example = json!(null))]
    pub prompt: Option<&'static str>,
    /// Whether a lesser engine answered in place of the configured one.
    #[schema(example = false)]
    pub degraded: bool,
    /// Id of this request, as in the `X-Request-Id` header and in the log.
    #[schema(example = "0199c0de-7a3b-7c21-8e5f-2b7d1c9a4e60")]
    pub request_id: String,
    /// What had to be mended in the engine's output before it was a record.
    pub repairs: Vec<Repair>,
    /// What to be wary of.
    pub warnings: Vec<Warning>,
    /// Where each value comes from.
    pub evidence: Evidence,
    /// In how many parts a long note was read; absent where it was read whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = 3, minimum = 2)]
    pub chunks: Option<usize>,
    /// How many of these parts gave no value; absent where the note was read whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = 0)]
    pub chunks_empty: Option<usize>,
    /// Stretches of the note that could not be read, where the caller allowed that; absent otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub unread: Option<Vec<Unread>>,
    /// How the rules engine's record compares, field by field; absent unless `cross_check` is set.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub cross_check: Option<CrossCheck>,
}

impl Answer {
    /// How many bytes it has as JSON.
    #[must_use]
    pub fn json_bytes(&self) -> usize {
        let mut bytes = ByteCounter(0);
        // Neither the answer nor the count can fail.
        let _ = serde_json::to_writer(&mut bytes, self);
        bytes.0
    }
}

/// Counts what is written.
struct ByteCounter(usize);

impl io::Write for ByteCounter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A stretch of the note that no engine read; half-open, in the unit asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Unread {
    /// First position.
    #[schema(example = 6000, minimum = 0)]
    pub start: usize,
    /// One past the last position.
    #[schema(example = 11_840, minimum = 0)]
    pub end: usize,
}

/// How a value is supported by the note.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(example = "stated")]
pub enum Basis {
    /// Its words stand in the note; case, spacing, order, punctuation and plural aside.
    Stated,
    /// A known synonym, adjective or abbreviation of it stands in the note; `rule` names the link.
    Normalized,
    /// It follows by a named rule from what stands in the note.
    Inferred,
    /// Nothing in the note was found for it: `quote`, `start` and `end` are null.
    Unsupported,
}

impl Basis {
    /// Every basis.
    pub const ALL: [Self; 4] = [Self::Stated, Self::Normalized, Self::Inferred, Self::Unsupported];

    /// The basis's name in JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Stated => "stated",
            Self::Normalized => "normalized",
            Self::Inferred => "inferred",
            Self::Unsupported => "unsupported",
        }
    }
}

/// One value of one field and where it comes from. `start` and `end` are half-open, in the unit asked
/// for, relative to `text` as sent; `quote` is exactly that slice.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Finding {
    /// The value: one part of the field.
    #[schema(example = "IV")]
    pub value: String,
    /// Whether the value is in the flat field.
    #[schema(example = true)]
    pub in_record: bool,
    /// How the note supports it.
    pub basis: Basis,
    /// What the note says of it: present, negated, planned...; null where that was not assessed.
    #[schema(required = true)]
    pub assertion: Option<Assertion>,
    /// The synonym or rule that links value and quote; null for `stated` and `unsupported`.
    #[schema(required = true, example = json!(null))]
    pub rule: Option<&'static str>,
    /// The words of the note.
    #[schema(required = true, example = "stage IV")]
    pub quote: Option<String>,
    /// First position of the quote.
    #[schema(required = true, example = 20, minimum = 0)]
    pub start: Option<usize>,
    /// One past the last position of the quote.
    #[schema(required = true, example = 28, minimum = 0)]
    pub end: Option<usize>,
    /// How sure the model was of its own wording; null where that was not asked for, or there is none.
    #[schema(required = true)]
    pub confidence: Option<Confidence>,
}

/// Something to be wary of in an answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Warning {
    /// What kind of warning.
    pub code: WarningCode,
    /// The field it is about; null where it is about the whole answer.
    #[schema(required = true)]
    pub field: Option<Field>,
    /// A sentence for a person.
    #[schema(example = "1 value has no support in the note; check it before use.")]
    pub message: String,
}

/// Kinds of warnings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(example = "unsupported_value")]
pub enum WarningCode {
    /// A value has no support in the note.
    UnsupportedValue,
    /// The note negates a value of the engine, or plans it, ascribes it to a relative...: it is not in the
    /// record, only in the evidence.
    ContradictedValue,
    /// Places of a long note give values of which only one can be true; all are kept.
    ConflictingValues,
    /// A part of the note could not be read, and the caller allowed that.
    PartlyUnread,
    /// The rules engine recognised no oncology term, or none that it could read: the note may hold none, or use
    /// wording or a language that the rules do not know.
    NoOncologyTerms,
    /// A part of the note is in a language, or holds markup or characters, that the rules engine cannot read for certain.
    UnfamiliarText,
    /// The model gave no value, or few, where the rules engine recognises some in the same text: nulls may be wrong.
    EmptyRecordDoubted,
    /// A field has more values than an answer holds: the record has the first 64, `evidence` the next 64.
    TooManyValues,
}

impl WarningCode {
    /// The code's name in JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::UnsupportedValue => "unsupported_value",
            Self::ContradictedValue => "contradicted_value",
            Self::ConflictingValues => "conflicting_values",
            Self::PartlyUnread => "partly_unread",
            Self::NoOncologyTerms => "no_oncology_terms",
            Self::UnfamiliarText => "unfamiliar_text",
            Self::EmptyRecordDoubted => "empty_record_doubted",
            Self::TooManyValues => "too_many_values",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warnings_are_called_as_they_are_written() {
        for code in [
            WarningCode::UnsupportedValue,
            WarningCode::ContradictedValue,
            WarningCode::ConflictingValues,
            WarningCode::PartlyUnread,
            WarningCode::NoOncologyTerms,
            WarningCode::UnfamiliarText,
            WarningCode::EmptyRecordDoubted,
            WarningCode::TooManyValues,
        ] {
            assert_eq!(serde_json::to_value(code).unwrap(), code.name());
        }
    }
}
