//! Gives values the codes of standard terminologies. A value gets a code only if it has a name in the lists of this
//! folder, a form that the notation itself defines, or a wording in the operator's files. This module never guesses: a
//! wrong code is worse than none.

mod builder;
mod cancers;
mod code;
mod drugs;
mod fold;
mod genes;
mod hgvs;
mod list;
mod row;
mod table;
#[cfg(test)]
mod table_tests;
#[cfg(test)]
mod tests;
mod units;

pub use builder::CodeFileError;
pub(crate) use builder::CodeTableBuilder;
pub use code::{Code, CodeBasis, CodeSystem};
pub use row::CodeRowFault;
pub use table::CodeFile;
pub(crate) use table::CodeTable;

use super::{Field, bounds::LONGEST_VALUE};

/// Builds the tables of the lists before a note needs them.
pub(super) fn compile() {
    cancers::compile();
    drugs::compile();
    genes::compile();
}

/// Returns the codes of one value of a field, in the order of the names in the value. Returns none for a field without
/// a terminology, and for a value that has no name in the lists.
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

/// Returns the codes of one value of a field: those of [`of`], then those of the operator's files.
pub(super) fn with_files(field: Field, value: &str, files: Option<&CodeTable>) -> Vec<Code> {
    let mut codes = of(field, value);
    codes.extend(files.into_iter().flat_map(|files| files.codes(value)));
    codes
}
