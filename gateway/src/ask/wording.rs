//! The sentences of answers from the record. They name values and say what the note says of them; they never say yes or no.

use std::fmt::Write as _;

use crate::extraction::{Assertion, Basis, CourseStatus, Field};

/// One value of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Item {
    pub(super) field: Field,
    pub(super) value: String,
    pub(super) in_record: bool,
    pub(super) basis: Basis,
    pub(super) assertion: Option<Assertion>,
    /// The date of the value.
    pub(super) date: Option<String>,
    /// When a treatment was begun.
    pub(super) begun: Option<String>,
    /// When it was stopped or completed.
    pub(super) ended: Option<String>,
    pub(super) status: Option<CourseStatus>,
}

impl Item {
    /// Returns what the note denies.
    pub(super) fn denied(field: Field, value: &str) -> Self {
        Self {
            field,
            value: value.to_owned(),
            in_record: false,
            basis: Basis::Stated,
            assertion: Some(Assertion::Negated),
            date: None,
            begun: None,
            ended: None,
            status: None,
        }
    }
}

/// Returns the sentences for values, field by field: those of the record, then the others with what the note says of them.
pub(super) fn sentences(items: &[Item], current: bool) -> String {
    let mut fields: Vec<Field> = Vec::new();
    for item in items {
        if !fields.contains(&item.field) {
            fields.push(item.field);
        }
    }
    let listed = |field: Field, in_record: bool| {
        let mut values: Vec<String> = Vec::new();
        for item in items.iter().filter(|item| item.field == field && item.in_record == in_record) {
            let value = value(item);
            if !values.contains(&value) {
                values.push(value);
            }
        }
        values.join("; ")
    };
    let sentence = |field: Field| match (listed(field, true), listed(field, false)) {
        (stated, others) if others.is_empty() => format!("{}: {stated}.", label(field)),
        (stated, others) if stated.is_empty() => format!("{}, not stated as present: {others}.", label(field)),
        (stated, others) => format!("{}: {stated}. Not stated as present: {others}.", label(field)),
    };
    let mut text = fields.into_iter().map(sentence).collect::<Vec<_>>().join(" ");
    let is_open = |item: &Item| item.field == Field::Treatment && item.in_record && item.status.is_none();
    if current && items.iter().any(is_open) {
        text.push_str(" The note does not say of each treatment whether it continues.");
    }
    text
}

/// Returns a value with its dates and what the note says of it. A date beside "stopped" is that of the stop, so the
/// date of the start is labelled as such.
fn value(item: &Item) -> String {
    let mut text = item.value.clone();
    let mut notes: Vec<String> = Vec::new();
    notes.extend(item.date.clone());
    if item.basis == Basis::Inferred {
        notes.push("inferred from the quoted words".to_owned());
    }
    notes.extend(item.begun.as_ref().map(|date| format!("from {date}")));
    let status = match item.status {
        Some(CourseStatus::Ongoing) => Some("ongoing"),
        Some(CourseStatus::Completed) => Some("completed"),
        Some(CourseStatus::Stopped) => Some("stopped"),
        None => None,
    };
    notes.extend(match (status, &item.ended) {
        (Some(status), Some(date)) => Some(format!("{status} {date}")),
        (None, Some(date)) => Some(format!("until {date}")),
        (Some(status), None) => Some(status.to_owned()),
        (None, None) => None,
    });
    if item.in_record {
        notes.extend(item.assertion.map(meaning).filter(|meaning| !meaning.is_empty()).map(str::to_owned));
    }
    if !notes.is_empty() {
        let _ = write!(text, " ({})", notes.join(", "));
    }
    if !item.in_record {
        let _ = write!(text, ": {}", item.assertion.map_or("not in the record", meaning));
    }
    text
}

/// Returns the words for an assertion; empty for a plain fact.
fn meaning(assertion: Assertion) -> &'static str {
    match assertion {
        Assertion::Present => "",
        Assertion::Probable => "probable",
        Assertion::Uncertain => "left open, not established",
        Assertion::Historical => "in the past",
        Assertion::Planned => "planned, not given",
        Assertion::Declined => "refused or not suitable, not given",
        Assertion::Negated => "denied",
        Assertion::NotTested => "not tested, or the result is not known yet",
        Assertion::WildType => "tested, no mutation (wild type)",
        Assertion::Family => "of a relative, not of the patient",
        Assertion::OtherTumour => "of another tumour",
        Assertion::Superseded => "no longer true, replaced by a later one",
        Assertion::Unknown => "named in a language whose negations are not known here",
    }
}

/// Returns the name of a field in a sentence.
fn label(field: Field) -> &'static str {
    match field {
        Field::CancerType => "Cancer type",
        Field::Stage => "Stage",
        Field::GeneMutation => "Gene mutation",
        Field::Biomarker => "Biomarker",
        Field::Treatment => "Treatment",
        Field::Response => "Response",
        Field::MetastasisSite => "Metastasis site",
    }
}
