//! The inputs: text files, folders, JSON lines, CSV, standard input. They are read as a stream, one note at a time, so
//! that memory does not grow with the number of notes.
//!
//! A fault of one note is passed on in place of its text. Only a fault that makes a whole input unreadable is an error.

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
use crate::extraction::CalendarDate;

/// Bytes of the read buffer.
const BUFFER: usize = 64 << 10;

/// One note as an input contains it.
#[derive(Debug)]
pub(super) struct InputNote {
    /// The id that the input gives; `None` if it gives none.
    pub(super) id: Result<Option<String>, Fault>,
    /// Name of the note without an id: its file, line or row.
    pub(super) place: String,
    pub(super) text: Result<String, Fault>,
    /// Whose note it is; `None` if the run names no such column.
    pub(super) patient: Result<Option<String>, Fault>,
    /// The day on which it was written; `None` if the input does not say.
    pub(super) note_date: Result<Option<CalendarDate>, Fault>,
    /// The values that the output repeats, in the order of [`InputFormat::keep`]; empty texts where the input has none.
    pub(super) carried: Vec<String>,
    /// Bytes of the input that the note takes.
    pub(super) weight: u64,
}

impl InputNote {
    /// Returns a note without id, patient, date and carried values.
    pub(super) fn new(place: String, text: Result<String, Fault>, weight: u64) -> Self {
        Self { id: Ok(None), place, text, patient: Ok(None), note_date: Ok(None), carried: Vec::new(), weight }
    }
}

/// Takes a note. Returns false if no more notes are wanted.
pub(super) type NoteSink<'a> = dyn FnMut(InputNote) -> bool + 'a;

/// How the inputs name text and id, and how long a note may be.
#[derive(Clone, Debug)]
pub(super) struct InputFormat {
    /// Column or key of the note.
    pub(super) text: String,
    /// Column or key of the id. `None` means `id`, if the input has it.
    pub(super) id: Option<String>,
    /// Column or key of the patient; then each note needs one.
    pub(super) patient: Option<String>,
    /// Column or key of the day on which the note was written.
    pub(super) date: Option<String>,
    /// Columns or keys whose values the output repeats.
    pub(super) keep: Vec<String>,
    /// Maximum bytes of a note. A longer note is a fault.
    pub(super) longest: usize,
}

impl InputFormat {
    fn id_key(&self) -> &str {
        self.id.as_deref().unwrap_or("id")
    }

    /// Returns the patient of a note from the value of its column or key.
    fn patient_of(&self, value: Option<String>) -> Result<Option<String>, Fault> {
        let Some(column) = &self.patient else { return Ok(None) };
        let patient = value.map(|value| value.trim().to_owned()).filter(|value| !value.is_empty());
        patient.map(Some).ok_or_else(|| {
            Fault::of("patient", "required", format!("The note has no `{column}`: it is not known whose note it is."))
        })
    }

    /// Returns the day of a note from the value of its column or key. A time of day after it is left out.
    fn date_of(&self, value: Option<&str>) -> Result<Option<CalendarDate>, Fault> {
        let Some(column) = &self.date else { return Ok(None) };
        let Some(value) = value.map(str::trim).filter(|value| !value.is_empty()) else { return Ok(None) };
        let day = value.split_once(['T', ' ']).map_or(value, |(day, _)| day);
        CalendarDate::parse(day).map(Some).ok_or_else(|| {
            let message = format!("`{column}` must be a day that exists, from 1900 to 2100, as YYYY-MM-DD.");
            Fault::of("note_date", "calendar_date", message)
        })
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
    /// A file without an extension. Its content decides between JSON lines and one note.
    Sniffed(PathBuf),
}

/// What is known of all inputs before they are read.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Size {
    /// Bytes of all inputs together; `None` if that cannot be known, such as for a pipe.
    pub(super) bytes: Option<u64>,
    /// Number of files in folders that are not `.txt`.
    pub(super) passed_over: u64,
}

impl Source {
    /// Returns the kind of input that an argument names, by its metadata and extension. Nothing is read.
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
                "{}: files with the extension .{other} are not read; give .txt, .jsonl, .csv or a folder",
                input.display()
            ))),
        }
    }

    /// Returns all inputs of the command line and their size, or an error if one cannot be read.
    pub(super) fn all(inputs: &[PathBuf], form: &InputFormat) -> Result<(Vec<Self>, Size), BulkError> {
        let mut sources = Vec::with_capacity(inputs.len());
        let mut size = Size { bytes: Some(0), passed_over: 0 };
        for input in inputs {
            let source = Self::of(input)?;
            if let (Self::Text(_) | Self::Folder(_), Some(column)) =
                (&source, form.patient.as_ref().or(form.date.as_ref()).or(form.keep.first()))
            {
                let message = "a text file has no columns and no keys; give JSON lines or CSV";
                return Err(BulkError::Usage(format!("{}: no `{column}`: {message}", input.display())));
            }
            let bytes = source.check(form, &mut size.passed_over)?;
            size.bytes = size.bytes.zip(bytes).map(|(all, more)| all + more);
            sources.push(source);
        }
        Ok((sources, size))
    }

    /// Checks that the input can be read and returns its bytes; `None` if they cannot be known.
    fn check(&self, form: &InputFormat, passed_over: &mut u64) -> Result<Option<u64>, BulkError> {
        match self {
            Self::Stdin => Ok(None),
            Self::Text(path) | Self::Lines(path) => {
                let file = open(path)?;
                if matches!(self, Self::Lines(_)) {
                    lines::check(&file, path, form)?;
                }
                let kind = file.metadata().map_err(|cause| unreadable(path, &cause))?;
                Ok(kind.is_file().then_some(kind.len()))
            }
            // The file is not opened: it may be a pipe, which can be read only once.
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

    /// Passes each note to `give`. Returns false when `give` did.
    pub(super) fn read(&self, form: &InputFormat, several: bool, give: &mut NoteSink<'_>) -> bool {
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

/// Opens a file and reads it. The file could be opened when the run began; if it no longer can, one note fails.
fn with_file(
    path: &Path,
    give: &mut NoteSink<'_>,
    read: impl FnOnce(BufReader<File>, &mut NoteSink<'_>) -> bool,
) -> bool {
    match File::open(path) {
        Ok(file) => read(BufReader::with_capacity(BUFFER, file), give),
        Err(cause) => give(InputNote::new(shown(path), Err(unread(&cause)), 0)),
    }
}

/// Returns a whole file as one note.
fn text_file(path: &Path, place: String, form: &InputFormat) -> InputNote {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(form.longest as u64 + 4).read_to_end(&mut bytes));
    let weight = path.metadata().map_or(0, |kind| kind.len());
    let text = match read {
        Err(cause) => Err(unread(&cause)),
        Ok(_) if bytes.len() > form.longest + 3 => Err(too_long()),
        Ok(_) => encoding::text(bytes),
    };
    InputNote { id: Ok(Some(place.clone())), ..InputNote::new(place, text, weight) }
}

/// Returns a path as an id: as the operator wrote it, without `.` and with `/` between its parts.
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
    Fault::text("max_length", "The note is longer than the limit and was not read. Send it in parts.")
}
