//! Reads Excel workbooks (.xlsx): one note for each row of the first visible sheet that has the text column in its first
//! row with values.
//!
//! A small workbook can unpack to a large amount of data, so each of its parts is read as a stream with limits. No size
//! that the file states is trusted before its content is read.

mod fault;
mod package;
mod sheet;
#[cfg(test)]
mod tests;
mod value;
mod workbook;
mod xml;

use std::io::{Read, Seek};

use self::{
    package::Package,
    sheet::{Row, Rows, Value},
    workbook::Workbook,
};
use super::{Fault, InputFormat, InputNote, NoteSink, too_long};

/// Maximum bytes that a sheet may inflate to.
const LONGEST_SHEET: u64 = 4 << 30;
/// Maximum bytes of a cell that is not a note: an id, a patient, a day or the name of a column.
const LONGEST_NAME: usize = 1_000;
/// Maximum bytes of a cell that the output repeats.
const LONGEST_KEPT: usize = 1 << 20;
/// How much smaller the limits are in tests, which would take minutes with the real ones.
const SMALLER: usize = if cfg!(test) { 128 } else { 1 };
/// Number of names of columns that are shown where one is missing.
const SHOWN_NAMES: usize = 30;

/// The columns of a sheet, counted from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Columns {
    text: u32,
    /// The columns that make the id; none if the rows are named by their numbers.
    ids: Vec<u32>,
    patient: Option<u32>,
    date: Option<u32>,
    /// The columns that the output repeats.
    keep: Vec<u32>,
}

impl Columns {
    /// Returns the maximum bytes of a cell of a column; `None` for a column that is not needed.
    fn longest(&self, column: u32, form: &InputFormat) -> Option<usize> {
        if column == self.text {
            return Some(form.longest);
        }
        if self.keep.contains(&column) {
            return Some(LONGEST_KEPT);
        }
        let others = [self.patient, self.date];
        (self.ids.contains(&column) || others.contains(&Some(column))).then_some(LONGEST_NAME)
    }
}

/// Passes each note to `give`. Returns false if `give` returned false.
pub(super) fn read(input: impl Read + Seek, prefix: &str, form: &InputFormat, give: &mut NoteSink<'_>) -> bool {
    let mut row = 1;
    match read_rows(input, prefix, form, &mut row, give) {
        Ok(goes_on) => goes_on,
        Err(fault) => give(InputNote::new(format!("{prefix}row-{row}"), Err(fault), 0)),
    }
}

/// Returns why none of the rows of a workbook can be read: a column is missing, or several have its name. Any other fault
/// is that of the reading.
pub(super) fn check_columns(input: impl Read + Seek, form: &InputFormat) -> Result<(), Fault> {
    let found = Package::open(input).and_then(|mut package| {
        let workbook = Workbook::read(&mut package)?;
        find_sheet(&mut package, &workbook, form)
    });
    match found {
        Err(fault) if fault.rule() == "column" => Err(fault),
        _ => Ok(()),
    }
}

/// Reads the rows; `at` is the number of the row that comes next. An error means that nothing after it was read.
fn read_rows(
    input: impl Read + Seek,
    prefix: &str,
    form: &InputFormat,
    at: &mut u32,
    give: &mut NoteSink<'_>,
) -> Result<bool, Fault> {
    let mut package = Package::open(input)?;
    let workbook = Workbook::read(&mut package)?;
    let (path, header, columns) = find_sheet(&mut package, &workbook, form)?;
    let bytes_read = package.bytes_read();
    let mut weighed = 0;
    let mut rows = Rows::new(package.needed_part(&path, LONGEST_SHEET)?, &workbook);
    loop {
        *at = rows.last_row.max(header) + 1;
        let Some(row) = rows.next(|column| columns.longest(column, form))? else { return Ok(true) };
        if row.number <= header || row.is_blank {
            continue;
        }
        let weight = bytes_read.get() - weighed;
        weighed = bytes_read.get();
        if !give(note(&row, &columns, prefix, form, weight)) {
            return Ok(false);
        }
    }
}

/// Returns the path of the sheet, the number of its header row, and its columns.
fn find_sheet<R: Read + Seek>(
    package: &mut Package<R>,
    workbook: &Workbook,
    form: &InputFormat,
) -> Result<(String, u32, Columns), Fault> {
    let (mut first, mut found) = (None, None);
    for sheet in workbook.sheets.iter().filter(|sheet| sheet.is_visible) {
        let Some(events) = package.part(&sheet.path, LONGEST_SHEET)? else { continue };
        let mut rows = Rows::new(events, workbook);
        let header = loop {
            match rows.next(|_| Some(LONGEST_NAME))? {
                Some(row) if row.is_blank => {}
                row => break row,
            }
        };
        let Some(header) = header else { continue };
        let names: Vec<(u32, String)> = header.cells.into_iter().filter_map(name).collect();
        match column("text", form.text_key(), &names)? {
            // The notes of the other sheet would be lost in silence.
            Some(_) if found.is_some() => {
                let message =
                    "Several sheets of the workbook have the column of the notes. Save each as a file of its own.";
                return Err(Fault::text("column", message));
            }
            Some(text) => found = Some((sheet.path.clone(), header.number, columns(text, &names, form)?)),
            None => first = first.or(Some(names)),
        }
    }
    found.ok_or_else(|| missing("text", form.text_key(), &first.unwrap_or_default()))
}

/// Returns the columns of a sheet that has the text column.
fn columns(text: u32, names: &[(u32, String)], form: &InputFormat) -> Result<Columns, Fault> {
    let needed = |flag: &str, wanted: &str| column(flag, wanted, names)?.ok_or_else(|| missing(flag, wanted, names));
    let (wanted, is_required) = form.id_keys();
    let mut ids = Vec::new();
    for name in wanted {
        match column("id", name, names)? {
            None if is_required => return Err(missing("id", name, names)),
            found => ids.extend(found),
        }
    }
    let patient = form.patient.as_deref().map(|name| needed("patient", name)).transpose()?;
    let date = match form.date_key() {
        None => None,
        Some((name, true)) => Some(needed("date", name)?),
        Some((name, false)) => column("date", name, names)?,
    };
    let keep = form.keep.iter().map(|name| needed("keep", name)).collect::<Result<_, _>>()?;
    Ok(Columns { text, ids, patient, date, keep })
}

/// Returns the column of a name; an error if several columns have it.
fn column(flag: &str, wanted: &str, names: &[(u32, String)]) -> Result<Option<u32>, Fault> {
    find(names, wanted).map_err(|()| {
        let message = format!("Two columns of the sheet have the name `{wanted}` of {}", flag_name(flag));
        Fault::text("column", format!("{message}. Give each its own name."))
    })
}

fn flag_name(flag: &str) -> String {
    if flag == "keep" { "--keep".to_owned() } else { format!("--{flag}-column") }
}

fn name((column, value): (u32, Value)) -> Option<(u32, String)> {
    match value {
        Value::Text(text) => Some((column, text.trim().to_owned())),
        Value::Number(number) => Some((column, number.text)),
        Value::Error | Value::TooLong => None,
    }
}

/// Returns the column of a name: as it is written, else in any case. An error if several columns have it.
fn find(names: &[(u32, String)], wanted: &str) -> Result<Option<u32>, ()> {
    let lower = wanted.to_lowercase();
    let is_exact = |name: &str| name == wanted;
    let is_alike = |name: &str| name.to_lowercase() == lower;
    for is_named in [&is_exact as &dyn Fn(&str) -> bool, &is_alike] {
        let mut found = names.iter().filter(|(_, name)| is_named(name)).map(|(column, _)| *column);
        if let Some(column) = found.next() {
            return if found.next().is_some() { Err(()) } else { Ok(Some(column)) };
        }
    }
    Ok(None)
}

/// Returns the fault of a missing column, with the columns that exist. A first row that does not look like names may be
/// a note and is not shown.
fn missing(flag: &str, column: &str, names: &[(u32, String)]) -> Fault {
    let like_a_name = |name: &str| name.len() <= 40 && !name.chars().any(char::is_control);
    let columns = if names.is_empty() {
        "its sheets are empty or hidden".to_owned()
    } else if names.iter().all(|(_, name)| like_a_name(name)) {
        let shown: Vec<_> = names.iter().take(SHOWN_NAMES).map(|(_, name)| name.as_str()).collect();
        let more = if names.len() > SHOWN_NAMES { ", ..." } else { "" };
        format!("the columns are: {}{more}", shown.join(", "))
    } else {
        "its first row does not look like names of columns".to_owned()
    };
    Fault::text(
        "column",
        format!("The workbook has no column `{column}`; {columns}. Name it with {}.", flag_name(flag)),
    )
}

fn note(row: &Row, columns: &Columns, prefix: &str, form: &InputFormat, weight: u64) -> InputNote {
    let cell = |column: u32| row.cells.iter().find(|(other, _)| *other == column).map(|(_, value)| value);
    let text = match cell(columns.text) {
        None => Ok(String::new()),
        Some(Value::Text(text)) => Ok(text.clone()),
        Some(Value::Number(number)) => Ok(number.text.clone()),
        Some(Value::Error) => Err(Fault::text("type", "The cell of the note holds a formula that failed.")),
        Some(Value::TooLong) => Err(too_long()),
    };
    let (id_keys, is_id_required) = form.id_keys();
    let id_keys = id_keys.join("`, `");
    let parts = columns.ids.iter().filter_map(|&column| cell(column)).map(|value| named(value, "id", &id_keys));
    let id = match parts.collect::<Result<Vec<_>, _>>().map(|parts| InputFormat::joined_id(&parts)) {
        Ok(None) if is_id_required => Err(Fault::id("required", format!("The row has no `{id_keys}`."))),
        id => id,
    };
    let carried = columns.keep.iter().map(|&column| match cell(column) {
        Some(Value::Text(text)) => text.clone(),
        Some(Value::Number(number)) => number.text.clone(),
        Some(Value::Error | Value::TooLong) | None => String::new(),
    });
    let carried = carried.collect();
    let patient_key = form.patient.as_deref().unwrap_or_default();
    let patient = match columns.patient.and_then(cell).map(|value| named(value, "patient", patient_key)) {
        Some(Err(fault)) => Err(fault),
        Some(Ok(patient)) => form.patient_of(Some(patient)),
        None => form.patient_of(None),
    };
    let date = columns.date.and_then(cell).map(|value| match value {
        Value::Text(text) => text.as_str(),
        Value::Number(number) => number.text.as_str(),
        // `?` is never a date, so the value is refused.
        Value::Error | Value::TooLong => "?",
    });
    let (place, note_date) = (format!("{prefix}row-{}", row.number), form.date_of(date));
    InputNote { id, place, text, patient, note_date, carried, warning: None, weight }
}

/// Returns an id or the name of a patient.
fn named(value: &Value, field: &'static str, column: &str) -> Result<String, Fault> {
    let (rule, message) = match value {
        Value::Text(text) => return Ok(text.clone()),
        Value::Number(number) if !number.is_rounded => return Ok(number.text.clone()),
        Value::Number(_) => {
            let advice = "Format the column as text and enter the numbers again, or export them as CSV";
            ("digits", format!("`{column}` is a number of more than 15 digits, which Excel has rounded. {advice}."))
        }
        Value::Error => ("type", format!("`{column}` holds a formula that failed.")),
        Value::TooLong => ("max_length", format!("`{column}` is longer than {LONGEST_NAME} bytes.")),
    };
    Err(Fault::of(field, rule, message))
}
