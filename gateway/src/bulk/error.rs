//! Why there is no result, or not all of it, and the exit code that it means.

use std::{
    io,
    path::{Path, PathBuf},
};

use super::INTERRUPTED;

/// Why there is no result, or not all of it.
#[derive(Debug, thiserror::Error)]
pub enum BulkError {
    /// A mistake of the command line: nothing was done.
    #[error("{0}")]
    Usage(String),
    /// It could not be done.
    #[error("{0}")]
    Failed(String),
    /// The output cannot be written.
    #[error("{} cannot be written: {cause}", path.display())]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// Why not.
        cause: io::Error,
    },
    /// Another run writes to the output.
    #[error("{} is being written by another run of this command. Wait for it, or name another file", .0.display())]
    Locked(PathBuf),
    /// A person stopped it before it began.
    #[error("stopped before anything was read")]
    Interrupted,
    /// Whoever read standard output left, as `head` does.
    #[error("standard output is read no more")]
    ReaderLeft,
}

impl BulkError {
    pub(super) fn unwritable(path: &Path, cause: &io::Error) -> Self {
        Self::Unwritable { path: path.to_owned(), cause: io::Error::new(cause.kind(), cause.to_string()) }
    }

    /// The exit code that it means.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Usage(_) => 2,
            Self::Failed(_) | Self::Unwritable { .. } => 1,
            Self::Locked(_) => 5,
            Self::Interrupted => INTERRUPTED,
            Self::ReaderLeft => 0,
        }
    }
}
