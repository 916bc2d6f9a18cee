//! Applies the decisions on one note to its result: the seven fields and the evidence become what the person decided,
//! and each value gets a mark for what was done with it. The rules are those of the page (`ui/decisions.js`).

use std::collections::BTreeMap;

use serde_json::Value;

use super::{
    decisions::{Action, Decision, NoteDecisions},
    object::Object,
};
use crate::extraction::Field;

/// What a person did with a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum ValueReview {
    Accepted,
    Changed,
    Added,
    Rejected,
    /// The person left the value as it was and marked the note as done.
    Unchanged,
    NotReviewed,
}

impl ValueReview {
    /// Returns the name in the output.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Changed => "changed",
            Self::Added => "added",
            Self::Rejected => "rejected",
            Self::Unchanged => "unchanged",
            Self::NotReviewed => "not_reviewed",
        }
    }
}

/// Why decisions do not belong to a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Misfit {
    /// The result quotes words that the note of the decisions does not have there.
    OtherText,
    /// The result has no such value, or the decisions give another record than the one that the page saved.
    OtherValues,
}

/// What a person did with the values of each field of a note, each once. A field without a value counts as one.
#[derive(Clone, Debug, Default)]
pub(super) struct NoteReview {
    pub(super) of_fields: Vec<(Field, Vec<ValueReview>)>,
    /// The number of values of each kind.
    pub(super) values: BTreeMap<ValueReview, u64>,
}

/// A value of the result: `now` is the text after the decision.
struct ReviewedValue<'a> {
    value: String,
    in_record: bool,
    decision: Option<&'a Decision>,
}

impl ReviewedValue<'_> {
    fn now(&self) -> &str {
        self.decision.map_or(&self.value, |decision| &decision.value)
    }

    fn is_kept(&self) -> bool {
        self.decision.map_or(self.in_record, |decision| decision.action != Action::Reject)
    }

    fn is_as_before(&self) -> bool {
        self.is_kept() == self.in_record && self.decision.is_none_or(|one| one.action == Action::Accept)
    }
}

/// Applies the decisions to a result; without any, marks its values as not reviewed.
pub(super) fn apply(result: &mut Object, note: Option<&NoteDecisions>) -> Result<NoteReview, Misfit> {
    let mut evidence: Object = result.parsed("evidence").unwrap_or_default();
    let letters: Vec<char> = note.map_or_else(Vec::new, |note| note.text.chars().collect());
    let mut review = NoteReview::default();
    for field in Field::ALL {
        let findings: Vec<Object> = evidence.parsed(field.name()).unwrap_or_default();
        if note.is_some() && !findings.iter().all(|finding| is_quoted(finding, &letters)) {
            return Err(Misfit::OtherText);
        }
        let record: Option<String> = result.parsed(field.name());
        let of_field = FieldReview { field, note, letters: &letters };
        let values = of_field.values(&findings, record.as_deref())?;
        let record = of_field.record(&values, record);
        if note.is_some_and(|note| note.denies(field, record.as_deref())) {
            return Err(Misfit::OtherValues);
        }
        result.set(field.name(), &record);
        evidence.set(field.name(), &of_field.findings(&values, findings).ok_or(Misfit::OtherText)?);
        let mut kinds: Vec<ValueReview> = Vec::new();
        for kind in
            values.iter().map(|value| of_field.kind(value.decision)).chain(of_field.added().map(|_| ValueReview::Added))
        {
            *review.values.entry(kind).or_default() += 1;
            if !kinds.contains(&kind) {
                kinds.push(kind);
            }
        }
        if kinds.is_empty() {
            kinds.push(of_field.kind(None));
        }
        review.of_fields.push((field, kinds));
    }
    result.set("evidence", &evidence);
    Ok(review)
}

/// Returns whether the words of a finding are at its place in the note.
fn is_quoted(finding: &Object, letters: &[char]) -> bool {
    let (Some(start), Some(end), Some(quote)) =
        (finding.parsed::<usize>("start"), finding.parsed::<usize>("end"), finding.parsed::<String>("quote"))
    else {
        return true;
    };
    letters.get(start..end).is_some_and(|words| words.iter().copied().eq(quote.chars()))
}

/// The review of one field.
struct FieldReview<'a> {
    field: Field,
    note: Option<&'a NoteDecisions>,
    letters: &'a [char],
}

impl<'a> FieldReview<'a> {
    fn decisions(&self) -> impl Iterator<Item = &'a Decision> {
        let name = self.field.name();
        self.note.into_iter().flat_map(|note| &note.decisions).filter(move |one| one.field == name)
    }

    fn added(&self) -> impl Iterator<Item = &'a Decision> {
        self.decisions().filter(|one| one.action == Action::Add)
    }

    fn kind(&self, decision: Option<&Decision>) -> ValueReview {
        match decision.map(|decision| decision.action) {
            Some(Action::Accept) => ValueReview::Accepted,
            Some(Action::Change) => ValueReview::Changed,
            Some(Action::Reject) => ValueReview::Rejected,
            Some(Action::Add) => ValueReview::Added,
            None if self.note.is_some_and(|note| note.done) => ValueReview::Unchanged,
            None => ValueReview::NotReviewed,
        }
    }

    /// Returns each value of the result once, as the page decides on it. A record that no finding has is a value too.
    fn values(&self, findings: &[Object], record: Option<&str>) -> Result<Vec<ReviewedValue<'a>>, Misfit> {
        let mut values: Vec<ReviewedValue<'_>> = Vec::new();
        let mut take = |value: String, in_record: bool| {
            if !values.iter().any(|own| own.value == value && own.in_record == in_record) {
                let decision = self.decisions().find(|one| one.is_about(self.field, &value, in_record));
                values.push(ReviewedValue { value, in_record, decision });
            }
            in_record
        };
        let mut in_record = false;
        for (value, is_in_record) in findings.iter().map(value_of) {
            in_record |= take(value, is_in_record);
        }
        if let Some(record) = record.filter(|record| !record.is_empty() && !in_record) {
            take(record.to_owned(), true);
        }
        let has_value =
            |one: &Decision| values.iter().any(|value| one.is_about(self.field, &value.value, value.in_record));
        let all_fit = self.decisions().all(|one| one.action == Action::Add || has_value(one));
        if all_fit { Ok(values) } else { Err(Misfit::OtherValues) }
    }

    /// Returns the flat field. Where nothing changed it stays as it is: it may write two values as one, "A and B".
    fn record(&self, values: &[ReviewedValue<'_>], record: Option<String>) -> Option<String> {
        if self.added().next().is_none() && values.iter().all(ReviewedValue::is_as_before) {
            return record;
        }
        let kept = values.iter().filter(|value| value.is_kept()).map(ReviewedValue::now);
        let mut parts: Vec<&str> = Vec::new();
        for part in kept.chain(self.added().map(|one| one.value.as_str())) {
            if !parts.contains(&part) {
                parts.push(part);
            }
        }
        (!parts.is_empty()).then(|| parts.join("; "))
    }

    /// Returns the findings after the decisions, each with what was done. `None` if a place is outside the note.
    fn findings(&self, values: &[ReviewedValue<'_>], findings: Vec<Object>) -> Option<Vec<Object>> {
        let mut out = Vec::new();
        let mut written = vec![false; values.len()];
        for mut finding in findings {
            let (value, in_record) = value_of(&finding);
            let at = values.iter().position(|own| own.value == value && own.in_record == in_record)?;
            let is_first = !std::mem::replace(written.get_mut(at)?, true);
            let decision = values.get(at)?.decision;
            match decision.filter(|one| one.action == Action::Change) {
                // The other places belong to the value before the change.
                Some(_) if !is_first => {}
                Some(changed) => out.push(self.by_person(changed)?),
                None => {
                    if let Some(decision) = decision {
                        finding.set("in_record", &(decision.action == Action::Accept));
                    }
                    finding.set("review", &self.kind(decision).name());
                    out.push(finding);
                }
            }
        }
        for (value, _) in values.iter().zip(written).filter(|(_, written)| !written) {
            if let Some(decision) = value.decision {
                out.push(self.by_person(decision)?);
            }
        }
        for added in self.added() {
            out.push(self.by_person(added)?);
        }
        Some(out)
    }

    /// Returns the finding of a value that a person wrote, or that had no finding. No rule assessed such a value, and
    /// it does not keep the codes, the tumour and the date of the value that it replaces.
    fn by_person(&self, decision: &Decision) -> Option<Object> {
        let quote: Option<String> = match (decision.start, decision.end) {
            (Some(start), Some(end)) => Some(self.letters.get(start..end)?.iter().collect()),
            _ => None,
        };
        let mut finding = Object::default();
        finding.set("value", &decision.value);
        finding.set("in_record", &(decision.action != Action::Reject));
        finding.set("basis", &if quote.is_some() { "person" } else { "unsupported" });
        finding.set("assertion", &Value::Null);
        finding.set("rule", &Value::Null);
        finding.set("quote", &quote);
        finding.set("start", &decision.start);
        finding.set("end", &decision.end);
        for key in ["tumour", "confidence", "date"] {
            finding.set(key, &Value::Null);
        }
        finding.set("codes", &[(); 0]);
        finding.set("review", &self.kind(Some(decision)).name());
        if let Some(before) = decision.from.as_ref().filter(|_| decision.action == Action::Change) {
            finding.set("value_before", before);
        }
        Some(finding)
    }
}

fn value_of(finding: &Object) -> (String, bool) {
    (finding.parsed("value").unwrap_or_default(), finding.parsed("in_record").unwrap_or_default())
}
