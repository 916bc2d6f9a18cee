//! What a caller gets for one note: the record, where each value comes from, and what to be wary of.

use serde::Serialize;
use utoipa::ToSchema;

use super::{Assertion, EngineName, Evidence, Field, Record, parse::Repair};

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
    /// Confidence of the model, 0 to 1; null where none was asked for or none exists.
    #[schema(required = true, example = json!(null), minimum = 0, maximum = 1)]
    pub confidence: Option<f64>,
}

/// Something to be wary of in an answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Warning {
    /// What kind of warning.
    pub code: WarningCode,
    /// The field it is about; null where it is about the whole answer.
    #[schema(required = true)]
    pub field: Option<Field>,
    /// A sentence for a person. It never holds text of the note.
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
    /// The rules engine recognised no oncology term: the note may hold none, or use wording or a
    /// language that the rules do not know.
    NoOncologyTerms,
}
