//! Finds in the note the words that each value comes from.
//!
//! Works the same for every engine and never changes a value: what is not found is said to be
//! `unsupported`, and stays.

mod align;
mod index;
#[cfg(test)]
mod tests;
mod words;

use std::ops::Range;

use super::{Basis, Field, Note, Record, Span, fields::parts};

/// One part of one field, with its place in the note if it has one.
#[derive(Clone, Copy, Debug)]
pub struct Grounded<'a> {
    /// The field.
    pub field: Field,
    /// The part of the field's value.
    pub value: &'a str,
    /// How the note supports it.
    pub basis: Basis,
    /// Where; nothing for `unsupported`.
    pub span: Option<Span<'a>>,
}

/// Grounds every part of every value, in the order of the fields.
#[must_use]
pub fn ground<'a>(note: &'a Note, record: &'a Record) -> Vec<Grounded<'a>> {
    if record.is_empty() {
        return Vec::new();
    }
    let index = index::Index::of(note.as_str());
    let mut grounded = Vec::with_capacity(12);
    for field in Field::ALL {
        for value in record.get(field).into_iter().flat_map(parts) {
            let span = locate(&index, field, value).and_then(|range| note.span(range.start, range.end));
            let basis = if span.is_some() { Basis::Stated } else { Basis::Unsupported };
            grounded.push(Grounded { field, value, basis, span });
        }
    }
    grounded
}

fn locate(index: &index::Index, field: Field, value: &str) -> Option<Range<usize>> {
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
