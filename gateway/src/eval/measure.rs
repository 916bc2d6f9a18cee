//! Counts what is right, wrong and missing in the values of a note, by field: exactly, and by common tokens.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    gold::Label,
    tokens::{parts, tokens, whole},
};
use crate::extraction::Field;

/// A predicted part is right if it shares at least this part of the tokens of the longer of the two.
const MIN_OVERLAP: f64 = 0.5;

/// Numbers of right, wrong and missing values or parts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct MatchCounts {
    pub(super) right: usize,
    pub(super) wrong: usize,
    pub(super) missing: usize,
}

/// Counts of one field.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct FieldCounts {
    /// Notes in which the field has a label, empty labels included.
    pub(super) labelled: usize,
    /// Notes in which the label is empty.
    pub(super) empty: usize,
    /// Notes in which the label is empty but the field has a value.
    pub(super) spurious: usize,
    pub(super) exact: MatchCounts,
    pub(super) relaxed: MatchCounts,
}

/// Counts of one note or of many, by field.
pub(super) type Counts = BTreeMap<Field, FieldCounts>;

/// Scores the values of one note against its labels. A field without a label is not scored. Of a label and its
/// alternatives, the one counts that fits best: with the fewest wrong and missing parts, then exactly.
pub(super) fn score(expected: &BTreeMap<Field, Label>, predicted: &BTreeMap<Field, String>) -> Counts {
    let mut counts = Counts::new();
    for (&field, label) in expected {
        let predicted = predicted.get(&field).map_or("", String::as_str);
        let of = |value: &str| score_field(field, value, &label.accepted, predicted);
        let mut best = of(label.value.as_deref().unwrap_or_default());
        for other in label.alternatives.iter().map(|value| of(value)) {
            if other.errors() < best.errors() {
                best = other;
            }
        }
        counts.insert(field, best);
    }
    counts
}

impl FieldCounts {
    /// What makes one label fit worse than another.
    fn errors(&self) -> (usize, usize) {
        (self.relaxed.wrong + self.relaxed.missing, self.exact.wrong + self.exact.missing)
    }
}

fn score_field(field: Field, label: &str, accepted: &str, value: &str) -> FieldCounts {
    let sets = |value: &str| -> Vec<BTreeSet<String>> {
        parts(value, field, true).iter().map(|part| tokens(part, field).into_iter().collect()).collect()
    };
    let (labelled, predicted, accepted) = (sets(label), sets(value), sets(accepted));
    let is_like =
        |all: &[BTreeSet<String>], part: &BTreeSet<String>| all.iter().any(|one| overlap(one, part) >= MIN_OVERLAP);
    let paired = pairs(&labelled, &predicted);
    // A right part that is repeated is not wrong, nor is one that the labels accept.
    let unpaired = predicted.iter().enumerate().filter(|(at, _)| !paired.contains(at));
    let wrong = unpaired.filter(|(_, part)| !is_like(&labelled, part) && !is_like(&accepted, part)).count();
    let relaxed = MatchCounts { right: paired.len(), wrong, missing: labelled.len() - paired.len() };

    let (labelled, predicted) = (whole(label, field), whole(value, field));
    let is_empty = labelled.is_empty();
    let is_right = !is_empty && labelled == predicted;
    let is_value = !predicted.is_empty() && (!is_empty || wrong > 0);
    let exact = MatchCounts {
        right: usize::from(is_right),
        wrong: usize::from(is_value && !is_right),
        missing: usize::from(!is_empty && !is_right),
    };
    FieldCounts {
        labelled: 1,
        empty: usize::from(is_empty),
        spurious: usize::from(is_empty && is_value),
        exact,
        relaxed,
    }
}

/// Pairs labelled and predicted parts one to one, the pairs with the most overlap first. Returns the indices of the
/// paired predicted parts.
fn pairs(labelled_parts: &[BTreeSet<String>], predicted_parts: &[BTreeSet<String>]) -> BTreeSet<usize> {
    let mut candidates: Vec<(f64, usize, usize)> = Vec::new();
    for (i, one) in labelled_parts.iter().enumerate() {
        for (j, other) in predicted_parts.iter().enumerate() {
            let share = overlap(one, other);
            if share >= MIN_OVERLAP {
                candidates.push((share, i, j));
            }
        }
    }
    candidates.sort_by(|a, b| b.0.total_cmp(&a.0).then(b.1.cmp(&a.1)).then(b.2.cmp(&a.2)));
    let (mut taken, mut paired) = (BTreeSet::new(), BTreeSet::new());
    for (_, i, j) in candidates {
        if !taken.contains(&i) && !paired.contains(&j) {
            taken.insert(i);
            paired.insert(j);
        }
    }
    paired
}

/// Returns the share of the tokens of the longer part that both parts have.
#[expect(clippy::cast_precision_loss, reason = "a value has far fewer than 2^52 words")]
fn overlap(one: &BTreeSet<String>, other: &BTreeSet<String>) -> f64 {
    if one.is_empty() || other.is_empty() {
        return 0.0;
    }
    one.intersection(other).count() as f64 / one.len().max(other.len()) as f64
}

/// Returns the sum over notes for each field, and the sum of those over all fields.
pub(super) fn total<'c>(all: impl IntoIterator<Item = &'c Counts>) -> (Counts, FieldCounts) {
    let mut by_field = Counts::new();
    for (&field, counts) in all.into_iter().flatten() {
        add(by_field.entry(field).or_default(), counts);
    }
    let mut micro = FieldCounts::default();
    for counts in by_field.values() {
        add(&mut micro, counts);
    }
    (by_field, micro)
}

fn add(sum: &mut FieldCounts, one: &FieldCounts) {
    sum.labelled += one.labelled;
    sum.empty += one.empty;
    sum.spurious += one.spurious;
    for (sum, one) in [(&mut sum.exact, one.exact), (&mut sum.relaxed, one.relaxed)] {
        sum.right += one.right;
        sum.wrong += one.wrong;
        sum.missing += one.missing;
    }
}

/// Returns `part / whole`; `None` if `whole` is zero.
#[expect(clippy::cast_precision_loss, reason = "counts of notes are far below 2^52")]
pub(super) fn share(part: usize, whole: usize) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

impl MatchCounts {
    pub(super) fn precision(self) -> Option<f64> {
        share(self.right, self.right + self.wrong)
    }

    pub(super) fn recall(self) -> Option<f64> {
        share(self.right, self.right + self.missing)
    }

    pub(super) fn f1(self) -> Option<f64> {
        share(2 * self.right, 2 * self.right + self.wrong + self.missing)
    }
}
