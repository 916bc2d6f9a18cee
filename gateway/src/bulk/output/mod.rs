//! Writes results in one of several formats, or a timeline for each patient. Each is made from the line that the batch
//! route would answer, so that all have the same content.

mod carried;
mod columns;
mod csv;
mod notes;
mod row;
mod sink;
mod table;
mod timelines;
mod values;

use std::borrow::Cow;

use self::timelines::PatientTimelines;
use super::{BulkError, arguments::OutputFormat, outcome::EntryOutcome};

pub(super) use self::{
    csv::{Dialect, is_guarded},
    notes::columns as note_columns,
    sink::{Sink, lock, private},
};

/// Writes outcomes as text in one format.
#[derive(Debug)]
pub(super) struct ResultWriter {
    options: WriterOptions,
    /// Results so far.
    written: u64,
    /// What the notes of each patient say, if timelines are written in place of results.
    patients: Option<PatientTimelines>,
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
    pub(super) fn new(options: WriterOptions) -> Self {
        let patients = options.by_patient.then(PatientTimelines::default);
        Self { options, written: 0, patients }
    }

    /// Returns the text before the first result.
    pub(super) fn begin(&self) -> String {
        let WriterOptions { format, keep, dialect, .. } = &self.options;
        match format {
            OutputFormat::Jsonl => String::new(),
            OutputFormat::Json if self.patients.is_some() => "{\"patients\": [".to_owned(),
            OutputFormat::Json => "{\"results\": [".to_owned(),
            OutputFormat::Csv => dialect.head(&notes::columns(keep)),
            OutputFormat::Tidy => dialect.head(&values::columns(keep)),
            OutputFormat::Table => columns::head(self.options.width),
        }
    }

    /// Appends one result to `out`.
    pub(super) fn add(&mut self, outcome: &EntryOutcome, out: &mut String) {
        if let Some(patients) = &mut self.patients {
            return patients.add(outcome);
        }
        let (dialect, carried) = (self.options.dialect, self.options.keep.len());
        match self.options.format {
            OutputFormat::Jsonl => out.push_str(&self.line(outcome)),
            OutputFormat::Json => self.add_json(&self.line(outcome), out),
            OutputFormat::Csv => notes::row(outcome, carried, &mut |cells| dialect.row(cells, out)),
            OutputFormat::Tidy => values::rows(outcome, carried, &mut |cells| dialect.row(cells, out)),
            OutputFormat::Table => columns::add(outcome, self.options.width, out),
        }
        self.written += 1;
    }

    /// Returns the line of a result with its carried values.
    fn line<'a>(&self, outcome: &'a EntryOutcome) -> Cow<'a, str> {
        carried::with_carried(&outcome.line, &self.options.keep, &outcome.carried)
    }

    fn add_json(&self, line: &str, out: &mut String) {
        out.push_str(if self.written == 0 { "\n" } else { ",\n" });
        out.push_str(line.trim_end());
    }

    /// Returns an error if the results cannot be kept until the end.
    pub(super) fn check(&self) -> Result<(), BulkError> {
        self.patients.as_ref().map_or(Ok(()), PatientTimelines::check)
    }

    /// Gives the text after the last result to `write`, in parts, and each timeline to `on_patient`.
    pub(super) fn end(
        &mut self,
        totals: RunTotals,
        mut write: impl FnMut(&str) -> Result<(), BulkError>,
        mut on_patient: impl FnMut(&str) -> Result<(), BulkError>,
    ) -> Result<(), BulkError> {
        for patient in self.patients.take().into_iter().flat_map(|patients| patients.into_json(totals.complete)) {
            on_patient(&patient)?;
            let mut out = String::with_capacity(patient.len() + 2);
            if self.options.format == OutputFormat::Json {
                self.add_json(&patient, &mut out);
            } else {
                out.push_str(&patient);
                out.push('\n');
            }
            self.written += 1;
            write(&out)?;
        }
        if self.options.format == OutputFormat::Json {
            write(&format!("\n], \"summary\": {{\"ok\": {}, \"failed\": {}}}}}\n", totals.ok, totals.failed))?;
        }
        Ok(())
    }
}
