//! Writes CSV for spreadsheets: UTF-8 with a byte order mark, quoted as in RFC 4180, and without cells that a
//! spreadsheet would treat as a formula.

use crate::{bulk::outcome::EntryOutcome, extraction::Field};

use super::row::Row;

/// The names of the columns, in order. The last cell never contains a line break, so that a row that ends with one is
/// complete.
pub(in crate::bulk) const COLUMN_NAMES: [&str; 12] = [
    "id",
    "status",
    Field::CancerType.name(),
    Field::Stage.name(),
    Field::GeneMutation.name(),
    Field::Biomarker.name(),
    Field::Treatment.name(),
    Field::Response.name(),
    Field::MetastasisSite.name(),
    "warnings",
    "engine",
    "error",
];

pub(super) fn head() -> String {
    format!("\u{feff}{}\r\n", COLUMN_NAMES.join(","))
}

pub(super) fn add(outcome: &EntryOutcome, out: &mut String) {
    let Some(row) = Row::of(&outcome.line) else { return };
    cell(&row.id, out);
    out.push(',');
    out.push_str(&row.status.to_string());
    for field in Field::ALL {
        out.push(',');
        cell(row.value(field), out);
    }
    let engine = row.result.as_ref().map_or("", |result| &result.engine);
    for value in [row.warnings().as_str(), engine, row.error().as_str()] {
        out.push(',');
        cell(value, out);
    }
    out.push_str("\r\n");
}

/// Returns whether a value gets an apostrophe before it. A guarded value that begins with apostrophes gets one more, so
/// that removing one apostrophe gives the value again.
pub(in crate::bulk) fn is_guarded(value: &str) -> bool {
    value.trim_start_matches('\'').starts_with(['=', '+', '-', '@', '\t', '\r'])
}

/// Appends one cell. Spreadsheets treat a guarded value as a formula, which may call programs and the network; the
/// apostrophe makes it text.
pub(super) fn cell(value: &str, out: &mut String) {
    let formula = is_guarded(value);
    if !formula && !value.contains([',', '"', '\r', '\n']) {
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
