//! Reads the outline of a JSON object: its keys and the kind of each value. Large values are skipped and not stored, so
//! that an invalid body of many megabytes needs no memory beyond its own.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use serde_json::Number;

use crate::extraction::NoteId;

/// Longest text that is stored, in bytes: the longest id of a note, at 4 bytes for a code point.
const MAX_TEXT_BYTES: usize = 4 * NoteId::LONGEST;
/// Most keys that are stored. Violations of further keys are not reported.
const MAX_KEYS: usize = 64;

/// The kind of a JSON value, with its content if that is small.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum JsonOutline {
    Null,
    Bool,
    Number(Number),
    /// A text; with its content if it has at most [`MAX_TEXT_BYTES`].
    Text(Option<String>),
    List,
    Object(Vec<(String, JsonOutline)>),
}

impl JsonOutline {
    /// Returns the content of a short text.
    pub(super) fn short(&self) -> Option<&str> {
        match self {
            Self::Text(text) => text.as_deref(),
            _ => None,
        }
    }

    pub(super) fn number(&self) -> Option<&Number> {
        match self {
            Self::Number(number) => Some(number),
            _ => None,
        }
    }

    pub(super) fn is_text(&self) -> bool {
        matches!(self, Self::Text(_))
    }
}

impl<'de> Deserialize<'de> for JsonOutline {
    fn deserialize<D: Deserializer<'de>>(value: D) -> Result<Self, D::Error> {
        OutlineVisitor { nested: false }.deserialize(value)
    }
}

/// Reads a value. Of an object in another object it stores nothing.
struct OutlineVisitor {
    nested: bool,
}

impl<'de> DeserializeSeed<'de> for OutlineVisitor {
    type Value = JsonOutline;

    fn deserialize<D: Deserializer<'de>>(self, value: D) -> Result<JsonOutline, D::Error> {
        value.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for OutlineVisitor {
    type Value = JsonOutline;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<JsonOutline, E> {
        Ok(JsonOutline::Null)
    }

    fn visit_bool<E>(self, _: bool) -> Result<JsonOutline, E> {
        Ok(JsonOutline::Bool)
    }

    fn visit_u64<E>(self, number: u64) -> Result<JsonOutline, E> {
        Ok(JsonOutline::Number(number.into()))
    }

    fn visit_i64<E>(self, number: i64) -> Result<JsonOutline, E> {
        Ok(JsonOutline::Number(number.into()))
    }

    fn visit_f64<E>(self, number: f64) -> Result<JsonOutline, E> {
        Ok(Number::from_f64(number).map_or(JsonOutline::Null, JsonOutline::Number))
    }

    fn visit_str<E>(self, text: &str) -> Result<JsonOutline, E> {
        Ok(JsonOutline::Text((text.len() <= MAX_TEXT_BYTES).then(|| text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<JsonOutline, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(JsonOutline::List)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<JsonOutline, A::Error> {
        let mut entries = Vec::new();
        while !self.nested && entries.len() < MAX_KEYS {
            let Some(key) = object.next_key()? else { return Ok(JsonOutline::Object(entries)) };
            entries.push((key, object.next_value_seed(Self { nested: true })?));
        }
        while object.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(JsonOutline::Object(entries))
    }
}
