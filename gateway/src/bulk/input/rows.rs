//! Reads CSV, one note per row after a header line. The delimiter is the comma, semicolon or tab that makes a column
//! with the name of the text column.

use std::{
    cell::Cell,
    fs::File,
    io::{self, BufRead, BufReader, Read},
    path::Path,
    rc::Rc,
};

use csv::{ByteRecord, Reader, ReaderBuilder};

use super::{BulkError, Fault, InputFormat, InputNote, NoteSink, encoding, open, too_long};

/// Maximum bytes of a row: a quote that is never closed would turn the rest of the file into one row.
const LONGEST_ROW: u64 = 64 << 20;
/// Maximum bytes of the header line.
const LONGEST_HEAD: u64 = 1 << 20;

/// The columns of a row.
struct Columns {
    text: usize,
    id: Option<usize>,
    patient: Option<usize>,
    date: Option<usize>,
    keep: Vec<usize>,
}

/// A reader that returns an error when one row takes more than the limit.
struct RowLimitReader<R> {
    input: R,
    left: Rc<Cell<u64>>,
}

impl<R: Read> Read for RowLimitReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.left.get();
        if left == 0 {
            return Err(io::Error::other("a row is longer than 64 MiB; perhaps a quote is never closed"));
        }
        let allowed = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
        let count = buffer.get_mut(..allowed).map_or(Ok(0), |buffer| self.input.read(buffer))?;
        self.left.set(left - count as u64);
        Ok(count)
    }
}

/// A table whose header is read: the rows, the bytes left for the next row, and the columns.
type OpenTable<R> = (Reader<RowLimitReader<io::Chain<io::Cursor<Vec<u8>>, R>>>, Rc<Cell<u64>>, Columns);

/// Returns an error if the file lacks a column that the operator named.
pub(super) fn check(path: &Path, form: &InputFormat) -> Result<(), BulkError> {
    let file = BufReader::new(open(path)?);
    begin(file, form).map(|_| ()).map_err(|why| BulkError::Usage(format!("{}: {why}", path.display())))
}

/// Reads the header and chooses the delimiter.
fn begin<R: BufRead>(mut input: R, form: &InputFormat) -> Result<OpenTable<R>, String> {
    let mut head = Vec::new();
    input.by_ref().take(LONGEST_HEAD).read_until(b'\n', &mut head).map_err(|cause| cause.to_string())?;
    if head.starts_with(encoding::MARK) {
        head.drain(..encoding::MARK.len());
    }
    let found = [b',', b';', b'\t'].into_iter().find_map(|delimiter| {
        let names = names(&head, delimiter)?;
        let text = names.iter().position(|name| *name == form.text)?;
        Some((delimiter, text, names))
    });
    let Some((delimiter, text, names)) = found else { return Err(missing(&head, "text", &form.text)) };
    let id = names.iter().position(|name| name == form.id_key());
    if let (None, Some(column)) = (id, &form.id) {
        return Err(missing(&head, "id", column));
    }
    let column = |flag, name: &Option<String>| match name {
        None => Ok(None),
        Some(name) => match names.iter().position(|column| column == name) {
            Some(at) => Ok(Some(at)),
            None => Err(missing(&head, flag, name)),
        },
    };
    let (patient, date) = (column("patient", &form.patient)?, column("date", &form.date)?);
    let kept = |name: &String| names.iter().position(|column| column == name).ok_or_else(|| not_kept(&head, name));
    let keep = form.keep.iter().map(kept).collect::<Result<_, _>>()?;
    let left = Rc::new(Cell::new(LONGEST_ROW));
    let input = RowLimitReader { input: io::Cursor::new(head).chain(input), left: Rc::clone(&left) };
    let reader = ReaderBuilder::new().delimiter(delimiter).flexible(true).from_reader(input);
    Ok((reader, left, Columns { text, id, patient, date, keep }))
}

fn names(head: &[u8], delimiter: u8) -> Option<Vec<String>> {
    let mut reader = ReaderBuilder::new().has_headers(false).delimiter(delimiter).from_reader(head);
    let mut record = ByteRecord::new();
    reader.read_byte_record(&mut record).ok()?.then_some(())?;
    Some(record.iter().map(|name| String::from_utf8_lossy(name).trim().to_owned()).collect())
}

/// Returns the text of the error for a missing column, with the columns that exist. A first line that does not look
/// like a header may be a note and is not shown.
fn missing(head: &[u8], flag: &str, column: &str) -> String {
    format!("no column `{column}`; {}. Name it with --{flag}-column", columns_of(head))
}

/// Returns the text of the error for a column of `--keep` that is missing.
fn not_kept(head: &[u8], column: &str) -> String {
    format!("--keep {column}: there is no such column; {}", columns_of(head))
}

/// Returns the names of the columns as a part of a sentence.
fn columns_of(head: &[u8]) -> String {
    let names = [b',', b';', b'\t'].into_iter().filter_map(|delimiter| names(head, delimiter)).max_by_key(Vec::len);
    let names = names.unwrap_or_default();
    let like_a_name = |name: &String| name.len() <= 40 && !name.chars().any(char::is_control);
    if names.is_empty() {
        "the file is empty".to_owned()
    } else if names.iter().all(like_a_name) {
        format!("the columns are: {}", names.join(", "))
    } else {
        "its first line does not look like a header".to_owned()
    }
}

pub(super) fn read(input: BufReader<File>, prefix: &str, form: &InputFormat, give: &mut NoteSink<'_>) -> bool {
    let (mut reader, left, columns) = match begin(input, form) {
        Ok(table) => table,
        Err(why) => {
            let place = format!("{prefix}row-1");
            return give(InputNote::new(place, Err(Fault::text("column", why)), 0));
        }
    };
    let mut record = ByteRecord::new();
    let mut row_start = 0;
    for number in 1u64.. {
        let place = format!("{prefix}row-{number}");
        left.set(LONGEST_ROW);
        match reader.read_byte_record(&mut record) {
            Ok(true) => {}
            Ok(false) => break,
            Err(error) => {
                let text =
                    Err(Fault::text("readable", format!("This row and all rows after it could not be read: {error}.")));
                return give(InputNote::new(place, text, 0));
            }
        }
        let row_end = reader.position().byte();
        let weight = row_end.saturating_sub(row_start);
        row_start = row_end;
        let (id, text) = note(&record, &columns, form);
        let cell = |column: Option<usize>| record.get(column?).map(|cell| String::from_utf8_lossy(cell).into_owned());
        let carried = columns.keep.iter().map(|column| cell(Some(*column)).unwrap_or_default()).collect();
        let (patient, note_date) =
            (form.patient_of(cell(columns.patient)), form.date_of(cell(columns.date).as_deref()));
        if !give(InputNote { id, place, text, patient, note_date, carried, weight }) {
            return false;
        }
    }
    true
}

fn note(
    record: &ByteRecord,
    columns: &Columns,
    form: &InputFormat,
) -> (Result<Option<String>, Fault>, Result<String, Fault>) {
    let text = match record.get(columns.text) {
        Some(cell) if cell.len() > form.longest => Err(too_long()),
        Some(cell) => encoding::text(cell.to_vec()),
        None => Err(Fault::text("required", format!("The row is too short: it has no `{}`.", form.text))),
    };
    let cell = columns.id.and_then(|id| record.get(id)).filter(|id| !id.is_empty());
    let id = match cell.map(|cell| String::from_utf8(cell.to_vec())) {
        None if form.id.is_some() => Err(Fault::id("required", format!("The row has no `{}`.", form.id_key()))),
        None => Ok(None),
        Some(Ok(id)) => Ok(Some(id)),
        Some(Err(_)) => Err(Fault::id("utf8", "The id is not UTF-8.")),
    };
    (id, text)
}
