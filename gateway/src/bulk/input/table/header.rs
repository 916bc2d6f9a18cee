//! The header of a table: its delimiter and the columns that the run needs.

use std::{collections::HashMap, fmt::Write as _};

use csv::{ByteRecord, ReaderBuilder};

use super::super::{InputFormat, format::position};

/// Delimiters that are tried, in this order.
const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];
/// Maximum characters of a name that is shown: a longer one may be a note.
const LONGEST_NAME: usize = 40;

/// What is known of a table after its header.
#[derive(Clone, Debug)]
pub(in crate::bulk::input) struct Header {
    pub(in crate::bulk::input) delimiter: u8,
    pub(in crate::bulk::input) names: Vec<String>,
    /// Bytes before the header: the line `sep=;` that Excel writes and reads.
    pub(super) skipped: usize,
    pub(super) columns: Columns,
}

/// Positions of the columns that a note is made of.
#[derive(Clone, Debug)]
pub(super) struct Columns {
    pub(super) text: usize,
    /// The columns that make the id; none if the rows are named by their numbers.
    pub(super) ids: Vec<usize>,
    pub(super) patient: Option<usize>,
    pub(super) date: Option<usize>,
    /// The columns that the output repeats.
    pub(super) keep: Vec<usize>,
}

impl Header {
    /// Finds the delimiter and the columns in the beginning of a table. The error says which column is missing and
    /// which exist.
    pub(in crate::bulk::input) fn read(head: &[u8], form: &InputFormat) -> Result<Self, MissingColumn> {
        let (skipped, announced) = separator_line(head);
        let head = head.get(skipped..).unwrap_or_default();
        let delimiters = match form.named_delimiter().or(announced) {
            Some(delimiter) => vec![delimiter],
            None => DELIMITERS.to_vec(),
        };
        let quoted = !form.no_quotes;
        let found = delimiters.iter().find_map(|&delimiter| {
            let names = names(head, delimiter, quoted)?;
            let text = position(names.iter().map(String::as_str), form.text_key())?;
            Some((delimiter, text, names))
        });
        let missing = |flag, name: &str| MissingColumn {
            delimiter_announced: announced.is_some(),
            ..MissingColumn::new(head, &delimiters, quoted, flag, name)
        };
        let Some((delimiter, text, names)) = found else { return Err(missing("text", form.text_key())) };
        let find = |name: &str| position(names.iter().map(String::as_str), name);
        let (wanted, required) = form.id_keys();
        let ids: Vec<usize> = wanted.iter().filter_map(|name| find(name)).collect();
        if let Some(name) = wanted.iter().find(|name| required && find(name).is_none()) {
            return Err(missing("id", name));
        }
        let patient = match &form.patient {
            None => None,
            Some(name) => Some(find(name).ok_or_else(|| missing("patient", name))?),
        };
        let date = match form.date_key() {
            None => None,
            Some((name, required)) => match find(name) {
                None if required => return Err(missing("date", name)),
                date => date,
            },
        };
        let kept = |name: &String| find(name).ok_or_else(|| missing("keep", name));
        let keep = form.keep.iter().map(kept).collect::<Result<_, _>>()?;
        Ok(Self { delimiter, skipped, columns: Columns { text, ids, patient, date, keep }, names })
    }

    /// Returns the numbers of two lines of the beginning that are equal and have one cell each.
    pub(in crate::bulk::input) fn equal_lines_between_rows(&self, head: &[u8], quoted: bool) -> Option<(u64, u64)> {
        if self.names.len() < 2 {
            return None;
        }
        let mut reader = ReaderBuilder::new();
        let mut reader =
            reader.has_headers(false).delimiter(self.delimiter).quoting(quoted).flexible(true).from_reader(head);
        let (mut record, mut seen) = (ByteRecord::new(), HashMap::new());
        while reader.read_byte_record(&mut record).ok()? {
            let line = record.position().map_or(0, csv::Position::line);
            if record.len() == 1
                && let Some(first) = seen.insert(record.as_slice().to_vec(), line)
            {
                return Some((first, line));
            }
        }
        None
    }

    /// Returns a sentence if no column gives the notes an id. A table with a single column gets no such sentence,
    /// because no other column could have the id.
    pub(in crate::bulk::input) fn notice(&self, form: &InputFormat) -> Option<String> {
        let others: Vec<&str> = self
            .names
            .iter()
            .enumerate()
            .filter(|(at, _)| *at != self.columns.text)
            .map(|(_, name)| name.as_str())
            .collect();
        if !self.columns.ids.is_empty() || others.is_empty() {
            return None;
        }
        let (wanted, _) = form.id_keys();
        let wanted = wanted.first().copied().unwrap_or("id");
        let others = shown(&others).unwrap_or_else(|| "the other columns".to_owned());
        Some(format!("no column `{wanted}`: the notes are named by their rows; --id-column names one of: {others}"))
    }
}

/// Returns the length and the delimiter of a line `sep=;` before the header.
fn separator_line(head: &[u8]) -> (usize, Option<u8>) {
    let line = head.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let bare = line.trim_ascii_end();
    let bare = bare.strip_prefix(b"\"").and_then(|bare| bare.strip_suffix(b"\"")).unwrap_or(bare);
    match bare {
        // A tab at the end of the line is white space.
        [b's' | b'S', b'e' | b'E', b'p' | b'P', b'=', delimiter] => (line.len() + 1, Some(*delimiter)),
        [b's' | b'S', b'e' | b'E', b'p' | b'P', b'='] if line.starts_with(b"sep=\t") => (line.len() + 1, Some(b'\t')),
        _ => (0, None),
    }
}

fn names(head: &[u8], delimiter: u8, quoted: bool) -> Option<Vec<String>> {
    let mut reader = ReaderBuilder::new().has_headers(false).delimiter(delimiter).quoting(quoted).from_reader(head);
    let mut record = ByteRecord::new();
    reader.read_byte_record(&mut record).ok()?.then_some(())?;
    Some(record.iter().map(|name| String::from_utf8_lossy(name).trim().to_owned()).collect())
}

/// A column that a table lacks.
#[derive(Debug)]
pub(in crate::bulk::input) struct MissingColumn {
    /// The sentence about the column, and the advice after the names that exist.
    reason: String,
    advice: String,
    names: Vec<String>,
    /// Whether a line `sep=;` says that the input is a table.
    pub(in crate::bulk::input) delimiter_announced: bool,
}

impl MissingColumn {
    fn new(head: &[u8], delimiters: &[u8], quoted: bool, flag: &str, column: &str) -> Self {
        let names = delimiters.iter().filter_map(|&delimiter| names(head, delimiter, quoted)).max_by_key(Vec::len);
        let (reason, advice) = match flag {
            "keep" => (format!("--keep {column}: there is no such column"), String::new()),
            flag => (format!("no column `{column}`"), format!(". Name it with --{flag}-column")),
        };
        Self { reason, advice, names: names.unwrap_or_default(), delimiter_announced: false }
    }

    /// Whether the first line has several short words without white space: a header rather than the begin of a note.
    pub(in crate::bulk::input) fn is_like_a_header(&self) -> bool {
        self.names.len() > 1 && self.names.iter().all(|name| is_identifier(name))
    }

    /// Returns the reason with the names of the columns. A first line that does not look like a header may be a note
    /// and is not shown.
    pub(in crate::bulk::input) fn shown(self) -> String {
        let columns = match shown(&self.names) {
            _ if self.names.is_empty() => "the file is empty".to_owned(),
            Some(names) if self.names.len() > 1 || is_identifier(&names) => format!("the columns are: {names}"),
            _ => "its first line does not look like a header".to_owned(),
        };
        format!("{}; {columns}{}", self.reason, self.advice)
    }
}

/// Whether a name is one word that begins with a letter.
pub(super) fn is_identifier(name: &str) -> bool {
    name.chars().next().is_some_and(char::is_alphabetic) && !name.contains(char::is_whitespace)
}

/// Returns the names joined; `None` if one of them does not look like a name.
pub(in crate::bulk::input) fn shown<T: AsRef<str>>(names: &[T]) -> Option<String> {
    let mut out = String::new();
    for name in names {
        let name = name.as_ref();
        if name.chars().count() > LONGEST_NAME || name.chars().any(|letter| letter.is_control() || letter == '\u{fffd}')
        {
            return None;
        }
        let _ = write!(out, "{}{name}", if out.is_empty() { "" } else { ", " });
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(head: &str, form: &InputFormat) -> Result<(char, usize, Vec<usize>), String> {
        let header = Header::read(head.as_bytes(), form).map_err(MissingColumn::shown)?;
        Ok((char::from(header.delimiter), header.columns.text, header.columns.ids))
    }

    #[test]
    fn delimiters_and_columns_are_found() {
        let named = |name: &str| InputFormat { text: Some(name.to_owned()), ..InputFormat::default() };
        let several = InputFormat { ids: vec!["a".to_owned(), "c".to_owned()], ..InputFormat::default() };
        for (head, form, expected) in [
            ("id,text\n", InputFormat::default(), Ok((',', 1, vec![0]))),
            ("ID;TEXT\r\n", InputFormat::default(), Ok((';', 1, vec![0]))),
            ("case\ttext\n", InputFormat::default(), Ok(('\t', 1, vec![]))),
            ("MRN|Report_Text\n", named("report_text"), Ok(('|', 1, vec![]))),
            ("sep=;\r\nid;a,b;text\r\n", InputFormat::default(), Ok((';', 2, vec![0]))),
            ("\"sep=|\"\nid|text\n", InputFormat::default(), Ok(('|', 1, vec![0]))),
            ("sep=\t\nid\ttext\n", InputFormat::default(), Ok(('\t', 1, vec![0]))),
            ("a,b,c,text\n", several, Ok((',', 3, vec![0, 2]))),
            ("id,Text,text\n", InputFormat::default(), Ok((',', 2, vec![0]))),
            ("id,Text,TEXT\n", InputFormat::default(), Err("no column `text`; the columns are: id, Text, TEXT")),
            ("", InputFormat::default(), Err("the file is empty")),
        ] {
            match (read(head, &form), expected) {
                (Ok(found), Ok(expected)) => assert_eq!(found, expected, "{head:?}"),
                (Err(reason), Err(words)) => assert!(reason.contains(words), "{head:?}: {reason}"),
                (found, expected) => panic!("{head:?}: {found:?}, expected {expected:?}"),
            }
        }
    }

    #[test]
    fn presets_know_their_columns() {
        use super::super::super::ReadAs;
        let form = |from| InputFormat { from: Some(from), ..InputFormat::default() };
        let omop = "note_id,person_id,note_date,note_title,note_text\n";
        assert_eq!(read(omop, &form(ReadAs::OmopNote)), Ok((',', 4, vec![0])));
        assert_eq!(Header::read(omop.as_bytes(), &form(ReadAs::OmopNote)).unwrap().columns.date, Some(2));
        assert_eq!(read("note_id,subject_id,text\n", &form(ReadAs::Mimic)), Ok((',', 2, vec![0])));
        assert!(read("row,text\n", &form(ReadAs::Mimic)).unwrap_err().contains("no column `note_id`"));
        let redcap = InputFormat { text: Some("note".to_owned()), ..form(ReadAs::Redcap) };
        assert_eq!(read("record_id,redcap_repeat_instance,note\n", &redcap), Ok((',', 2, vec![0, 1])));
    }
}
