//! CSV: a row a note, with a line of names first. Commas, semicolons or tabs between, whichever makes a column
//! of the note's name.

use std::{
    cell::Cell,
    fs::File,
    io::{self, BufRead, BufReader, Read},
    path::Path,
    rc::Rc,
};

use csv::{ByteRecord, Reader, ReaderBuilder};

use super::{BulkError, Fault, Form, InputNote, NoteSink, encoding, open, too_long};

/// Bytes of the longest row: a quote that is never closed would make one row of all the rest.
const LONGEST_ROW: u64 = 64 << 20;
/// Bytes of the longest line of names.
const LONGEST_HEAD: u64 = 1 << 20;

/// Where a row has note and id.
struct Columns {
    text: usize,
    id: Option<usize>,
}

/// Counts what was read, and stops where one row takes too much.
struct RowLimitReader<R> {
    input: R,
    left: Rc<Cell<u64>>,
}

impl<R: Read> Read for RowLimitReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.left.get();
        if left == 0 {
            return Err(io::Error::other("a row is longer than 64 MiB; is a quote never closed?"));
        }
        let most = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
        let count = buffer.get_mut(..most).map_or(Ok(0), |buffer| self.input.read(buffer))?;
        self.left.set(left - count as u64);
        Ok(count)
    }
}

/// A table whose names are read: the rows, how much the next may take, and the columns.
type OpenTable<R> = (Reader<RowLimitReader<io::Chain<io::Cursor<Vec<u8>>, R>>>, Rc<Cell<u64>>, Columns);

/// Whether the file has the columns that are meant.
pub(super) fn check(path: &Path, form: &Form) -> Result<(), BulkError> {
    let file = BufReader::new(open(path)?);
    begin(file, form).map(|_| ()).map_err(|why| BulkError::Usage(format!("{}: {why}", path.display())))
}

/// Reads the names and chooses what stands between cells.
fn begin<R: BufRead>(mut input: R, form: &Form) -> Result<OpenTable<R>, String> {
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
    if let (None, Some(asked)) = (id, &form.id) {
        return Err(missing(&head, "id", asked));
    }
    let left = Rc::new(Cell::new(LONGEST_ROW));
    let input = RowLimitReader { input: io::Cursor::new(head).chain(input), left: Rc::clone(&left) };
    let reader = ReaderBuilder::new().delimiter(delimiter).flexible(true).from_reader(input);
    Ok((reader, left, Columns { text, id }))
}

fn names(head: &[u8], delimiter: u8) -> Option<Vec<String>> {
    let mut reader = ReaderBuilder::new().has_headers(false).delimiter(delimiter).from_reader(head);
    let mut record = ByteRecord::new();
    reader.read_byte_record(&mut record).ok()?.then_some(())?;
    Some(record.iter().map(|name| String::from_utf8_lossy(name).trim().to_owned()).collect())
}

/// Which column is missing and which there are. A first line that does not look like names may be a note: it
/// is not shown.
fn missing(head: &[u8], what: &str, asked: &str) -> String {
    let names = [b',', b';', b'\t'].into_iter().filter_map(|delimiter| names(head, delimiter)).max_by_key(Vec::len);
    let names = names.unwrap_or_default();
    let like_a_name = |name: &String| name.len() <= 40 && !name.chars().any(char::is_control);
    let columns = if names.is_empty() {
        "the file is empty".to_owned()
    } else if names.iter().all(like_a_name) {
        format!("there are: {}", names.join(", "))
    } else {
        "its first line does not look like names of columns".to_owned()
    };
    format!("no column `{asked}`; {columns}. Name it with --{what}-column")
}

pub(super) fn read(input: BufReader<File>, prefix: &str, form: &Form, give: &mut NoteSink<'_>) -> bool {
    let (mut reader, left, columns) = match begin(input, form) {
        Ok(begun) => begun,
        Err(why) => {
            let place = format!("{prefix}row-1");
            return give(InputNote { id: Ok(None), place, text: Err(Fault::text("column", why)), weight: 0 });
        }
    };
    let mut record = ByteRecord::new();
    let mut before = 0;
    for number in 1u64.. {
        let place = format!("{prefix}row-{number}");
        left.set(LONGEST_ROW);
        match reader.read_byte_record(&mut record) {
            Ok(true) => {}
            Ok(false) => break,
            Err(error) => {
                let text = Err(Fault::text("readable", format!("It and all after it could not be read: {error}.")));
                return give(InputNote { id: Ok(None), place, text, weight: 0 });
            }
        }
        let at = reader.position().byte();
        let weight = at.saturating_sub(before);
        before = at;
        let (id, text) = note(&record, &columns, form);
        if !give(InputNote { id, place, text, weight }) {
            return false;
        }
    }
    true
}

fn note(record: &ByteRecord, columns: &Columns, form: &Form) -> (Result<Option<String>, Fault>, Result<String, Fault>) {
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
