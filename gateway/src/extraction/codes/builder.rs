//! Makes a table of codes from the operator's files, and refuses files with a bad row.

use std::{cmp::Ordering, collections::HashMap, sync::Arc};

use super::{
    fold::key,
    row::{self, CodeRowFault, Row},
    table::{CodeFile, CodeTable, Entry},
};

/// Maximum number of bytes of all files together.
const MOST_BYTES: usize = 64 << 20;
/// Maximum number of rows of all files together.
const MOST_ROWS: usize = 1_000_000;
/// Maximum number of systems. A value has at most one code of each.
const MOST_SYSTEMS: usize = 32;

/// Why a file of codes is refused. The text names the file, but quotes nothing from it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CodeFileError {
    /// A line cannot be used.
    #[error("{file}, line {line}: {fault}")]
    Line {
        /// The path of the file.
        file: String,
        /// The number of the line, from 1 on.
        line: usize,
        /// What is wrong with it.
        fault: CodeRowFault,
    },
    /// The file has no row.
    #[error("{0}: it has no row below the names of the columns: add a row, or remove the file from `codes.files`")]
    NoRow(String),
    /// The file has the content of an earlier one.
    #[error("{0}: it has the same content as {1}: name each file once")]
    Repeated(String, String),
    /// The files are too large.
    #[error("{0}: it and the files before it have more than 64 MiB: keep the rows that notes can use")]
    TooLarge(String),
}

/// Makes a [`CodeTable`] of the bytes of files.
pub(crate) struct CodeTableBuilder {
    most_bytes: usize,
    most_rows: usize,
    files: Vec<CodeFile>,
    /// The paths of the files, for errors.
    paths: Vec<String>,
    systems: Vec<Arc<str>>,
    /// The number of each system with the place of its first row, by the name in lower case.
    by_name: HashMap<String, (u8, Place)>,
    bytes: usize,
    text: String,
    entries: Vec<(Entry, Place)>,
}

impl Default for CodeTableBuilder {
    fn default() -> Self {
        Self::with_limits(MOST_BYTES, MOST_ROWS)
    }
}

/// The place of a row: its file and line. Places are ordered as the rows are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    file: usize,
    line: usize,
}

impl CodeTableBuilder {
    /// Creates a builder for files with at most these bytes and rows together.
    pub(super) fn with_limits(most_bytes: usize, most_rows: usize) -> Self {
        Self {
            most_bytes,
            most_rows,
            files: Vec::new(),
            paths: Vec::new(),
            systems: Vec::new(),
            by_name: HashMap::new(),
            bytes: 0,
            text: String::new(),
            entries: Vec::new(),
        }
    }

    /// Adds a file and returns the number of its rows. Errors name it by `path`.
    pub(crate) fn add(&mut self, path: String, file: CodeFile, content: &[u8]) -> Result<usize, CodeFileError> {
        if let Some(earlier) = self.files.iter().position(|earlier| earlier.sha256 == file.sha256) {
            return Err(CodeFileError::Repeated(path, self.paths.get(earlier).cloned().unwrap_or_default()));
        }
        self.bytes = self.bytes.saturating_add(content.len());
        if self.bytes > self.most_bytes {
            return Err(CodeFileError::TooLarge(path));
        }
        let earlier = self.entries.len();
        self.paths.push(path);
        self.files.push(file);
        let file = self.paths.len() - 1;
        let content = content.strip_prefix("\u{feff}".as_bytes()).unwrap_or(content);
        for (line, bytes) in (1..).zip(content.split(|byte| *byte == b'\n')) {
            let place = Place { file, line };
            self.add_line(bytes.strip_suffix(b"\r").unwrap_or(bytes), place)
                .map_err(|fault| self.error(place, fault))?;
        }
        match self.entries.len() - earlier {
            0 => Err(CodeFileError::NoRow(self.path(file))),
            rows => Ok(rows),
        }
    }

    fn add_line(&mut self, bytes: &[u8], place: Place) -> Result<(), CodeRowFault> {
        let line = str::from_utf8(bytes).map_err(|_| CodeRowFault::NotText)?;
        if place.line == 1 {
            return if row::is_header(line) { Ok(()) } else { Err(CodeRowFault::Header) };
        }
        if line.is_empty() {
            return Ok(());
        }
        let Row { system, code, display, wording } = Row::read(line)?;
        if self.entries.len() >= self.most_rows {
            return Err(CodeRowFault::TooManyRows(self.most_rows));
        }
        let system = self.system(&system, place)?;
        let key_of_wording = key(&wording);
        let too_many = |_| CodeRowFault::TooManyRows(MOST_ROWS);
        let entry = Entry {
            start: u32::try_from(self.text.len()).map_err(too_many)?,
            key: u16::try_from(key_of_wording.len()).map_err(too_many)?,
            code: u16::try_from(code.len()).map_err(too_many)?,
            display: u16::try_from(display.len()).map_err(too_many)?,
            system,
            is_exact: key_of_wording == key(&display),
        };
        self.text.extend([&*key_of_wording, &*code, &*display]);
        self.entries.push((entry, place));
        Ok(())
    }

    /// Returns the number of a system.
    fn system(&mut self, name: &str, place: Place) -> Result<u8, CodeRowFault> {
        let folded = name.to_ascii_lowercase();
        if let Some((number, first)) = self.by_name.get(&folded) {
            let known = self.systems.get(usize::from(*number)).is_some_and(|known| **known == *name);
            return if known { Ok(*number) } else { Err(CodeRowFault::SystemCase(self.spelled(*first, place))) };
        }
        let number = u8::try_from(self.systems.len()).ok().filter(|number| usize::from(*number) < MOST_SYSTEMS);
        let number = number.ok_or(CodeRowFault::TooManySystems(MOST_SYSTEMS))?;
        self.systems.push(Arc::from(name));
        self.by_name.insert(folded, (number, place));
        Ok(number)
    }

    /// Returns the table. Fails if a wording has two codes of one system.
    pub(crate) fn build(mut self) -> Result<CodeTable, CodeFileError> {
        let text = &self.text;
        let order = |(one, first): &(Entry, Place), (other, second): &(Entry, Place)| -> Ordering {
            (one.key(text), one.system, first).cmp(&(other.key(text), other.system, second))
        };
        self.entries.sort_unstable_by(order);
        let same_name = |one: &Entry, other: &Entry| one.key(text) == other.key(text) && one.system == other.system;
        let mut ambiguous: Option<(Place, Place)> = None;
        self.entries.dedup_by(|(later, place), (first, first_place)| {
            let is_repeated = same_name(later, first);
            let [[_, code, _], [_, first_code, _]] = [later.parts(text), first.parts(text)];
            if is_repeated && code != first_code && ambiguous.is_none_or(|(known, _)| *place < known) {
                ambiguous = Some((*place, *first_place));
            }
            is_repeated
        });
        if let Some((place, first)) = ambiguous {
            return Err(self.error(place, CodeRowFault::Ambiguous(self.spelled(first, place))));
        }
        let entries = self.entries.into_iter().map(|(entry, _)| entry).collect();
        self.text.shrink_to_fit();
        Ok(CodeTable { files: self.files.into(), systems: self.systems, text: self.text, entries })
    }

    fn error(&self, place: Place, fault: CodeRowFault) -> CodeFileError {
        CodeFileError::Line { file: self.path(place.file), line: place.line, fault }
    }

    fn path(&self, file: usize) -> String {
        self.paths.get(file).cloned().unwrap_or_default()
    }

    /// Returns the text by which an error at `of` names another place.
    fn spelled(&self, place: Place, of: Place) -> String {
        if place.file == of.file {
            format!("line {}", place.line)
        } else {
            format!("{}, line {}", self.path(place.file), place.line)
        }
    }
}
