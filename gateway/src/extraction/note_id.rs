//! The caller's id of a note.

use serde::{Deserialize, Serialize};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        RefOr,
        schema::{ObjectBuilder, OneOfBuilder, Schema, Type},
    },
};

/// The caller's id of a note. It is returned to the caller and goes nowhere else, not even into a log.
#[derive(Clone, PartialEq, Eq, Hash, Deserialize, Serialize)]
#[serde(untagged)]
pub enum NoteId {
    /// A whole number that every JSON parser reads exactly.
    Number(i64),
    /// A text of at most 200 code points.
    Text(String),
}

impl PartialSchema for NoteId {
    fn schema() -> RefOr<Schema> {
        let number = ObjectBuilder::new().schema_type(Type::Integer);
        let number = number.minimum(Some(-Self::LARGEST)).maximum(Some(Self::LARGEST));
        let text = ObjectBuilder::new().schema_type(Type::String).max_length(Some(Self::LONGEST));
        Schema::OneOf(OneOfBuilder::new().item(text).item(number).examples(["a-1"]).build()).into()
    }
}

impl ToSchema for NoteId {}

impl NoteId {
    /// Longest text, in code points.
    pub(crate) const LONGEST: usize = 200;
    /// The largest whole number up to which a double holds every whole number exactly (RFC 8259, section 6).
    const LARGEST: i64 = (1 << 53) - 1;

    /// Returns whether the id is within its limits.
    pub(crate) fn is_valid(&self) -> bool {
        match self {
            Self::Number(number) => (-Self::LARGEST..=Self::LARGEST).contains(number),
            Self::Text(text) => text.chars().count() <= Self::LONGEST,
        }
    }
}

impl std::fmt::Debug for NoteId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("NoteId")
    }
}
