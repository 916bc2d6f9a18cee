//! The errors of a whole run and their exit codes.

use std::{
    io,
    path::{Path, PathBuf},
};

use super::INTERRUPTED;

/// Why a run has no results, or only a part of them.
#[derive(Debug, thiserror::Error)]
pub enum BulkError {
    /// A mistake in the command line: nothing was done.
    #[error("{0}")]
    Usage(String),
    /// The run failed.
    #[error("{0}")]
    Failed(String),
    /// The output cannot be written.
    #[error("{} cannot be written: {cause}", path.display())]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// The error of the operating system.
        cause: io::Error,
    },
    /// Another run writes to the output.
    #[error("{} is being written by another run of this command. Wait for it, or name another file", .0.display())]
    Locked(PathBuf),
    /// A signal stopped the run before it began.
    #[error("stopped before anything was read")]
    Interrupted,
    /// The reader of standard output closed it, as `head` does.
    #[error("the reader of standard output closed it")]
    OutputClosed,
}

impl BulkError {
    pub(super) fn unwritable(path: &Path, cause: &io::Error) -> Self {
        Self::Unwritable { path: path.to_owned(), cause: io::Error::new(cause.kind(), cause.to_string()) }
    }

    /// Returns the exit code of the process.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Usage(_) => 2,
            Self::Failed(_) | Self::Unwritable { .. } => 1,
            Self::Locked(_) => 5,
            Self::Interrupted => INTERRUPTED,
            Self::OutputClosed => 0,
        }
    }
}
