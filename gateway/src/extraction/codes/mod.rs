//! Gives values the codes of standard terminologies. A value gets a code only if it has a name in the lists of this
//! folder, or a form that the notation itself defines. This module never guesses: a wrong code is worse than none.

mod cancers;
mod code;
mod drugs;
mod fold;
mod genes;
mod hgvs;
mod list;
#[cfg(test)]
mod tests;
mod units;

pub use code::{Code, CodeBasis, CodeSystem};

use super::{Field, bounds::LONGEST_VALUE};

/// Returns the codes of one value of a field, in the order of the names in the value. Returns none for a field without a
/// terminology, and for a value that has no name in the lists.
pub(crate) fn of(field: Field, value: &str) -> Vec<Code> {
    if value.len() > LONGEST_VALUE {
        return Vec::new();
    }
    match field {
        Field::CancerType => cancers::codes(value),
        Field::GeneMutation => genes::codes(value),
        Field::Biomarker => units::codes(value),
        Field::Treatment => drugs::codes(value),
        Field::Stage | Field::Response | Field::MetastasisSite => Vec::new(),
    }
}
