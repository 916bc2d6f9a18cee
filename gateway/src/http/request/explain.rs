//! Explains why a body or a query is not a valid request: reads it a second time and lists the violations by field and
//! rule.

use serde::Deserialize;
use serde_json::{Map, Number, Value};

use super::{InvalidBody, QueryOptions, Shape, number::whole, outline::JsonOutline};
use crate::{extraction::NoteId, http::error::Violation};

/// Returns why a body is not a valid request of this shape.
pub(super) fn explain(body: &[u8], shape: Shape) -> InvalidBody {
    match serde_json::from_slice::<JsonOutline>(body) {
        Ok(kind) => InvalidBody::Invalid(violations(&kind, shape)),
        Err(_) => InvalidBody::NotJson,
    }
}

/// Returns the violations of a value that is not a valid request of this shape; at least one.
fn violations(kind: &JsonOutline, shape: Shape) -> Vec<Violation> {
    let required_key = shape.required_key();
    let JsonOutline::Object(object) = kind else {
        let key = required_key.unwrap_or_default();
        let message = format!("The body must be a JSON object with the key `{key}`.");
        return vec![Violation { message, ..violation("", "type", "") }];
    };
    let mut violations = Vec::new();
    if let Some(key) = required_key.filter(|required| object.iter().all(|(key, _)| key != required)) {
        violations.push(Violation { message: format!("`{key}` is missing."), ..violation(key, "required", "") });
    }
    if shape == Shape::Ask && object.iter().all(|(key, _)| key != "question") {
        violations.push(violation("question", "required", "`question` is missing."));
    }
    for (key, kind) in object {
        match shape.is_valid_key(key, kind) {
            None => violations.push(unknown_key(key, "this request")),
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
    fn required_key(self) -> Option<&'static str> {
        match self {
            Self::Extract | Self::Note | Self::Ask => Some("text"),
            Self::Batch => Some("notes"),
            Self::Query => None,
        }
    }

    /// Returns whether a key may have a value of this kind. None where the request has no such key.
    fn is_valid_key(self, key: &str, kind: &JsonOutline) -> Option<bool> {
        let is_null = *kind == JsonOutline::Null;
        let special = match (self, key) {
            (Self::Extract | Self::Note | Self::Ask, "text") | (Self::Ask, "question") => Some(kind.is_text()),
            (Self::Ask, "history") => Some(is_null || *kind == JsonOutline::List),
            (Self::Ask, "offsets") => Some(is_null || matches!(kind.short(), Some("codepoint" | "utf16" | "byte"))),
            (Self::Note, "id") => Some(is_null || kind.is_text() || kind.number().is_some_and(Number::is_i64)),
            (Self::Note | Self::Ask, "note_date") => Some(is_null || kind.is_text()),
            (Self::Batch, "notes") => Some(*kind == JsonOutline::List),
            _ => None,
        };
        if matches!(self, Self::Note | Self::Ask) {
            return special;
        }
        special.or(match key {
            "temperature" => Some(is_null || kind.number().is_some()),
            "max_tokens" => Some(is_null || kind.number().and_then(whole).is_some()),
            "model" | "note_date" => Some(is_null || kind.is_text()),
            "offsets" => Some(is_null || matches!(kind.short(), Some("codepoint" | "utf16" | "byte"))),
            "confidence" | "allow_partial" => Some(is_null || *kind == JsonOutline::Bool),
            _ => None,
        })
    }
}

/// Returns the id of an invalid note, so that the caller can identify the note. None where the note has no valid id or
/// two.
pub(super) fn id_of(line: &[u8]) -> Option<NoteId> {
    let Ok(JsonOutline::Object(object)) = serde_json::from_slice(line) else { return None };
    let mut ids = object.iter().filter(|(key, _)| key == "id").map(|(_, kind)| kind);
    let (id, None) = (ids.next()?, ids.next()) else { return None };
    let text = || id.short().map(|text| NoteId::Text(text.to_owned()));
    id.number().and_then(Number::as_i64).map(NoteId::Number).or_else(text).filter(NoteId::is_valid)
}

/// Parses the options in a query.
pub(super) fn options_of(query: &str) -> Result<QueryOptions, Vec<Violation>> {
    let mut object = Map::new();
    for (key, value) in url::form_urlencoded::parse(query.as_bytes()) {
        let typed = match &*key {
            "temperature" => value.parse::<f64>().ok().and_then(Number::from_f64).map(Value::Number),
            "max_tokens" => value.parse::<u64>().ok().map(Value::from),
            "confidence" | "allow_partial" => value.parse::<bool>().ok().map(Value::from),
            _ => None,
        };
        if object.insert(key.to_string(), typed.unwrap_or_else(|| Value::from(value.as_ref()))).is_some() {
            return Err(vec![violation("", "duplicate_key", "An option of the query appears twice.")]);
        }
    }
    let object = Value::Object(object);
    QueryOptions::deserialize(&object).map_err(|_| {
        let kind = JsonOutline::deserialize(object).unwrap_or(JsonOutline::Null);
        violations(&kind, Shape::Query)
    })
}

pub(super) fn violation(field: &str, rule: &'static str, message: &str) -> Violation {
    Violation { field: field.to_owned(), rule, message: message.to_owned() }
}

/// Returns the violation of a key that `what` does not know. The key is named only if it looks like an identifier.
pub(in crate::http) fn unknown_key(key: &str, what: &str) -> Violation {
    let identifier = key.len() <= 40
        && key.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    if identifier {
        let message = format!("`{key}` is not a key of {what}; see /docs.");
        Violation { field: key.to_owned(), rule: "unknown_key", message }
    } else {
        violation("", "unknown_key", "The request has a key that this route does not know; see /docs.")
    }
}

fn wrong_type(key: &str) -> Violation {
    let expected = match key {
        "text" | "question" | "model" | "note_date" => "a string",
        "id" => "a string or a whole number within 2^53",
        "notes" => "a list of notes",
        "history" => "a list of objects with `question` and `answer`",
        "temperature" => "a number from 0.0 to 2.0",
        "max_tokens" => "a whole number from 1 to 8192",
        "confidence" | "allow_partial" => "`true` or `false`",
        _ => "`codepoint`, `utf16` or `byte`",
    };
    Violation { field: key.to_owned(), rule: "type", message: format!("`{key}` must be {expected}.") }
}
