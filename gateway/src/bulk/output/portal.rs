//! Writes the clinical tables of a `cBioPortal` study: a row per note in `data_clinical_sample.txt`, and a row per patient
//! in `data_clinical_patient.txt`. They are tab-separated, with four header lines that begin with `#`. A note that failed
//! has no row.

use std::{
    borrow::Cow,
    collections::BTreeMap,
    fmt::Write as _,
    io::Write as _,
    path::{Path, PathBuf},
};

use super::{files::private, findings::ResultLine, redcap::snake_case, row::Row};
use crate::{
    bulk::{BulkError, outcome::EntryOutcome},
    extraction::Field,
};

/// The samples come first: they are written while notes are read.
const FILES: [&str; 2] = ["data_clinical_sample.txt", "data_clinical_patient.txt"];
/// Attributes that `cBioPortal` knows as attributes of patients or does not take, and the one of our patients.
const RESERVED: [&str; 13] = [
    "AGE",
    "SEX",
    "GENDER",
    "OS_STATUS",
    "OS_MONTHS",
    "DFS_STATUS",
    "DFS_MONTHS",
    "PATIENT_DISPLAY_NAME",
    "OTHER_SAMPLE_ID",
    "TUMOR_SITE",
    "MUTATION_COUNT",
    "FRACTION_GENOME_ALTERED",
    "NOTE_COUNT",
];

/// Display names and descriptions of the columns about the review, in the order in which results carry them.
const REVIEW: [(&str, &str); 2] = [
    ("Note Review", "Whether a person has reviewed the note"),
    ("Value Review", "What the person did with the values of each field"),
];

/// An attribute: its name in the database, and the lines above it.
struct Attribute {
    name: String,
    display: String,
    description: String,
    kind: &'static str,
}

/// The tables of a study.
#[derive(Debug)]
pub(super) struct Portal {
    folder: PathBuf,
    keep: Vec<String>,
    /// How many of the carried columns are about the review, and not from the input.
    own: usize,
    /// Notes of each patient that were read.
    patients: BTreeMap<String, u64>,
}

/// Returns the files of the tables in a folder; the first is that of the samples.
pub(in crate::bulk) fn portal_files(folder: &Path) -> [PathBuf; 2] {
    FILES.map(|name| folder.join(name))
}

impl Portal {
    pub(super) fn new(folder: &Path, keep: &[String], reviewed: bool) -> Self {
        let own = if reviewed { REVIEW.len() } else { 0 };
        Self { folder: folder.to_owned(), keep: keep.to_vec(), own, patients: BTreeMap::new() }
    }

    /// Returns the header lines of the samples.
    pub(super) fn head(&self) -> String {
        head(&self.sample_attributes())
    }

    fn sample_attributes(&self) -> Vec<Attribute> {
        let mut attributes = vec![
            attribute("PATIENT_ID", "Patient Identifier", "Patient identifier"),
            attribute("SAMPLE_ID", "Sample Identifier", "Identifier of the note"),
        ];
        for field in Field::ALL {
            let name = field.name();
            let display: Vec<String> = name.split('_').map(capital).collect();
            attributes.push(attribute(&name.to_ascii_uppercase(), &display.join(" "), field.meaning()));
        }
        attributes.push(attribute("ONCOTREE_CODE", "OncoTree Code", "OncoTree code of the cancer type, if it has one"));
        let warnings = "Reasons to check the values against the note";
        attributes.push(attribute("EXTRACTION_WARNINGS", "Extraction Warnings", warnings));
        attributes.push(attribute("EXTRACTION_ENGINE", "Extraction Engine", "What read the note"));
        for (kept, (display, meaning)) in self.keep.iter().zip(REVIEW).take(self.own) {
            attributes.push(attribute(&kept.to_ascii_uppercase(), display, meaning));
        }
        for kept in self.keep.iter().skip(self.own) {
            let mut name = snake_case(kept).to_ascii_uppercase();
            while RESERVED.contains(&name.as_str()) || attributes.iter().any(|other| other.name == name) {
                name.insert_str(0, "INPUT_");
            }
            // A text that is empty or means "not available" is refused as a description.
            let display = one_line(kept);
            attributes.push(attribute(&name, &format!("Input: {display}"), &format!("Column of the input: {display}")));
        }
        attributes
    }

    /// Appends the row of a note.
    pub(super) fn add(&mut self, outcome: &EntryOutcome, out: &mut String) {
        let Some(row) = Row::of(&outcome.line) else { return };
        let Some(result) = &row.result else { return };
        let patient = outcome.origin.patient.as_ref().unwrap_or(&outcome.id);
        *self.patients.entry(patient.clone()).or_default() += 1;
        // Writing to a string cannot fail.
        let _ = write!(out, "{patient}\t{}", outcome.id);
        let (code, warnings) = (oncotree_code(&outcome.line), row.warnings());
        let fields = Field::ALL.map(|field| row.value(field));
        let others = [code.as_str(), &warnings, &result.engine];
        let missing = self.keep.len().saturating_sub(outcome.carried.len());
        let carried = outcome.carried.iter().map(String::as_str).chain(std::iter::repeat_n("", missing));
        for value in fields.into_iter().chain(others).chain(carried) {
            out.push('\t');
            out.push_str(&one_line(value));
        }
        out.push('\n');
    }

    /// Writes the table of the patients.
    pub(super) fn end(&self) -> Result<(), BulkError> {
        let [_, path] = portal_files(&self.folder);
        let mut out = head(&[
            attribute("PATIENT_ID", "Patient Identifier", "Patient identifier"),
            Attribute { kind: "NUMBER", ..attribute("NOTE_COUNT", "Note Count", "Number of notes that were read") },
        ]);
        for (patient, notes) in &self.patients {
            let _ = writeln!(out, "{patient}\t{notes}");
        }
        let written = private(false).truncate(true).open(&path).and_then(|mut file| file.write_all(out.as_bytes()));
        written.map_err(|cause| BulkError::unwritable(&path, &cause))
    }
}

fn attribute(name: &str, display: &str, description: &str) -> Attribute {
    let [name, display, description] = [name, display, description].map(str::to_owned);
    Attribute { name, display, description, kind: "STRING" }
}

fn head(attributes: &[Attribute]) -> String {
    let line = |of: fn(&Attribute) -> &str| attributes.iter().map(of).collect::<Vec<_>>().join("\t");
    let lines = [
        line(|attribute| &attribute.display),
        line(|attribute| &attribute.description),
        line(|attribute| attribute.kind),
        line(|_| "1"),
    ];
    format!("#{}\n{}\n", lines.join("\n#"), line(|attribute| &attribute.name))
}

/// Returns the `OncoTree` code of the cancer type of the record; nothing if it has none or several.
fn oncotree_code(line: &str) -> String {
    let Some(ResultLine { result: Some(answer), .. }) = ResultLine::of(line) else { return String::new() };
    let of_record = answer.findings().filter(|(field, finding)| *field == Field::CancerType && finding.in_record);
    let codes = of_record.flat_map(|(_, finding)| finding.codes.iter().filter(|code| code.system == "oncotree"));
    let mut codes: Vec<&str> = codes.map(|code| &*code.code).collect();
    codes.dedup();
    match codes[..] {
        [code] => code.to_owned(),
        _ => String::new(),
    }
}

/// Returns a value on one line, without tabs, and without quotes around it: the loader would take them for a mistake.
fn one_line(value: &str) -> Cow<'_, str> {
    let value = value.trim();
    let value = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(value);
    let is_break = |letter: char| letter.is_control();
    if value.contains(is_break) { Cow::Owned(value.replace(is_break, " ")) } else { Cow::Borrowed(value) }
}

fn capital(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(letters).collect()
}
