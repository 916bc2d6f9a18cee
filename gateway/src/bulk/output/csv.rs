//! Writes CSV, quoted as in RFC 4180. For spreadsheets it begins with a byte order mark and has no cell that a
//! spreadsheet would treat as a formula.

use std::fmt::Write as _;

use super::columns::{Cell, Column};

/// How a CSV is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::bulk) struct Dialect {
    /// The delimiter between two cells.
    pub(in crate::bulk) delimiter: u8,
    /// Whether people open the file in a spreadsheet: it has a byte order mark, and formulas are guarded.
    for_spreadsheets: bool,
}

impl Dialect {
    /// Returns the dialect for spreadsheets.
    pub(in crate::bulk) fn spreadsheet(delimiter: u8) -> Self {
        Self { delimiter, for_spreadsheets: true }
    }

    /// Returns the dialect that other programs load: cells are exactly the values.
    pub(super) fn for_programs() -> Self {
        Self { delimiter: b',', for_spreadsheets: false }
    }

    /// Returns the header line.
    pub(in crate::bulk) fn head(self, columns: &[Column]) -> String {
        let mut out = if self.for_spreadsheets { "\u{feff}".to_owned() } else { String::new() };
        for (at, column) in columns.iter().enumerate() {
            self.between(at, &mut out);
            self.text(&column.name, &mut out);
        }
        out.push_str("\r\n");
        out
    }

    /// Appends a row.
    pub(super) fn row(self, cells: &[Cell<'_>], out: &mut String) {
        for (at, cell) in cells.iter().enumerate() {
            self.between(at, out);
            match cell {
                Cell::Empty => {}
                Cell::Text(text) => self.text(text, out),
                // Writing to a string cannot fail.
                Cell::Number(number) => _ = write!(out, "{number}"),
                Cell::Flag(flag) => out.push_str(if *flag { "true" } else { "false" }),
            }
        }
        out.push_str("\r\n");
    }

    fn between(self, at: usize, out: &mut String) {
        if at > 0 {
            out.push(char::from(self.delimiter));
        }
    }

    /// Appends one cell. Spreadsheets treat a guarded value as a formula, which may call programs and the network; the
    /// apostrophe makes it text.
    fn text(self, value: &str, out: &mut String) {
        let formula = self.for_spreadsheets && is_guarded(value);
        if !formula && !value.contains([char::from(self.delimiter), '"', '\r', '\n']) {
            out.push_str(value);
            return;
        }
        out.push('"');
        if formula {
            out.push('\'');
        }
        for letter in value.chars() {
            if letter == '"' {
                out.push('"');
            }
            out.push(letter);
        }
        out.push('"');
    }
}

/// Returns whether a value gets an apostrophe before it. A guarded value that begins with apostrophes gets one more, so
/// that removing one apostrophe gives the value again.
pub(in crate::bulk) fn is_guarded(value: &str) -> bool {
    value.trim_start_matches('\'').starts_with(['=', '+', '-', '@', '\t', '\r'])
}
