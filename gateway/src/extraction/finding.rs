//! Findings: the values of a record with the words of the note that support them.

use serde::Serialize;
use utoipa::ToSchema;

use super::{Assertion, Code, Confidence, Field, StatedDate, TreatmentCourse, fields::with_fields};

/// How the note supports a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(example = "stated")]
pub enum Basis {
    /// The words of the value are in the note, apart from case, spacing, order, punctuation and plural.
    Stated,
    /// A known synonym, adjective or abbreviation of the value is in the note; `rule` names the link.
    Normalized,
    /// The value follows from the note by the rule that `rule` names.
    Inferred,
    /// Nothing in the note supports the value: `quote`, `start` and `end` are null.
    Unsupported,
}

impl Basis {
    /// Every basis.
    pub const ALL: [Self; 4] = [Self::Stated, Self::Normalized, Self::Inferred, Self::Unsupported];

    /// Returns the name of the basis in JSON.
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

/// One value of one field with the words of the note that support it. `start` and `end` are a half-open range of
/// `text` as it was sent, in the unit of the request; `quote` is exactly that slice.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Finding {
    /// The value: one part of the field.
    #[schema(example = "IV")]
    pub value: String,
    /// Whether the value is in the flat field.
    #[schema(example = true)]
    pub in_record: bool,
    /// How the note supports the value.
    pub basis: Basis,
    /// What the note says about the value: present, negated, planned and so on; null if that was not assessed.
    #[schema(required = true)]
    pub assertion: Option<Assertion>,
    /// The synonym or rule that links value and quote; null for `stated` and `unsupported`.
    #[schema(required = true, example = json!(null))]
    pub rule: Option<&'static str>,
    /// The words of the note.
    #[schema(required = true, example = "stage IV")]
    pub quote: Option<String>,
    /// The first position of the quote.
    #[schema(required = true, example = 20, minimum = 0)]
    pub start: Option<usize>,
    /// One past the last position of the quote.
    #[schema(required = true, example = 28, minimum = 0)]
    pub end: Option<usize>,
    /// The `id` of the tumour in `tumours` that the quote refers to; null where the note does not say.
    #[schema(required = true, example = "t1")]
    pub tumour: Option<String>,
    /// The model's confidence in its wording; null if the request did not ask for it or the engine has none.
    #[schema(required = true)]
    pub confidence: Option<Confidence>,
    /// The date of the value, from the words near it; null if the note states none or if it is unsure which belongs to
    /// it.
    #[schema(required = true)]
    pub date: Option<StatedDate>,
    /// The codes of the value in standard terminologies. Empty if the value has no name in the gateway's lists or in
    /// the operator's files, and for a value that the note does not support. A code says what the value names, and not
    /// whether the note affirms it.
    pub codes: Vec<Code>,
    /// The course of a treatment; absent if the words near it say nothing of it, and for other fields.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub course: Option<TreatmentCourse>,
}

macro_rules! evidence {
    ($($(#[doc = $doc:literal])+ $name:ident = $variant:ident, e.g. $example:expr;)+) => {
        /// The findings of each field. Every key is present; a field without a value has an empty list.
        #[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
        pub struct Evidence {
            $(
                $(#[doc = $doc])+
                pub $name: Vec<Finding>,
            )+
        }

        impl Evidence {
            /// Returns the findings of one field.
            #[must_use]
            pub fn get(&self, field: Field) -> &[Finding] {
                match field { $(Field::$variant => &self.$name,)+ }
            }

            /// Returns the findings of one field, to change them.
            pub fn get_mut(&mut self, field: Field) -> &mut Vec<Finding> {
                match field { $(Field::$variant => &mut self.$name,)+ }
            }
        }
    };
}

with_fields!(evidence);
