//! Where the temporary files of queues are, and how much they may hold together.

use std::{
    path::{Path, PathBuf},
    sync::atomic::{
        AtomicBool, AtomicU64,
        Ordering::{AcqRel, Acquire, Relaxed},
    },
};

/// The space for the temporary files of all queues.
#[derive(Debug)]
pub struct SpoolSpace {
    folder: PathBuf,
    most: u64,
    used: AtomicU64,
    has_warned: AtomicBool,
}

impl SpoolSpace {
    /// Returns space for `most` bytes in a folder; with 0 there are no files.
    #[must_use]
    pub fn new(folder: PathBuf, most: u64) -> Self {
        Self { folder, most, used: AtomicU64::new(0), has_warned: AtomicBool::new(false) }
    }

    /// Returns the bytes that files hold now.
    #[must_use]
    pub fn used(&self) -> u64 {
        self.used.load(Acquire)
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Returns whether files are allowed.
    pub(super) fn is_usable(&self) -> bool {
        self.most > 0
    }

    /// Reserves bytes of the space, if so many are free.
    pub(super) fn take(&self, bytes: u64) -> bool {
        let sum = |used: u64| used.checked_add(bytes).filter(|&sum| sum <= self.most);
        self.used.fetch_update(AcqRel, Acquire, sum).is_ok()
    }

    /// Logs that a file cannot be written: only once, because the usual cause is a folder that cannot be used.
    pub(super) fn warn(&self, error: &std::io::Error) {
        if !self.has_warned.swap(true, Relaxed) {
            tracing::warn!(%error, "notes that wait cannot be kept in a temporary file, so they stay in memory: see spool.folder");
        }
    }

    pub(super) fn give_back(&self, bytes: u64) {
        self.used.fetch_sub(bytes, AcqRel);
    }
}
