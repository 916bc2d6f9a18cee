//! The arguments that say how results are written, and the check for those that exclude each other.

use std::{io::IsTerminal, path::PathBuf};

use super::{
    BulkArguments, BulkError, OutputFormat,
    arguments::usage,
    formats::is_tab_separated,
    output::{Dialect, RedcapLayout, WriterOptions, portal_files, snake_case},
};

/// Columns of the table when the width of the terminal is not known.
const USUAL_WIDTH: usize = 160;

impl BulkArguments {
    /// Returns what the writer of the results needs to know. `reviewed`: whether the results have the decisions of a person.
    pub(super) fn writer_options(&self, reviewed: bool) -> WriterOptions {
        let width = console::Term::stdout().size_checked().map_or(USUAL_WIDTH, |(_, columns)| usize::from(columns));
        WriterOptions {
            format: self.format(),
            width,
            by_patient: self.by_patient(),
            keep: self.keep.clone(),
            dialect: self.dialect(),
            redcap: self.redcap(),
            reviewed,
            out: self.out.clone(),
        }
    }

    /// Returns whether the output is a timeline for each patient.
    pub(super) fn by_patient(&self) -> bool {
        self.patient_column.is_some() && self.format().is_timeline()
    }

    /// Returns the dialect of CSV.
    pub(super) fn dialect(&self) -> Dialect {
        let by_name = self.out.as_deref().is_some_and(is_tab_separated).then_some(b'\t');
        Dialect::spreadsheet(self.out_delimiter.or(by_name).unwrap_or(b','))
    }

    /// Returns whether the writer needs the text of a note.
    pub(super) fn keeps_text(&self) -> bool {
        self.review.is_some() || self.format() == OutputFormat::NoteNlp
    }

    /// Returns the layout of `REDCap`'s import. The record id has the name of the column that holds it, as `REDCap` writes
    /// names.
    pub(super) fn redcap(&self) -> RedcapLayout {
        let only_id = self.id_column.first().filter(|_| self.id_column.len() == 1);
        let column = self.patient_column.as_ref().or(only_id);
        let record_id = column.map_or("record_id".to_owned(), |name| snake_case(name));
        RedcapLayout::new(record_id, self.patient_column.is_some(), &self.keep)
    }

    /// Returns the two tables of `cBioPortal`; nothing in another format.
    pub(super) fn portal_files(&self) -> Vec<PathBuf> {
        let folder = self.out.as_deref().filter(|_| self.format() == OutputFormat::Cbioportal);
        folder.map(portal_files).into_iter().flatten().collect()
    }

    /// Returns the file for the notes that failed, in a format without a place for them.
    pub(super) fn failed_notes(&self) -> Option<PathBuf> {
        let (out, format) = (self.out.as_ref()?, self.format());
        match format {
            OutputFormat::Cbioportal => Some(out.join("failed.jsonl")),
            _ if format.has_failures() => None,
            _ => {
                let mut name = out.clone().into_os_string();
                name.push(".failed.jsonl");
                Some(name.into())
            }
        }
    }

    /// Rejects `--keep` with a format that has no place for it, and names that are empty or given twice.
    pub(super) fn check_keep(&self, format: OutputFormat) -> Result<(), BulkError> {
        if !self.keep.is_empty() && !format.carries() {
            let why = "--keep needs a format with room for other columns, which table and note-nlp are not";
            return usage(&format!("{why}: --format csv, tidy, jsonl, json, xlsx, parquet, redcap or cbioportal"));
        }
        if !self.keep.is_empty() && self.by_patient() {
            return usage("--keep has no place in a timeline: leave out --patient-column, or --keep");
        }
        for (at, name) in self.keep.iter().enumerate() {
            if name.trim().is_empty() {
                return usage("--keep has an empty name: give the names with commas between them, such as mrn,site");
            }
            if self.keep.iter().take(at).any(|earlier| earlier == name) {
                return usage(&format!("--keep names {name} twice"));
            }
        }
        Ok(())
    }

    /// Rejects a delimiter that the format does not have, or that contradicts the name of the file.
    pub(super) fn check_delimiter(&self, format: OutputFormat) -> Result<(), BulkError> {
        match self.out_delimiter {
            Some(_) if !format.has_delimiter() => usage("--out-delimiter is for --format csv and tidy"),
            Some(sign) if sign != b'\t' && self.out.as_deref().is_some_and(is_tab_separated) => usage(
                "--out ends in .tsv or .tab, which means tabs between the cells: name a .csv, or leave out --out-delimiter",
            ),
            _ => Ok(()),
        }
    }

    /// Rejects what the formats of other tools cannot take.
    pub(super) fn check_tools(&self, format: OutputFormat) -> Result<(), BulkError> {
        if self.data_dictionary.is_some() && format != OutputFormat::Redcap {
            return usage("--data-dictionary is for --format redcap");
        }
        if format == OutputFormat::Redcap && self.patient_column.is_none() && self.id_column.len() > 1 {
            return usage(
                "--format redcap needs the record id alone: name its column with --patient-column; the notes of a record are then numbered",
            );
        }
        if format == OutputFormat::Redcap && self.redcap().clashes() {
            return usage(
                "the column with the record id has the name of a variable that --format redcap writes: rename it in the input",
            );
        }
        match (&self.out, format) {
            (None, OutputFormat::Cbioportal) => {
                usage("--format cbioportal writes two tables: name a folder with --out")
            }
            (Some(out), OutputFormat::Cbioportal) if out.is_file() => usage(&format!(
                "--out {} is a file: --format cbioportal writes two tables into a folder",
                out.display()
            )),
            (None, _) if format.is_binary() && std::io::stdout().is_terminal() => {
                usage("--format xlsx and parquet are binary and not for a terminal: name a file with --out")
            }
            _ => Ok(()),
        }
    }
}
