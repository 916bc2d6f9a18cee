//! The table with one row for each value: whose tumour it is of, when, with which codes, and the words of the note.
//!
//! A note without values has one row, so that no note is missing; so has a note that failed.

use std::borrow::Cow;

use crate::bulk::outcome::EntryOutcome;

use super::{
    columns::{Cell, Column, ColumnKind, carried_cells, with_carried},
    findings::{ParsedFinding, ParsedTumour, ResultLine},
    row::Failure,
};

const FIRST: [(&str, ColumnKind); 2] = [("id", ColumnKind::Text), ("status", ColumnKind::Number)];
const REST: [(&str, ColumnKind); 16] = [
    ("tumour", ColumnKind::Text),
    ("tumour_name", ColumnKind::Text),
    ("tumour_role", ColumnKind::Text),
    ("field", ColumnKind::Text),
    ("value", ColumnKind::Text),
    ("in_record", ColumnKind::Flag),
    ("basis", ColumnKind::Text),
    ("assertion", ColumnKind::Text),
    ("date", ColumnKind::Text),
    ("date_precision", ColumnKind::Text),
    ("codes", ColumnKind::Text),
    ("quote", ColumnKind::Text),
    ("start", ColumnKind::Number),
    ("end", ColumnKind::Number),
    ("engine", ColumnKind::Text),
    ("error", ColumnKind::Text),
];

/// What a person did with the value, and the text before a change, in reviewed results.
const REVIEW: [(&str, ColumnKind); 2] = [("review", ColumnKind::Text), ("value_before", ColumnKind::Text)];

/// Returns the columns. `keep`: names of the carried columns. `reviewed`: whether there are those of the review.
pub(super) fn columns(keep: &[String], reviewed: bool) -> Vec<Column> {
    let review: &[_] = if reviewed { &REVIEW } else { &[] };
    with_carried(&FIRST, keep, &[review, &REST].concat())
}

/// Gives the rows of a note to `give`. `carried`: the number of carried columns.
pub(super) fn rows(outcome: &EntryOutcome, carried: usize, reviewed: bool, give: &mut dyn FnMut(&[Cell<'_>])) {
    let blank = ValueRow { id: &outcome.id, values: &outcome.carried, carried, reviewed, ..ValueRow::default() };
    let Some(line) = ResultLine::of(&outcome.line) else {
        return give(&ValueRow { error: "the answer cannot be read", ..blank }.cells());
    };
    let error = line.error.as_ref().map_or_else(String::new, Failure::text);
    let row = ValueRow { status: Some(line.status), error: &error, ..blank };
    let Some(answer) = &line.result else { return give(&row.cells()) };
    let row = ValueRow { engine: &answer.engine, tumours: &answer.tumours, ..row };
    let mut is_empty = true;
    for (field, finding) in answer.findings() {
        is_empty = false;
        give(&ValueRow { field: field.name(), finding: Some(finding), ..row }.cells());
    }
    if is_empty {
        give(&row.cells());
    }
}

/// What one row holds.
#[derive(Clone, Copy, Debug, Default)]
struct ValueRow<'a> {
    id: &'a str,
    status: Option<u16>,
    /// The carried values, and the number of their columns.
    values: &'a [String],
    carried: usize,
    reviewed: bool,
    field: &'a str,
    finding: Option<&'a ParsedFinding<'a>>,
    tumours: &'a [ParsedTumour<'a>],
    engine: &'a str,
    error: &'a str,
}

impl<'a> ValueRow<'a> {
    fn cells(&self) -> Vec<Cell<'a>> {
        let mut cells = vec![Cell::text(self.id), Cell::number(self.status.map(usize::from))];
        cells.extend(carried_cells(self.values, self.carried));
        if self.reviewed {
            let text = |text: Option<&'a Cow<'a, str>>| Cell::text(text.map_or("", |text| &**text));
            cells.push(text(self.finding.and_then(|finding| finding.review.as_ref())));
            cells.push(text(self.finding.and_then(|finding| finding.value_before.as_ref())));
        }
        match self.finding {
            Some(finding) => cells.extend(self.finding_cells(finding)),
            None => cells.extend(std::iter::repeat_n(Cell::Empty, REST.len() - 2)),
        }
        cells.extend([Cell::text(self.engine), Cell::text(self.error)]);
        cells
    }

    /// Returns the cells between the carried columns and the engine.
    fn finding_cells(&self, finding: &'a ParsedFinding<'a>) -> [Cell<'a>; REST.len() - 2] {
        let id = finding.tumour.as_deref().unwrap_or_default();
        let tumour = self.tumours.iter().find(|tumour| tumour.id == id);
        let date = finding.date.as_ref();
        [
            Cell::text(id),
            Cell::text(tumour.map_or("", |tumour| &tumour.cancer_type)),
            Cell::text(tumour.map_or("", |tumour| &tumour.role)),
            Cell::text(self.field),
            Cell::text(&*finding.value),
            Cell::Flag(finding.in_record),
            Cell::text(&*finding.basis),
            Cell::text(finding.assertion.as_deref().unwrap_or_default()),
            Cell::text(date.map_or("", |date| &date.value)),
            Cell::text(date.map_or("", |date| &date.precision)),
            Cell::text(finding.codes()),
            Cell::text(finding.quote.as_deref().unwrap_or_default()),
            Cell::number(finding.start),
            Cell::number(finding.end),
        ]
    }
}
