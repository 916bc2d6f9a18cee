//! Reads the text files and PDFs in a folder and in all folders below it, sorted by name. Hidden files and folders are
//! skipped. A file that holds several notes, such as a table, is not read as one note.

use std::{collections::BTreeMap, fs::File, path::Path};

use walkdir::{DirEntry, WalkDir};

use super::{
    super::status::print_status, BulkError, Content, Fault, InputFormat, InputKind, InputNote, NameHint, NoteSink,
    pdf_note, shown, text_note, unread,
};

/// The sizes of a folder's files.
#[derive(Debug, Default)]
pub(super) struct FolderSize {
    /// Bytes of the text files and PDFs.
    pub(super) bytes: u64,
    /// Numbers of the other files, by extension.
    pub(super) passed_over: BTreeMap<String, u64>,
}

fn entries(folder: &Path) -> impl Iterator<Item = walkdir::Result<DirEntry>> {
    // A dot hides only entries below the folder: the operator named the folder itself.
    let visible = |entry: &DirEntry| entry.depth() == 0 || !entry.file_name().to_string_lossy().starts_with('.');
    let walk = WalkDir::new(folder).follow_links(true).sort_by_file_name();
    walk.into_iter().filter_entry(visible).filter(|entry| !entry.as_ref().is_ok_and(|entry| entry.file_type().is_dir()))
}

fn is_note(path: &Path) -> bool {
    let extension = path.extension().unwrap_or_default();
    ["txt", "text", "pdf"].iter().any(|known| extension.eq_ignore_ascii_case(known))
}

/// Counts the files before any is read, so that an empty folder is an error at once and the time left can be estimated.
pub(super) fn count(folder: &Path) -> Result<FolderSize, BulkError> {
    let (mut found, mut notes) = (FolderSize::default(), 0u64);
    for entry in entries(folder).filter_map(Result::ok) {
        if is_note(entry.path()) {
            notes += 1;
            found.bytes += entry.metadata().map_or(0, |kind| kind.len());
        } else {
            let extension = entry.path().extension().map(|extension| extension.to_string_lossy().to_lowercase());
            let extension =
                extension.map_or_else(|| "files without an extension".to_owned(), |known| format!(".{known}"));
            *found.passed_over.entry(extension).or_default() += 1;
        }
    }
    if notes > 0 {
        return Ok(found);
    }
    let others: u64 = found.passed_over.values().sum();
    let content = match others {
        0 => "it is empty".to_owned(),
        others => format!("there are {others} other file(s) ({}); give them by name", by_kind(&found.passed_over)),
    };
    let message = format!("no .txt, .text or .pdf file in this folder or below it; {content}");
    Err(BulkError::Usage(format!("{}: {message}", folder.display())))
}

/// Returns the numbers of files with their extensions, such as `2 .pdf, 1 .csv`.
pub(in crate::bulk) fn by_kind(files: &BTreeMap<String, u64>) -> String {
    let kinds = files.iter().map(|(kind, count)| format!("{count} {kind}"));
    kinds.collect::<Vec<_>>().join(", ").chars().filter(|letter| !letter.is_control()).collect()
}

/// Passes each note to `give`. The id of a note is its path relative to the folder. Returns false if `give` returned false.
pub(super) fn read(folder: &Path, form: &InputFormat, give: &mut NoteSink<'_>) -> bool {
    for entry in entries(folder) {
        let given = match entry {
            Ok(entry) if is_note(entry.path()) => {
                let id = shown(entry.path().strip_prefix(folder).unwrap_or(entry.path()));
                InputNote { id: Ok(Some(id)), ..text_file(entry.path(), form) }
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

/// Returns a file as one note, or why it is not one.
fn text_file(path: &Path, form: &InputFormat) -> InputNote {
    let place = shown(path);
    let failed = |fault| InputNote::new(place.clone(), Err(fault), 0);
    let file = match File::open(path) {
        Ok(file) => file,
        Err(cause) => return failed(unread(&cause)),
    };
    let opened =
        Content::open(file, form).and_then(|mut content| match InputKind::of(&mut content, NameHint::Nothing, form)? {
            InputKind::Text => Ok((content, false)),
            InputKind::Pdf => Ok((content, true)),
            InputKind::Table(_) => Err("it is a table of notes; give it by name".to_owned()),
            InputKind::Hl7 => Err("it holds HL7 messages; give it by name".to_owned()),
            InputKind::Cda => Err("it is a CDA document; give it by name".to_owned()),
            InputKind::Lines | InputKind::Document => Err("it is JSON; give it by name".to_owned()),
        });
    match opened {
        Ok((content, false)) => {
            let source_encoding = content.source_encoding.clone();
            let note = text_note(content.reader(0), &place, form);
            if let Some(warning) = source_encoding.and_then(|form| form.warning()) {
                print_status(&format!("warning: {place}: {warning}"));
            }
            note
        }
        Ok((content, true)) => {
            let weight = path.metadata().map_or(0, |kind| kind.len());
            InputNote { weight, ..pdf_note(content.reader(0), &place, form) }
        }
        Err(reason) => failed(Fault::text("readable", format!("The file was not read: {reason}."))),
    }
}

fn cause(error: &walkdir::Error) -> String {
    match error.io_error() {
        Some(cause) => cause.to_string(),
        None => "a link leads back to a folder that contains it".to_owned(),
    }
}
