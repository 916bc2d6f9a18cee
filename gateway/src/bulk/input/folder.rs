//! Reads the `.txt` files in a folder and in all folders below it, sorted by name. Hidden files and folders are
//! skipped.

use std::path::Path;

use walkdir::{DirEntry, WalkDir};

use super::{BulkError, Fault, InputFormat, InputNote, NoteSink, shown, text_file};

/// The sizes of a folder's files.
#[derive(Debug, Default)]
pub(super) struct FolderSize {
    /// Bytes of the `.txt` files.
    pub(super) bytes: u64,
    /// Number of files that are not `.txt`.
    pub(super) passed_over: u64,
}

fn entries(folder: &Path) -> impl Iterator<Item = walkdir::Result<DirEntry>> {
    // A dot hides only entries below the folder: the operator named the folder itself.
    let visible = |entry: &DirEntry| entry.depth() == 0 || !entry.file_name().to_string_lossy().starts_with('.');
    let walk = WalkDir::new(folder).follow_links(true).sort_by_file_name();
    walk.into_iter().filter_entry(visible).filter(|entry| !entry.as_ref().is_ok_and(|entry| entry.file_type().is_dir()))
}

fn is_note(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("txt"))
}

/// Counts the files before any is read, so that an empty folder is an error at once and the time left can be estimated.
pub(super) fn count(folder: &Path) -> Result<FolderSize, BulkError> {
    let (mut found, mut notes) = (FolderSize::default(), 0u64);
    for entry in entries(folder).filter_map(Result::ok) {
        if is_note(entry.path()) {
            notes += 1;
            found.bytes += entry.metadata().map_or(0, |kind| kind.len());
        } else {
            found.passed_over += 1;
        }
    }
    if notes > 0 {
        return Ok(found);
    }
    let content = match found.passed_over {
        0 => "it is empty".to_owned(),
        others => format!("there are {others} other file(s)"),
    };
    Err(BulkError::Usage(format!("{}: no .txt file in this folder or below it; {content}", folder.display())))
}

/// Passes each note to `give`. The id of a note is its path relative to the folder. Returns false when `give` did.
pub(super) fn read(folder: &Path, form: &InputFormat, give: &mut NoteSink<'_>) -> bool {
    for entry in entries(folder) {
        let given = match entry {
            Ok(entry) if is_note(entry.path()) => {
                let id = shown(entry.path().strip_prefix(folder).unwrap_or(entry.path()));
                InputNote { id: Ok(Some(id)), ..text_file(entry.path(), shown(entry.path()), form) }
            }
            Ok(_) => continue,
            // The folder may not be opened, or a link leads to one of its own parents.
            Err(error) => {
                let place = shown(error.path().unwrap_or(folder));
                let text = Err(Fault::text("readable", format!("It could not be read: {}.", cause(&error))));
                InputNote::new(place, text, 0)
            }
        };
        if !give(given) {
            return false;
        }
    }
    true
}

fn cause(error: &walkdir::Error) -> String {
    match error.io_error() {
        Some(cause) => cause.to_string(),
        None => "a link leads back to a folder that contains it".to_owned(),
    }
}
