//! Decides by its content how an input is read. The name of a file decides only what content leaves open, and that a file
//! named as a table (`.csv`) is one.

use std::path::Path;

use serde::de::IgnoredAny;

use super::{
    InputFormat,
    content::Content,
    format::FixedReading,
    several,
    table::{Header, MissingColumn, TableLook},
};

/// How an input is read.
#[derive(Debug)]
pub(super) enum InputKind {
    /// One note.
    Text,
    /// One note: the text of a PDF.
    Pdf,
    /// One JSON object a line.
    Lines,
    /// One JSON value with many notes.
    Document,
    /// Rows after a header.
    Table(Header),
    /// HL7 v2 messages.
    Hl7,
    /// A CDA document.
    Cda,
}

/// What the name of a file promises.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NameHint {
    Lines,
    Table,
    Json,
    Nothing,
}

impl NameHint {
    /// Returns what a file's extension promises; `.gz` and `.zst` are ignored.
    pub(super) fn of(path: &Path) -> Self {
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
        let name = name.strip_suffix(".gz").or_else(|| name.strip_suffix(".zst")).unwrap_or(&name);
        match name.rsplit_once('.').map_or("", |(_, extension)| extension) {
            "jsonl" | "ndjson" => Self::Lines,
            "csv" | "tsv" | "tab" | "psv" => Self::Table,
            "json" => Self::Json,
            _ => Self::Nothing,
        }
    }
}

impl InputKind {
    /// Returns how a content is read, or why it is not read, as the end of a sentence that begins with its name.
    pub(super) fn of(content: &mut Content, promise: NameHint, form: &InputFormat) -> Result<Self, String> {
        if content.is_pdf() {
            return match form.forced() {
                None | Some(FixedReading::Text) => Self::text(content, form).map(|_| Self::Pdf),
                Some(_) => Err("it is a PDF, which --from does not name: leave it out".to_owned()),
            };
        }
        let forced = match (form.forced(), promise) {
            (None, NameHint::Table) => Some(FixedReading::Table),
            (forced, _) => forced,
        };
        match forced {
            Some(FixedReading::Hl7) => Self::with_fixed_columns(Self::Hl7, content, form),
            Some(FixedReading::Cda) => Self::with_fixed_columns(Self::Cda, content, form),
            Some(FixedReading::Text) => Self::text(content, form),
            Some(FixedReading::Lines) => Ok(Self::Lines),
            Some(FixedReading::Document) => Ok(Self::Document),
            Some(FixedReading::Table) => {
                let header = Header::read(content.first_line()?, form).map_err(MissingColumn::shown)?;
                Self::table(header, content, form)
            }
            Some(FixedReading::Json) => Self::json(content, promise)?.ok_or_else(|| "it is not JSON".to_owned()),
            None => match Self::json(content, promise)? {
                Some(kind) => Ok(kind),
                None if promise == NameHint::Json => Err("it is not JSON, although its name says so".to_owned()),
                None if promise == NameHint::Lines => Ok(Self::Lines),
                None if begins_hl7(content.first_line()?) => Self::with_fixed_columns(Self::Hl7, content, form),
                None if begins_cda(content.beginning()?) => Self::with_fixed_columns(Self::Cda, content, form),
                None if is_other_xml(content.beginning()?) => {
                    Err("it is XML of a kind that is not read; give its notes as text or JSON lines".to_owned())
                }
                None => Self::table_or_text(content, form),
            },
        }
    }

    /// Returns a kind that names its encoding and its columns itself.
    fn with_fixed_columns(kind: Self, content: &Content, form: &InputFormat) -> Result<Self, String> {
        let name = if matches!(kind, Self::Hl7) { "HL7" } else { "CDA" };
        form.check_fixed_columns(name)?;
        if content.source_encoding.is_some() {
            return Err(format!(
                "it is {name}, which names its encoding itself: leave out --encoding, or convert it to UTF-8"
            ));
        }
        Ok(kind)
    }

    /// Returns the kind of JSON that a content is; `None` if it is none.
    fn json(content: &mut Content, promise: NameHint) -> Result<Option<Self>, String> {
        let head = content.first_line()?.trim_ascii_start();
        match head.first() {
            Some(b'[') if begins_array(head) => return Ok(Some(Self::Document)),
            Some(b'{') if !head.starts_with(b"{\\rtf") => {}
            _ => return Ok(None),
        }
        let line = head.split(|byte| *byte == b'\n').next().unwrap_or_default();
        // A line that continues after the inspected beginning can only be judged by its first key.
        if container(line) {
            return Ok(Some(Self::Document));
        }
        let ends_early = serde_json::from_slice::<IgnoredAny>(line).is_err_and(|error| error.is_eof());
        let has_line_end = line.len() < head.len();
        let spread = ends_early && has_line_end && promise != NameHint::Lines && goes_on_as_json(content.beginning()?);
        Ok(Some(if spread { Self::Document } else { Self::Lines }))
    }

    /// Returns a table, unless its rows seem to end with a line of their own. Rows that are cut at line ends would look
    /// like other patients' rows where the rest of a note has delimiters.
    fn table(header: Header, content: &mut Content, form: &InputFormat) -> Result<Self, String> {
        if form.row_end.is_none()
            && let Some((first, second)) = header.equal_lines_between_rows(content.beginning()?, !form.no_quotes)
        {
            return Err(format!(
                "its lines {first} and {second} are equal and have no delimiter; if such a line ends each row, name it with \
                 --row-end; if they are part of notes, the notes must be quoted"
            ));
        }
        Ok(Self::Table(header))
    }

    fn table_or_text(content: &mut Content, form: &InputFormat) -> Result<Self, String> {
        let named = form.named_delimiter().is_some() || form.column_flag().is_some();
        match Header::read(content.first_line()?, form) {
            Ok(header) if header.names.len() > 1 || form.text.is_some() => return Self::table(header, content, form),
            Err(missing) if missing.delimiter_announced => return Err(missing.shown()),
            // A flag for columns asks for a table, and the header says which columns there are. The first line of a
            // note is not shown.
            Err(missing) if named && missing.is_like_a_header() => return Err(missing.shown()),
            _ => {}
        }
        Self::text(content, form).and_then(|text| {
            if let Some(reason) = several::look(content.beginning()?) {
                return Err(reason);
            }
            let whole = { content.beginning()?; content.is_whole() };
            match TableLook::of(content.beginning()?, whole) {
                None => Ok(text),
                Some(look) => Err(format!(
                    "it looks like a table of several notes and was not read as one note; {look}. Name the column of the notes \
                     with --text-column, or say --from text if it is one note"
                )),
            }
        })
    }

    /// Returns a note, unless the command line names columns.
    fn text(_: &Content, form: &InputFormat) -> Result<Self, String> {
        match form.column_flag() {
            None => Ok(Self::Text),
            Some(flag) => Err(format!("it is one note and has no columns, but {flag} names one")),
        }
    }
}

/// Whether a content that begins with `[` is an array of notes. A note may begin with brackets too.
fn begins_array(head: &[u8]) -> bool {
    let inside = head.get(1..).unwrap_or_default().trim_ascii_start();
    match inside.first() {
        // Or a line that ends after the bracket.
        Some(b'{') | None => true,
        Some(b']') => inside.get(1..).unwrap_or_default().trim_ascii().is_empty(),
        Some(_) => false,
    }
}

/// Whether an object begins as `{"notes": [` or as a FHIR bundle, in one line or over several.
fn container(head: &[u8]) -> bool {
    let compact: Vec<u8> = head.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).take(400).collect();
    compact.starts_with(b"{\"notes\":[")
        || memchr::memmem::find(&compact, b"\"resourceType\":\"Bundle\"")
            .is_some_and(|at| !compact.get(..at).unwrap_or_default().contains(&b'['))
        || compact.starts_with(b"{\"entry\":[")
}

/// Whether a JSON value that does not end in its first line continues in the next ones.
fn goes_on_as_json(head: &[u8]) -> bool {
    match serde_json::Deserializer::from_slice(head).into_iter::<IgnoredAny>().next() {
        Some(Ok(_)) => true,
        Some(Err(error)) => error.is_eof(),
        None => false,
    }
}

/// Whether a content begins with the header of an HL7 v2 message, a batch or a file, also in the framing of MLLP.
fn begins_hl7(head: &[u8]) -> bool {
    let head = head.trim_ascii_start();
    let head = head.strip_prefix(b"\x0b").unwrap_or(head);
    match head {
        [b'M', b'S', b'H', mark, ..] | [b'F' | b'B', b'H', b'S', mark, ..] => {
            mark.is_ascii_punctuation() && head.get(4).is_some_and(u8::is_ascii_punctuation)
        }
        _ => false,
    }
}

/// Whether the root of an XML document is that of CDA.
fn begins_cda(head: &[u8]) -> bool {
    xml_root(head).as_deref() == Some("ClinicalDocument")
}

/// Whether a document says that it is XML, and is not an HTML page.
fn is_other_xml(head: &[u8]) -> bool {
    head.trim_ascii_start().starts_with(b"<?xml") && xml_root(head).as_deref() != Some("html")
}

/// Returns the name of the first element of a content that begins with markup, without its prefix.
fn xml_root(head: &[u8]) -> Option<String> {
    if head.trim_ascii_start().first() != Some(&b'<') {
        return None;
    }
    let start = String::from_utf8_lossy(head.get(..4 << 10).unwrap_or(head));
    let root = start.split('<').find(|tag| tag.starts_with(|letter: char| letter.is_alphabetic()))?;
    let name = root.split(|letter: char| letter.is_whitespace() || matches!(letter, '>' | '/')).next()?;
    Some(name.rsplit(':').next().unwrap_or(name).to_owned())
}
