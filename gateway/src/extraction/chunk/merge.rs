//! Merges the records of a note's chunks. Values with the same meaning appear once, in the most specific wording, in
//! order of appearance. Contradicting values are all kept and reported. The merge drops no value with another meaning.

use std::collections::BTreeSet;

use crate::extraction::{Field, Record, alike::WordSet, fields::parts, staging::group};

/// Maximum number of values of one field that are compared, because the cost grows with their square. Further values
/// are kept as they are.
const MOST_COMPARED: usize = 256;

/// The record of several chunks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MergedRecord {
    /// The merged record.
    pub record: Record,
    /// Values that contradict each other.
    pub conflicts: Vec<Conflict>,
}

/// Values of one field that contradict each other: only one can be true of one tumour at one time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// The field.
    pub field: Field,
    /// The values, in order of appearance.
    pub values: Vec<String>,
}

/// Merges records, given in the order of the note.
#[must_use]
pub fn merge(records: &[Record]) -> MergedRecord {
    let mut merged = MergedRecord::default();
    for field in Field::ALL {
        let mut kept: Vec<KeptValue<'_>> = Vec::new();
        for value in records.iter().filter_map(|record| record.get(field)).flat_map(parts) {
            keep(&mut kept, KeptValue { value, words: WordSet::of(value) }, field);
        }
        if kept.is_empty() {
            continue;
        }
        merged.conflicts.extend(conflict(field, &kept));
        let values: Vec<&str> = kept.iter().map(|one| one.value).collect();
        *merged.record.get_mut(field) = Some(values.join("; "));
    }
    merged
}

struct KeptValue<'a> {
    value: &'a str,
    words: WordSet,
}

/// Adds a value unless a kept value is equal or more specific. It replaces kept values that are less specific.
fn keep<'a>(kept: &mut Vec<KeptValue<'a>>, new: KeptValue<'a>, field: Field) {
    if kept.len() >= MOST_COMPARED {
        return kept.push(new);
    }
    let is_covered =
        |one: &KeptValue<'_>| new.value == one.value || new.words.within(&one.words) || is_substage(field, one, &new);
    if kept.iter().any(is_covered) {
        return;
    }
    let is_less_specific = |one: &KeptValue<'_>| one.words.within(&new.words) || is_substage(field, &new, one);
    let target = kept.iter().position(is_less_specific).unwrap_or(kept.len());
    let mut at = 0;
    kept.retain(|one| {
        at += 1;
        at <= target || !is_less_specific(one)
    });
    kept.insert(target.min(kept.len()), new);
}

/// Returns whether `closer` is a substage of `wider`: IVB of IV.
fn is_substage(field: Field, closer: &KeptValue<'_>, wider: &KeptValue<'_>) -> bool {
    let (Some(closer), Some(wider)) = (group(closer.value), group(wider.value)) else { return false };
    field == Field::Stage && closer.is_of(&wider)
}

/// Returns the values that contradict each other: two stage groups, two responses, two results of one marker.
fn conflict(field: Field, kept: &[KeptValue<'_>]) -> Option<Conflict> {
    let contradicting: Vec<&KeptValue<'_>> = match field {
        Field::Stage => kept.iter().filter(|one| group(one.value).is_some()).collect(),
        Field::Response => kept.iter().collect(),
        Field::Biomarker => {
            let is_contradicted = |one: &&KeptValue<'_>| {
                kept.iter().take(MOST_COMPARED).any(|other| contradicts(&one.words, &other.words))
            };
            kept.iter().take(MOST_COMPARED).filter(is_contradicted).collect()
        }
        Field::CancerType | Field::GeneMutation | Field::Treatment | Field::MetastasisSite => Vec::new(),
    };
    let values = contradicting.iter().map(|one| one.value.to_owned()).collect();
    (contradicting.len() > 1).then_some(Conflict { field, values })
}

/// Returns whether two results of the same marker differ: positive and negative, 5 and 50.
pub(in crate::extraction) fn contradicts(one: &WordSet, other: &WordSet) -> bool {
    let polarities = |words: &WordSet| -> BTreeSet<bool> { words.iter().filter_map(polarity).collect() };
    let numbers = |words: &WordSet| -> BTreeSet<String> {
        words.iter().filter(|word| is_number(word)).map(str::to_owned).collect()
    };
    let marker = |words: &WordSet| -> BTreeSet<String> {
        words.iter().filter(|word| polarity(word).is_none() && !is_number(word)).map(str::to_owned).collect()
    };
    let differ = |one: bool, other: bool, same: bool| one && other && !same;
    let (a, b) = (polarities(one), polarities(other));
    let (m, n) = (numbers(one), numbers(other));
    !marker(one).is_empty()
        && marker(one) == marker(other)
        && (differ(!a.is_empty(), !b.is_empty(), a == b) || differ(!m.is_empty(), !n.is_empty(), m == n))
}

/// Returns whether a word is a positive or a negative result.
pub(in crate::extraction) fn polarity(word: &str) -> Option<bool> {
    match word {
        "positive" | "high" | "elevated" | "deficient" | "amplified" | "overexpressed" => Some(true),
        "negative" | "low" | "normal" | "proficient" | "stable" | "absent" => Some(false),
        _ => None,
    }
}

fn is_number(word: &str) -> bool {
    word.bytes().all(|byte| byte.is_ascii_digit())
}
