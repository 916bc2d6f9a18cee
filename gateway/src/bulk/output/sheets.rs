//! Writes an Excel workbook: a sheet with one row per note and a sheet with one row per value.
//!
//! Rows go to temporary files beside the output and not to memory; the workbook is made of them when the run ends. Every
//! text is written as a text and never as a formula.

use std::{
    borrow::Cow,
    fmt,
    io::{self, BufWriter, Write},
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
};

use rust_xlsxwriter::{Format, Workbook, Worksheet, XlsxError};

use super::{
    columns::{Cell, Column},
    notes, values,
};
use crate::bulk::{BulkError, outcome::EntryOutcome};

/// The most UTF-16 units of a cell, and the most rows of a sheet, that Excel reads.
const MAX_CELL: usize = 32_767;
const MAX_ROWS: u32 = 1_048_576;

/// A workbook that is being written.
pub(super) struct Sheets {
    workbook: Workbook,
    notes: Sheet,
    values: Sheet,
    carried: usize,
    reviewed: bool,
    max_rows: u32,
    /// Cells that were cut to the most that Excel reads.
    cut: u64,
    /// Why rows could not be written.
    failure: Option<String>,
}

/// One of the two tables; it continues on a further sheet when a sheet is full.
struct Sheet {
    name: &'static str,
    columns: Vec<Column>,
    /// The sheet that is written now, and how many the table has.
    index: usize,
    parts: u32,
    next_row: u32,
}

impl fmt::Debug for Sheets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sheets").field("cut", &self.cut).field("failure", &self.failure).finish_non_exhaustive()
    }
}

impl Sheets {
    /// Begins a workbook. `folder` is where its rows are kept until the end; the system's folder if there is none.
    pub(super) fn new(folder: Option<&Path>, keep: &[String], reviewed: bool) -> Self {
        Self::with_rows(folder, keep, reviewed, MAX_ROWS)
    }

    fn with_rows(folder: Option<&Path>, keep: &[String], reviewed: bool, max_rows: u32) -> Self {
        let sheet = |name, columns| Sheet { name, columns, index: 0, parts: 0, next_row: max_rows };
        let (notes, values) =
            (sheet("notes", notes::columns(keep, reviewed)), sheet("values", values::columns(keep, reviewed)));
        let mut sheets = Self {
            workbook: Workbook::new(),
            notes,
            values,
            carried: keep.len(),
            reviewed,
            max_rows,
            cut: 0,
            failure: None,
        };
        if let Some(folder) = folder
            && let Err(error) = sheets.workbook.set_tempdir(folder)
        {
            sheets.failure = Some(error.to_string());
        }
        let Self { workbook, notes, values, .. } = &mut sheets;
        if let Err(error) = notes.begin(workbook).and_then(|()| values.begin(workbook)) {
            sheets.failure = Some(error.to_string());
        }
        sheets
    }

    /// Adds the rows of a note.
    pub(super) fn add(&mut self, outcome: &EntryOutcome) {
        if self.failure.is_some() {
            return;
        }
        let Self { workbook, notes, values, carried, reviewed, max_rows, cut, .. } = self;
        let mut result = Ok(());
        // The library panics where its temporary file cannot be written.
        let written = catch_unwind(AssertUnwindSafe(|| {
            let mut add = |sheet: &mut Sheet, cells: &[Cell<'_>]| {
                if result.is_ok() {
                    result = sheet.add(workbook, *max_rows, cells).map(|count| *cut += count);
                }
            };
            notes::row(outcome, *carried, *reviewed, &mut |cells| add(notes, cells));
            values::rows(outcome, *carried, *reviewed, &mut |cells| add(values, cells));
        }));
        self.failure = match (written, result) {
            (Err(_), _) => Some("its temporary file cannot be written; perhaps the disk is full".to_owned()),
            (Ok(()), Err(error)) => Some(error.to_string()),
            (Ok(()), Ok(())) => None,
        };
    }

    /// Returns an error if rows could not be written.
    pub(super) fn check(&self) -> Result<(), BulkError> {
        self.failure.as_ref().map_or(Ok(()), |why| Err(failed(why)))
    }

    /// Gives the workbook to `write`, in parts.
    pub(super) fn end(
        mut self,
        write: &mut (impl FnMut(&[u8]) -> Result<(), BulkError> + Send),
    ) -> Result<Vec<String>, BulkError> {
        let mut parts = PartWriter { write, error: None };
        let mut out = BufWriter::with_capacity(64 << 10, &mut parts);
        let saved = self.workbook.save_to_writer(&mut out).map_err(|error| error.to_string());
        let saved = saved.and_then(|()| out.flush().map_err(|error| error.to_string()));
        drop(out);
        match (parts.error, saved) {
            (Some(error), _) => Err(error),
            (None, Err(why)) => Err(failed(&why)),
            (None, Ok(())) => Ok(self.notices()),
        }
    }

    /// Returns what a reader of the workbook has to know.
    fn notices(&self) -> Vec<String> {
        let mut notices = Vec::new();
        if self.cut > 0 {
            let cut = self.cut;
            notices.push(format!(
                "{cut} cell(s) of the workbook were cut to {MAX_CELL} characters, the most that Excel reads; --format jsonl has them whole"
            ));
        }
        for sheet in [&self.notes, &self.values].into_iter().filter(|sheet| sheet.parts > 1) {
            let Sheet { name, parts, .. } = sheet;
            let last = part_name(name, *parts);
            notices.push(format!("the sheet `{name}` is full; its rows continue on further sheets, up to `{last}`"));
        }
        notices
    }
}

fn failed(why: &str) -> BulkError {
    BulkError::Failed(format!(
        "the workbook cannot be written: {why}. Write --format csv or jsonl, which need no temporary files"
    ))
}

fn part_name(name: &str, part: u32) -> String {
    if part == 1 { name.to_owned() } else { format!("{name} {part}") }
}

impl Sheet {
    /// Begins a sheet with the names of the columns.
    fn begin(&mut self, workbook: &mut Workbook) -> Result<(), XlsxError> {
        let index = workbook.worksheets().len();
        let sheet = workbook.add_worksheet_with_constant_memory()?;
        (self.index, self.next_row) = (index, 1);
        self.parts += 1;
        sheet.set_name(part_name(self.name, self.parts))?;
        sheet.set_freeze_panes(1, 0)?;
        let bold = Format::new().set_bold();
        for (column, at) in self.columns.iter().zip(0u16..) {
            sheet.write_string_with_format(0, at, &*fitting(&column.name).0, &bold)?;
        }
        Ok(())
    }

    /// Adds a row and returns how many of its cells were cut.
    fn add(&mut self, workbook: &mut Workbook, max_rows: u32, cells: &[Cell<'_>]) -> Result<u64, XlsxError> {
        if self.next_row >= max_rows {
            self.begin(workbook)?;
        }
        let sheet = workbook.worksheet_from_index(self.index)?;
        let mut cut = 0;
        for (cell, at) in cells.iter().zip(0u16..) {
            cut += u64::from(write_cell(sheet, self.next_row, at, cell)?);
        }
        self.next_row += 1;
        Ok(cut)
    }
}

/// Writes a cell and returns whether its text was cut.
fn write_cell(sheet: &mut Worksheet, row: u32, column: u16, cell: &Cell<'_>) -> Result<bool, XlsxError> {
    match cell {
        Cell::Empty => Ok(false),
        Cell::Text(text) => {
            let (text, cut) = fitting(text);
            sheet.write_string(row, column, &*text)?;
            Ok(cut)
        }
        #[expect(clippy::cast_precision_loss, reason = "Excel has no other numbers, and these are short")]
        Cell::Number(number) => sheet.write_number(row, column, *number as f64).map(|_| false),
        Cell::Flag(flag) => sheet.write_boolean(row, column, *flag).map(|_| false),
    }
}

/// Returns a text that Excel reads, and whether it was cut. The two code points that XML does not allow are replaced.
fn fitting(text: &str) -> (Cow<'_, str>, bool) {
    let forbidden = ['\u{fffe}', '\u{ffff}'];
    let text =
        if text.contains(forbidden) { Cow::Owned(text.replace(forbidden, "\u{fffd}")) } else { Cow::Borrowed(text) };
    if text.len() <= MAX_CELL || text.encode_utf16().count() <= MAX_CELL {
        return (text, false);
    }
    let mut units = 0;
    let mut short: String = text
        .chars()
        .take_while(|letter| {
            units += letter.len_utf16();
            units < MAX_CELL
        })
        .collect();
    short.push('…');
    (Cow::Owned(short), true)
}

/// Passes bytes on and keeps the error of the receiver, which says more than one of the library.
struct PartWriter<'a, F> {
    write: &'a mut F,
    error: Option<BulkError>,
}

impl<F: FnMut(&[u8]) -> Result<(), BulkError>> Write for PartWriter<'_, F> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match (self.write)(bytes) {
            Ok(()) => Ok(bytes.len()),
            Err(error) => {
                self.error = Some(error);
                Err(io::Error::other("the output cannot be written"))
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use calamine::{Reader, Xlsx};

    use super::*;
    use crate::bulk::outcome::NoteOrigin;

    fn outcome(id: &str) -> EntryOutcome {
        EntryOutcome {
            id: id.to_owned(),
            line: format!("{{\"id\": \"{id}\", \"status\": 422, \"error\": {{\"code\": \"invalid_request\"}}}}\n"),
            remarks: Vec::new(),
            needs_change: false,
            failure: Some("invalid_request".to_owned()),
            text: None,
            origin: NoteOrigin::default(),
            carried: Vec::new(),
            selected: None,
            text_bytes: 0,
            weight: 0,
        }
    }

    #[test]
    fn a_full_sheet_continues_on_the_next_one() {
        let mut sheets = Sheets::with_rows(None, &[], false, 3);
        for id in ["a", "b", "c", "d", "e"] {
            sheets.add(&outcome(id));
        }
        sheets.check().unwrap();
        let mut bytes = Vec::new();
        let notices = sheets
            .end(&mut |part| {
                bytes.extend_from_slice(part);
                Ok(())
            })
            .unwrap();
        assert!(notices.len() == 2 && notices[0].contains("up to `notes 3`"), "{notices:?}");
        let mut book = Xlsx::new(io::Cursor::new(bytes)).unwrap();
        for (sheet, ids) in
            [("notes", &["a", "b"][..]), ("notes 2", &["c", "d"]), ("notes 3", &["e"]), ("values 2", &["c", "d"])]
        {
            let range = book.worksheet_range(sheet).unwrap();
            let found: Vec<String> = range.rows().map(|row| row[0].to_string()).collect();
            assert_eq!(found, [&["id"], ids].concat(), "{sheet}");
        }
    }

    #[test]
    fn an_output_that_cannot_be_written_says_so_itself() {
        let error = Sheets::new(None, &[], false).end(&mut |_| Err(BulkError::OutputClosed));
        assert!(matches!(error, Err(BulkError::OutputClosed)), "{error:?}");
    }

    #[test]
    fn temporary_files_that_cannot_be_made_fail_the_run() {
        let sheets = Sheets::new(Some(Path::new("/nowhere")), &[], false);
        assert!(matches!(sheets.check(), Err(BulkError::Failed(_))));
    }
}
