//! Continues where an earlier run stopped: finds the notes that its output has, and removes the lines that this run
//! writes again. A file that is not an output of this command is never changed.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, BufWriter, Read, Seek, SeekFrom, Write},
    ops::Range,
    path::{Path, PathBuf},
};

use csv::{ByteRecord, ReaderBuilder};
use serde::{Deserialize, de::IgnoredAny};

use super::{
    BulkError, OutputFormat,
    counts::grouped,
    ids::{CompletedNotes, Fingerprint},
    output::{WriterOptions, is_guarded, lock, note_columns, private, same_file},
};

/// What a scan of an existing output found.
#[derive(Debug, Default)]
pub(super) struct Scan {
    /// Notes that were read, with the offset of each line after the dropped lines are removed.
    pub(super) done: CompletedNotes,
    /// Byte ranges to remove: lines of failed notes, second lines of one id, an incomplete last line.
    dropped: Vec<Range<u64>>,
    /// Bytes of the lines that stay.
    kept: u64,
    pub(super) failed: u64,
    /// Number of further lines of notes that were read.
    pub(super) repeated: u64,
    /// Whether the last line is incomplete.
    pub(super) torn: bool,
}

/// An output that a run can continue with.
#[derive(Debug)]
pub(super) struct Resumed {
    pub(super) file: File,
    pub(super) done: CompletedNotes,
    /// Number of notes that failed in the earlier run.
    pub(super) failed: u64,
    /// Whether an incomplete last line was removed.
    pub(super) torn: bool,
}

impl Resumed {
    /// Returns whether the earlier run wrote anything.
    pub(super) fn has_results(&self) -> bool {
        self.torn || self.failed > 0 || !self.done.is_empty()
    }

    /// Returns the line for the operator about what is there.
    pub(super) fn line(&self, path: &Path) -> String {
        let torn = if self.torn { "; an incomplete last line was removed" } else { "" };
        let (path, done, failed) = (path.display(), grouped(self.done.len() as u64), grouped(self.failed));
        format!("continuing with {path}: {done} notes are done, {failed} failed notes are tried again{torn}")
    }
}

/// Why a run cannot continue with a file.
enum ResumeError {
    Io(io::Error),
    /// The line with this number is not a result of this command.
    NotOurs(u64),
}

impl From<io::Error> for ResumeError {
    fn from(cause: io::Error) -> Self {
        Self::Io(cause)
    }
}

/// Opens and locks an output, finds the notes that are done, and removes the lines of the notes that are tried again.
pub(super) fn open(path: &Path, options: &WriterOptions) -> Result<Resumed, BulkError> {
    let unwritable = |cause: io::Error| BulkError::unwritable(path, &cause);
    let file = private(true).truncate(false).open(path).map_err(unwritable)?;
    lock(&file, path)?;
    // Another run may have ended between the two lines above, and given its file another name.
    if !same_file(&file, path) {
        return Err(BulkError::Locked(path.to_owned()));
    }
    let scan = scan(&file, path, options)?;
    let file = scan.repair(file, path).map_err(unwritable)?;
    Ok(Resumed { file, done: scan.done, failed: scan.failed, torn: scan.torn })
}

/// Returns what an existing output has, and changes nothing.
pub(super) fn examine(path: &Path, options: &WriterOptions) -> Result<Scan, BulkError> {
    let file = File::open(path).map_err(|cause| BulkError::unwritable(path, &cause))?;
    scan(&file, path, options)
}

fn scan(file: &File, path: &Path, options: &WriterOptions) -> Result<Scan, BulkError> {
    let scanned = match options.format {
        OutputFormat::Csv => scan_rows(file, options),
        _ => scan_lines(file, options),
    };
    scanned.map_err(|refusal| match refusal {
        ResumeError::Io(cause) => BulkError::unwritable(path, &cause),
        ResumeError::NotOurs(line) => BulkError::Usage(format!(
            "{}, line {line}: this line is not a result of this command. --resume continues with a file that an \
             earlier run wrote in the same format, with the same --keep; this file was not changed",
            path.display()
        )),
    })
}

impl Scan {
    /// Records a complete line. It stays if the note was read and no earlier line has the same id; else it is dropped.
    fn take(&mut self, at: Range<u64>, id: &str, read: bool) {
        let fingerprint = Fingerprint::of(id);
        if read && !self.done.contains_key(&fingerprint) {
            self.done.insert(fingerprint, self.kept);
            self.kept += at.end - at.start;
        } else {
            self.failed += u64::from(!read);
            self.repeated += u64::from(read);
            self.drop_range(at);
        }
    }

    fn drop_range(&mut self, at: Range<u64>) {
        match self.dropped.last_mut() {
            Some(last) if last.end == at.start => last.end = at.end,
            _ => self.dropped.push(at),
        }
    }

    /// Returns the file without the dropped ranges. If only its end is dropped, the file is truncated in place.
    /// Otherwise a rewritten copy replaces it by an atomic rename, so that a kill during the repair loses nothing.
    fn repair(&self, mut file: File, path: &Path) -> io::Result<File> {
        let Some(first) = self.dropped.first() else { return Ok(file) };
        let end = file.seek(SeekFrom::End(0))?;
        if first.end >= end {
            file.set_len(first.start)?;
            return Ok(file);
        }
        let copy_path = sibling(path);
        let new = private(true).truncate(true).open(&copy_path)?;
        let copied = self.copy(&mut file, &new, end).and_then(|()| new.sync_all());
        // The copy gets the permissions of the original.
        let copied = copied.and_then(|()| new.set_permissions(file.metadata()?.permissions()));
        // The copy is locked before another run can find it. A file system without locks does not prevent the run.
        let _ = new.try_lock();
        match copied.and_then(|()| std::fs::rename(&copy_path, path)) {
            Ok(()) => Ok(new),
            Err(cause) => {
                let _ = std::fs::remove_file(copy_path);
                Err(cause)
            }
        }
    }

    fn copy(&self, from: &mut File, to: &File, end: u64) -> io::Result<()> {
        let mut to = BufWriter::new(to);
        let mut at = 0;
        for dropped in self.dropped.iter().chain([&(end..end)]) {
            from.seek(SeekFrom::Start(at))?;
            io::copy(&mut from.take(dropped.start - at), &mut to)?;
            at = dropped.end;
        }
        to.flush()
    }
}

fn sibling(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".resume");
    name.into()
}

/// The keys by which a line is recognised as a result of this command.
#[derive(Deserialize)]
struct PreviousLine {
    id: String,
    status: u16,
    result: Option<IgnoredAny>,
    error: Option<IgnoredAny>,
    #[serde(default)]
    carried: serde_json::Map<String, serde_json::Value>,
}

impl PreviousLine {
    /// Returns whether the line has the carried values of this run, and no others.
    fn carries(&self, keep: &[String]) -> bool {
        self.carried.len() == keep.len() && keep.iter().all(|name| self.carried.contains_key(name))
    }
}

fn scan_lines(file: &File, options: &WriterOptions) -> Result<Scan, ResumeError> {
    let mut input = BufReader::with_capacity(64 << 10, file);
    let (mut scan, mut line, mut at) = (Scan::default(), Vec::new(), 0u64);
    for number in 1u64.. {
        line.clear();
        let length = input.read_until(b'\n', &mut line)? as u64;
        if length == 0 {
            break;
        }
        let range = at..at + length;
        at = range.end;
        if line.last() != Some(&b'\n') {
            // No complete line before the first one can show that the file is an output of this command.
            if number == 1 && !is_partial_result_line(&line) {
                return Err(ResumeError::NotOurs(number));
            }
            scan.torn = true;
            scan.drop_range(range);
            break;
        }
        match serde_json::from_slice::<PreviousLine>(&line) {
            Ok(line) if !line.carries(&options.keep) => return Err(ResumeError::NotOurs(number)),
            Ok(PreviousLine { id, status: 200, result: Some(_), error: None, .. }) => scan.take(range, &id, true),
            Ok(PreviousLine { id, result: None, error: Some(_), .. }) => scan.take(range, &id, false),
            _ => return Err(ResumeError::NotOurs(number)),
        }
    }
    Ok(scan)
}

/// Returns whether a line without a line feed is the beginning of a result line, or a result line that lacks only the
/// line feed.
fn is_partial_result_line(line: &[u8]) -> bool {
    if serde_json::from_slice::<IgnoredAny>(line).is_ok() {
        return serde_json::from_slice::<PreviousLine>(line)
            .is_ok_and(|head| head.result.is_some() || head.error.is_some());
    }
    let begin = b"{\"id\":\"";
    begin.starts_with(line) || line.starts_with(begin)
}

fn scan_rows(mut file: &File, options: &WriterOptions) -> Result<Scan, ResumeError> {
    let length = file.seek(SeekFrom::End(0))?;
    file.seek(SeekFrom::Start(0))?;
    let mut scan = Scan::default();
    if length == 0 {
        return Ok(scan);
    }
    let ends_whole = ends_with_line_feed(file, length)?;
    let mut input = BufReader::with_capacity(64 << 10, file);
    let mut head = Vec::new();
    input.read_until(b'\n', &mut head)?;
    let columns = note_columns(&options.keep, options.reviewed);
    let expected = options.dialect.head(&columns);
    if head != expected.as_bytes() {
        if ends_whole || !expected.as_bytes().starts_with(&head) {
            return Err(ResumeError::NotOurs(1));
        }
        // The earlier run was killed while it wrote the header.
        scan.torn = true;
        scan.drop_range(0..length);
        return Ok(scan);
    }
    scan.kept = head.len() as u64;
    let (mut row, mut at) = (Vec::new(), scan.kept);
    for number in 2u64.. {
        let ended = next_row(&mut input, &mut row)?;
        if row.is_empty() {
            break;
        }
        let range = at..at + row.len() as u64;
        at = range.end;
        let cells = cells(&row, options.dialect.delimiter);
        let found = cells.as_ref().and_then(|cells| {
            let text = |column: usize| cells.get(column).and_then(|cell| std::str::from_utf8(cell).ok());
            text(0).zip(text(1)).filter(|_| cells.len() == columns.len())
        });
        match found {
            Some((id, status)) if ended => scan.take(range, unguarded(id), status == "200"),
            _ if at >= length => {
                scan.torn = true;
                scan.drop_range(range);
            }
            _ => return Err(ResumeError::NotOurs(number)),
        }
    }
    Ok(scan)
}

/// Returns the id without the apostrophe that keeps a spreadsheet from treating it as a formula.
fn unguarded(id: &str) -> &str {
    id.strip_prefix('\'').filter(|_| is_guarded(id)).unwrap_or(id)
}

/// Reads a row up to a line break outside quotes. Returns false if the file ends before it.
fn next_row(input: &mut impl BufRead, row: &mut Vec<u8>) -> io::Result<bool> {
    row.clear();
    loop {
        let more = input.read_until(b'\n', row)?;
        let quotes = memchr::memchr_iter(b'"', row).count();
        match row.last() {
            Some(b'\n') if quotes.is_multiple_of(2) => return Ok(true),
            _ if more == 0 => return Ok(false),
            _ => {}
        }
    }
}

fn cells(row: &[u8], delimiter: u8) -> Option<ByteRecord> {
    let mut record = ByteRecord::new();
    let mut reader = ReaderBuilder::new().has_headers(false).delimiter(delimiter).from_reader(row);
    reader.read_byte_record(&mut record).ok()?.then_some(record)
}

fn ends_with_line_feed(mut file: &File, length: u64) -> io::Result<bool> {
    let mut last = [0];
    file.seek(SeekFrom::Start(length.saturating_sub(1)))?;
    file.read_exact(&mut last)?;
    file.seek(SeekFrom::Start(0))?;
    Ok(last == *b"\n")
}
