//! Why a body or a query is no request: read once more, by field and rule.

use std::collections::HashSet;

use serde_json::{Map, Value};

use super::{BadBody, NoteId, Shape};
use crate::http::error::Violation;

/// Why a body is none.
pub(super) fn explain(body: &[u8], shape: Shape) -> BadBody {
    match serde_json::from_slice::<Value>(body) {
        Ok(value) => BadBody::Invalid(violations(&value, shape)),
        Err(_) => BadBody::NotJson,
    }
}

/// What is wrong with a value that is no request of this shape; at least one thing.
pub(super) fn violations(value: &Value, shape: Shape) -> Vec<Violation> {
    let needed = shape.needed();
    let Value::Object(object) = value else {
        let key = needed.unwrap_or_default();
        let message = format!("The body must be a JSON object with the key `{key}`.");
        return vec![Violation { message, ..violation("", "type", "") }];
    };
    let mut violations = Vec::new();
    if let Some(key) = needed.filter(|&key| !object.contains_key(key)) {
        violations.push(Violation { message: format!("`{key}` is missing."), ..violation(key, "required", "") });
    }
    for (key, value) in object {
        match shape.is_good(key, value) {
            None => violations.push(unknown_key(key)),
            Some(false) => violations.push(wrong_type(key)),
            Some(true) => {}
        }
    }
    if violations.is_empty() {
        violations.push(violation("", "duplicate_key", "A key of the body appears twice."));
    }
    violations
}

impl Shape {
    fn needed(self) -> Option<&'static str> {
        match self {
            Self::Extract | Self::Note => Some("text"),
            Self::Batch => Some("notes"),
            Self::Query => None,
        }
    }

    /// Whether a key may have this value; nothing where there is no such key.
    fn is_good(self, key: &str, value: &Value) -> Option<bool> {
        let own = match (self, key) {
            (Self::Extract | Self::Note, "text") => Some(value.is_string()),
            (Self::Note, "id") => Some(value.is_null() || value.is_string() || value.is_i64()),
            (Self::Batch, "notes") => Some(value.is_array()),
            _ => None,
        };
        if self == Self::Note {
            return own;
        }
        own.or(match key {
            "temperature" => Some(value.is_null() || value.is_number()),
            "max_tokens" => Some(value.is_null() || value.as_u64().is_some_and(|n| u32::try_from(n).is_ok())),
            "model" => Some(value.is_null() || value.is_string()),
            "offsets" => Some(matches!(value.as_str(), Some("codepoint" | "utf16" | "byte"))),
            "confidence" | "allow_partial" => Some(value.is_boolean()),
            _ => None,
        })
    }
}

/// The id of a note that cannot be read otherwise, so that the caller knows which it is.
pub(super) fn id_of(line: &[u8]) -> Option<NoteId> {
    let value: Value = serde_json::from_slice(line).ok()?;
    match value.get("id")? {
        Value::String(text) if text.chars().count() <= super::LONGEST_ID => Some(NoteId::Text(text.clone())),
        Value::Number(number) => number.as_i64().map(NoteId::Number),
        _ => None,
    }
}

/// The options of a query as the object that a body would be.
pub(super) fn object_of_query(query: &str) -> Result<Value, Vec<Violation>> {
    let mut object = Map::new();
    let mut twice = HashSet::new();
    for (key, value) in url::form_urlencoded::parse(query.as_bytes()) {
        let text = || Value::from(value.as_ref());
        let typed = match &*key {
            "temperature" => value.parse::<f64>().ok().and_then(serde_json::Number::from_f64).map(Value::Number),
            "max_tokens" => value.parse::<u64>().ok().map(Value::from),
            "confidence" | "allow_partial" => value.parse::<bool>().ok().map(Value::from),
            _ => None,
        };
        if object.insert(key.to_string(), typed.unwrap_or_else(text)).is_some() {
            twice.insert(key.to_string());
        }
    }
    if twice.is_empty() {
        return Ok(Value::Object(object));
    }
    Err(vec![violation("", "duplicate_key", "An option of the query appears twice.")])
}

pub(super) fn violation(field: &str, rule: &'static str, message: &str) -> Violation {
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
        "id" => "a string or a whole number",
        "notes" => "a list of notes",
        "temperature" => "a number from 0.0 to 2.0",
        "max_tokens" => "a whole number from 1 to 8192",
        "confidence" | "allow_partial" => "`true` or `false`",
        _ => "`codepoint`, `utf16` or `byte`",
    };
    Violation { field: key.to_owned(), rule: "type", message: format!("`{key}` must be {expected}.") }
}
