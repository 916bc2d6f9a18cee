//! Counts what is right, wrong and missing in the values of a note, by field: exactly, and by common tokens.

use std::collections::{BTreeMap, BTreeSet};

use super::tokens::{parts, tokens, whole};
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

/// Scores the values of one note against its labels. A field without a label is not scored.
pub(super) fn score(expected: &BTreeMap<Field, Option<String>>, predicted: &BTreeMap<Field, String>) -> Counts {
    let mut counts = Counts::new();
    for (&field, label) in expected {
        let (label, value) = (label.as_deref().unwrap_or_default(), predicted.get(&field).map_or("", String::as_str));
        counts.insert(field, score_field(field, label, value));
    }
    counts
}

fn score_field(field: Field, label: &str, value: &str) -> FieldCounts {
    let mut counts = FieldCounts { labelled: 1, ..FieldCounts::default() };
    let (labelled_parts, predicted_parts) = (whole(label, field), whole(value, field));
    counts.empty = usize::from(labelled_parts.is_empty());
    counts.spurious = usize::from(labelled_parts.is_empty() && !predicted_parts.is_empty());
    let right = !labelled_parts.is_empty() && labelled_parts == predicted_parts;
    counts.exact.right = usize::from(right);
    counts.exact.wrong = usize::from(!predicted_parts.is_empty() && !right);
    counts.exact.missing = usize::from(!labelled_parts.is_empty() && !right);

    let sets = |value: &str| -> Vec<BTreeSet<String>> {
        parts(value, field, true).iter().map(|part| tokens(part, field).into_iter().collect()).collect()
    };
    let (labelled_parts, predicted_parts) = (sets(label), sets(value));
    let paired = pairs(&labelled_parts, &predicted_parts);
    counts.relaxed.right = paired.len();
    counts.relaxed.missing = labelled_parts.len() - paired.len();
    // A right part that is repeated is not wrong.
    let is_repeated = |part: &BTreeSet<String>| labelled_parts.iter().any(|like| overlap(like, part) >= MIN_OVERLAP);
    let unpaired = predicted_parts.iter().enumerate().filter(|(at, _)| !paired.contains(at));
    counts.relaxed.wrong = unpaired.filter(|(_, part)| !is_repeated(part)).count();
    counts
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
