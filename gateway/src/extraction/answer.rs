//! The answer to one note, as the client receives it.

use std::io;

use serde::Serialize;
use utoipa::ToSchema;

use super::{CrossCheck, EngineName, Evidence, Record, Warning, parse::Repair};

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
