//! What a JSON object holds, at a glance: its keys, and of each value its kind. Whatever is large is skipped and
//! never kept, so that a bad body of many megabytes costs no more memory than its own.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use serde_json::Number;

/// Longest text that is kept, in bytes: an id of a note at its longest.
const LONGEST_TEXT: usize = 4 * super::NoteId::LONGEST;
/// Keys that are kept; what is wrong with more of them is not said.
const MOST_KEYS: usize = 64;

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Kind {
    Null,
    Bool,
    Number(Number),
    /// A text, and what it is if it is short.
    Text(Option<String>),
    List,
    Object(Vec<(String, Kind)>),
}

impl Kind {
    /// The text, if it is a short one.
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

impl<'de> Deserialize<'de> for Kind {
    fn deserialize<D: Deserializer<'de>>(value: D) -> Result<Self, D::Error> {
        ShapeVisitor { nested: false }.deserialize(value)
    }
}

/// Looks at a value; of an object within another nothing is kept.
struct ShapeVisitor {
    nested: bool,
}

impl<'de> DeserializeSeed<'de> for ShapeVisitor {
    type Value = Kind;

    fn deserialize<D: Deserializer<'de>>(self, value: D) -> Result<Kind, D::Error> {
        value.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for ShapeVisitor {
    type Value = Kind;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Kind, E> {
        Ok(Kind::Null)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Kind, E> {
        Ok(Kind::Bool)
    }

    fn visit_u64<E>(self, number: u64) -> Result<Kind, E> {
        Ok(Kind::Number(number.into()))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Kind, E> {
        Ok(Kind::Number(number.into()))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Kind, E> {
        Ok(Number::from_f64(number).map_or(Kind::Null, Kind::Number))
    }

    fn visit_str<E>(self, text: &str) -> Result<Kind, E> {
        Ok(Kind::Text((text.len() <= LONGEST_TEXT).then(|| text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Kind, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Kind::List)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Kind, A::Error> {
        let mut kept = Vec::new();
        while !self.nested && kept.len() < MOST_KEYS {
            let Some(key) = object.next_key()? else { return Ok(Kind::Object(kept)) };
            kept.push((key, object.next_value_seed(Self { nested: true })?));
        }
        while object.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Kind::Object(kept))
    }
}
