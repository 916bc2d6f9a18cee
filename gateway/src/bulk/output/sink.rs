//! Where results go: a file or standard output. Whole lines are written at once and nothing waits in a buffer, so
//! a killed run loses the line it was writing at most.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io::{self, Seek, SeekFrom, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use super::{Form, RunTotals};
use crate::bulk::{
    BulkError,
    outcome::{Outcome, Skipped},
    resume,
};

/// Writes results.
#[derive(Debug)]
pub(in crate::bulk) struct Sink {
    target: Target,
    form: Form,
    ready: String,
}

#[derive(Debug)]
enum Target {
    Stdout(io::Stdout),
    File(Output),
}

/// A file and how much of it is whole lines.
#[derive(Debug)]
struct Output {
    file: File,
    path: PathBuf,
    whole: u64,
    /// Whether this run made it.
    new: bool,
}

/// How a file of results is opened. One that is made is for its owner alone: results say what a patient has. One that is
/// there keeps who may read it.
pub(in crate::bulk) fn private(read: bool) -> OpenOptions {
    let mut options = File::options();
    options.read(read).write(true).create(true).mode(0o600);
    options
}

impl Sink {
    /// To standard output.
    pub(in crate::bulk) fn stdout(form: Form) -> Self {
        let ready = form.begin();
        Self { target: Target::Stdout(io::stdout()), form, ready }
    }

    /// To a file that is new, or is overwritten.
    pub(in crate::bulk) fn create(path: &Path, form: Form) -> Result<Self, BulkError> {
        let new = !path.exists();
        let file = private(true).truncate(false).open(path).or_else(|_| private(false).truncate(false).open(path));
        let file = file.map_err(|cause| BulkError::unwritable(path, &cause))?;
        lock(&file, path)?;
        // What is no regular file, such as a pipe, has no length.
        let _ = file.set_len(0);
        let ready = form.begin();
        let output = Output { file, path: path.to_owned(), whole: 0, new };
        Ok(Self { target: Target::File(output), form, ready })
    }

    /// To a file that goes on where its whole lines end.
    pub(in crate::bulk) fn append(path: &Path, mut file: File, form: Form) -> Result<Self, BulkError> {
        let whole = file.seek(SeekFrom::End(0)).map_err(|cause| BulkError::unwritable(path, &cause))?;
        let ready = if whole == 0 { form.begin() } else { String::new() };
        let output = Output { file, path: path.to_owned(), whole, new: false };
        Ok(Self { target: Target::File(output), form, ready })
    }

    /// Adds a result to what is written next.
    pub(in crate::bulk) fn add(&mut self, outcome: &Outcome) {
        self.form.add(outcome, &mut self.ready);
    }

    /// Writes what was added, all of it or, as far as the file allows, nothing.
    pub(in crate::bulk) fn write(&mut self) -> Result<(), BulkError> {
        let bytes = self.ready.as_bytes();
        if bytes.is_empty() {
            return Ok(());
        }
        match &mut self.target {
            Target::Stdout(out) => {
                out.write_all(bytes).and_then(|()| out.flush()).map_err(|cause| match cause.kind() {
                    io::ErrorKind::BrokenPipe => BulkError::ReaderLeft,
                    _ => BulkError::unwritable(Path::new("standard output"), &cause),
                })?;
            }
            Target::File(output) => output.write(bytes)?,
        }
        self.ready.clear();
        Ok(())
    }

    /// Ends the form, and has the system write all of it.
    pub(in crate::bulk) fn end(mut self, sums: RunTotals) -> Result<(), BulkError> {
        self.ready.push_str(&self.form.end(sums));
        self.write()?;
        if let Target::File(output) = &self.target {
            // A pipe or device has nothing to sync.
            match output.file.sync_all() {
                Err(cause) if cause.kind() == io::ErrorKind::StorageFull => {
                    return Err(BulkError::unwritable(&output.path, &cause));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// The line of a note that an earlier run wrote.
    pub(in crate::bulk) fn earlier(&self, skipped: &Skipped) -> Option<String> {
        match &self.target {
            Target::Stdout(_) => None,
            Target::File(output) => resume::line_at(&output.file, skipped.offset).ok(),
        }
    }

    /// Nothing came of the run: a file that it made goes.
    pub(in crate::bulk) fn give_up(self) {
        if let Target::File(Output { path, new: true, .. }) = self.target {
            let _ = std::fs::remove_file(path);
        }
    }
}

impl Output {
    fn write(&mut self, bytes: &[u8]) -> Result<(), BulkError> {
        if let Err(cause) = self.file.write_all(bytes) {
            // What came through of it would be a torn line. If this fails too, --resume repairs it.
            let _ = self.file.set_len(self.whole);
            return Err(BulkError::unwritable(&self.path, &cause));
        }
        self.whole += bytes.len() as u64;
        Ok(())
    }
}

/// Two runs that write to one file would tear each other's lines.
pub(in crate::bulk) fn lock(file: &File, path: &Path) -> Result<(), BulkError> {
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => Err(BulkError::Locked(path.to_owned())),
        // A file system without locks is no reason not to write.
        _ => Ok(()),
    }
}
