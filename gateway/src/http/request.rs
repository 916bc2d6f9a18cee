//! The body of `POST /api/v1/extract`, parsed into types that cannot be wrong.
//!
//! What is wrong is said by field and rule, never with the offending value; an unknown key is named
//! only where it looks like an identifier.

use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::error::Violation;
use crate::{
    config::{Generation, Limits},
    extraction::{ModelName, Note, NoteRefusal, OffsetUnit, TokenBudget},
};

/// One note and how to read it. Only `text` is needed.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"text": "62-year-old woman with stage IIIB invasive ductal carcinoma of the left breast. ER positive, HER2 negative. She received doxorubicin and cyclophosphamide with a partial response. No bone metastases."}))]
pub struct ExtractRequest {
    /// The note: 1 to `limits.max_note_chars` (100,000 unless configured) code points, not blank, no NUL.
    #[schema(value_type = String, min_length = 1, max_length = 100_000, pattern = "^[^\\u0000]*[^\\s\\u0000\\u0085\\u001c-\\u001f][^\\u0000]*$", example = "Stage IV lung adenocarcinoma with EGFR L858R, on osimertinib.")]
    text: String,
    /// 0.0 (deterministic, default) to 2.0.
    #[schema(value_type = Option<f32>, minimum = 0, maximum = 2, example = 0.0)]
    temperature: Option<f32>,
    /// Hard cap on the tokens of the answer. Without it the service chooses (1024) and may widen it.
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 8192, example = 1024)]
    max_tokens: Option<u32>,
    /// A model of `GET /api/v1/models`.
    #[schema(value_type = Option<String>, example = "medical-ie")]
    model: Option<String>,
    /// Unit of `start` and `end` in the evidence.
    #[serde(default)]
    offsets: OffsetUnit,
    /// Whether `confidence` of each value is wanted: the model's probability of its own wording, not
    /// calibrated. Costs the model server a little time; null from the rules engine.
    #[serde(default)]
    #[schema(example = false)]
    confidence: bool,
    /// Whether a long note may be answered where a part of it could not be read; `unread` then says which.
    #[serde(default)]
    #[schema(example = false)]
    allow_partial: bool,
}

/// A request that was checked.
#[derive(Debug)]
pub(super) struct Checked {
    pub(super) note: Note,
    pub(super) temperature: f32,
    pub(super) budget: TokenBudget,
    pub(super) model: Option<ModelName>,
    pub(super) offsets: OffsetUnit,
    pub(super) confidence: bool,
    pub(super) allow_partial: bool,
}

/// Why a body is no request.
#[derive(Debug)]
pub(super) enum BadBody {
    NotJson,
    Invalid(Vec<Violation>),
}

/// What requests are checked against.
#[derive(Clone, Debug)]
pub struct Rules {
    /// Sizes.
    pub limits: Limits,
    /// Defaults of decoding.
    pub generation: Generation,
    /// The models that may be named, the default first.
    pub models: Vec<ModelName>,
}

impl Rules {
    /// Parses and checks a body. The common case is one pass; only a bad body is read again, to say why.
    pub(super) fn check(&self, body: &[u8]) -> Result<Checked, BadBody> {
        // serde would take a list for an object, its values in the order of the keys.
        if body.trim_ascii_start().first() != Some(&b'{') {
            return Err(Self::explain(body));
        }
        match serde_json::from_slice::<ExtractRequest>(body) {
            Ok(request) => self.check_values(request),
            Err(_) => Err(Self::explain(body)),
        }
    }

    fn check_values(&self, request: ExtractRequest) -> Result<Checked, BadBody> {
        let mut violations = Vec::new();
        let temperature = request.temperature.unwrap_or(self.generation.temperature);
        if !(0.0..=2.0).contains(&temperature) {
            violations.push(violation("temperature", "range", "`temperature` must be 0.0 to 2.0."));
        }
        let budget = match request.max_tokens {
            None => TokenBudget::Adjustable(self.generation.max_tokens),
            Some(tokens) => {
                if !(1..=8_192).contains(&tokens) {
                    violations.push(violation("max_tokens", "range", "`max_tokens` must be 1 to 8192."));
                }
                TokenBudget::Fixed(tokens)
            }
        };
        let model = request.model.and_then(|asked| {
            let known = self.models.iter().find(|known| ***known == *asked).cloned();
            if known.is_none() {
                let message = "`model` is none of the configured models; see GET /api/v1/models.";
                violations.push(violation("model", "known_model", message));
            }
            known
        });
        let note = Note::new(request.text, self.limits.max_note_chars).map_err(|refusal| match refusal {
            NoteRefusal::Blank => violation("text", "not_blank", "`text` must hold more than white space."),
            NoteRefusal::Nul => violation("text", "no_nul", "`text` must not hold the character U+0000."),
            NoteRefusal::TooLong => Violation {
                message: format!("`text` may have at most {} code points.", self.limits.max_note_chars),
                ..violation("text", "max_length", "")
            },
        });
        match note {
            Ok(note) if violations.is_empty() => Ok(Checked {
                note,
                temperature,
                budget,
                model,
                offsets: request.offsets,
                confidence: request.confidence,
                allow_partial: request.allow_partial,
            }),
            Ok(_) => Err(BadBody::Invalid(violations)),
            Err(first) => {
                violations.insert(0, first);
                Err(BadBody::Invalid(violations))
            }
        }
    }

    fn explain(body: &[u8]) -> BadBody {
        let Ok(value) = serde_json::from_slice::<Value>(body) else { return BadBody::NotJson };
        let Value::Object(object) = value else {
            return BadBody::Invalid(vec![violation(
                "",
                "type",
                "The body must be a JSON object with the key `text`.",
            )]);
        };
        let mut violations = Vec::new();
        if !object.contains_key("text") {
            violations.push(violation("text", "required", "`text` is missing."));
        }
        for (key, value) in &object {
            let good = match key.as_str() {
                "text" => value.is_string(),
                "temperature" => value.is_null() || value.is_number(),
                "max_tokens" => value.is_null() || value.as_u64().is_some_and(|n| u32::try_from(n).is_ok()),
                "model" => value.is_null() || value.is_string(),
                "offsets" => matches!(value.as_str(), Some("codepoint" | "utf16" | "byte")),
                "confidence" | "allow_partial" => value.is_boolean(),
                _ => {
                    violations.push(unknown_key(key));
                    continue;
                }
            };
            if !good {
                violations.push(wrong_type(key));
            }
        }
        if violations.is_empty() {
            violations.push(violation("", "duplicate_key", "A key of the body appears twice."));
        }
        BadBody::Invalid(violations)
    }
}

fn violation(field: &str, rule: &'static str, message: &str) -> Violation {
    Violation { field: field.to_owned(), rule, message: message.to_owned() }
}

fn unknown_key(key: &str) -> Violation {
    let identifier = key.len() <= 40
        && key.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    if identifier {
        let message = format!("`{key}` is no key of this request; see /docs.");
        Violation { field: key.to_owned(), rule: "unknown_key", message }
    } else {
        violation("", "unknown_key", "The body has a key that this request does not know; see /docs.")
    }
}

fn wrong_type(key: &str) -> Violation {
    let expected = match key {
        "text" | "model" => "a string",
        "temperature" => "a number from 0.0 to 2.0",
        "max_tokens" => "a whole number from 1 to 8192",
        "confidence" | "allow_partial" => "`true` or `false`",
        _ => "`codepoint`, `utf16` or `byte`",
    };
    Violation { field: key.to_owned(), rule: "type", message: format!("`{key}` must be {expected}.") }
}
