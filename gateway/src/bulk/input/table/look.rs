//! Whether a text looks like a table of several notes. Such a text read as one note would give one patient the findings
//! of another.

use csv::{ByteRecord, ReaderBuilder};

use super::header::{is_identifier, shown};

/// Delimiters that are tried, the rarest in prose first.
const DELIMITERS: [u8; 7] = [b'\t', b'|', b'^', b'~', b'#', b';', b','];
/// Maximum number of title lines before a header.
const TITLES: usize = 3;
/// Words that a column of notes has on average, at least.
const WORDS_OF_A_NOTE: usize = 3;
/// Maximum characters of an id.
const LONGEST_ID: usize = 40;
/// Parts of names that columns with ids have.
const ID_NAMES: [&str; 16] = [
    "id",
    "nr",
    "no",
    "num",
    "number",
    "mrn",
    "case",
    "record",
    "accession",
    "patient",
    "report",
    "subject",
    "key",
    "fall",
    "uid",
    "guid",
];

/// A table that a text looks like.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::bulk::input) struct TableLook {
    rows: usize,
    names: Option<String>,
}

impl std::fmt::Display for TableLook {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.names {
            Some(names) => write!(out, "its columns are: {names}"),
            None => write!(out, "it has {} rows of equal shape", self.rows),
        }
    }
}

impl TableLook {
    /// Returns the table that a text looks like: rows of equal shape, with a column of ids and a column of prose.
    /// `whole` says whether `head` is the whole text; otherwise its last line is left out.
    pub(in crate::bulk::input) fn of(head: &[u8], whole: bool) -> Option<Self> {
        let end = if whole { head.len() } else { memchr::memrchr(b'\n', head)? + 1 };
        let head = head.get(..end)?;
        DELIMITERS.iter().find_map(|&delimiter| Self::with(delimiter, head))
    }

    fn with(delimiter: u8, head: &[u8]) -> Option<Self> {
        let mut reader = ReaderBuilder::new().has_headers(false).delimiter(delimiter).flexible(true).from_reader(head);
        let (mut rows, mut odd, mut titles): (Vec<Vec<String>>, usize, usize) = (Vec::new(), 0, 0);
        let mut record = ByteRecord::new();
        while reader.read_byte_record(&mut record).ok()? {
            let cells: Vec<String> =
                record.iter().map(|cell| String::from_utf8_lossy(cell).trim().to_owned()).collect();
            match rows.first() {
                Some(first) if first.len() == cells.len() => rows.push(cells),
                None if cells.len() > 1 => rows.push(cells),
                None if titles < TITLES => titles += 1,
                // Lines between the rows, such as the end mark of a report or a line end in a note.
                Some(_) if cells.len() == 1 && delimiter != b',' => odd += 1,
                _ => return None,
            }
        }
        let header = rows.first().filter(|cells| is_header(cells)).cloned();
        let data = rows.get(usize::from(header.is_some())..)?;
        if data.len() < 2 || odd > data.len() * 20 {
            return None;
        }
        let width = data.first()?.len();
        let column = |at: usize| data.iter().filter_map(move |row| row.get(at).map(String::as_str));
        let named = |at: usize| header.as_ref().and_then(|names| names.get(at)).is_some_and(|name| names_an_id(name));
        let has_ids = (0..width).any(|at| are_ids(column(at), named(at)));
        let has_notes = (0..width).any(|at| are_notes(column(at), data.len()));
        (has_ids && has_notes).then(|| Self {
            rows: data.len(),
            names: header.filter(|names| names.iter().all(|name| is_identifier(name))).and_then(|names| shown(&names)),
        })
    }
}

/// Whether the cells are names of columns: short, different, and none of them a sentence or a number.
fn is_header(cells: &[String]) -> bool {
    let like_a_name = |cell: &String| {
        cell.chars().next().is_some_and(char::is_alphabetic)
            && cell.split_whitespace().count() <= 4
            && !cell.ends_with(['.', ':'])
    };
    let different = cells.iter().collect::<std::collections::HashSet<_>>().len() == cells.len();
    different && cells.iter().all(like_a_name) && shown(cells).is_some()
}

fn names_an_id(name: &str) -> bool {
    let name = name.to_lowercase();
    name.ends_with("id") || name.split(|letter: char| !letter.is_alphanumeric()).any(|part| ID_NAMES.contains(&part))
}

/// Whether each cell is a short word of its own. Without a name that says so, ids have at least two digits and are not
/// days, because a list of visits by day is about one patient.
fn are_ids<'a>(cells: impl Iterator<Item = &'a str> + Clone, named: bool) -> bool {
    let different = cells.clone().collect::<std::collections::HashSet<_>>().len() == cells.clone().count();
    let mut cells = cells;
    different
        && cells.all(|cell| {
            let digits = cell.chars().filter(char::is_ascii_digit).count();
            let day = digits > 3
                && cell.chars().all(|letter| letter.is_ascii_digit() || matches!(letter, '-' | '/' | '.' | ':'))
                && cell.contains(['-', '/', '.', ':']);
            let short = !cell.is_empty() && cell.chars().count() <= LONGEST_ID && !cell.contains(char::is_whitespace);
            short && (named || digits >= 2 && !day)
        })
}

fn are_notes<'a>(cells: impl Iterator<Item = &'a str>, rows: usize) -> bool {
    cells.map(|cell| cell.split_whitespace().count()).sum::<usize>() >= rows * WORDS_OF_A_NOTE
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(text: &str) -> bool {
        TableLook::of(text.as_bytes(), true).is_some()
    }

    #[test]
    fn tables_of_notes_are_seen() {
        for table in [
            "case\tfinding\n1\tStage I melanoma, no metastases.\n2\tStage IV lung adenocarcinoma.\n",
            "MRN|Type|Text\n3|PN|Stage IV lung cancer.\n[report_end]\n4|PN|Melanoma, stage IB.\n[report_end]\n",
            "patient_id,note\n9,\"Stage IV, lung\"\n10,\"Stage I, skin of back\"\n",
            "4711;Stage IV lung cancer\n4712;Stage II colon cancer\n4713;no tumour seen\n",
            "Export of 2025\n\nid;mrn;note\n1;A;\"Stage IV lung cancer\"\n2;B;Stage II skin cancer\n",
            "key^note\n17^Stage IV lung cancer\n18^Stage II skin cancer\n",
            "UID|Befund\na|Stadium IV, Lunge befallen\nb|Stadium I der Mamma\n",
        ] {
            assert!(look(table), "{table}");
        }
    }

    #[test]
    fn one_patients_note_is_no_table() {
        for note in [
            "Stage IV melanoma, with brain metastases.\nTreated with nivolumab, then ipilimumab.\n",
            "Date;Visit\n2024-01-02;seen in clinic, stage IV\n2024-02-03;partial response of liver\n",
            "Marker | Result | Comment\nER | positive | strong in most cells\nHER2 | negative | score one plus here\n",
            "Block | Site | Diagnosis\nA1 | left breast | invasive carcinoma of grade 2\nA2 | node | metastatic carcinoma seen here\n",
            "Hb 12, WBC 4\nNa 140, K 4\n",
            "Test,Value,Unit\nHb,12,g/dl\nWBC,4,G/l\n",
            "One line | only\n",
            "",
        ] {
            assert!(!look(note), "{note}");
        }
    }

    #[test]
    fn the_last_line_of_a_beginning_is_left_out() {
        let table = "id\tnote\n1\tStage I of the skin\n2\tStage IV of the lung\n3";
        assert!(TableLook::of(table.as_bytes(), false).is_some());
        assert!(TableLook::of(table.as_bytes(), true).is_some(), "the rest of a note");
        assert!(TableLook::of(b"id\tnote\n1\tStage I of the skin", false).is_none());
    }
}
