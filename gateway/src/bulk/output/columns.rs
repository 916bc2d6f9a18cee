//! The tables of the results: columns with a type, and rows of cells. CSV, spreadsheets and Parquet are written from
//! them, so that all have the same content.

use std::{borrow::Cow, collections::HashSet};

/// A column and the type of its cells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::bulk) struct Column {
    pub(in crate::bulk) name: String,
    pub(super) kind: ColumnKind,
}

/// The type of a column's cells. Each cell may be empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ColumnKind {
    Text,
    Number,
    Flag,
}

/// A cell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Cell<'a> {
    Empty,
    Text(Cow<'a, str>),
    Number(u64),
    Flag(bool),
}

impl<'a> Cell<'a> {
    /// Returns a text; nothing if the text is empty.
    pub(super) fn text(text: impl Into<Cow<'a, str>>) -> Self {
        let text = text.into();
        if text.is_empty() { Self::Empty } else { Self::Text(text) }
    }

    /// Returns a count, or nothing.
    pub(super) fn number(number: Option<usize>) -> Self {
        number.map_or(Self::Empty, |number| Self::Number(number as u64))
    }
}

impl Column {
    pub(super) fn new(name: impl Into<String>, kind: ColumnKind) -> Self {
        Self { name: name.into(), kind }
    }
}

/// Returns the columns of a table: `first`, the carried columns, `rest`. A carried column with the name of another
/// column gets `input_` before its name.
pub(super) fn with_carried(first: &[(&str, ColumnKind)], keep: &[String], rest: &[(&str, ColumnKind)]) -> Vec<Column> {
    let own = |(name, kind): &(&str, ColumnKind)| Column::new(*name, *kind);
    let mut used: HashSet<String> = first.iter().chain(rest).map(|(name, _)| name.to_ascii_lowercase()).collect();
    let carried = |name: &String| {
        let mut name = name.clone();
        while !used.insert(name.to_ascii_lowercase()) {
            name.insert_str(0, "input_");
        }
        Column::new(name, ColumnKind::Text)
    };
    first.iter().map(own).chain(keep.iter().map(carried)).chain(rest.iter().map(own)).collect()
}

/// Returns `count` cells with the carried values. A note that could not be read up to its columns has none: its cells
/// are empty.
pub(super) fn carried_cells(values: &[String], count: usize) -> impl Iterator<Item = Cell<'_>> {
    let empty = std::iter::repeat_n(Cell::Empty, count.saturating_sub(values.len()));
    values.iter().map(|value| Cell::text(value.as_str())).chain(empty).take(count)
}
