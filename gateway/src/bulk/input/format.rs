//! What the command line says about the inputs: the names of columns and keys, and how files are to be read.

use clap::ValueEnum;
use encoding_rs::Encoding;

use super::{
    Fault,
    day::{self, DateOrder},
};
use crate::extraction::CalendarDate;

/// How an input is read, if its content does not decide.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ReadAs {
    /// A table with a header: commas, semicolons, tabs or pipes.
    Csv,
    /// A table with a header, separated by tabs.
    Tsv,
    /// One JSON object or FHIR resource a line.
    Jsonl,
    /// A JSON array of objects, `{"notes": [...]}` or a FHIR bundle.
    Json,
    /// One note, even if it looks like something else.
    Text,
    /// FHIR R4: a bundle, a resource, or resources in lines (NDJSON).
    Fhir,
    /// HL7 v2 messages with results.
    Hl7,
    /// A CDA document.
    Cda,
    /// A table as the NOTE table of OMOP: `note_id`, `note_text`, `note_date`.
    OmopNote,
    /// A table as in MIMIC-IV-Note: `note_id`, `text`.
    Mimic,
    /// A report of `REDCap`, with `--text-column`: the id is the record, its event, instrument and instance.
    Redcap,
}

/// The kinds of content for which one way of reading is fixed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FixedReading {
    Table,
    Lines,
    Document,
    Text,
    /// JSON whose kind the content decides.
    Json,
    Hl7,
    Cda,
}

/// How the inputs name text and id, and how long a note may be.
#[derive(Clone, Debug, Default)]
pub(in crate::bulk) struct InputFormat {
    /// Column or key of the note. `None` means `text`.
    pub(in crate::bulk) text: Option<String>,
    /// Columns or keys that make the id together. None means `id`, if the input has it.
    pub(in crate::bulk) ids: Vec<String>,
    /// Column or key of the patient; then each note needs one.
    pub(in crate::bulk) patient: Option<String>,
    /// Column or key of the day on which the note was written.
    pub(in crate::bulk) date: Option<String>,
    /// The order of day and month in dates such as `03/04/2020`.
    pub(in crate::bulk) date_order: Option<DateOrder>,
    /// Columns or keys whose values the output repeats.
    pub(in crate::bulk) keep: Vec<String>,
    /// Maximum bytes of a note. A longer note is a fault.
    pub(in crate::bulk) longest: usize,
    /// How to read the inputs, if their content does not decide.
    pub(in crate::bulk) from: Option<ReadAs>,
    /// Delimiter of tables, if it is not to be detected.
    pub(in crate::bulk) delimiter: Option<u8>,
    /// Encoding of inputs without a byte order mark. `None` means UTF-8.
    pub(in crate::bulk) encoding: Option<&'static Encoding>,
    /// The line that ends each row of a table, if line ends do not.
    pub(in crate::bulk) row_end: Option<String>,
    /// Whether `"` is an ordinary character in tables.
    pub(in crate::bulk) no_quotes: bool,
}

/// What the exports of `REDCap` call the parts of an id, the record first.
const REDCAP_ID: [&str; 4] = ["record_id", "redcap_event_name", "redcap_repeat_instrument", "redcap_repeat_instance"];

impl InputFormat {
    pub(super) fn text_key(&self) -> &str {
        match (&self.text, self.from) {
            (Some(name), _) => name,
            (None, Some(ReadAs::OmopNote)) => "note_text",
            (None, _) => "text",
        }
    }

    /// Returns the names of the columns of the id, and whether each of them must exist.
    pub(super) fn id_keys(&self) -> (Vec<&str>, bool) {
        match self.from {
            _ if !self.ids.is_empty() => (self.ids.iter().map(String::as_str).collect(), true),
            Some(ReadAs::OmopNote | ReadAs::Mimic) => (vec!["note_id"], true),
            Some(ReadAs::Redcap) => (REDCAP_ID.to_vec(), false),
            _ => (vec!["id"], false),
        }
    }

    /// Returns why flags for columns cannot be combined with an input whose columns have names of their own: `id`,
    /// `patient`, `date`.
    pub(super) fn check_fixed_columns(&self, kind: &str) -> Result<(), String> {
        match &self.text {
            Some(name) => Err(format!("it is {kind} and has no column `{name}`: leave out --text-column")),
            None => Ok(()),
        }
    }

    /// Returns the name of the column of the day, and whether it must exist.
    pub(super) fn date_key(&self) -> Option<(&str, bool)> {
        match (&self.date, self.from) {
            (Some(name), _) => Some((name, true)),
            (None, Some(ReadAs::OmopNote)) => Some(("note_date", false)),
            (None, _) => None,
        }
    }

    /// Returns the first flag that names a column; such a flag needs an input with columns or keys.
    pub(super) fn column_flag(&self) -> Option<String> {
        let named = [
            ("--text-column", self.text.as_ref()),
            ("--id-column", self.ids.first()),
            ("--patient-column", self.patient.as_ref()),
            ("--date-column", self.date.as_ref()),
            ("--keep", self.keep.first()),
        ];
        named.into_iter().find_map(|(flag, name)| Some(format!("{flag} {}", name?)))
    }

    pub(super) fn forced(&self) -> Option<FixedReading> {
        Some(match self.from? {
            ReadAs::Csv | ReadAs::Tsv | ReadAs::OmopNote | ReadAs::Mimic | ReadAs::Redcap => FixedReading::Table,
            ReadAs::Jsonl => FixedReading::Lines,
            ReadAs::Json => FixedReading::Document,
            ReadAs::Text => FixedReading::Text,
            ReadAs::Fhir => FixedReading::Json,
            ReadAs::Hl7 => FixedReading::Hl7,
            ReadAs::Cda => FixedReading::Cda,
        })
    }

    /// Returns the delimiter that the command line names.
    pub(super) fn named_delimiter(&self) -> Option<u8> {
        self.delimiter.or((self.from == Some(ReadAs::Tsv)).then_some(b'\t'))
    }

    /// Returns the patient of a note from the value of its column or key.
    pub(super) fn patient_of(&self, value: Option<String>) -> Result<Option<String>, Fault> {
        let Some(column) = &self.patient else { return Ok(None) };
        let patient = value.map(|value| value.trim().to_owned()).filter(|value| !value.is_empty());
        patient.map(Some).ok_or_else(|| {
            Fault::of("patient", "required", format!("The note has no `{column}`: it is not known whose note it is."))
        })
    }

    /// Returns the day of a note from the value of its column or key. A time of day after it is left out.
    pub(super) fn date_of(&self, value: Option<&str>) -> Result<Option<CalendarDate>, Fault> {
        let Some((column, _)) = self.date_key() else { return Ok(None) };
        let Some(value) = value.map(str::trim).filter(|value| !value.is_empty()) else { return Ok(None) };
        day::read(value, self.date_order).map(Some).map_err(|fault| fault.of_column(column))
    }

    /// Returns the id that the parts make, in the order of their columns. Empty parts are left out; a single part stays
    /// as it is.
    pub(super) fn joined_id(parts: &[String]) -> Option<String> {
        if let [id] = parts {
            return Some(id.clone()).filter(|id| !id.trim().is_empty());
        }
        let parts: Vec<&str> = parts.iter().map(|part| part.trim()).filter(|part| !part.is_empty()).collect();
        (!parts.is_empty()).then(|| parts.join("/"))
    }
}

/// Returns the position of a name: the exact one, otherwise the only one that differs in case or in white space around
/// it. A name that two columns have is not found.
pub(super) fn position<'a>(names: impl Iterator<Item = &'a str> + Clone, wanted: &str) -> Option<usize> {
    let mut exact = names.clone().enumerate().filter(|(_, name)| *name == wanted).map(|(at, _)| at);
    if let Some(at) = exact.next() {
        return Some(at).filter(|_| exact.next().is_none());
    }
    let alike = |name: &str| name.trim().to_lowercase() == wanted.trim().to_lowercase();
    let mut found = names.enumerate().filter(|(_, name)| alike(name)).map(|(at, _)| at);
    let first = found.next();
    first.filter(|_| found.next().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_in_any_case_if_only_one_fits() {
        for (names, wanted, expected) in [
            (&["ID", "Text"][..], "text", Some(1)),
            (&["ID", "id"], "id", Some(1)),
            (&["ID", "Id"], "id", None),
            (&[" Befund ", "x"], "befund", Some(0)),
            (&["text", "id", "text"], "text", None),
            (&["note_text"], "text", None),
        ] {
            assert_eq!(position(names.iter().copied(), wanted), expected, "{names:?} {wanted}");
        }
    }

    #[test]
    fn an_id_is_made_of_the_parts_that_are_filled() {
        let joined =
            |parts: &[&str]| InputFormat::joined_id(&parts.iter().map(|&part| part.to_owned()).collect::<Vec<_>>());
        assert_eq!(joined(&["1", "", "notes", " 2 "]).as_deref(), Some("1/notes/2"));
        assert_eq!(joined(&["", " "]), None);
    }
}
