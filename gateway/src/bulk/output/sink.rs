//! Writes results to a file or to standard output. Complete lines are written at once and no buffer holds them back, so
//! that a killed run loses at most the line that it was writing.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use super::{
    ResultWriter, RunTotals,
    failures::FailureFile,
    files::{lock, private},
};
use crate::bulk::{
    BulkError,
    outcome::{EntryOutcome, SkippedNote},
};

/// The output of a run.
#[derive(Debug)]
pub(in crate::bulk) struct Sink {
    target: SinkTarget,
    form: ResultWriter,
    /// Text that the next write sends.
    pending: String,
    /// The notes that failed, if the output has no place for them and is a file.
    failures: Option<FailureFile>,
    /// Why a failed note could not be written.
    failure: Option<BulkError>,
}

#[derive(Debug)]
enum SinkTarget {
    Stdout(io::Stdout),
    File(Output),
}

/// A file and the length of its complete lines.
#[derive(Debug)]
struct Output {
    file: File,
    path: PathBuf,
    /// Bytes of complete lines.
    whole: u64,
    /// Whether this run created the file.
    new: bool,
}

impl Sink {
    /// Returns a sink that writes to standard output.
    pub(in crate::bulk) fn stdout(form: ResultWriter) -> Self {
        let pending = form.begin();
        Self { target: SinkTarget::Stdout(io::stdout()), form, pending, failures: None, failure: None }
    }

    /// Returns a sink that writes to a new file or overwrites an existing one. `failures`: the file for the notes that
    /// failed, if the output has no place for them.
    pub(in crate::bulk) fn create(path: &Path, form: ResultWriter, failures: Option<&Path>) -> Result<Self, BulkError> {
        let new = !path.exists();
        let file = private(true).truncate(false).open(path).or_else(|_| private(false).truncate(false).open(path));
        let file = file.map_err(|cause| BulkError::unwritable(path, &cause))?;
        lock(&file, path)?;
        // The error is ignored: a pipe or device has no length.
        let _ = file.set_len(0);
        let pending = form.begin();
        let output = Output { file, path: path.to_owned(), whole: 0, new };
        let failures = failures.map(FailureFile::new);
        Ok(Self { target: SinkTarget::File(output), form, pending, failures, failure: None })
    }

    /// Returns a sink that appends to a file, which must end with a complete line.
    pub(in crate::bulk) fn append(path: &Path, mut file: File, form: ResultWriter) -> Result<Self, BulkError> {
        let whole = file.seek(SeekFrom::End(0)).map_err(|cause| BulkError::unwritable(path, &cause))?;
        let pending = if whole == 0 { form.begin() } else { String::new() };
        let output = Output { file, path: path.to_owned(), whole, new: false };
        Ok(Self { target: SinkTarget::File(output), form, pending, failures: None, failure: None })
    }

    /// Returns a second handle to the file, which keeps its lock after the sink has ended; `None` without a file.
    pub(in crate::bulk) fn handle(&self) -> Result<Option<File>, BulkError> {
        let SinkTarget::File(output) = &self.target else { return Ok(None) };
        output.file.try_clone().map(Some).map_err(|cause| BulkError::unwritable(&output.path, &cause))
    }

    /// Adds a result to the text of the next write.
    pub(in crate::bulk) fn add(&mut self, outcome: &EntryOutcome) {
        if !self.form.leaves_out(outcome) {
            return self.form.add(outcome, &mut self.pending);
        }
        if let (Some(failures), None) = (&mut self.failures, &self.failure) {
            self.failure = failures.add(&self.form.line(outcome)).err();
        }
    }

    /// Writes the added results. If that fails, a file is truncated to its complete lines, if it can be truncated.
    pub(in crate::bulk) fn write(&mut self) -> Result<(), BulkError> {
        self.form.check()?;
        if let Some(failure) = self.failure.take() {
            return Err(failure);
        }
        if !self.pending.is_empty() {
            self.target.write(self.pending.as_bytes())?;
            self.pending.clear();
        }
        let bytes = self.form.take_bytes();
        if !bytes.is_empty() {
            self.target.write(&bytes)?;
        }
        Ok(())
    }

    /// Writes the end of the format and syncs the file to the disk. Gives each timeline to `on_patient` too. Returns what
    /// a reader of the output has to know.
    pub(in crate::bulk) fn end(
        mut self,
        totals: RunTotals,
        on_patient: impl FnMut(&str) -> Result<(), BulkError>,
    ) -> Result<Vec<String>, BulkError> {
        self.write()?;
        let target = &mut self.target;
        let mut notices = self.form.end(totals, |bytes| target.write(bytes), on_patient)?;
        notices.extend(self.failures.as_ref().and_then(FailureFile::notice));
        if let SinkTarget::File(output) = &self.target {
            // Only a full disk is an error: a pipe or device cannot be synced.
            match output.file.sync_all() {
                Err(cause) if cause.kind() == io::ErrorKind::StorageFull => {
                    return Err(BulkError::unwritable(&output.path, &cause));
                }
                _ => {}
            }
        }
        Ok(notices)
    }

    /// Returns the line that an earlier run wrote for a note; `None` if the output has no such line.
    pub(in crate::bulk) fn earlier(&self, skipped: &SkippedNote) -> Option<String> {
        match &self.target {
            SinkTarget::Stdout(_) => None,
            SinkTarget::File(output) => line_at(&output.file, skipped.offset).ok(),
        }
    }

    /// Removes the file if this run created it. For a run that read no note.
    pub(in crate::bulk) fn discard(self) {
        self.failures.into_iter().for_each(FailureFile::discard);
        if let SinkTarget::File(Output { path, new: true, .. }) = self.target {
            let _ = std::fs::remove_file(path);
        }
    }
}

impl SinkTarget {
    fn write(&mut self, bytes: &[u8]) -> Result<(), BulkError> {
        match self {
            Self::Stdout(out) => out.write_all(bytes).and_then(|()| out.flush()).map_err(|cause| match cause.kind() {
                io::ErrorKind::BrokenPipe => BulkError::OutputClosed,
                _ => BulkError::unwritable(Path::new("standard output"), &cause),
            }),
            Self::File(output) => output.write(bytes),
        }
    }
}

impl Output {
    fn write(&mut self, bytes: &[u8]) -> Result<(), BulkError> {
        if let Err(cause) = self.file.write_all(bytes) {
            // The part that was written would be an incomplete line. If this fails too, --resume removes the line.
            let _ = self.file.set_len(self.whole);
            return Err(BulkError::unwritable(&self.path, &cause));
        }
        self.whole += bytes.len() as u64;
        Ok(())
    }
}

/// Returns the line that begins at `offset`. The position of the file stays as it was.
fn line_at(mut file: &File, offset: u64) -> io::Result<String> {
    let end = file.stream_position()?;
    file.seek(SeekFrom::Start(offset))?;
    let mut line = String::new();
    let read = BufReader::new(file).read_line(&mut line);
    file.seek(SeekFrom::Start(end))?;
    read.map(|_| line)
}
