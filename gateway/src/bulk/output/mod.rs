//! Writes results in one of several formats, or a timeline for each patient. Each is made from the line that the batch
//! route would answer, so that all have the same content.

mod carried;
mod columns;
mod csv;
mod failures;
mod files;
mod findings;
mod notes;
mod parquet;
mod portal;
mod redcap;
mod row;
mod sheets;
mod sink;
mod terminal;
mod terms;
#[cfg(test)]
mod tests;
mod timelines;
mod values;

use std::{
    borrow::Cow,
    path::{Path, PathBuf},
};

use self::{parquet::ParquetWriter, portal::Portal, sheets::Sheets, terms::TermWriter, timelines::PatientTimelines};
use super::{BulkError, OutputFormat, outcome::EntryOutcome};

pub(super) use self::{
    carried::with_carried,
    csv::{Dialect, is_guarded},
    files::{lock, private, same_file},
    notes::columns as note_columns,
    portal::portal_files,
    redcap::{Layout as RedcapLayout, snake_case},
    sink::Sink,
};

/// Writes outcomes in one format.
#[derive(Debug)]
pub(super) struct ResultWriter {
    options: WriterOptions,
    /// Results so far.
    written: u64,
    state: WriterState,
}

/// What is written.
#[derive(Clone, Debug)]
pub(super) struct WriterOptions {
    pub(super) format: OutputFormat,
    /// Columns of the terminal, for the table.
    pub(super) width: usize,
    /// Whether a timeline for each patient is written in place of a result for each note.
    pub(super) by_patient: bool,
    /// Names of the carried columns.
    pub(super) keep: Vec<String>,
    /// The dialect of CSV.
    pub(super) dialect: Dialect,
    /// The layout of `REDCap`'s import.
    pub(super) redcap: RedcapLayout,
    /// Whether the results have the decisions of a person, so that the tables have columns for them.
    pub(super) reviewed: bool,
    /// The file or folder of the results.
    pub(super) out: Option<PathBuf>,
}

/// What a format keeps between two results.
#[derive(Debug)]
enum WriterState {
    Nothing,
    /// What the notes of each patient say.
    Patients(PatientTimelines),
    Sheets(Box<Sheets>),
    Parquet(Box<ParquetWriter>),
    Terms(TermWriter),
    Portal(Portal),
}

/// Totals of a run, as in the summary of the JSON format.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct RunTotals {
    pub(super) ok: u64,
    pub(super) failed: u64,
    /// Whether every note of the inputs has an outcome.
    pub(super) complete: bool,
}

impl ResultWriter {
    /// Returns a writer of results.
    pub(super) fn new(options: WriterOptions) -> Self {
        let (out, reviewed) = (options.out.as_deref(), options.reviewed);
        let state = match options.format {
            _ if options.by_patient => WriterState::Patients(PatientTimelines::default()),
            OutputFormat::Xlsx => {
                WriterState::Sheets(Box::new(Sheets::new(out.map(folder_of), &options.keep, reviewed)))
            }
            OutputFormat::Parquet => {
                WriterState::Parquet(Box::new(ParquetWriter::new(&notes::columns(&options.keep, reviewed))))
            }
            OutputFormat::ParquetTidy => {
                WriterState::Parquet(Box::new(ParquetWriter::new(&values::columns(&options.keep, reviewed))))
            }
            OutputFormat::NoteNlp => WriterState::Terms(TermWriter::default()),
            OutputFormat::Cbioportal => {
                WriterState::Portal(Portal::new(out.unwrap_or(Path::new(".")), &options.keep, reviewed))
            }
            _ => WriterState::Nothing,
        };
        Self { options, written: 0, state }
    }

    /// Returns the text before the first result.
    pub(super) fn begin(&self) -> String {
        let WriterOptions { format, keep, dialect, reviewed, .. } = &self.options;
        match (format, &self.state) {
            (OutputFormat::Json, WriterState::Patients(_)) => "{\"patients\": [".to_owned(),
            (_, WriterState::Portal(portal)) => portal.head(),
            (OutputFormat::Json, _) => "{\"results\": [".to_owned(),
            (OutputFormat::Csv, _) => dialect.head(&notes::columns(keep, *reviewed)),
            (OutputFormat::Tidy, _) => dialect.head(&values::columns(keep, *reviewed)),
            (OutputFormat::Table, _) => terminal::head(self.options.width),
            (OutputFormat::NoteNlp, _) => Dialect::for_programs().head(&terms::columns()),
            (OutputFormat::Redcap, _) => Dialect::for_programs().head(&self.options.redcap.columns()),
            _ => String::new(),
        }
    }

    /// Appends one result to `out`.
    pub(super) fn add(&mut self, outcome: &EntryOutcome, out: &mut String) {
        let (dialect, carried) = (self.options.dialect, self.options.keep.len());
        let reviewed = self.options.reviewed;
        let for_programs = Dialect::for_programs();
        match (self.options.format, &mut self.state) {
            (_, WriterState::Patients(patients)) => return patients.add(outcome),
            (_, WriterState::Sheets(sheets)) => sheets.add(outcome),
            (OutputFormat::Parquet, WriterState::Parquet(parquet)) => {
                notes::row(outcome, carried, reviewed, &mut |cells| parquet.add(cells));
            }
            (_, WriterState::Parquet(parquet)) => {
                values::rows(outcome, carried, reviewed, &mut |cells| parquet.add(cells));
            }
            (_, WriterState::Terms(terms)) => terms.rows(outcome, &mut |cells| for_programs.row(cells, out)),
            (_, WriterState::Portal(portal)) => portal.add(outcome, out),
            (OutputFormat::Json, _) => self.add_json(&self.line(outcome), out),
            (OutputFormat::Csv, _) => notes::row(outcome, carried, reviewed, &mut |cells| dialect.row(cells, out)),
            (OutputFormat::Tidy, _) => values::rows(outcome, carried, reviewed, &mut |cells| dialect.row(cells, out)),
            (OutputFormat::Table, _) => terminal::add(outcome, self.options.width, out),
            (OutputFormat::Redcap, _) => self.options.redcap.row(outcome, &mut |cells| for_programs.row(cells, out)),
            _ => out.push_str(&self.line(outcome)),
        }
        self.written += 1;
    }

    /// Returns whether the output has no place for a note that failed.
    pub(super) fn leaves_out(&self, outcome: &EntryOutcome) -> bool {
        outcome.failure.is_some() && !self.options.format.has_failures()
    }

    /// Returns the line of a result with its carried values.
    pub(super) fn line<'a>(&self, outcome: &'a EntryOutcome) -> Cow<'a, str> {
        with_carried(&outcome.line, &self.options.keep, &outcome.carried)
    }

    fn add_json(&self, line: &str, out: &mut String) {
        out.push_str(if self.written == 0 { "\n" } else { ",\n" });
        out.push_str(line.trim_end());
    }

    /// Returns an error if the results cannot be kept until the end.
    pub(super) fn check(&self) -> Result<(), BulkError> {
        match &self.state {
            WriterState::Patients(patients) => patients.check(),
            WriterState::Sheets(sheets) => sheets.check(),
            WriterState::Parquet(parquet) => parquet.check(),
            _ => Ok(()),
        }
    }

    /// Returns bytes that are ready to be written, in a binary format.
    pub(super) fn take_bytes(&mut self) -> Vec<u8> {
        match &mut self.state {
            WriterState::Parquet(parquet) => parquet.take(),
            _ => Vec::new(),
        }
    }

    /// Gives what comes after the last result to `write`, in parts, and each timeline to `on_patient`. Returns what a
    /// reader of the output has to know.
    pub(super) fn end(
        &mut self,
        totals: RunTotals,
        mut write: impl FnMut(&[u8]) -> Result<(), BulkError> + Send,
        mut on_patient: impl FnMut(&str) -> Result<(), BulkError>,
    ) -> Result<Vec<String>, BulkError> {
        let is_json = self.options.format == OutputFormat::Json;
        match std::mem::replace(&mut self.state, WriterState::Nothing) {
            WriterState::Patients(patients) => {
                for patient in patients.into_json(totals.complete) {
                    on_patient(&patient)?;
                    let mut out = String::with_capacity(patient.len() + 2);
                    if is_json {
                        self.add_json(&patient, &mut out);
                    } else {
                        out.push_str(&patient);
                        out.push('\n');
                    }
                    self.written += 1;
                    write(out.as_bytes())?;
                }
            }
            WriterState::Sheets(sheets) => return sheets.end(&mut write),
            WriterState::Parquet(parquet) => write(&parquet.end()?)?,
            WriterState::Portal(portal) => portal.end()?,
            WriterState::Nothing | WriterState::Terms(_) => {}
        }
        if is_json {
            let RunTotals { ok, failed, .. } = totals;
            write(format!("\n], \"summary\": {{\"ok\": {ok}, \"failed\": {failed}}}}}\n").as_bytes())?;
        }
        Ok(Vec::new())
    }
}

/// Returns the folder that a file is in.
fn folder_of(file: &Path) -> &Path {
    file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}
