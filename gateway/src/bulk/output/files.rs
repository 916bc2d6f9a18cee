//! Opens and locks the files of results.

use std::{
    fs::{File, OpenOptions, TryLockError},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::Path,
};

use crate::bulk::BulkError;

/// Returns options that open a file of results. A new file is readable by its owner only, because results contain
/// diagnoses. An existing file keeps its permissions.
pub(in crate::bulk) fn private(read: bool) -> OpenOptions {
    let mut options = File::options();
    options.read(read).write(true).create(true).mode(0o600);
    options
}

/// Locks an output. Two runs that write to one file would break each other's lines.
pub(in crate::bulk) fn lock(file: &File, path: &Path) -> Result<(), BulkError> {
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => Err(BulkError::Locked(path.to_owned())),
        // A file system without locks does not prevent the run.
        _ => Ok(()),
    }
}

/// Returns whether the path still leads to this file: another run may have given the file another name, or put another
/// file in its place.
pub(in crate::bulk) fn same_file(file: &File, path: &Path) -> bool {
    let place = |kind: std::fs::Metadata| (kind.dev(), kind.ino());
    file.metadata().ok().map(place) == path.metadata().ok().map(place)
}
