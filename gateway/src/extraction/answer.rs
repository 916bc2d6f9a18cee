//! The answer to one note, as the client receives it.

use std::{io, sync::Arc};

use serde::Serialize;
use utoipa::ToSchema;

use super::{CodeFile, CrossCheck, EngineName, Evidence, Record, Tumour, Warning, parse::Repair, tnm::TnmFormula};

/// The answer to one note.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Answer {
    /// The seven fields.
    #[serde(flatten)]
    pub record: Record,
    /// The output of the engine before any repair; from the rules engine, the record as JSON.
    #[schema(example = "{\"cancer_type\": \"melanoma (cutaneous)\", \"stage\": \"IV\", ...}")]
    pub raw_output: String,
    /// Prompt and completion tokens of all attempts; 0 from the rules engine, or if the model server reports none.
    #[schema(example = 0, minimum = 0)]
    pub tokens_used: u32,
    /// The engine that answered.
    pub engine: EngineName,
    /// The model that answered; `rules` from the rules engine.
    #[schema(example = "rules")]
    pub model: String,
    /// The version of the prompt; null from the rules engine.
    #[schema(required = true, example = json!(null))]
    pub prompt: Option<&'static str>,
    /// Whether the fallback engine answered in place of the configured one.
    #[schema(example = false)]
    pub degraded: bool,
    /// The id of this request, as in the `X-Request-Id` header and in the log.
    #[schema(example = "0199c0de-7a3b-7c21-8e5f-2b7d1c9a4e60")]
    pub request_id: String,
    /// The repairs that made the engine's output a record.
    pub repairs: Vec<Repair>,
    /// What to check before use.
    pub warnings: Vec<Warning>,
    /// Where each value comes from.
    pub evidence: Evidence,
    /// The tumours that the note names, in the order of the note; empty if it names none.
    pub tumours: Vec<Tumour>,
    /// The TNM formulas of the note, each once, in the order of the note.
    pub tnm: Vec<TnmFormula>,
    /// The number of chunks in which a long note was read; absent if it was read whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = 3, minimum = 2)]
    pub chunks: Option<usize>,
    /// The number of chunks that gave no value; absent if the note was read whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = 0)]
    pub chunks_empty: Option<usize>,
    /// The parts of the note that could not be read, if the request allowed that; absent otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub unread: Option<Vec<Unread>>,
    /// The operator's files that the codes of other systems come from; absent unless `codes.files` is set.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Vec<CodeFile>, required = false, nullable = false)]
    pub code_files: Option<Arc<[CodeFile]>>,
    /// How the rules engine's record compares, field by field; absent unless `cross_check` is set.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub cross_check: Option<CrossCheck>,
}

impl Answer {
    /// Returns the size of the answer as JSON, in bytes.
    #[must_use]
    pub fn json_bytes(&self) -> usize {
        let mut bytes = ByteCounter(0);
        // Neither serializing the answer nor counting can fail.
        let _ = serde_json::to_writer(&mut bytes, self);
        bytes.0
    }
}

/// Counts the bytes that are written to it.
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

/// A part of the note that no engine read, as a half-open range in the unit of the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Unread {
    /// The first position.
    #[schema(example = 6000, minimum = 0)]
    pub start: usize,
    /// One past the last position.
    #[schema(example = 11_840, minimum = 0)]
    pub end: usize,
}
