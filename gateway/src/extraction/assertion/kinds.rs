//! Defines the assertions of a value and the sections of a note, and which assertions enter the record.
//!
//! This file reads no text.

use serde::Serialize;
use utoipa::ToSchema;

use super::super::Field;

/// What the note says about a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(example = "present")]
pub enum Assertion {
    /// Stated as a fact. A negative test result of a biomarker is present too.
    Present,
    /// Counts as a diagnosis by the ambiguous-terminology rules of cancer registries: "consistent with",
    /// "suspicious for".
    Probable,
    /// Left open: "possible", "cannot be excluded", "rule out".
    Uncertain,
    /// In the past: "prior", "status post", "history of".
    Historical,
    /// Intended or recommended, not yet given: "will start", "is considered for".
    Planned,
    /// Refused by the patient, or unsuitable for the patient: "declined", "contraindicated".
    Declined,
    /// Stated to be absent: "no", "without", "no evidence of".
    Negated,
    /// Not tested, or the result is not known yet: "not tested", "pending".
    NotTested,
    /// A gene that was tested and has no mutation.
    WildType,
    /// True of a relative, not of the patient.
    Family,
    /// True of another tumour of the patient than the one that the note is about.
    OtherTumour,
    /// Replaced by a later result of the same marker, or a later response.
    Superseded,
    /// The words around the value are in a language whose negations are not known here, so the note may deny it.
    Unknown,
}

impl Assertion {
    /// All assertions, in the order of their declaration.
    pub const ALL: [Self; 13] = [
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
        Self::OtherTumour,
        Self::Superseded,
        Self::Unknown,
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
            Self::OtherTumour => "other_tumour",
            Self::Superseded => "superseded",
            Self::Unknown => "unknown",
        }
    }

    /// Returns whether a value with this assertion is in the record; if not, it is in the evidence only.
    ///
    /// False for a historical cancer. The grounder, which sees all findings, adds it to the record where the note
    /// names no present cancer.
    #[must_use]
    pub const fn in_record(self, field: Field) -> bool {
        match self {
            Self::Present | Self::Probable | Self::Unknown => true,
            Self::Historical => !matches!(field, Field::CancerType),
            Self::Uncertain
            | Self::Planned
            | Self::Declined
            | Self::Negated
            | Self::NotTested
            | Self::WildType
            | Self::Family
            | Self::OtherTumour
            | Self::Superseded => false,
        }
    }
}

/// A section of a note whose heading changes what its words mean.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Section {
    /// All other text: findings, history of the illness, results, assessment.
    #[default]
    Body,
    /// Family history: its values are those of relatives.
    FamilyHistory,
    /// Past medical or surgical history.
    PastHistory,
    /// Plan, recommendations, next steps.
    Plan,
    /// Allergies and intolerances: a drug in this section is not given.
    Allergies,
    /// Pending results.
    Pending,
    /// The reason for an examination: a known disease, or an open question.
    Reason,
    /// Clinical questions and differential diagnoses, which are uncertain.
    Question,
    /// Eligibility criteria of a trial, or text about patients in general.
    Criteria,
}
