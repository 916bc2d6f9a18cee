//! Reads the lists of this folder: columns separated by `|`, names separated by commas, `#` at the start of a comment.

use super::{
    code::{Code, CodeBasis, CodeSystem},
    fold::fold,
};
use crate::statics::checked;

/// Returns the columns of each row of a list.
pub(super) fn rows<const COLUMNS: usize>(list: &'static str) -> Vec<[&'static str; COLUMNS]> {
    let lines = list.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty());
    let columns = lines.map(|line| {
        let columns: Vec<&str> = line.split('|').map(str::trim).collect();
        checked(columns.try_into(), "a row of a list of codes")
    });
    columns.collect()
}

/// Returns the names in a column.
pub(super) fn names(column: &'static str) -> impl Iterator<Item = &'static str> {
    column.split(',').map(str::trim).filter(|name| !name.is_empty())
}

/// Returns the basis of a code for one of the names of the same thing.
pub(super) fn same_basis(name: &str, display: &str) -> CodeBasis {
    if fold(name) == fold(display) { CodeBasis::Exact } else { CodeBasis::Synonym }
}

/// Returns a code.
pub(super) fn code(system: CodeSystem, code: &str, display: &str, basis: CodeBasis) -> Code {
    Code { system, code: code.to_owned(), display: display.to_owned(), basis }
}
