//! The warnings of an answer.

use serde::Serialize;
use utoipa::ToSchema;

use super::{Field, chunk::Conflict};

/// A warning about an answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = AnswerWarning)]
pub struct Warning {
    /// The kind of warning.
    pub code: WarningCode,
    /// The field that the warning concerns; null if it concerns the whole answer.
    #[schema(required = true)]
    pub field: Option<Field>,
    /// A sentence for a person.
    #[schema(example = "1 value has no support in the note; check it before use.")]
    pub message: String,
}

/// Kinds of warnings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(example = "unsupported_value")]
pub enum WarningCode {
    /// A value has no support in the note.
    UnsupportedValue,
    /// The note negates a value of the engine, plans it, ascribes it to a relative or the like. The value is in the
    /// evidence and not in the record.
    ContradictedValue,
    /// The note gives values of which only one can be true, and does not say which is the later one. The record keeps
    /// all.
    ConflictingValues,
    /// A part of the note could not be read, which the request allowed.
    PartlyUnread,
    /// The rules engine recognised no oncology term. The note may contain none, or use wording or a language that the
    /// rules do not know.
    NoOncologyTerms,
    /// A part of the note is in a language, or contains markup or characters, that the rules engine does not read
    /// reliably.
    UnfamiliarText,
    /// The model gave no value, or few values, but the rules engine recognises some in the same text. Nulls may be
    /// wrong.
    EmptyRecordDoubted,
    /// A field has more values than an answer holds. The record has the first 64 values, `evidence` the next 64.
    TooManyValues,
    /// A value is in text whose language is not known here, so its assertion is `unknown`: the note may deny it.
    UnassessedLanguage,
    /// The note names more than one tumour of the patient; `tumours` lists them.
    SeveralPrimaries,
}

impl WarningCode {
    /// The code's name in JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::UnsupportedValue => "unsupported_value",
            Self::ContradictedValue => "contradicted_value",
            Self::ConflictingValues => "conflicting_values",
            Self::PartlyUnread => "partly_unread",
            Self::NoOncologyTerms => "no_oncology_terms",
            Self::UnfamiliarText => "unfamiliar_text",
            Self::EmptyRecordDoubted => "empty_record_doubted",
            Self::TooManyValues => "too_many_values",
            Self::UnassessedLanguage => "unassessed_language",
            Self::SeveralPrimaries => "several_primaries",
        }
    }
}

pub(super) fn conflict(conflict: &Conflict) -> Warning {
    Warning {
        code: WarningCode::ConflictingValues,
        field: Some(conflict.field),
        message: format!(
            "{}: {} in different places of the note; all are kept.",
            conflict.field.name(),
            conflict.values.join(" and ")
        ),
    }
}

pub(super) fn staged_twice(clinical: &str, pathological: &str) -> Warning {
    Warning {
        code: WarningCode::ConflictingValues,
        field: Some(Field::Stage),
        message: format!(
            "stage: the clinical {clinical} and the pathological {pathological} differ; the pathological one counts, \
             because the note names no treatment before the operation."
        ),
    }
}

pub(super) fn partly_unread(unread: usize, chunks: usize) -> Warning {
    Warning {
        code: WarningCode::PartlyUnread,
        field: None,
        message: format!("{unread} of {chunks} parts of the note could not be read; `unread` says which."),
    }
}

pub(super) fn empty_record_doubted(fields: &[&str]) -> Warning {
    Warning {
        code: WarningCode::EmptyRecordDoubted,
        field: None,
        message: format!(
            "The model gave no value for these fields in the note or a part of it, or none that the note supports, but \
             the rules engine recognises: {}. Read the note before you take a null for \"absent\".",
            fields.join(", ")
        ),
    }
}

pub(super) fn unassessed_language(values: usize) -> Warning {
    Warning {
        code: WarningCode::UnassessedLanguage,
        field: None,
        message: format!(
            "{values} value(s) are in text that is not in English. Negations, plans and doubts in it were not read \
             (assertion `unknown`): check these values in the note."
        ),
    }
}

/// Warns of several tumours, given their names and that of the index tumour, if there is one.
pub(super) fn several_primaries(names: &[&str], index: Option<&str>) -> Warning {
    let fields = match index {
        Some(index) => format!(
            "The fields hold the values of {index}; those of another tumour are in `evidence` only, with the assertion \
             `other_tumour`."
        ),
        None => "It does not say which one it is about, so the fields hold the values of all: see `tumour` in \
                 `evidence`."
            .to_owned(),
    };
    Warning {
        code: WarningCode::SeveralPrimaries,
        field: None,
        message: format!("The note names {} tumours: {}. {fields}", names.len(), names.join(", ")),
    }
}

pub(super) fn no_terms() -> Warning {
    unread_terms(
        "No oncology term was recognised in wording that the rules engine knows: the note may hold none, or use \
         other wording or another language.",
    )
}

pub(super) fn another_language() -> Warning {
    unread_terms(
        "The note seems to be in a language that the rules engine does not know: little of it was read, and its \
         negations may have been missed.",
    )
}

pub(super) fn terms_not_read() -> Warning {
    unread_terms(
        "Some oncology terms were recognised, but no disease that they belong to: the note may be about \
         something else, or use wording or a language that the rules engine does not know.",
    )
}

fn unread_terms(message: &str) -> Warning {
    Warning { code: WarningCode::NoOncologyTerms, field: None, message: message.to_owned() }
}

pub(super) fn all_withheld() -> Warning {
    Warning {
        code: WarningCode::ContradictedValue,
        field: None,
        message: "Oncology terms were recognised, and all were left out because of what the note says about them; see \
                  `evidence`."
            .to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_the_names_in_json() {
        for code in [
            WarningCode::UnsupportedValue,
            WarningCode::ContradictedValue,
            WarningCode::ConflictingValues,
            WarningCode::PartlyUnread,
            WarningCode::NoOncologyTerms,
            WarningCode::UnfamiliarText,
            WarningCode::EmptyRecordDoubted,
            WarningCode::TooManyValues,
            WarningCode::UnassessedLanguage,
            WarningCode::SeveralPrimaries,
        ] {
            assert_eq!(serde_json::to_value(code).unwrap(), code.name());
        }
    }
}
