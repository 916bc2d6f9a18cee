//! Finds in the note the words that each value comes from.
//!
//! Works the same for every engine and never changes a value: what is not found is said to be
//! `unsupported`, and stays.

mod align;
mod index;
mod links;
#[cfg(test)]
mod tests;
mod words;

use std::{cell::LazyCell, ops::Range};

use self::{
    index::Index,
    links::{LINKS, Link},
};
use super::{Assertion, Basis, Context, Field, Note, Record, Span, fields::parts};

/// One part of one field, with its places in the note if it has some.
#[derive(Clone, Debug)]
pub struct Grounded<'a> {
    /// The field.
    pub field: Field,
    /// The part of the field's value.
    pub value: &'a str,
    /// How the note supports it.
    pub basis: Basis,
    /// What the note says of it; nothing for `unsupported`.
    pub assertion: Option<Assertion>,
    /// Name of the synonym or rule behind `normalized` and `inferred`.
    pub rule: Option<&'static str>,
    /// Where, in the order of the note; empty for `unsupported`.
    pub spans: Vec<Span<'a>>,
}

impl Grounded<'_> {
    /// Whether the note lets the value be in the record. What was not found stays in, and is flagged.
    #[must_use]
    pub fn in_record(&self) -> bool {
        self.assertion.is_none_or(|assertion| assertion.in_record(self.field) || assertion == Assertion::Historical)
    }
}

/// Grounds every part of every value, in the order of the fields.
#[must_use]
pub fn ground<'a>(note: &'a Note, record: &'a Record) -> Vec<Grounded<'a>> {
    let of = |field| record.get(field).into_iter().flat_map(parts).map(move |value| (field, value));
    ground_parts(note, Field::ALL.into_iter().flat_map(of))
}

/// Grounds values that are in no record.
#[must_use]
pub fn ground_parts<'a>(note: &'a Note, values: impl Iterator<Item = (Field, &'a str)>) -> Vec<Grounded<'a>> {
    let index = LazyCell::new(|| Index::of(note.as_str()));
    let context = LazyCell::new(|| Context::of(note.as_str()));
    let mut grounded = Vec::with_capacity(12);
    for (field, value) in values {
        let (basis, rule, range) = if let Some(range) = locate(&index, field, value) {
            (Basis::Stated, None, Some(range))
        } else if let Some((link, range)) = linked(&index, &context, field, value) {
            (link.basis, Some(link.rule), Some(range))
        } else {
            (Basis::Unsupported, None, None)
        };
        let assertion = range.clone().map(|range| context.assess(range, field));
        let span = range.and_then(|range| note.span(range.start, range.end));
        grounded.push(Grounded { field, value, basis, assertion, rule, spans: span.into_iter().collect() });
    }
    grounded
}

/// A wording of the note that means or implies the value, where the note affirms it.
fn linked(index: &Index, context: &Context<'_>, field: Field, value: &str) -> Option<(&'static Link, Range<usize>)> {
    let folded = value.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase();
    LINKS.iter().filter(|link| link.field == field && link.values.contains(&folded.as_str())).find_map(|link| {
        let affirmed = |range: &Range<usize>| context.assess(range.clone(), Field::MetastasisSite).in_record(field);
        let range = link.wordings.iter().find_map(|wording| align::align(index, wording).filter(affirmed))?;
        Some((link, range))
    })
}

fn locate(index: &Index, field: Field, value: &str) -> Option<Range<usize>> {
    if field == Field::Stage && is_bare_stage(value) {
        // "IV" alone is a route of administration as often as a stage.
        return ["stage", "FIGO", "AJCC"].iter().find_map(|system| align::align(index, &format!("{system} {value}")));
    }
    align::align(index, value)
}

/// Whether a stage is a group without the word "stage": `IV`, `3`, `IIIA`, `IIIA1`.
fn is_bare_stage(value: &str) -> bool {
    let group = value.trim_end_matches(|c: char| c.is_ascii_digit());
    let group = if group.is_empty() { value } else { group };
    let group = group.trim_end_matches(['A', 'B', 'C', 'a', 'b', 'c']);
    value.len() <= 6
        && matches!(group.to_ascii_uppercase().as_str(), "0" | "I" | "II" | "III" | "IV" | "1" | "2" | "3" | "4" | "")
}
