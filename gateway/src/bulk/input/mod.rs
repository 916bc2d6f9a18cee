//! The inputs: texts, folders, tables, workbooks, Parquet, PDF, JSON, FHIR, HL7, CDA, standard input. They are read one
//! note at a time, so that memory does not grow with the number of notes.
//!
//! How an input is read is decided by what it is, not by its name: see [`kind`]. A fault of one note is passed on in
//! place of its text. Only a fault that makes a whole input unreadable before anything is read is an error.

mod attachment;
mod cda;
mod content;
mod day;
mod encoding;
mod folder;
mod format;
mod hl7;
mod isolated;
mod json;
mod kind;
mod parquet;
mod pdf;
mod several;
mod table;
mod xlsx;

use std::{
    collections::BTreeMap,
    fs::File,
    io::{Read, Seek},
    path::{Path, PathBuf},
};

use self::{
    content::Content,
    kind::{InputKind, NameHint},
};
pub(super) use self::{day::DateOrder, format::ReadAs};
pub(super) use self::{
    encoding::named as encoding_of, folder::by_kind, format::InputFormat, parquet::serve as read_parquet,
    pdf::serve as read_pdf,
};
use super::{
    BulkError,
    outcome::{Fault, InputWarning},
    status::print_status,
};
use crate::extraction::CalendarDate;

/// Minimum of the limit for one line, row or element of an input, in bytes: enough for the longest note with every
/// letter escaped, and for columns beside it. Three of them fit into memory easily.
const LONGEST_PIECE: usize = 16 << 20;

/// How a zip archive begins, as an Excel workbook is one.
const ARCHIVE: &[u8] = b"PK\x03\x04";

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
    /// A warning about how the note was read.
    pub(super) warning: Option<InputWarning>,
    /// Bytes of the input that the note takes.
    pub(super) weight: u64,
}

impl InputNote {
    /// Returns a note without id, patient, date and carried values.
    pub(super) fn new(place: String, text: Result<String, Fault>, weight: u64) -> Self {
        let (patient, note_date, carried) = (Ok(None), Ok(None), Vec::new());
        Self { id: Ok(None), place, text, patient, note_date, carried, warning: None, weight }
    }
}

/// Takes a note. Returns false if no more notes are wanted.
pub(super) type NoteSink<'a> = dyn FnMut(InputNote) -> bool + 'a;

/// One input of the command line.
#[derive(Clone, Debug)]
pub(super) enum Source {
    Stdin,
    File(PathBuf),
    /// A folder of text files.
    Folder(PathBuf),
}

/// What is known of all inputs before they are read.
#[derive(Clone, Debug, Default)]
pub(super) struct Size {
    /// Bytes of all inputs together; `None` if that cannot be known, such as for a pipe.
    pub(super) bytes: Option<u64>,
    /// Numbers of files in folders that are not read, by extension.
    pub(super) passed_over: BTreeMap<String, u64>,
}

impl Source {
    /// Returns all inputs of the command line and their size, or an error if one cannot be read.
    pub(super) fn all(inputs: &[PathBuf], form: &InputFormat) -> Result<(Vec<Self>, Size), BulkError> {
        let mut sources = Vec::with_capacity(inputs.len());
        let mut size = Size { bytes: Some(0), passed_over: BTreeMap::new() };
        for input in inputs {
            let source = Self::of(input)?;
            let bytes = source.check(form, &mut size.passed_over)?;
            size.bytes = size.bytes.zip(bytes).map(|(all, more)| all + more);
            sources.push(source);
        }
        Ok((sources, size))
    }

    fn of(input: &Path) -> Result<Self, BulkError> {
        if input == Path::new("-") {
            return Ok(Self::Stdin);
        }
        let kind = input.metadata().map_err(|cause| unreadable(input, &cause))?;
        let path = input.to_owned();
        Ok(if kind.is_dir() { Self::Folder(path) } else { Self::File(path) })
    }

    /// Checks that the input can be read and returns its bytes; `None` if they cannot be known.
    fn check(&self, form: &InputFormat, passed_over: &mut BTreeMap<String, u64>) -> Result<Option<u64>, BulkError> {
        match self {
            Self::Stdin => Ok(None),
            Self::File(path) => {
                let kind = path.metadata().map_err(|cause| unreadable(path, &cause))?;
                if !kind.is_file() {
                    // It is not opened: it may be a pipe, which can be read only once.
                    return Ok(None);
                }
                let mut file = File::open(path).map_err(|cause| unreadable(path, &cause))?;
                let wrong = |reason| BulkError::Usage(format!("{}: {reason}", path.display()));
                if begins_with(&mut file, parquet::MAGIC) {
                    parquet::check(&file, form).map_err(|fault| wrong(fault.message().to_owned()))?;
                    return Ok(None);
                }
                if begins_with(&mut file, ARCHIVE) {
                    xlsx::check_columns(file, form).map_err(|fault| wrong(fault.message().to_owned()))?;
                    return Ok(None);
                }
                let mut content = Content::open(file, form).map_err(wrong)?;
                let found = InputKind::of(&mut content, NameHint::of(path), form).map_err(wrong)?;
                if !matches!(found, InputKind::Text | InputKind::Pdf | InputKind::Hl7 | InputKind::Cda) {
                    content.check_encoding().map_err(wrong)?;
                }
                if matches!(found, InputKind::Lines) {
                    json::check_kept_keys(content.beginning().map_err(wrong)?, form).map_err(wrong)?;
                }
                Ok((!content.compressed).then_some(kind.len()))
            }
            Self::Folder(path) => {
                if let Some(flag) = form.column_flag() {
                    let message = "a folder holds text files, which have no columns; give tables or JSON by name";
                    return Err(BulkError::Usage(format!("{}: {flag}: {message}", path.display())));
                }
                let found = folder::count(path)?;
                for (extension, count) in found.passed_over {
                    *passed_over.entry(extension).or_default() += count;
                }
                Ok(Some(found.bytes))
            }
        }
    }

    /// Passes each note to `give`. Returns false if `give` returned false.
    pub(super) fn read(&self, form: &InputFormat, several: bool, give: &mut NoteSink<'_>) -> bool {
        let named = |name: &str| if several { format!("{name}:") } else { String::new() };
        match self {
            Self::Stdin => read_content(std::io::stdin(), "stdin", &named("stdin"), NameHint::Nothing, form, give),
            Self::Folder(path) => folder::read(path, form, give),
            Self::File(path) => {
                let name = shown(path);
                match File::open(path) {
                    Ok(mut file) => {
                        if path.is_file() && begins_with(&mut file, parquet::MAGIC) {
                            return parquet::read(&file, &name, &named(&name), form, give);
                        }
                        if path.is_file() && begins_with(&mut file, ARCHIVE) {
                            return xlsx::read(file, &named(&name), form, give);
                        }
                        read_content(file, &name, &named(&name), NameHint::of(path), form, give)
                    }
                    // It could be opened when the run began.
                    Err(cause) => give(InputNote::new(name, Err(unread(&cause)), 0)),
                }
            }
        }
    }
}

/// Whether a file begins with these four bytes. The file is then read from its beginning.
fn begins_with(file: &mut File, magic: &[u8]) -> bool {
    let mut start = [0; 4];
    let read = file.read_exact(&mut start);
    file.rewind().is_ok() && read.is_ok() && start == magic
}

/// Reads an input as its content asks. `name` is the id of an input that is one note.
fn read_content(
    input: impl Read + 'static,
    name: &str,
    prefix: &str,
    promise: NameHint,
    form: &InputFormat,
    give: &mut NoteSink<'_>,
) -> bool {
    let opened = Content::open(input, form).and_then(|mut content| {
        let kind = InputKind::of(&mut content, promise, form)?;
        Ok((content, kind))
    });
    let source_encoding = opened.as_ref().ok().and_then(|(content, _)| content.source_encoding.clone());
    let goes_on = read_opened(opened, name, prefix, form, give);
    if let Some(warning) = source_encoding.and_then(|form| form.warning()) {
        print_status(&format!("warning: {name}: {warning}"));
    }
    goes_on
}

/// Reads an opened input, or passes on why it was not opened.
fn read_opened(
    opened: Result<(Content, InputKind), String>,
    name: &str,
    prefix: &str,
    form: &InputFormat,
    give: &mut NoteSink<'_>,
) -> bool {
    match opened {
        Err(reason) => {
            let fault = Fault::text("readable", format!("Nothing of this input was read: {reason}."));
            give(InputNote { id: Ok(Some(name.to_owned())), ..InputNote::new(name.to_owned(), Err(fault), 0) })
        }
        Ok((content, InputKind::Text)) => {
            let note = text_note(content.reader(0), name, form);
            give(InputNote { patient: form.patient_of(None), ..note })
        }
        Ok((content, InputKind::Pdf)) => {
            let note = pdf_note(content.reader(0), name, form);
            give(InputNote { patient: form.patient_of(None), ..note })
        }
        Ok((content, InputKind::Lines)) => json::read_lines(content.reader(0), name, prefix, form, give),
        Ok((content, InputKind::Document)) => json::read_document(content.reader(0), name, prefix, form, give),
        Ok((content, InputKind::Hl7)) => hl7::read(content.reader(0), prefix, form, give),
        Ok((content, InputKind::Cda)) => cda::read(content.reader(0), name, form, give),
        Ok((content, InputKind::Table(header))) => {
            if let Some(notice) = header.notice(form) {
                print_status(&format!("{name}: {notice}"));
            }
            table::read(content, &header, prefix, form, give)
        }
    }
}

/// Returns a whole input as one note.
fn text_note(input: impl Read, name: &str, form: &InputFormat) -> InputNote {
    let mut bytes = Vec::new();
    let read = input.take(form.longest as u64 + 4).read_to_end(&mut bytes);
    let weight = bytes.len() as u64;
    let text = match read {
        Err(cause) => Err(unread(&cause)),
        Ok(_) if bytes.len() > form.longest + 3 => Err(too_long()),
        Ok(_) => encoding::text(bytes),
    };
    InputNote { id: Ok(Some(name.to_owned())), ..InputNote::new(name.to_owned(), text, weight) }
}

/// Returns the text of a PDF as one note.
fn pdf_note(input: impl Read, name: &str, form: &InputFormat) -> InputNote {
    let (text, warning) = match pdf::read(input, form.longest) {
        Ok(read) => (Ok(read.text), read.warning),
        Err(fault) => (Err(fault), None),
    };
    InputNote { id: Ok(Some(name.to_owned())), warning, ..InputNote::new(name.to_owned(), text, 0) }
}

/// Returns the maximum bytes of one line, row or element.
fn longest_piece(form: &InputFormat) -> usize {
    form.longest.saturating_mul(2).max(LONGEST_PIECE)
}

/// Returns a path as an id: as the operator wrote it, without `.` and with `/` between its parts.
fn shown(path: &Path) -> String {
    let parts = path.components().filter(|part| *part != std::path::Component::CurDir);
    let shown = parts.collect::<PathBuf>().to_string_lossy().into_owned();
    if std::path::MAIN_SEPARATOR == '/' { shown } else { shown.replace(std::path::MAIN_SEPARATOR, "/") }
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
