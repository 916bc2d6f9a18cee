//! Folders of `.txt` files: sorted, with everything below them. Hidden files and folders are passed over.

use std::path::Path;

use walkdir::{DirEntry, WalkDir};

use super::{BulkError, Fault, Form, InputNote, NoteSink, shown, text_file};

/// What is in a folder.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) bytes: u64,
    pub(super) passed_over: u64,
}

fn entries(folder: &Path) -> impl Iterator<Item = walkdir::Result<DirEntry>> {
    // Only names below the folder are hidden: the folder itself was asked for.
    let visible = |entry: &DirEntry| entry.depth() == 0 || !entry.file_name().to_string_lossy().starts_with('.');
    let walk = WalkDir::new(folder).follow_links(true).sort_by_file_name();
    walk.into_iter().filter_entry(visible).filter(|entry| !entry.as_ref().is_ok_and(|entry| entry.file_type().is_dir()))
}

fn is_note(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("txt"))
}

/// Counts before reading, so that an empty folder is said at once and the time left can be told.
pub(super) fn count(folder: &Path) -> Result<Found, BulkError> {
    let (mut found, mut notes) = (Found::default(), 0u64);
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
    let beside = match found.passed_over {
        0 => "it is empty".to_owned(),
        others => format!("there are {others} other file(s)"),
    };
    Err(BulkError::Usage(format!("{}: no .txt file in this folder or below it; {beside}", folder.display())))
}

/// Hands on its notes; each is called by its path from the folder.
pub(super) fn read(folder: &Path, form: &Form, give: &mut NoteSink<'_>) -> bool {
    for entry in entries(folder) {
        let given = match entry {
            Ok(entry) if is_note(entry.path()) => {
                let id = shown(entry.path().strip_prefix(folder).unwrap_or(entry.path()));
                InputNote { id: Ok(Some(id)), ..text_file(entry.path(), shown(entry.path()), form) }
            }
            Ok(_) => continue,
            // A folder that may not be opened, or a link that leads to itself.
            Err(error) => {
                let place = shown(error.path().unwrap_or(folder));
                let text = Err(Fault::text("readable", format!("It could not be read: {}.", cause(&error))));
                InputNote { id: Ok(None), place, text, weight: 0 }
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
        None => "a link leads back to where it stands".to_owned(),
    }
}
