//! The standings that a value can have in its note, and which of them enter the record.
//!
//! The table of the design is written down here once; nothing here reads text.

use serde::Serialize;
use utoipa::ToSchema;

use super::super::Field;

/// What the note says of a value that it names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(example = "present")]
pub enum Assertion {
    /// Plainly there; a negative result of a test is there too.
    Present,
    /// As good as there by the ambiguous-terminology rules of cancer registries: "consistent with",
    /// "suspicious for".
    Probable,
    /// Left open: "possible", "cannot be excluded", "rule out".
    Uncertain,
    /// Of the past: "prior", "status post", "history of".
    Historical,
    /// Intended or recommended, not yet given: "will start", "is considered for".
    Planned,
    /// Refused, or held unfit for the patient: "declined", "contraindicated".
    Declined,
    /// Said to be absent: "no", "without", "no evidence of".
    Negated,
    /// Not examined, or the result is awaited: "not tested", "pending".
    NotTested,
    /// A gene examined and found unaltered.
    WildType,
    /// Of a relative, not of the patient.
    Family,
}

impl Assertion {
    /// All assertions, in the order of the design's table.
    pub const ALL: [Self; 10] = [
        Self::Present,
        Self::Probable,
        Self::Uncertain,
        Self::Historical,
        Self::Planned,
        Self::Declined,
        Self::Negated,
        Self::NotTested,
        Self::WildType,
        Self::Family,
    ];

    /// The assertion's name in JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Present => "present",
            Self::Probable => "probable",
            Self::Uncertain => "uncertain",
            Self::Historical => "historical",
            Self::Planned => "planned",
            Self::Declined => "declined",
            Self::Negated => "negated",
            Self::NotTested => "not_tested",
            Self::WildType => "wild_type",
            Self::Family => "family",
        }
    }

    /// Whether such a value is in the flat field, or only in the evidence.
    ///
    /// A cancer of the past is not, taken alone: whoever knows all findings lets it in where the note
    /// names no present cancer.
    #[must_use]
    pub const fn in_record(self, field: Field) -> bool {
        match self {
            Self::Present | Self::Probable => true,
            Self::Historical => !matches!(field, Field::CancerType),
            Self::Uncertain
            | Self::Planned
            | Self::Declined
            | Self::Negated
            | Self::NotTested
            | Self::WildType
            | Self::Family => false,
        }
    }
}

/// The part of a note that a heading opens, as far as it changes what its words mean.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Section {
    /// Anything else: findings, history of the illness, results, assessment.
    #[default]
    Body,
    /// Family history: what stands here is not of the patient.
    FamilyHistory,
    /// Past medical or surgical history.
    PastHistory,
    /// Plan, recommendations, next steps.
    Plan,
    /// Allergies and intolerances: a drug that stands here is not given.
    Allergies,
    /// Results that are awaited.
    Pending,
    /// Why an examination was asked for: a known disease, or an open question.
    Reason,
    /// Clinical questions and differential diagnoses: open.
    Question,
}
