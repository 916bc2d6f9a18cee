//! The review page, an HTML page that shows the results. It is written under another name and renamed when it is
//! complete.

use std::{
    fs::File,
    io::{self, BufWriter},
    path::{Path, PathBuf},
};

use super::{
    BulkError,
    outcome::{EntryOutcome, SkippedNote},
    output::{private, with_carried},
};
use crate::ui::ReviewWriter;

/// A review that is being written.
#[derive(Debug)]
pub(super) struct Review {
    writer: ReviewWriter<BufWriter<File>>,
    path: PathBuf,
    partial: PathBuf,
    /// Names of the values of the input that the page shows.
    keep: Vec<String>,
}

impl Review {
    /// Begins a page that shows the values of `keep` with each note. Its file has the suffix `.partial` until the page is complete.
    pub(super) fn create(path: &Path, keep: &[String]) -> Result<Self, BulkError> {
        let mut partial = path.as_os_str().to_owned();
        partial.push(".partial");
        let partial = PathBuf::from(partial);
        // A file that a killed run left may be readable by other users; a new file is not.
        let _ = std::fs::remove_file(&partial);
        let file = private(false).truncate(true).open(&partial);
        let writer = file.and_then(|file| ReviewWriter::begin(BufWriter::new(file)));
        let writer = writer.map_err(|cause| BulkError::unwritable(path, &cause))?;
        Ok(Self { writer, path: path.to_owned(), partial, keep: keep.to_vec() })
    }

    /// Adds a note of this run.
    pub(super) fn ended(&mut self, outcome: &EntryOutcome) -> Result<(), BulkError> {
        // Two patients may have notes with the same id.
        let id = match &outcome.origin.patient {
            Some(patient) => format!("{patient} / {}", outcome.id),
            None => outcome.id.clone(),
        };
        let line = with_carried(&outcome.line, &self.keep, &outcome.carried);
        self.note(&id, outcome.text.as_deref(), &line)
    }

    /// Adds the timeline of a patient, as the output has it.
    pub(super) fn patient(&mut self, line: &str) -> Result<(), BulkError> {
        let written = serde_json::from_str(line).map_err(io::Error::from).and_then(|line| self.writer.patient(&line));
        written.map_err(|cause| BulkError::unwritable(&self.path, &cause))
    }

    /// Adds a note of an earlier run, with its line in the output. A note without a line is left out.
    pub(super) fn earlier(&mut self, skipped: &SkippedNote, line: Option<String>) -> Result<(), BulkError> {
        line.map_or(Ok(()), |line| self.note(&skipped.id, skipped.text.as_deref(), &line))
    }

    fn note(&mut self, id: &str, text: Option<&str>, line: &str) -> Result<(), BulkError> {
        let written = serde_json::from_str(line)
            .map_err(io::Error::from)
            .and_then(|outcome| self.writer.note(id, text.unwrap_or_default(), &outcome));
        written.map_err(|cause| BulkError::unwritable(&self.path, &cause))
    }

    /// Completes the page and renames it to its final name.
    pub(super) fn end(self) -> Result<(), BulkError> {
        let Self { writer, path, partial, .. } = self;
        let ended = writer.end().and_then(|out| out.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all());
        let placed = ended.and_then(|()| std::fs::rename(&partial, &path));
        placed.map_err(|cause| BulkError::unwritable(&path, &cause))
    }

    /// Removes the incomplete page.
    pub(super) fn discard(self) {
        let _ = std::fs::remove_file(self.partial);
    }
}
