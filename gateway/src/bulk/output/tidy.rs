//! Writes CSV with one row for each value: whose tumour it is of, when, with which codes, and the words of the note.
//!
//! A note without values has one row, so that no note is missing; so has a note that failed. Cells are written as in
//! [`super::cells`].

use std::borrow::Cow;

use serde::Deserialize;

use crate::{bulk::outcome::EntryOutcome, extraction::Field};

use super::{cells::cell, row::Failure};

/// The names of the columns, in order.
const COLUMN_NAMES: [&str; 18] = [
    "id",
    "status",
    "tumour",
    "tumour_name",
    "tumour_role",
    "field",
    "value",
    "in_record",
    "basis",
    "assertion",
    "date",
    "date_precision",
    "codes",
    "quote",
    "start",
    "end",
    "engine",
    "error",
];

#[derive(Debug, Deserialize)]
struct Outcome<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    status: u16,
    #[serde(borrow, default)]
    result: Option<Answer<'a>>,
    #[serde(borrow, default)]
    error: Option<Failure<'a>>,
}

/// The parts of an answer that have columns. An older server sends no tumours, dates and codes.
#[derive(Debug, Deserialize)]
struct Answer<'a> {
    #[serde(borrow, default)]
    engine: Cow<'a, str>,
    #[serde(borrow, default)]
    tumours: Vec<Tumour<'a>>,
    #[serde(borrow, default)]
    evidence: Evidence<'a>,
}

#[derive(Debug, Deserialize)]
struct Tumour<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    #[serde(borrow)]
    cancer_type: Cow<'a, str>,
    #[serde(borrow)]
    role: Cow<'a, str>,
}

/// The findings of each field, by its key.
type Evidence<'a> = std::collections::BTreeMap<&'a str, Vec<Finding<'a>>>;

#[derive(Debug, Deserialize)]
struct Finding<'a> {
    #[serde(borrow)]
    value: Cow<'a, str>,
    in_record: bool,
    #[serde(borrow)]
    basis: Cow<'a, str>,
    #[serde(borrow, default)]
    assertion: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    tumour: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    date: Option<Date<'a>>,
    #[serde(borrow, default)]
    codes: Vec<Code<'a>>,
    #[serde(borrow, default)]
    quote: Option<Cow<'a, str>>,
    #[serde(default)]
    start: Option<usize>,
    #[serde(default)]
    end: Option<usize>,
}

#[derive(Debug, Deserialize)]
struct Date<'a> {
    #[serde(borrow)]
    value: Cow<'a, str>,
    #[serde(borrow)]
    precision: Cow<'a, str>,
}

#[derive(Debug, Deserialize)]
struct Code<'a> {
    #[serde(borrow)]
    system: Cow<'a, str>,
    #[serde(borrow)]
    code: Cow<'a, str>,
}

pub(super) fn head() -> String {
    format!("\u{feff}{}\r\n", COLUMN_NAMES.join(","))
}

pub(super) fn add(outcome: &EntryOutcome, out: &mut String) {
    let Ok(outcome) = serde_json::from_str::<Outcome<'_>>(&outcome.line) else {
        return row(&Line { id: &outcome.id, error: "the answer cannot be read", ..Line::default() }, out);
    };
    let error = outcome.error.as_ref().map_or_else(String::new, Failure::text);
    let (id, status) = (&*outcome.id, outcome.status.to_string());
    let Some(answer) = &outcome.result else {
        return row(&Line { id, status: &status, error: &error, ..Line::default() }, out);
    };
    let line = Line { id, status: &status, engine: &answer.engine, ..Line::default() };
    let mut is_empty = true;
    for field in Field::ALL {
        for finding in answer.evidence.get(field.name()).into_iter().flatten() {
            is_empty = false;
            row(&Line { field: field.name(), finding: Some(finding), tumours: &answer.tumours, ..line }, out);
        }
    }
    if is_empty {
        row(&line, out);
    }
}

/// What one row holds.
#[derive(Clone, Copy, Debug, Default)]
struct Line<'a> {
    id: &'a str,
    status: &'a str,
    field: &'a str,
    finding: Option<&'a Finding<'a>>,
    tumours: &'a [Tumour<'a>],
    engine: &'a str,
    error: &'a str,
}

fn row(line: &Line<'_>, out: &mut String) {
    let number = |at: Option<usize>| at.map(|at| at.to_string()).unwrap_or_default();
    let finding = line.finding;
    let id = finding.and_then(|one| one.tumour.as_deref()).unwrap_or_default();
    let tumour = line.tumours.iter().find(|tumour| tumour.id == id);
    let date = finding.and_then(|one| one.date.as_ref());
    let codes = finding.map(|one| &one.codes[..]).unwrap_or_default();
    let codes: Vec<String> = codes.iter().map(|code| format!("{}:{}", code.system, code.code)).collect();
    let in_record = finding.map_or("", |one| if one.in_record { "true" } else { "false" });
    let columns: [&str; COLUMN_NAMES.len()] = [
        line.id,
        line.status,
        id,
        tumour.map_or("", |tumour| &tumour.cancer_type),
        tumour.map_or("", |tumour| &tumour.role),
        line.field,
        finding.map_or("", |one| &one.value),
        in_record,
        finding.map_or("", |one| &one.basis),
        finding.and_then(|one| one.assertion.as_deref()).unwrap_or_default(),
        date.map_or("", |date| &date.value),
        date.map_or("", |date| &date.precision),
        &codes.join("; "),
        finding.and_then(|one| one.quote.as_deref()).unwrap_or_default(),
        &number(finding.and_then(|one| one.start)),
        &number(finding.and_then(|one| one.end)),
        line.engine,
        line.error,
    ];
    for (at, value) in columns.into_iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        cell(value, out);
    }
    out.push_str("\r\n");
}
