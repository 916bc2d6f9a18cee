//! Creates the warnings that concern the whole note or its chunks.

use super::{Warning, WarningCode, chunk::Conflict};

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
            "The model gave no value, or few values, for the note or a part of it, but the rules engine recognises: \
             {}. Read the note before you take a null for \"absent\".",
            fields.join(", ")
        ),
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
        message: "Oncology terms were recognised, and all were left out because of what the note says of them; see \
                  `evidence`."
            .to_owned(),
    }
}
