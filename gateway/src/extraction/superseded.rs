//! Leaves out of a record what a later result replaced: of two results of one marker, or two responses, that cannot both
//! hold, the earlier one, if the note dates both.
//!
//! A stage is never replaced: the stage at diagnosis stays the stage. Results whose order the note does not tell stay in
//! the record, and are reported as a conflict.

use std::collections::BTreeMap;

use super::{
    Assertion, DatePrecision, Evidence, Field, Finding,
    alike::WordSet,
    chunk::{Conflict, contradicts},
    staging::{self, Group},
};

/// Most values of one field that are compared, because the cost grows with their square.
const MOST_COMPARED: usize = 64;

/// One value of a record with the findings of it.
struct Value {
    text: String,
    words: WordSet,
    group: Option<Group>,
    tumour: Option<String>,
    /// Dates that can be ordered, as far as each is known: `2018`, `2018-03`.
    dates: Vec<String>,
    /// Whether every place of the value has such a date.
    all_dated: bool,
}

/// Marks the superseded findings. Returns the fields that lose a value, and the conflicts that remain.
pub(super) fn mark(evidence: &mut Evidence) -> (Vec<Field>, Vec<Conflict>) {
    let (mut fields, mut conflicts) = (Vec::new(), Vec::new());
    for field in [Field::Stage, Field::Biomarker, Field::Response] {
        let values = values(evidence.get(field));
        let mut superseded: Vec<&str> = Vec::new();
        let mut conflicting: Vec<String> = Vec::new();
        for (at, one) in values.iter().enumerate() {
            for other in values.iter().skip(at + 1).filter(|other| disagree(field, one, other)) {
                match (replaces(field, one, other), replaces(field, other, one)) {
                    (true, _) => superseded.push(&other.text),
                    (_, true) => superseded.push(&one.text),
                    // A course of responses is one value of its own.
                    _ if field == Field::Response => {}
                    _ => conflicting.extend([one.text.clone(), other.text.clone()]),
                }
            }
        }
        for finding in evidence_of(evidence, field).filter(|one| superseded.contains(&one.value.as_str())) {
            (finding.in_record, finding.assertion) = (false, Some(Assertion::Superseded));
        }
        if !superseded.is_empty() {
            fields.push(field);
        }
        conflicting.retain(|value| !superseded.contains(&value.as_str()));
        let mut seen = Vec::new();
        conflicting.retain(|value| {
            !seen.contains(value) && {
                seen.push(value.clone());
                true
            }
        });
        if conflicting.len() > 1 {
            conflicts.push(Conflict { field, values: conflicting });
        }
    }
    (fields, conflicts)
}

fn evidence_of(evidence: &mut Evidence, field: Field) -> impl Iterator<Item = &mut Finding> {
    evidence.get_mut(field).iter_mut().filter(|finding| finding.in_record)
}

/// Returns the values of a field that are in the record, with the dates of their places.
fn values(findings: &[Finding]) -> Vec<Value> {
    let mut places: BTreeMap<&str, Vec<&Finding>> = BTreeMap::new();
    let mut order: Vec<&str> = Vec::new();
    for finding in findings.iter().filter(|finding| finding.in_record) {
        let list = places.entry(&finding.value).or_default();
        if list.is_empty() {
            order.push(&finding.value);
        }
        list.push(finding);
    }
    let value = |text: &str| {
        let findings = places.get(text).map(Vec::as_slice).unwrap_or_default();
        let date = |finding: &&Finding| {
            let date = finding.date.as_ref()?;
            let known = matches!(date.precision, DatePrecision::Day | DatePrecision::Month | DatePrecision::Year);
            known.then(|| date.value.clone())
        };
        let dates: Vec<String> = findings.iter().filter_map(date).collect();
        Value {
            words: WordSet::of(text),
            group: staging::group(text),
            tumour: findings.first().and_then(|finding| finding.tumour.clone()),
            all_dated: dates.len() == findings.len(),
            dates,
            text: text.to_owned(),
        }
    };
    order.into_iter().take(MOST_COMPARED).map(value).collect()
}

/// Returns whether two values of one tumour cannot both hold.
fn disagree(field: Field, one: &Value, other: &Value) -> bool {
    if one.tumour != other.tumour {
        return false;
    }
    match field {
        Field::Stage => match (&one.group, &other.group) {
            (Some(one), Some(other)) => !one.is_of(other) && !other.is_of(one),
            _ => false,
        },
        Field::Biomarker => contradicts(&one.words, &other.words),
        _ => true,
    }
}

/// Returns whether a value is later than every place of another.
fn replaces(field: Field, later: &Value, earlier: &Value) -> bool {
    let before = |date: &String, than: &String| {
        let known = date.len().min(than.len());
        date.get(..known) < than.get(..known)
    };
    field != Field::Stage
        && earlier.all_dated
        && !earlier.dates.is_empty()
        && later.dates.iter().any(|late| earlier.dates.iter().all(|early| before(early, late)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::extraction::{
        Note, Record, WarningCode,
        review::{self, ReviewInput},
    };

    /// Reviews a record with one field, and returns what is left of it, and whether a conflict is reported.
    fn reviewed(text: &str, field: Field, values: &str) -> (Option<String>, bool) {
        let note = Note::new(text.to_owned(), 10_000).unwrap();
        let mut record = Record::default();
        *record.get_mut(field) = Some(values.to_owned());
        let reviewed = review::review(&note, record, ReviewInput::default(), |_, _| None);
        let conflict = reviewed.warnings.iter().any(|warning| warning.code == WarningCode::ConflictingValues);
        (reviewed.record.get(field).map(str::to_owned), conflict)
    }

    #[test]
    fn the_later_of_two_dated_results_is_the_record() {
        for (text, field, values, left, conflict) in [
            (
                "Breast cancer. In 2018 ER positive. In 2024 ER negative.",
                Field::Biomarker,
                "ER positive; ER negative",
                "ER negative",
                false,
            ),
            (
                "Breast cancer. ER negative (03/2024). ER positive (2018).",
                Field::Biomarker,
                "ER positive; ER negative",
                "ER negative",
                false,
            ),
            (
                "Breast cancer. ER positive. ER negative in 2024.",
                Field::Biomarker,
                "ER positive; ER negative",
                "ER positive; ER negative",
                true,
            ),
            (
                "Breast cancer. In 2024 ER positive. In March 2024 ER negative.",
                Field::Biomarker,
                "ER positive; ER negative",
                "ER positive; ER negative",
                true,
            ),
            (
                "Breast cancer. In 2018 ER positive. In 2024 PR negative.",
                Field::Biomarker,
                "ER positive; PR negative",
                "ER positive; PR negative",
                false,
            ),
            (
                "In May 2023 partial response. In June 2024 disease progression.",
                Field::Response,
                "partial response; disease progression",
                "disease progression",
                false,
            ),
            (
                "Partial response, then disease progression.",
                Field::Response,
                "partial response; disease progression",
                "partial response; disease progression",
                false,
            ),
            ("In 2018 stage II. In 2024 stage IV.", Field::Stage, "II; IV", "II; IV", true),
            ("In 2018 stage IV. In 2024 stage IVB.", Field::Stage, "IV; IVB", "IV; IVB", false),
        ] {
            assert_eq!(reviewed(text, field, values), (Some(left.to_owned()), conflict), "{text}");
        }
    }

    #[test]
    fn a_replaced_value_stays_in_the_evidence() {
        let note = Note::new("In 2018 ER positive. In 2024 ER negative.".to_owned(), 1_000).unwrap();
        let record = Record { biomarker: Some("ER positive; ER negative".to_owned()), ..Record::default() };
        let reviewed = review::review(&note, record, ReviewInput::default(), |_, _| None);
        let shown = reviewed.evidence.biomarker.iter().map(|one| (one.value.as_str(), one.in_record, one.assertion));
        assert_eq!(
            shown.collect::<Vec<_>>(),
            [("ER positive", false, Some(Assertion::Superseded)), ("ER negative", true, Some(Assertion::Present))]
        );
    }
}
