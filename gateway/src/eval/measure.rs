//! Counts of one note: what is right, wrong and missing, by field, exactly and by common tokens.

use std::collections::{BTreeMap, BTreeSet};

use super::tokens::{parts, tokens, whole};
use crate::extraction::Field;

/// A part is right where at least this share of the longer's tokens is common to both.
const ALIKE: f64 = 0.5;

/// Right, wrong and missing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct MatchCounts {
    pub(super) right: usize,
    pub(super) wrong: usize,
    pub(super) missing: usize,
}

/// Counts of one field.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct FieldCounts {
    /// Notes in which the field is labelled, be it as empty.
    pub(super) labelled: usize,
    pub(super) empty: usize,
    /// Labelled as empty, but filled.
    pub(super) spurious: usize,
    pub(super) exact: MatchCounts,
    pub(super) relaxed: MatchCounts,
}

/// Counts of one note or of many, by field.
pub(super) type Counts = BTreeMap<Field, FieldCounts>;

/// Scores one note's values against its labels. A field without a label is not scored.
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
    let (wanted, got) = (whole(label, field), whole(value, field));
    counts.empty = usize::from(wanted.is_empty());
    counts.spurious = usize::from(wanted.is_empty() && !got.is_empty());
    let right = !wanted.is_empty() && wanted == got;
    counts.exact.right = usize::from(right);
    counts.exact.wrong = usize::from(!got.is_empty() && !right);
    counts.exact.missing = usize::from(!wanted.is_empty() && !right);

    let sets = |value: &str| -> Vec<BTreeSet<String>> {
        parts(value, field, true).iter().map(|part| tokens(part, field).into_iter().collect()).collect()
    };
    let (wanted, got) = (sets(label), sets(value));
    let paired = pairs(&wanted, &got);
    counts.relaxed.right = paired.len();
    counts.relaxed.missing = wanted.len() - paired.len();
    // A right answer said again is no wrong answer.
    let again = |part: &BTreeSet<String>| wanted.iter().any(|like| common(like, part) >= ALIKE);
    let alone = got.iter().enumerate().filter(|(at, _)| !paired.contains(at));
    counts.relaxed.wrong = alone.filter(|(_, part)| !again(part)).count();
    counts
}

/// One-to-one pairs of like parts, the most alike first; the places of the predicted ones.
fn pairs(wanted: &[BTreeSet<String>], got: &[BTreeSet<String>]) -> BTreeSet<usize> {
    let mut candidates: Vec<(f64, usize, usize)> = Vec::new();
    for (i, one) in wanted.iter().enumerate() {
        for (j, other) in got.iter().enumerate() {
            let share = common(one, other);
            if share >= ALIKE {
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

#[expect(clippy::cast_precision_loss, reason = "a value has far fewer than 2^52 words")]
fn common(one: &BTreeSet<String>, other: &BTreeSet<String>) -> f64 {
    if one.is_empty() || other.is_empty() {
        return 0.0;
    }
    one.intersection(other).count() as f64 / one.len().max(other.len()) as f64
}

/// The sum over notes, and under it the sum over fields.
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

/// `part` of `whole`; nothing where there is no whole.
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
