//! Grounding: finds the words of the note that support each value, and how the note asserts them.
//!
//! Grounding works the same for every engine and never changes a value. A value that is not found stays in the record
//! with the basis `unsupported`.

mod acronyms;
mod align;
mod find;
mod form;
mod index;
mod links;
mod lookup;
mod near;
mod order;
mod organs;
mod pieces;
mod protein;
mod query;
mod results;
mod roles;
mod stage;
mod synonyms;
#[cfg(test)]
mod tests;
mod tnm;
mod words;

use std::{collections::HashMap, ops::Range};

pub(crate) use self::acronyms::speaks_of_response;
use self::find::{Finder, Occurrences};
use super::{Assertion, Basis, Context, Field, Note, Record, Span, bounds::LONGEST_VALUE, fields::parts};

/// One value of one field, with its spans in the note if it has any. A part that names several things becomes several
/// values if the note has them in different places.
#[derive(Clone, Debug)]
pub struct Grounded<'a> {
    /// The field.
    pub field: Field,
    /// The value: a part of the field, or a piece of one.
    pub value: &'a str,
    /// How the note supports it.
    pub basis: Basis,
    /// How the note asserts the value; `None` for `unsupported`.
    pub assertion: Option<Assertion>,
    /// Name of the synonym or rule for `normalized` and `inferred`.
    pub rule: Option<&'static str>,
    /// Spans of the note that support the value, in the order of the note; empty for `unsupported`.
    pub spans: Vec<Span<'a>>,
    in_record: bool,
}

impl Grounded<'_> {
    /// Returns whether the note allows the value in the record. A value that was not found stays in it, flagged.
    #[must_use]
    pub fn in_record(&self) -> bool {
        self.in_record
    }

    /// Returns this value kept out of the record, for a reason other than the note's assertion.
    #[must_use]
    pub(super) fn left_out(self) -> Self {
        Self { in_record: false, ..self }
    }

    /// Removes the spans that overlap one of these ranges. Without a span left, the value is not found.
    pub(super) fn exclude(&mut self, ranges: &[Range<usize>]) {
        let overlaps =
            |span: &Span<'_>| ranges.iter().any(|range| range.start < span.end() && span.start() < range.end);
        let count = self.spans.len();
        self.spans.retain(|span| !overlaps(span));
        if count > 0 && self.spans.is_empty() {
            (self.basis, self.assertion, self.rule, self.in_record) = (Basis::Unsupported, None, None, true);
        }
    }

    /// Makes this a value of another tumour, which is kept out of the record.
    pub(super) fn give_to_other_tumour(&mut self) {
        (self.in_record, self.assertion) = (false, Some(Assertion::OtherTumour));
    }
}

/// Grounds every value of a record, in the order of the fields.
#[must_use]
pub fn ground<'a>(note: &'a Note, record: &'a Record) -> Vec<Grounded<'a>> {
    Grounder::of(note).ground(record)
}

/// Grounds values that are in no record.
#[must_use]
pub fn ground_parts<'a>(note: &'a Note, values: impl Iterator<Item = (Field, &'a str)>) -> Vec<Grounded<'a>> {
    Grounder::of(note).ground_parts(values)
}

/// Grounds values in one note, which is indexed on first use and only once.
pub(super) struct Grounder<'note> {
    note: &'note Note,
    finder: Finder<'note>,
}

impl<'note> Grounder<'note> {
    pub(super) fn of(note: &'note Note) -> Self {
        Self::with_context(note, None)
    }

    /// Returns a grounder for a note whose context may be known.
    pub(super) fn with_context(note: &'note Note, context: Option<&'note Context<'note>>) -> Self {
        Self { note, finder: Finder::of(note, context) }
    }

    /// Returns the context of the note's words.
    pub(super) fn context(&self) -> &Context<'note> {
        self.finder.context()
    }

    /// Grounds every value of a record, in the order of the fields.
    pub(super) fn ground<'a>(&self, record: &'a Record) -> Vec<Grounded<'a>>
    where
        'note: 'a,
    {
        let values = |field| record.get(field).into_iter().flat_map(parts).map(move |value| (field, value));
        self.ground_parts(Field::ALL.into_iter().flat_map(values))
    }

    /// Grounds values that are in no record.
    pub(super) fn ground_parts<'a>(&self, values: impl Iterator<Item = (Field, &'a str)>) -> Vec<Grounded<'a>>
    where
        'note: 'a,
    {
        let mut all: Vec<Grounded<'a>> = Vec::with_capacity(12);
        // A model that repeats itself gives the same value many times: search for each value once.
        let mut known: HashMap<(Field, &str), Range<usize>> = HashMap::new();
        for (field, value) in values {
            if let Some(earlier) = known.get(&(field, value)) {
                let copies: Vec<Grounded<'a>> = all.get(earlier.clone()).unwrap_or_default().to_vec();
                all.extend(copies);
                continue;
            }
            let from = all.len();
            ground_one(self.note, &self.finder, field, value, &mut all);
            known.insert((field, value), from..all.len());
        }
        admit_past_cancers(&mut all);
        all
    }
}

/// Grounds one value as a whole, or each thing that it names separately.
fn ground_one<'a>(note: &'a Note, finder: &Finder<'_>, field: Field, value: &'a str, all: &mut Vec<Grounded<'a>>) {
    if value.len() > LONGEST_VALUE {
        all.push(grounded(note, field, value, None));
        return;
    }
    let pieces = if pieces::is_list(field) { pieces::pieces(value) } else { vec![value] };
    // Each result belongs to its marker, so lists of results are never searched as a whole: "ER positive, PR negative"
    // has all the words of "ER-/PR+".
    let has_results = matches!(field, Field::Biomarker | Field::GeneMutation);
    let whole = if has_results && pieces.len() > 1 { None } else { finder.find(field, value) };
    if pieces.len() > 1 && !whole.as_ref().is_some_and(|found| found.affirmed) {
        let found: Vec<Option<Occurrences>> = pieces.iter().map(|piece| finder.find(field, piece)).collect();
        if found.iter().any(Option::is_some) {
            all.extend(pieces.into_iter().zip(found).map(|(piece, found)| grounded(note, field, piece, found)));
            return;
        }
    }
    all.push(grounded(note, field, value, whole));
}

fn grounded<'a>(note: &'a Note, field: Field, value: &'a str, found: Option<Occurrences>) -> Grounded<'a> {
    let spans_of = |found: &Occurrences| {
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

/// Allows past cancers in the record only if the note names no present one.
fn admit_past_cancers(all: &mut [Grounded<'_>]) {
    let present = all.iter().any(|grounding| {
        grounding.field == Field::CancerType
            && grounding.in_record
            && grounding.assertion.is_some_and(|assertion| assertion != Assertion::Historical)
    });
    for grounding in all.iter_mut().filter(|grounding| grounding.field == Field::CancerType) {
        if grounding.assertion == Some(Assertion::Historical) {
            grounding.in_record = !present;
        }
    }
}
