//! The fast path: one JSON object with exactly the seven keys, each a string or null. It repairs no syntax; all other
//! texts go to `lenient`.

use std::fmt;

use serde::de::{Deserializer, Error, MapAccess, Visitor};

use super::{Field, ParsedRecord, RepairCode, builder::RecordBuilder};

/// Returns the record if the whole text is a record in strict JSON.
pub(super) fn parse(text: &str) -> Option<ParsedRecord> {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let builder = deserializer.deserialize_map(RecordVisitor).ok()?;
    deserializer.end().ok()?;
    let parsed = builder.finish().ok()?;
    // A repeated key with an equal value is legal JSON, but it is not the form of a record.
    let keeps_form = |code| matches!(code, RepairCode::NullWord | RepairCode::RawControl);
    parsed.repairs.iter().all(|repair| keeps_form(repair.code)).then_some(parsed)
}

struct RecordVisitor;

impl<'de> Visitor<'de> for RecordVisitor {
    type Value = RecordBuilder;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a record")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RecordBuilder, A::Error> {
        let mut builder = RecordBuilder::default();
        while let Some(field) = map.next_key::<Field>()? {
            match map.next_value::<Option<String>>()? {
                Some(text) => builder.set_text(field, text),
                None => builder.set(field, None),
            }
            .map_err(A::Error::custom)?;
        }
        Ok(builder)
    }
}
