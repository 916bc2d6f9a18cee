//! The notes that failed, in a file of their own: for formats that other tools load, which have no place for them.

use std::{
    fs::File,
    io::Write,
    path::{Path, PathBuf},
};

use super::files::private;
use crate::bulk::BulkError;

/// The file of the failed notes. It is created when the first note fails.
#[derive(Debug)]
pub(super) struct FailureFile {
    path: PathBuf,
    file: Option<File>,
}

impl FailureFile {
    /// Returns a file that does not exist yet. One of an earlier run is removed: its notes are tried again.
    pub(super) fn new(path: &Path) -> Self {
        let _ = std::fs::remove_file(path);
        Self { path: path.to_owned(), file: None }
    }

    /// Writes the line of a note.
    pub(super) fn add(&mut self, line: &str) -> Result<(), BulkError> {
        let unwritable = |cause| BulkError::unwritable(&self.path, &cause);
        let file = match &mut self.file {
            Some(file) => file,
            empty => empty.insert(private(false).truncate(true).open(&self.path).map_err(unwritable)?),
        };
        file.write_all(line.as_bytes()).map_err(unwritable)
    }

    /// Returns what a reader of the output has to know; `None` if no note failed.
    pub(super) fn notice(&self) -> Option<String> {
        let path = self.path.display();
        self.file
            .as_ref()
            .map(|_| format!("notes that failed have no row in this format; they are in {path}, each with its error"))
    }

    /// Removes the file.
    pub(super) fn discard(self) {
        if self.file.is_some() {
            let _ = std::fs::remove_file(self.path);
        }
    }
}
