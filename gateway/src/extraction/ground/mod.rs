//! Finds in the note the words that each value comes from, and what the note says of them.
//!
//! Works the same for every engine and never changes a value: what is not found is said to be
//! `unsupported`, and stays.

mod acronyms;
mod align;
mod find;
mod index;
mod links;
mod near;
mod organs;
mod pieces;
mod places;
mod query;
mod results;
mod stage;
#[cfg(test)]
mod tests;
mod tnm;
mod words;

use std::{collections::HashMap, ops::Range};

pub(crate) use self::acronyms::speaks_of_response;
use self::find::{Finder, Found};
use super::{Assertion, Basis, Field, Note, Record, Span, bounds::LONGEST_VALUE, fields::parts};

/// One value of one field, with its places in the note if it has some. A part that names several things
/// is several values where they are found apart.
#[derive(Clone, Debug)]
pub struct Grounded<'a> {
    /// The field.
    pub field: Field,
    /// The value: a part of the field, or a piece of one.
    pub value: &'a str,
    /// How the note supports it.
    pub basis: Basis,
    /// What the note says of it; nothing for `unsupported`.
    pub assertion: Option<Assertion>,
    /// Name of the synonym or rule behind `normalized` and `inferred`.
    pub rule: Option<&'static str>,
    /// Where, in the order of the note; empty for `unsupported`.
    pub spans: Vec<Span<'a>>,
    in_record: bool,
}

impl Grounded<'_> {
    /// Whether the note lets the value be in the record. What was not found stays in, and is flagged.
    #[must_use]
    pub fn in_record(&self) -> bool {
        self.in_record
    }

    /// The same, kept out of the record for a reason that is not the note's.
    #[must_use]
    pub(super) fn left_out(self) -> Self {
        Self { in_record: false, ..self }
    }
}

/// Grounds every value of a record, in the order of the fields.
#[must_use]
pub fn ground<'a>(note: &'a Note, record: &'a Record) -> Vec<Grounded<'a>> {
    let of = |field| record.get(field).into_iter().flat_map(parts).map(move |value| (field, value));
    ground_parts(note, Field::ALL.into_iter().flat_map(of))
}

/// Grounds values that are in no record.
#[must_use]
pub fn ground_parts<'a>(note: &'a Note, values: impl Iterator<Item = (Field, &'a str)>) -> Vec<Grounded<'a>> {
    let finder = Finder::of(note);
    let mut all: Vec<Grounded<'a>> = Vec::with_capacity(12);
    // A model that repeats itself says a value many times; it is looked for once.
    let mut known: HashMap<(Field, &str), Range<usize>> = HashMap::new();
    for (field, value) in values {
        if let Some(own) = known.get(&(field, value)) {
            let again: Vec<Grounded<'a>> = all.get(own.clone()).unwrap_or_default().to_vec();
            all.extend(again);
            continue;
        }
        let from = all.len();
        ground_one(note, &finder, field, value, &mut all);
        known.insert((field, value), from..all.len());
    }
    admit_past_cancers(&mut all);
    all
}

/// Grounds one value: whole, or the things that it names each by itself.
fn ground_one<'a>(note: &'a Note, finder: &Finder<'a>, field: Field, value: &'a str, all: &mut Vec<Grounded<'a>>) {
    if value.len() > LONGEST_VALUE {
        all.push(grounded(note, field, value, None));
        return;
    }
    let pieces = if pieces::is_list(field) { pieces::pieces(value) } else { vec![value] };
    // Results belong to their own marker: "ER positive, PR negative" has all the words of "ER-/PR+".
    let has_results = matches!(field, Field::Biomarker | Field::GeneMutation);
    let whole = if has_results && pieces.len() > 1 { None } else { finder.find(field, value) };
    if pieces.len() > 1 && !whole.as_ref().is_some_and(|found| found.affirmed) {
        let found: Vec<Option<Found>> = pieces.iter().map(|piece| finder.find(field, piece)).collect();
        if found.iter().any(Option::is_some) {
            all.extend(pieces.into_iter().zip(found).map(|(piece, found)| grounded(note, field, piece, found)));
            return;
        }
    }
    all.push(grounded(note, field, value, whole));
}

fn grounded<'a>(note: &'a Note, field: Field, value: &'a str, found: Option<Found>) -> Grounded<'a> {
    let spans_of = |found: &Found| {
        let spans = found.ranges.iter().filter_map(|range| note.span(range.start, range.end));
        spans.collect::<Vec<_>>()
    };
    match found.map(|found| (spans_of(&found), found)) {
        Some((spans, found)) if !spans.is_empty() => Grounded {
            field,
            value,
            basis: found.basis,
            assertion: Some(found.assertion),
            rule: found.rule,
            spans,
            in_record: found.affirmed,
        },
        _ => Grounded {
            field,
            value,
            basis: Basis::Unsupported,
            assertion: None,
            rule: None,
            spans: Vec::new(),
            in_record: true,
        },
    }
}

/// A cancer of the past is the record's only where no present one is named.
fn admit_past_cancers(all: &mut [Grounded<'_>]) {
    let present = all.iter().any(|one| {
        one.field == Field::CancerType
            && one.in_record
            && one.assertion.is_some_and(|said| said != Assertion::Historical)
    });
    for one in all.iter_mut().filter(|one| one.field == Field::CancerType) {
        if one.assertion == Some(Assertion::Historical) {
            one.in_record = !present;
        }
    }
}
