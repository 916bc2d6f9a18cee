//! Reads the rows of a sheet as a stream.

use quick_xml::events::{BytesStart, Event};

use super::{
    super::Fault,
    fault::broken,
    value::{ShownNumber, shown},
    workbook::Workbook,
    xml::{Events, TextKind, attribute, unescaped},
};

/// Numbers of the last row and of the last column that a sheet can have.
const LAST_ROW: u32 = 1_048_576;
const LAST_COLUMN: u32 = 16_384;
/// Maximum bytes of a number, a word for true or false, or the number of a text.
const LONGEST_NUMBER: usize = 1_000;

/// The value of a cell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    Text(String),
    Number(ShownNumber),
    /// A formula that failed.
    Error,
    TooLong,
}

impl Value {
    fn is_blank(&self) -> bool {
        matches!(self, Self::Text(text) if text.trim().is_empty())
    }
}

/// A row with the cells that are wanted. Columns are counted from 1.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) number: u32,
    pub(super) cells: Vec<(u32, Value)>,
    /// Whether no cell of the row, wanted or not, has a value.
    pub(super) is_blank: bool,
}

/// The rows of a sheet.
pub(super) struct Rows<'a> {
    events: Events<'a>,
    workbook: &'a Workbook,
    /// Number of the last row that was read.
    pub(super) last_row: u32,
    is_begun: bool,
}

impl<'a> Rows<'a> {
    pub(super) fn new(events: Events<'a>, workbook: &'a Workbook) -> Self {
        Self { events, workbook, last_row: 0, is_begun: false }
    }

    /// Reads the next row; `None` after the last one. `longest` returns the maximum bytes of a cell of a column, and
    /// `None` for a column that is not wanted.
    pub(super) fn next(&mut self, longest: impl Fn(u32) -> Option<usize>) -> Result<Option<Row>, Fault> {
        loop {
            match self.events.next()? {
                Event::Start(start) => match (start.local_name().as_ref(), self.is_begun) {
                    ("sheetData", false) => self.is_begun = true,
                    ("row", true) => {
                        let number = match attribute(&start, "r")? {
                            Some(number) => number.trim().parse::<u32>().ok(),
                            None => Some(self.last_row + 1),
                        };
                        let after = self.last_row;
                        let number = number.filter(|number| (after + 1..=LAST_ROW).contains(number));
                        self.last_row = number.ok_or_else(|| {
                            broken("The rows of the sheet are not in their order, or there are more than 1,048,576")
                        })?;
                        return self.row(longest).map(Some);
                    }
                    ("worksheet", false) => {}
                    _ => self.events.skip()?,
                },
                Event::End(end) if self.is_begun && end.local_name().as_ref() == "sheetData" => return Ok(None),
                Event::Eof if self.is_begun => return Err(broken("The sheet is cut off")),
                Event::Eof => return Ok(None),
                _ => {}
            }
        }
    }

    fn row(&mut self, longest: impl Fn(u32) -> Option<usize>) -> Result<Row, Fault> {
        let mut row = Row { number: self.last_row, cells: Vec::new(), is_blank: true };
        let mut last_column = 0;
        loop {
            match self.events.next()? {
                Event::Start(start) if start.local_name().as_ref() == "c" => {
                    let column = column_of(&start, row.number, last_column)?;
                    let is_of_kind = attribute(&start, "t")?.unwrap_or_else(|| "n".to_owned());
                    let style = attribute(&start, "s")?.and_then(|style| style.trim().parse().ok());
                    last_column = column;
                    let wanted = longest(column);
                    let value = self.cell(&is_of_kind, style, wanted.unwrap_or(LONGEST_NUMBER))?;
                    let Some(value) = value.filter(|value| !value.is_blank()) else { continue };
                    row.is_blank = false;
                    if wanted.is_some() {
                        row.cells.push((column, value));
                    }
                }
                Event::Start(_) => self.events.skip()?,
                Event::End(_) => return Ok(row),
                Event::Eof => return Err(broken("The sheet is cut off")),
                _ => {}
            }
        }
    }

    /// Reads the rest of a cell; `None` if it has no value.
    fn cell(&mut self, kind: &str, style: Option<usize>, longest: usize) -> Result<Option<Value>, Fault> {
        let mut value = None;
        loop {
            match self.events.next()? {
                Event::Start(start) => match (start.local_name().as_ref(), kind) {
                    (name @ "is", "inlineStr") | (name @ "v", "str") => {
                        let kind = if name == "is" { TextKind::Runs } else { TextKind::Plain };
                        let mut text = String::new();
                        let fits = self.events.text(&mut text, kind, longest)?;
                        value = Some(if fits { Value::Text(unescaped(&text)) } else { Value::TooLong });
                    }
                    ("v", _) if kind != "inlineStr" => {
                        let mut raw = String::new();
                        if !self.events.text(&mut raw, TextKind::Plain, LONGEST_NUMBER)? {
                            return Err(broken("A number of the sheet is longer than 1,000 characters"));
                        }
                        value = self.value(raw.trim(), kind, style, longest)?;
                    }
                    _ => self.events.skip()?,
                },
                Event::End(_) => return Ok(value),
                Event::Eof => return Err(broken("The sheet is cut off")),
                _ => {}
            }
        }
    }

    fn value(&self, raw: &str, kind: &str, style: Option<usize>, longest: usize) -> Result<Option<Value>, Fault> {
        if raw.is_empty() {
            return Ok(None);
        }
        Ok(Some(match kind {
            "s" => {
                let text = raw.parse().ok().and_then(|number| self.workbook.strings.get(number));
                let text =
                    text.ok_or_else(|| broken("A cell of the sheet names a text that the workbook does not have"))?;
                if text.len() > longest { Value::TooLong } else { Value::Text(text.to_owned()) }
            }
            "b" => Value::Text(if matches!(raw, "1" | "true") { "TRUE" } else { "FALSE" }.to_owned()),
            "e" => Value::Error,
            "d" => Value::Text(raw.to_owned()),
            _ => {
                let format = style.and_then(|style| self.workbook.formats.get(style)).copied().unwrap_or_default();
                Value::Number(shown(raw, format, self.workbook.is_1904))
            }
        }))
    }
}

/// Returns the column of a cell. Cells must be in their order and in their row: else the values of two rows would mix.
fn column_of(start: &BytesStart<'_>, row: u32, last: u32) -> Result<u32, Fault> {
    let column = match attribute(start, "r")? {
        None => Some(last + 1),
        Some(name) => {
            let letters = name.bytes().take_while(u8::is_ascii_alphabetic).count();
            let (letters, digits) = name.split_at(letters);
            let number = |number: u32, letter: u8| number * 26 + u32::from(letter.to_ascii_uppercase() - b'A') + 1;
            let column = (1..=3).contains(&letters.len()).then(|| letters.bytes().fold(0, number));
            column.filter(|_| digits.parse() == Ok(row))
        }
    };
    column
        .filter(|column| (last + 1..=LAST_COLUMN).contains(column))
        .ok_or_else(|| broken("The cells of the sheet are not in their order, or there are more than 16,384 columns"))
}
