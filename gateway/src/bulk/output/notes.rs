//! The table with one row for each note: the seven fields, the warnings, and why a note failed.

use crate::{bulk::outcome::EntryOutcome, extraction::Field};

use super::{
    columns::{Cell, Column, ColumnKind, carried_cells, with_carried},
    row::Row,
};

const FIRST: [(&str, ColumnKind); 2] = [("id", ColumnKind::Text), ("status", ColumnKind::Number)];
/// The last cell never contains a line break, so that a row that ends with one is complete.
const REST: [(&str, ColumnKind); 10] = [
    (Field::CancerType.name(), ColumnKind::Text),
    (Field::Stage.name(), ColumnKind::Text),
    (Field::GeneMutation.name(), ColumnKind::Text),
    (Field::Biomarker.name(), ColumnKind::Text),
    (Field::Treatment.name(), ColumnKind::Text),
    (Field::Response.name(), ColumnKind::Text),
    (Field::MetastasisSite.name(), ColumnKind::Text),
    ("warnings", ColumnKind::Text),
    ("engine", ColumnKind::Text),
    ("error", ColumnKind::Text),
];

/// What a person did with the values of each field, in reviewed results.
const REVIEW: (&str, ColumnKind) = ("review", ColumnKind::Text);

/// Returns the columns. `keep`: names of the carried columns. `reviewed`: whether there is one for the review.
pub(in crate::bulk) fn columns(keep: &[String], reviewed: bool) -> Vec<Column> {
    let review: &[_] = if reviewed { &[REVIEW] } else { &[] };
    with_carried(&FIRST, keep, &[review, &REST].concat())
}

/// Gives the row of a note to `give`. `carried`: the number of carried columns.
pub(super) fn row(outcome: &EntryOutcome, carried: usize, reviewed: bool, give: &mut dyn FnMut(&[Cell<'_>])) {
    let Some(row) = Row::of(&outcome.line) else { return };
    let mut cells = vec![Cell::text(&*row.id), Cell::Number(row.status.into())];
    cells.extend(carried_cells(&outcome.carried, carried));
    if reviewed {
        cells.push(Cell::text(row.review()));
    }
    cells.extend(Field::ALL.map(|field| Cell::text(row.value(field))));
    cells.push(Cell::text(row.warnings()));
    cells.push(Cell::text(row.result.as_ref().map_or("", |result| &result.engine)));
    cells.push(Cell::text(row.error()));
    give(&cells);
}
