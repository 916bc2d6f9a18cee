//! Reads a row of an operator's file of codes: `system,code,display,match`, quoted as in RFC 4180. A row is one line,
//! so an error can name the line, and a missing quote cannot swallow the rows below it.

use std::borrow::Cow;

use super::{super::bounds::LONGEST_VALUE, code::SHIPPED_SYSTEMS};

/// The first line of a file.
const HEADER: &str = "system,code,display,match";
/// The columns with the most bytes of a cell. No longer value than [`LONGEST_VALUE`] has codes.
const COLUMNS: [(&str, usize); 4] = [("system", 64), ("code", 128), ("display", 512), ("match", LONGEST_VALUE)];

/// What is wrong with a line of a file of codes, and what to do. The text quotes nothing from the file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CodeRowFault {
    /// The first line is not the names of the columns.
    #[error("the first line must be `{HEADER}`")]
    Header,
    /// The line is not UTF-8.
    #[error("it is not UTF-8 text: save the file as UTF-8")]
    NotText,
    /// The row has fewer or more cells than columns.
    #[error("the row must have four cells, `{HEADER}`: put a cell that contains a comma between double quotes")]
    CellCount,
    /// A double quote is not one of RFC 4180.
    #[error(
        "a double quote is out of place: put the whole cell between double quotes, write a quote inside as two, and put \
         no line break inside"
    )]
    Quote,
    /// A cell is empty or blank.
    #[error("the column `{0}` is empty: write a value, or remove the row")]
    Empty(&'static str),
    /// A cell is too long.
    #[error("the column `{0}` has more than {1} bytes: shorten it, or remove the row")]
    TooLong(&'static str, usize),
    /// A cell has a blank at an end.
    #[error("the column `{0}` begins or ends with a blank: remove it")]
    OuterBlank(&'static str),
    /// A cell has a control character or an invisible one.
    #[error("the column `{0}` has a control character or an invisible character: remove it")]
    Unprintable(&'static str),
    /// The name of the system has a character that is not allowed.
    #[error("the column `system` may have only letters, digits and `.`, `_`, `:`, `/`, `-`: rename the system")]
    SystemName,
    /// The gateway has codes of this system itself.
    #[error("the gateway has its own codes of this system: remove the row, or give the system another name")]
    ShippedSystem,
    /// An earlier row writes the name of the system differently.
    #[error("the system's name differs in upper and lower case from {0}: write it in one way")]
    SystemCase(String),
    /// There are too many systems.
    #[error("there are more than {0} systems: keep those that notes can use")]
    TooManySystems(usize),
    /// The wording would match no value.
    #[error("the column `match` has no letter and no digit: write a wording, or remove the row")]
    NoWording,
    /// The wording has two codes of one system.
    #[error("`match` has another code of the same system in {0}: keep one of the two rows")]
    Ambiguous(String),
    /// There are too many rows.
    #[error("there are more than {0} rows in all files: keep those that notes can use")]
    TooManyRows(usize),
}

/// A row with valid cells.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Row<'a> {
    pub(super) system: Cow<'a, str>,
    pub(super) code: Cow<'a, str>,
    pub(super) display: Cow<'a, str>,
    /// The cell `match`: a wording of the value that gets the code.
    pub(super) wording: Cow<'a, str>,
}

impl<'a> Row<'a> {
    /// Reads a line without its line end.
    pub(super) fn read(line: &'a str) -> Result<Self, CodeRowFault> {
        let cells = cells(line)?;
        for ((column, longest), cell) in COLUMNS.into_iter().zip(&cells) {
            check_cell(column, longest, cell)?;
        }
        let [system, code, display, wording] = cells;
        if !system.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._:/-".contains(&byte)) {
            return Err(CodeRowFault::SystemName);
        }
        if SHIPPED_SYSTEMS.iter().any(|shipped| shipped.eq_ignore_ascii_case(&system)) {
            return Err(CodeRowFault::ShippedSystem);
        }
        if !wording.chars().any(char::is_alphanumeric) {
            return Err(CodeRowFault::NoWording);
        }
        Ok(Self { system, code, display, wording })
    }
}

fn check_cell(column: &'static str, longest: usize, cell: &str) -> Result<(), CodeRowFault> {
    if cell.len() > longest {
        return Err(CodeRowFault::TooLong(column, longest));
    }
    if cell.chars().any(is_unprintable) {
        return Err(CodeRowFault::Unprintable(column));
    }
    match cell.trim() {
        "" => Err(CodeRowFault::Empty(column)),
        trimmed if trimmed.len() < cell.len() => Err(CodeRowFault::OuterBlank(column)),
        _ => Ok(()),
    }
}

/// Returns whether a character shows nothing, or changes the direction of the text.
fn is_unprintable(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// Returns whether a line is the names of the columns, quoted or not.
pub(super) fn is_header(line: &str) -> bool {
    cells(line).is_ok_and(|cells| cells.iter().zip(COLUMNS).all(|(cell, (column, _))| cell == column))
}

/// Returns the four cells of a line.
fn cells(line: &str) -> Result<[Cow<'_, str>; 4], CodeRowFault> {
    let mut cells = Vec::with_capacity(COLUMNS.len());
    let mut rest = line;
    loop {
        let (cell, after) = match rest.strip_prefix('"') {
            Some(quoted) => quoted_cell(quoted).ok_or(CodeRowFault::Quote)?,
            None => plain_cell(rest).ok_or(CodeRowFault::Quote)?,
        };
        cells.push(cell);
        match after.strip_prefix(',') {
            // A line may have millions of commas.
            Some(next) if cells.len() < COLUMNS.len() => rest = next,
            Some(_) => return Err(CodeRowFault::CellCount),
            None if after.is_empty() => return cells.try_into().map_err(|_| CodeRowFault::CellCount),
            None => return Err(CodeRowFault::Quote),
        }
    }
}

/// Returns the cell at the start of a text, and the text after it. Returns `None` if a quote is in it.
fn plain_cell(text: &str) -> Option<(Cow<'_, str>, &str)> {
    let (cell, after) = text.split_at_checked(text.find(',').unwrap_or(text.len()))?;
    (!cell.contains('"')).then_some((Cow::Borrowed(cell), after))
}

/// Returns the cell that ends with the next single quote, and the text after the quote. Returns `None` if none ends it.
fn quoted_cell(text: &str) -> Option<(Cow<'_, str>, &str)> {
    let mut from = 0;
    loop {
        let end = from + text.get(from..)?.find('"')?;
        let after = text.get(end + 1..)?;
        if after.starts_with('"') {
            from = end + 2;
            continue;
        }
        let cell = text.get(..end)?;
        return Some((if from > 0 { Cow::Owned(cell.replace("\"\"", "\"")) } else { Cow::Borrowed(cell) }, after));
    }
}
