//! Reads the rows of a table, one note each.
//!
//! A row of another length than the header is never cut to fit: a delimiter or a line end inside a note that is not
//! quoted would cut the note, or give its end to the next patient.

use std::io::{BufRead, Read};

use csv::{ByteRecord, ReaderBuilder};

use super::{
    super::{Fault, InputFormat, InputNote, NoteSink, content::Content, encoding, longest_piece, too_long},
    header::Header,
    quotes::QuoteGuard,
};

/// Passes each row to `give`. Returns false if `give` returned false.
pub(in crate::bulk::input) fn read(
    content: Content,
    header: &Header,
    prefix: &str,
    form: &InputFormat,
    give: &mut NoteSink<'_>,
) -> bool {
    if let Some(mark) = &form.row_end {
        return read_marked(content, header, mark, prefix, form, give);
    }
    let first_line = if header.skipped > 0 { 2 } else { 1 };
    let (guard, fault) = QuoteGuard::new(
        content.reader(header.skipped),
        header.delimiter,
        !form.no_quotes,
        longest_piece(form) as u64,
        first_line,
    );
    let mut reader =
        ReaderBuilder::new().delimiter(header.delimiter).quoting(!form.no_quotes).flexible(true).from_reader(guard);
    let mut record = ByteRecord::new();
    let (mut row_start, mut waiting): (u64, Option<InputNote>) = (0, None);
    for number in 1u64.. {
        let place = format!("{prefix}row-{number}");
        match reader.read_byte_record(&mut record) {
            Ok(true) => {}
            Ok(false) => break,
            Err(error) => {
                let reason = fault.borrow().clone().unwrap_or_else(|| error.to_string());
                let message = format!("This row and all rows after it were not read: {reason}. {QUOTE_ADVICE}");
                return waiting.is_none_or(&mut *give)
                    && give(InputNote::new(place, Err(Fault::text("quotes", message)), 0));
            }
        }
        let row_end = reader.position().byte();
        let weight = row_end.saturating_sub(row_start);
        row_start = row_end;
        let row = Row { record: &record, header, form };
        if let Some(before) = waiting.as_mut().filter(|_| row.may_continue_a_note()) {
            before.text = Err(row.fault_of_the_note_before());
        }
        if !waiting.replace(row.note(place, weight)).is_none_or(&mut *give) {
            return false;
        }
    }
    waiting.is_none_or(give)
}

/// Passes on each row of a table whose rows end with a line of their own. The last column takes all text before that
/// line.
fn read_marked(
    content: Content,
    header: &Header,
    mark: &str,
    prefix: &str,
    form: &InputFormat,
    give: &mut NoteSink<'_>,
) -> bool {
    let limit = longest_piece(form);
    let mut input = content.reader(header.skipped);
    let (mut line, mut row, mut number, mut in_header) = (Vec::new(), Vec::new(), 1u64, true);
    loop {
        line.clear();
        let place = || format!("{prefix}row-{number}");
        let failed = |reason: String| InputNote::new(place(), Err(Fault::text("row", reason)), 0);
        let allowed = (limit - row.len().min(limit)) as u64;
        let ended = match input.by_ref().take(allowed).read_until(b'\n', &mut line) {
            Ok(count) => count == 0,
            Err(cause) => return give(failed(format!("This row and all rows after it were not read: {cause}."))),
        };
        if ended && allowed == 0 {
            let reason = format!("The row has no line {mark} within {} MiB. Nothing after it was read.", limit >> 20);
            return give(failed(reason));
        }
        if ended && row.trim_ascii().is_empty() {
            return true;
        }
        if ended {
            return give(failed(format!(
                "The table ends before the line {mark}: the row may be cut and was not read."
            )));
        }
        if in_header {
            in_header = false;
            continue;
        }
        if line.trim_ascii() != mark.as_bytes() {
            row.extend_from_slice(&line);
            continue;
        }
        let width = header.names.len();
        let cells = row.trim_ascii_end().splitn(width, |byte| *byte == header.delimiter);
        let record = ByteRecord::from(cells.collect::<Vec<_>>());
        let row_of_table = Row { record: &record, header, form };
        if !give(row_of_table.note(place(), (row.len() + line.len()) as u64)) {
            return false;
        }
        row.clear();
        number += 1;
    }
}

const QUOTE_ADVICE: &str =
    "A quote inside a quoted cell is doubled. If quotes are ordinary characters in this file, say --no-quotes";

struct Row<'a> {
    record: &'a ByteRecord,
    header: &'a Header,
    form: &'a InputFormat,
}

impl Row<'_> {
    /// Whether the row lacks cells, so that it may be the rest of a note with a line end that is not quoted.
    fn may_continue_a_note(&self) -> bool {
        self.record.len() < self.header.names.len() && self.record.len() <= self.header.columns.text
    }

    fn fault_of_the_note_before(&self) -> Fault {
        Fault::text(
            "row",
            format!(
                "The next line has {} of {} cells: this note may continue there, and was not read. A note with line ends must be \
                 quoted, or each row end with a line of its own (--row-end).",
                self.record.len(),
                self.header.names.len()
            ),
        )
    }

    fn note(&self, place: String, weight: u64) -> InputNote {
        let cell = |column: usize| self.record.get(column).map(|cell| String::from_utf8_lossy(cell).into_owned());
        let columns = &self.header.columns;
        let patient = self.form.patient_of(columns.patient.and_then(cell));
        let note_date = self.form.date_of(columns.date.and_then(cell).as_deref());
        let carried = columns.keep.iter().map(|&column| cell(column).unwrap_or_default()).collect();
        InputNote { id: self.id(), place, text: self.text(), patient, note_date, carried, warning: None, weight }
    }

    fn text(&self) -> Result<String, Fault> {
        let (cells, expected) = (self.record.len(), self.header.names.len());
        let at = self.header.columns.text;
        let Some(cell) = self.record.get(at) else {
            let name = self.header.names.get(at).map_or("text", String::as_str);
            let message = format!("The row is too short: it has no `{name}`.");
            return Err(Fault::text("required", message));
        };
        if self.record.iter().skip(expected).any(|extra| !extra.is_empty()) {
            let message = format!(
                "The row has {cells} cells, the header {expected}: a cell with the delimiter in it must be quoted. The note was \
                 not read, because it may be cut."
            );
            return Err(Fault::text("row", message));
        }
        if cells < expected && at + 1 == cells {
            let message = format!(
                "The row ends with the note and has {cells} of {expected} cells: the note may be cut at a line end. A note \
                 with line ends must be quoted."
            );
            return Err(Fault::text("row", message));
        }
        if cell.len() > self.form.longest { Err(too_long()) } else { encoding::text(cell.to_vec()) }
    }

    fn id(&self) -> Result<Option<String>, Fault> {
        let mut parts = Vec::with_capacity(self.header.columns.ids.len());
        for &column in &self.header.columns.ids {
            let cell = self.record.get(column).unwrap_or_default().to_vec();
            parts.push(String::from_utf8(cell).map_err(|_| Fault::id("utf8", "The id is not UTF-8."))?);
        }
        let (wanted, required) = self.form.id_keys();
        match InputFormat::joined_id(&parts) {
            None if required => Err(Fault::id("required", format!("The row has no `{}`.", wanted.join(", ")))),
            id => Ok(id),
        }
    }
}
