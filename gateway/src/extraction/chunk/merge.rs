//! The records of a note's parts, merged: what means the same once, in its most specific wording, in order
//! of appearance. What cannot both be true is kept and named. Never drops a value that says something else.

use std::collections::BTreeSet;

use crate::extraction::{Field, Record, alike::Words, fields::parts, staging::group};

/// More parts of one field are kept as they are: comparing all with all has its price.
const COMPARED: usize = 256;

/// One record of many.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MergedRecord {
    /// The record.
    pub record: Record,
    /// Values of which only one can be true.
    pub conflicts: Vec<Conflict>,
}

/// Values of one field of which only one can be true of one tumour at one time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// The field.
    pub field: Field,
    /// The values, in order of appearance.
    pub values: Vec<String>,
}

/// Merges records that are in the order of the note.
#[must_use]
pub fn merge(records: &[Record]) -> MergedRecord {
    let mut merged = MergedRecord::default();
    for field in Field::ALL {
        let mut kept: Vec<Kept<'_>> = Vec::new();
        for value in records.iter().filter_map(|record| record.get(field)).flat_map(parts) {
            keep(&mut kept, Kept { value, words: Words::of(value) }, field);
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

struct Kept<'a> {
    value: &'a str,
    words: Words,
}

/// Adds a value, unless one that says as much is there; it takes the place of those that say less.
fn keep<'a>(kept: &mut Vec<Kept<'a>>, new: Kept<'a>, field: Field) {
    if kept.len() >= COMPARED {
        return kept.push(new);
    }
    let said =
        |one: &Kept<'_>| new.value == one.value || new.words.within(&one.words) || closer_stage(field, one, &new);
    if kept.iter().any(said) {
        return;
    }
    let less = |one: &Kept<'_>| one.words.within(&new.words) || closer_stage(field, &new, one);
    let place = kept.iter().position(less).unwrap_or(kept.len());
    let mut at = 0;
    kept.retain(|one| {
        at += 1;
        at <= place || !less(one)
    });
    kept.insert(place.min(kept.len()), new);
}

/// Whether one stage is a substage of the other: IVB of IV.
fn closer_stage(field: Field, closer: &Kept<'_>, wider: &Kept<'_>) -> bool {
    let (Some(closer), Some(wider)) = (group(closer.value), group(wider.value)) else { return false };
    field == Field::Stage && closer.is_of(&wider)
}

/// What cannot be true together: two stage groups, two responses, two results of one marker.
fn conflict(field: Field, kept: &[Kept<'_>]) -> Option<Conflict> {
    let apart: Vec<&Kept<'_>> = match field {
        Field::Stage => kept.iter().filter(|one| group(one.value).is_some()).collect(),
        Field::Response => kept.iter().collect(),
        Field::Biomarker => {
            let opposed =
                |one: &&Kept<'_>| kept.iter().take(COMPARED).any(|other| contradicts(&one.words, &other.words));
            kept.iter().take(COMPARED).filter(opposed).collect()
        }
        Field::CancerType | Field::GeneMutation | Field::Treatment | Field::MetastasisSite => Vec::new(),
    };
    let values = apart.iter().map(|one| one.value.to_owned()).collect();
    (apart.len() > 1).then_some(Conflict { field, values })
}

/// Whether two results of the same marker differ: positive and negative, 5 and 50.
fn contradicts(one: &Words, other: &Words) -> bool {
    let poles = |words: &Words| -> BTreeSet<bool> { words.iter().filter_map(pole).collect() };
    let numbers = |words: &Words| -> BTreeSet<String> {
        words.iter().filter(|word| is_number(word)).map(str::to_owned).collect()
    };
    let marker = |words: &Words| -> BTreeSet<String> {
        words.iter().filter(|word| pole(word).is_none() && !is_number(word)).map(str::to_owned).collect()
    };
    let differ = |one: bool, other: bool, same: bool| one && other && !same;
    let (a, b) = (poles(one), poles(other));
    let (m, n) = (numbers(one), numbers(other));
    !marker(one).is_empty()
        && marker(one) == marker(other)
        && (differ(!a.is_empty(), !b.is_empty(), a == b) || differ(!m.is_empty(), !n.is_empty(), m == n))
}

fn pole(word: &str) -> Option<bool> {
    match word {
        "positive" | "high" | "elevated" | "deficient" | "amplified" | "overexpressed" => Some(true),
        "negative" | "low" | "normal" | "proficient" | "stable" | "absent" => Some(false),
        _ => None,
    }
}

fn is_number(word: &str) -> bool {
    word.bytes().all(|byte| byte.is_ascii_digit())
}
