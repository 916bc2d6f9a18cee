//! Findings: the values of a record with the words of the note that support them.

use serde::Serialize;
use utoipa::ToSchema;

use super::{Assertion, Confidence, Field, fields::with_fields};

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

impl Basis {
    /// Every basis.
    pub const ALL: [Self; 4] = [Self::Stated, Self::Normalized, Self::Inferred, Self::Unsupported];

    /// The basis's name in JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Stated => "stated",
            Self::Normalized => "normalized",
            Self::Inferred => "inferred",
            Self::Unsupported => "unsupported",
        }
    }
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
    /// How sure the model was of its own wording; null where that was not asked for, or there is none.
    #[schema(required = true)]
    pub confidence: Option<Confidence>,
}

macro_rules! evidence {
    ($($(#[doc = $doc:literal])+ $name:ident = $variant:ident, e.g. $example:expr;)+) => {
        /// Where each value comes from, by field. Every key is present; a field without a value has an
        /// empty list.
        #[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
        pub struct Evidence {
            $(
                $(#[doc = $doc])+
                pub $name: Vec<Finding>,
            )+
        }

        impl Evidence {
            /// The findings of one field.
            #[must_use]
            pub fn get(&self, field: Field) -> &[Finding] {
                match field { $(Field::$variant => &self.$name,)+ }
            }

            /// The list of one field.
            pub fn get_mut(&mut self, field: Field) -> &mut Vec<Finding> {
                match field { $(Field::$variant => &mut self.$name,)+ }
            }
        }
    };
}

with_fields!(evidence);
