//! Writes CSV for `REDCap`'s data import, and the data dictionary that goes with it. A note that failed has no row.
//!
//! The record id comes first. With a patient column each note is an instance of a repeating instrument, numbered in the
//! order of the inputs, unless the input says which instance it is.

use std::fmt::Write as _;

use super::{
    columns::{Cell, Column, ColumnKind, carried_cells, with_carried},
    csv::Dialect,
    row::Row,
};
use crate::{bulk::outcome::EntryOutcome, extraction::Field};

/// The instrument of the columns.
const FORM: &str = "oncology_note";
/// The most characters of a variable's name.
const MAX_NAME: usize = 100;
/// The columns that `REDCap` itself defines, in its order. They are not variables.
const STRUCTURE: [&str; 4] =
    ["redcap_event_name", "redcap_repeat_instrument", "redcap_repeat_instance", "redcap_data_access_group"];
/// `REDCap`'s numbers for a form that no person has checked, and for one that a person has marked as done.
const UNVERIFIED: u64 = 1;
const COMPLETE: u64 = 2;

/// The header of a data dictionary.
const DICTIONARY: [&str; 18] = [
    "Variable / Field Name",
    "Form Name",
    "Section Header",
    "Field Type",
    "Field Label",
    "Choices, Calculations, OR Slider Labels",
    "Field Note",
    "Text Validation Type OR Show Slider Number",
    "Text Validation Min",
    "Text Validation Max",
    "Identifier?",
    "Branching Logic (Show field only if...)",
    "Required Field?",
    "Custom Alignment",
    "Question Number (surveys only)",
    "Matrix Group Name",
    "Matrix Ranking?",
    "Field Annotation",
];

/// The layout of the import.
#[derive(Clone, Debug)]
pub(in crate::bulk) struct Layout {
    /// Name of the record id.
    record_id: String,
    /// Whether the patient is the record, so that a record may have several notes.
    by_patient: bool,
    /// `REDCap`'s own columns, each with its place among the carried values.
    structure: Vec<(&'static str, usize)>,
    /// The other carried columns, with their places.
    carried: Vec<usize>,
    names: Vec<String>,
}

impl Layout {
    /// Returns the layout for the carried columns `keep`.
    pub(in crate::bulk) fn new(record_id: String, by_patient: bool, keep: &[String]) -> Self {
        let place = |name: &&'static str| Some((*name, keep.iter().position(|kept| snake_case(kept) == *name)?));
        let structure: Vec<(&str, usize)> = STRUCTURE.iter().filter_map(place).collect();
        let is_structure = |at: &usize| structure.iter().any(|(_, place)| place == at);
        let carried: Vec<usize> = (0..keep.len()).filter(|at| !is_structure(at)).collect();
        let names = carried.iter().filter_map(|at| keep.get(*at)).map(|name| snake_case(name)).collect();
        Self { record_id, by_patient, structure, carried, names }
    }

    /// Returns whether the record id has the name of another column.
    pub(in crate::bulk) fn clashes(&self) -> bool {
        self.columns().iter().filter(|column| column.name == self.record_id).count() > 1
    }

    /// Returns whether this program numbers the notes of a record.
    fn numbers_notes(&self) -> bool {
        self.by_patient && !self.structure.iter().any(|(name, _)| *name == "redcap_repeat_instance")
    }

    /// Returns the values by which `REDCap` distinguishes two rows: record, event, instrument and instance; `None` if
    /// this program numbers the notes.
    pub(in crate::bulk) fn key(&self, record: &str, carried: &[String]) -> Option<Vec<String>> {
        let value = |(_, at): &(&str, usize)| carried.get(*at).cloned().unwrap_or_default();
        (!self.numbers_notes())
            .then(|| std::iter::once(record.to_owned()).chain(self.structure.iter().map(value)).collect())
    }

    /// Returns the columns.
    pub(super) fn columns(&self) -> Vec<Column> {
        let text = |name| (name, ColumnKind::Text);
        let mut first = vec![text(self.record_id.as_str())];
        first.extend(self.structure.iter().filter(|(name, _)| !self.is_replaced(name)).map(|(name, _)| text(name)));
        if self.numbers_notes() {
            first.extend([text("redcap_repeat_instrument"), text("redcap_repeat_instance")]);
        }
        let mut rest = Vec::new();
        if self.by_patient {
            rest.push(text("note_id"));
        }
        rest.extend(Field::ALL.map(|field| text(field.name())));
        rest.extend([text("extraction_warnings"), text("extraction_engine"), text("oncology_note_complete")]);
        with_carried(&first, &self.names, &rest)
    }

    /// Returns whether this program writes a column in place of a carried one, because it numbers the notes.
    fn is_replaced(&self, name: &str) -> bool {
        name == "redcap_repeat_instrument" && self.numbers_notes()
    }

    /// Gives the row of a note to `give`.
    pub(super) fn row(&self, outcome: &EntryOutcome, give: &mut dyn FnMut(&[Cell<'_>])) {
        let Some(row) = Row::of(&outcome.line).filter(|row| row.result.is_some()) else { return };
        let record = outcome.origin.patient.as_ref().filter(|_| self.by_patient).unwrap_or(&outcome.id);
        let mut cells = vec![Cell::text(record.as_str())];
        let value = |at: usize| Cell::text(outcome.carried.get(at).map_or("", String::as_str));
        cells.extend(self.structure.iter().filter(|(name, _)| !self.is_replaced(name)).map(|(_, at)| value(*at)));
        if self.numbers_notes() {
            cells.extend([Cell::text(FORM), Cell::Number(outcome.origin.ordinal)]);
        }
        let carried: Vec<String> = self.carried.iter().filter_map(|at| outcome.carried.get(*at)).cloned().collect();
        cells.extend(carried_cells(&carried, self.carried.len()));
        if self.by_patient {
            cells.push(Cell::text(outcome.id.as_str()));
        }
        cells.extend(Field::ALL.map(|field| Cell::text(row.value(field))));
        let complete = if row.is_done() { COMPLETE } else { UNVERIFIED };
        let engine = row.result.as_ref().map_or("", |result| &result.engine);
        cells.extend([Cell::text(row.warnings()), Cell::text(engine), Cell::Number(complete)]);
        give(&cells);
    }

    /// Returns the data dictionary of the columns.
    pub(in crate::bulk) fn dictionary(&self) -> String {
        let dialect = Dialect::for_programs();
        let mut out = dialect.head(&DICTIONARY.map(|name| Column::new(name, ColumnKind::Text)));
        for column in self.columns() {
            let name = column.name.as_str();
            if STRUCTURE.contains(&name) || name == "oncology_note_complete" {
                continue;
            }
            let (kind, label) = match Field::named(name) {
                Some(field) => ("notes", field.meaning()),
                None if name == self.record_id => ("text", "Record id"),
                None if name == "note_id" => ("text", "Id of the note"),
                None if name == "extraction_warnings" => ("notes", "Reasons to check the values against the note"),
                None if name == "extraction_engine" => ("text", "What read the note"),
                None => ("text", name),
            };
            let mut cells = vec![Cell::Empty; DICTIONARY.len()];
            for (at, text) in [(0, name), (1, FORM), (3, kind), (4, label)] {
                if let Some(cell) = cells.get_mut(at) {
                    *cell = Cell::text(text);
                }
            }
            dialect.row(&cells, &mut out);
        }
        out
    }
}

/// Returns a name as `REDCap` writes names of variables: lower-case letters, digits and single underscores, beginning with
/// a letter.
pub(in crate::bulk) fn snake_case(name: &str) -> String {
    let mut out = String::new();
    for letter in name.trim().chars() {
        match letter.to_ascii_lowercase() {
            letter @ ('a'..='z' | '0'..='9') => out.push(letter),
            _ if out.ends_with('_') => {}
            _ => out.push('_'),
        }
    }
    let mut name = out.trim_matches('_').to_owned();
    if !name.starts_with(|letter: char| letter.is_ascii_lowercase()) {
        let rest = std::mem::take(&mut name);
        // Writing to a string cannot fail.
        let _ = write!(name, "v_{rest}");
    }
    name.chars().take(MAX_NAME).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_names_of_variables() {
        for (name, expected) in [
            ("MRN", "mrn"),
            (" Study ID ", "study_id"),
            ("Größe (cm)", "gr_e_cm"),
            ("2nd  site", "v_2nd_site"),
            ("", "v_"),
            ("a__b", "a_b"),
            ("redcap_event_name", "redcap_event_name"),
        ] {
            assert_eq!(snake_case(name), expected, "{name}");
        }
        assert_eq!(snake_case(&"x".repeat(300)).len(), MAX_NAME);
    }
}
