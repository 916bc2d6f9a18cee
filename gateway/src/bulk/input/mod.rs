//! Where notes come from: text files, folders, JSON lines, CSV, standard input. Read as a stream, one note at
//! a time, so that memory does not grow with their number.
//!
//! What is wrong with one note is handed on in its place; only what makes all of an input unreadable is an error.

mod encoding;
mod folder;
mod lines;
mod rows;
mod sniffed;

use std::{
    fs::File,
    io::{BufReader, Read},
    path::{Path, PathBuf},
};

use super::{BulkError, outcome::Fault};

/// Bytes that are read at once.
const BUFFER: usize = 64 << 10;

/// One note as it stands in an input.
#[derive(Debug)]
pub(super) struct InputNote {
    /// Its own id, where it has one.
    pub(super) id: Result<Option<String>, Fault>,
    /// What it is called without one: the file, the line, the row.
    pub(super) place: String,
    pub(super) text: Result<String, Fault>,
    /// Bytes of the input that it takes.
    pub(super) weight: u64,
}

/// Takes a note. False: no more are wanted.
pub(super) type NoteSink<'a> = dyn FnMut(InputNote) -> bool + 'a;

/// What is known of the notes' form.
#[derive(Clone, Debug)]
pub(super) struct Form {
    /// Column or key of the note.
    pub(super) text: String,
    /// Column or key of the id; where none was named, `id` if there is one.
    pub(super) id: Option<String>,
    /// Bytes that a note has at most: beyond it is not read.
    pub(super) longest: usize,
}

impl Form {
    fn id_key(&self) -> &str {
        self.id.as_deref().unwrap_or("id")
    }
}

/// One input of the command line.
#[derive(Clone, Debug)]
pub(super) enum Source {
    Stdin,
    /// A text file: one note.
    Text(PathBuf),
    Folder(PathBuf),
    Lines(PathBuf),
    Rows(PathBuf),
    /// A file whose name does not say what is in it.
    Sniffed(PathBuf),
}

/// What was found before reading.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Size {
    /// Bytes of all inputs together; nothing where that cannot be known.
    pub(super) bytes: Option<u64>,
    /// Files in folders that are no `.txt`.
    pub(super) passed_over: u64,
}

impl Source {
    /// What an argument names; looked at, not read.
    fn of(input: &Path) -> Result<Self, BulkError> {
        if input == Path::new("-") {
            return Ok(Self::Stdin);
        }
        let kind = input.metadata().map_err(|cause| unreadable(input, &cause))?;
        let path = input.to_owned();
        if kind.is_dir() {
            return Ok(Self::Folder(path));
        }
        let extension = input.extension().map(|extension| extension.to_string_lossy().to_ascii_lowercase());
        match extension.as_deref() {
            Some("txt" | "text") => Ok(Self::Text(path)),
            Some("jsonl" | "ndjson") => Ok(Self::Lines(path)),
            Some("csv" | "tsv") => Ok(Self::Rows(path)),
            None => Ok(Self::Sniffed(path)),
            Some(other) => Err(BulkError::Usage(format!(
                "{}: files named .{other} are not read; give .txt, .jsonl, .csv or a folder",
                input.display()
            ))),
        }
    }

    /// All that the command line names, and whether each can be read.
    pub(super) fn all(inputs: &[PathBuf], form: &Form) -> Result<(Vec<Self>, Size), BulkError> {
        let mut sources = Vec::with_capacity(inputs.len());
        let mut size = Size { bytes: Some(0), passed_over: 0 };
        for input in inputs {
            let source = Self::of(input)?;
            let bytes = source.look(form, &mut size.passed_over)?;
            size.bytes = size.bytes.zip(bytes).map(|(all, more)| all + more);
            sources.push(source);
        }
        Ok((sources, size))
    }

    /// Whether it can be read, and its bytes where that can be known.
    fn look(&self, form: &Form, passed_over: &mut u64) -> Result<Option<u64>, BulkError> {
        match self {
            Self::Stdin => Ok(None),
            Self::Text(path) | Self::Lines(path) => {
                let file = open(path)?;
                let kind = file.metadata().map_err(|cause| unreadable(path, &cause))?;
                Ok(kind.is_file().then_some(kind.len()))
            }
            // A pipe can be read once.
            Self::Sniffed(path) => {
                let kind = path.metadata().map_err(|cause| unreadable(path, &cause))?;
                Ok(kind.is_file().then_some(kind.len()))
            }
            Self::Rows(path) => {
                rows::check(path, form)?;
                Ok(path.metadata().ok().filter(std::fs::Metadata::is_file).map(|kind| kind.len()))
            }
            Self::Folder(path) => {
                let found = folder::count(path)?;
                *passed_over += found.passed_over;
                Ok(Some(found.bytes))
            }
        }
    }

    /// Hands on its notes. False: no more were wanted.
    pub(super) fn read(&self, form: &Form, several: bool, give: &mut NoteSink<'_>) -> bool {
        let named = |path: &Path| if several { format!("{}:", shown(path)) } else { String::new() };
        match self {
            Self::Stdin => {
                let prefix = if several { "stdin:" } else { "" };
                sniffed::read(std::io::stdin().lock(), "stdin", prefix, form, give)
            }
            Self::Text(path) => give(text_file(path, shown(path), form)),
            Self::Folder(path) => folder::read(path, form, give),
            Self::Lines(path) => with_file(path, give, |file, give| lines::read(file, &named(path), form, give)),
            Self::Rows(path) => with_file(path, give, |file, give| rows::read(file, &named(path), form, give)),
            Self::Sniffed(path) => {
                with_file(path, give, |file, give| sniffed::read(file, &shown(path), &named(path), form, give))
            }
        }
    }
}

/// Reads a file that could be opened a moment ago. Where it no longer can, that is a note that failed.
fn with_file(
    path: &Path,
    give: &mut NoteSink<'_>,
    read: impl FnOnce(BufReader<File>, &mut NoteSink<'_>) -> bool,
) -> bool {
    match File::open(path) {
        Ok(file) => read(BufReader::with_capacity(BUFFER, file), give),
        Err(cause) => give(InputNote { id: Ok(None), place: shown(path), text: Err(unread(&cause)), weight: 0 }),
    }
}

/// One note: a whole file.
fn text_file(path: &Path, place: String, form: &Form) -> InputNote {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(form.longest as u64 + 4).read_to_end(&mut bytes));
    let weight = path.metadata().map_or(0, |kind| kind.len());
    let text = match read {
        Err(cause) => Err(unread(&cause)),
        Ok(_) if bytes.len() > form.longest + 3 => Err(too_long()),
        Ok(_) => encoding::text(bytes),
    };
    InputNote { id: Ok(Some(place.clone())), place, text, weight }
}

/// A path as an id: as it was given, with `/` between.
fn shown(path: &Path) -> String {
    let parts = path.components().filter(|part| *part != std::path::Component::CurDir);
    let shown = parts.collect::<PathBuf>().to_string_lossy().into_owned();
    if std::path::MAIN_SEPARATOR == '/' { shown } else { shown.replace(std::path::MAIN_SEPARATOR, "/") }
}

fn open(path: &Path) -> Result<File, BulkError> {
    File::open(path).map_err(|cause| unreadable(path, &cause))
}

fn unreadable(path: &Path, cause: &std::io::Error) -> BulkError {
    BulkError::Usage(format!("{} cannot be read: {cause}", path.display()))
}

fn unread(cause: &std::io::Error) -> Fault {
    Fault::text("readable", format!("It could not be read: {cause}."))
}

fn too_long() -> Fault {
    Fault::text("max_length", "The note is longer than any that is taken, and was not read. Send it in parts.")
}
