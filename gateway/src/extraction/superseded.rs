//! Removes from a record the results that a later result replaced: the earlier of two results of one marker, or of two
//! responses, that cannot both be true, if the note dates both.
//!
//! A stage is never replaced: the stage at diagnosis stays the stage. Results whose order the note does not state stay
//! in the record, and are reported as a conflict.

use std::collections::HashSet;

use super::{
    Assertion, DatePrecision, Evidence, Field, Finding,
    alike::WordSet,
    chunk::{Conflict, contradicts, polarity},
    staging::{self, Group},
};
use crate::steps;

/// Maximum number of values of one field that are compared, because the cost grows with their square.
const MOST_COMPARED: usize = 64;

/// A value of a record and the id of its tumour, if the note states which tumour it belongs to.
type Key = (String, Option<String>);

/// What a value says, as far as two values of its field can be compared.
#[derive(Clone, Debug)]
pub(crate) struct Comparable {
    field: Field,
    folded: String,
    words: WordSet,
    marker: String,
    group: Option<Group>,
}

impl Comparable {
    /// Returns what a value of a field says.
    pub(crate) fn of(field: Field, value: &str) -> Self {
        let folded = value.to_lowercase().split_whitespace().collect::<Vec<_>>().join(" ");
        Self { field, folded, words: WordSet::of(value), marker: marker(value), group: staging::group(value) }
    }

    /// Returns the value in lower case with single spaces.
    pub(crate) fn folded(&self) -> &str {
        &self.folded
    }

    /// Returns the gene, if the value names only a gene: "EGFR", "EGFR mutation".
    pub(crate) fn gene_alone(&self) -> Option<&str> {
        const ALTERED: [&str; 5] = ["mutation", "mutated", "mutant", "alteration", "variant"];
        let mut words = self.folded.split(' ').filter(|word| !ALTERED.contains(word));
        words.next().filter(|_| self.field == Field::GeneMutation && words.next().is_none())
    }

    /// Returns what two values must have in common to disagree: the marker, and nothing for a stage or a response.
    /// `None` for a value that disagrees with no other.
    pub(crate) fn subject(&self) -> Option<&str> {
        match self.field {
            Field::Stage | Field::Response => Some(""),
            Field::Biomarker => Some(self.marker.as_str()).filter(|marker| !marker.is_empty()),
            _ => None,
        }
    }

    /// Returns whether the two values of one field and one tumour cannot both hold at one time. Values of fields other
    /// than stage, biomarker and response always can.
    pub(crate) fn disagrees(&self, other: &Self) -> bool {
        match self.field {
            Field::Stage => match (&self.group, &other.group) {
                (Some(one), Some(other)) => !one.is_of(other) && !other.is_of(one),
                _ => false,
            },
            Field::Biomarker => {
                !self.marker.is_empty() && self.marker == other.marker && contradicts(&self.words, &other.words)
            }
            Field::Response => {
                self.folded != other.folded && !(says_no_disease(&self.folded) && says_no_disease(&other.folded))
            }
            _ => false,
        }
    }
}

/// Returns whether a response says that there is no disease left.
fn says_no_disease(folded: &str) -> bool {
    let complete = ["complete response", "complete remission", "complete metabolic response", "no evidence of disease"];
    complete.iter().any(|words| folded.contains(words)) && !folded.contains("then")
}

/// One value of a record, of one tumour, with what its findings say.
struct Value {
    key: Key,
    says: Comparable,
    /// Dates that can be ordered, as far as each is known: `2018`, `2018-03`.
    dates: Vec<String>,
    /// Whether every place of the value has such a date.
    all_dated: bool,
    /// Where the last place of the value begins in the note.
    last: Option<usize>,
    /// Where the note tells of a change to the value: "PSA fell to 25 ng/mL".
    changed_at: Option<usize>,
}

/// Marks the superseded findings. Returns the fields that lose a value, and the conflicts that remain. With `several`
/// tumours, values whose tumour the note does not state are not compared.
pub(super) fn mark_superseded(evidence: &mut Evidence, several: bool) -> (Vec<Field>, Vec<Conflict>) {
    let (mut fields, mut conflicts) = (Vec::new(), Vec::new());
    for field in [Field::Stage, Field::Biomarker, Field::Response] {
        if !has_several(evidence.get(field)) {
            continue;
        }
        let values = values(field, evidence.get(field));
        steps::count(values.len() * values.len());
        let mut superseded: HashSet<Key> = HashSet::new();
        let mut conflicting: Vec<&Key> = Vec::new();
        for (at, one) in values.iter().enumerate() {
            for other in values.iter().skip(at + 1).filter(|other| disagree(one, other, several)) {
                if replaces(field, one, other) {
                    superseded.insert(other.key.clone());
                } else if replaces(field, other, one) {
                    superseded.insert(one.key.clone());
                } else if field != Field::Response {
                    // Responses without dates form a course.
                    conflicting.extend([&one.key, &other.key]);
                }
            }
        }
        for finding in evidence.get_mut(field).iter_mut().filter(|finding| finding.in_record) {
            if superseded.contains(&(finding.value.clone(), finding.tumour.clone())) {
                (finding.in_record, finding.assertion) = (false, Some(Assertion::Superseded));
            }
        }
        if !superseded.is_empty() {
            fields.push(field);
        }
        let mut seen = HashSet::new();
        let remain = conflicting.into_iter().filter(|key| !superseded.contains(*key) && seen.insert(&key.0));
        let remain: Vec<String> = remain.map(|key| key.0.clone()).collect();
        if remain.len() > 1 {
            conflicts.push(Conflict { field, values: remain });
        }
    }
    (fields, conflicts)
}

/// Returns whether the record has several values of a field. Most fields have one, which agrees with itself.
fn has_several(findings: &[Finding]) -> bool {
    let mut keys = findings.iter().filter(|one| one.in_record).map(|one| (&one.value, &one.tumour));
    keys.next().is_some_and(|first| keys.any(|other| other != first))
}

/// Returns the values of a field that are in the record, with the dates of their places.
fn values(field: Field, findings: &[Finding]) -> Vec<Value> {
    let mut values: Vec<Value> = Vec::new();
    for finding in findings.iter().filter(|finding| finding.in_record) {
        let date = finding
            .date
            .as_ref()
            .filter(|date| matches!(date.precision, DatePrecision::Day | DatePrecision::Month | DatePrecision::Year));
        let key = (finding.value.clone(), finding.tumour.clone());
        let at = values.iter().position(|value| value.key == key);
        let at = match at {
            Some(at) => at,
            None if values.len() == MOST_COMPARED => continue,
            None => {
                let says = Comparable::of(field, &key.0);
                values.push(Value { says, dates: Vec::new(), all_dated: true, last: None, changed_at: None, key });
                values.len() - 1
            }
        };
        let Some(value) = values.get_mut(at) else { continue };
        value.all_dated &= date.is_some();
        value.dates.extend(date.map(|date| date.value.clone()));
        value.last = value.last.max(finding.start);
        if field == Field::Biomarker && finding.quote.as_deref().is_some_and(tells_change) {
            value.changed_at = value.changed_at.max(finding.start);
        }
    }
    values
}

/// Returns whether words between a marker and its value say that it became that value.
fn tells_change(quote: &str) -> bool {
    const CHANGES: &[&str] = &[
        "fell",
        "fallen",
        "falling",
        "dropped",
        "declined",
        "decreased",
        "down",
        "reduced",
        "improved",
        "rose",
        "risen",
        "increased",
        "climbed",
        "up",
    ];
    let quote = quote.to_lowercase();
    let mut words = quote.split_whitespace();
    words.any(|word| CHANGES.contains(&word)) && words.any(|word| word == "to")
}

/// Returns the name of a marker without its result: "ca 19-9" of "CA 19-9 120 U/mL". Empty if only a number
/// distinguishes it from others.
fn marker(value: &str) -> String {
    let lower = value.to_lowercase();
    let words: Vec<&str> = lower.split_whitespace().collect();
    let is_result =
        |word: &&str| polarity(word).is_some() || word.starts_with(|c: char| c.is_ascii_digit() || "<>≥≤".contains(c));
    let first = words.iter().skip(1).position(is_result).map_or(words.len(), |at| at + 1);
    let last = words.iter().rposition(is_result).unwrap_or(words.len());
    let word = |at: usize| words.get(at).is_some_and(|word| polarity(word).is_some());
    // The number of a name comes before that of its result.
    let end = if word(first) { first } else { last.max(1) };
    let name = words.get(..end.min(words.len())).unwrap_or_default().join(" ");
    if matches!(name.as_str(), "ca" | "ca-") { String::new() } else { name }
}

/// Returns whether two values are of one tumour and cannot both hold.
fn disagree(one: &Value, other: &Value, several: bool) -> bool {
    let of_one_tumour = one.key.1 == other.key.1 && !(several && one.key.1.is_none());
    of_one_tumour && one.says.disagrees(&other.says)
}

/// Returns whether a value is later than every place of another: by their dates, or because the note tells that the
/// marker changed to it.
fn replaces(field: Field, later: &Value, earlier: &Value) -> bool {
    let before = |date: &String, than: &String| {
        let known = date.len().min(than.len());
        date.get(..known) < than.get(..known)
    };
    let dated_later = earlier.all_dated
        && !earlier.dates.is_empty()
        && later.dates.iter().any(|late| earlier.dates.iter().all(|early| before(early, late)));
    // "PSA 180 ng/mL. ... PSA fell to 25 ng/mL": what a marker changed to is later than what was told before.
    let changed_later = later.changed_at.is_some_and(|at| earlier.last.is_some_and(|last| last < at));
    let dated_earlier =
        !later.dates.is_empty() && later.dates.iter().all(|late| earlier.dates.iter().any(|early| before(late, early)));
    field != Field::Stage && (dated_later || (changed_later && !dated_earlier))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::extraction::{
        Note, Record, WarningCode,
        judge::{self, JudgeInput},
    };

    /// Judges a record with one field, and returns what is left of it, and whether a conflict is reported.
    fn judged(text: &str, field: Field, values: &str) -> (Option<String>, bool) {
        let note = Note::new(text.to_owned(), 10_000).unwrap();
        let mut record = Record::default();
        *record.get_mut(field) = Some(values.to_owned());
        let judged = judge::judge(&note, record, JudgeInput::default(), |_, _| None);
        let conflict = judged.warnings.iter().any(|warning| warning.code == WarningCode::ConflictingValues);
        (judged.record.get(field).map(str::to_owned), conflict)
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
                "Prostate cancer. Baseline PSA 180 ng/mL. On leuprolide his PSA declined to 25 ng/mL.",
                Field::Biomarker,
                "PSA 180 ng/mL; PSA 25 ng/mL",
                "PSA 25 ng/mL",
                false,
            ),
            (
                "Prostate cancer. PSA fell to 25 ng/mL in 2020. PSA 180 ng/mL.",
                Field::Biomarker,
                "PSA 25 ng/mL; PSA 180 ng/mL",
                "PSA 25 ng/mL; PSA 180 ng/mL",
                true,
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
                "CA 125 35 U/mL in January 2024. CA 19-9 120 U/mL in March 2024.",
                Field::Biomarker,
                "CA 125 35 U/mL; CA 19-9 120 U/mL",
                "CA 125 35 U/mL; CA 19-9 120 U/mL",
                false,
            ),
            (
                "CA 125 350 U/mL in January 2024. CA 125 20 U/mL in March 2024.",
                Field::Biomarker,
                "CA 125 350 U/mL; CA 125 20 U/mL",
                "CA 125 20 U/mL",
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
            assert_eq!(judged(text, field, values), (Some(left.to_owned()), conflict), "{text}");
        }
    }

    #[test]
    fn a_replaced_value_stays_in_the_evidence() {
        let note = Note::new("In 2018 ER positive. In 2024 ER negative.".to_owned(), 1_000).unwrap();
        let record = Record { biomarker: Some("ER positive; ER negative".to_owned()), ..Record::default() };
        let judged = judge::judge(&note, record, JudgeInput::default(), |_, _| None);
        let shown = judged.evidence.biomarker.iter().map(|one| (one.value.as_str(), one.in_record, one.assertion));
        assert_eq!(
            shown.collect::<Vec<_>>(),
            [("ER positive", false, Some(Assertion::Superseded)), ("ER negative", true, Some(Assertion::Present))]
        );
    }
}
