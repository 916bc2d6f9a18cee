//! Writes results in one of five formats, or a timeline for each patient. Each is made from the line that the batch route
//! would answer, so that all have the same content.

mod cells;
mod columns;
mod row;
mod sink;
mod tidy;
mod timelines;

use self::timelines::PatientTimelines;
use super::{BulkError, arguments::OutputFormat, outcome::EntryOutcome};

pub(super) use self::{
    cells::{COLUMN_NAMES, is_guarded},
    sink::{Sink, lock, private},
};

/// Writes outcomes as text in one format.
#[derive(Debug)]
pub(super) struct ResultWriter {
    format: OutputFormat,
    /// Columns of the terminal, for the table.
    width: usize,
    /// Results so far.
    written: u64,
    /// What the notes of each patient say, if timelines are written in place of results.
    patients: Option<PatientTimelines>,
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
    /// Returns a writer of results in a format. `by_patient`: whether it writes a timeline for each patient instead.
    pub(super) fn new(format: OutputFormat, width: usize, by_patient: bool) -> Self {
        Self { format, width, written: 0, patients: by_patient.then(PatientTimelines::default) }
    }

    /// Returns the text before the first result.
    pub(super) fn begin(&self) -> String {
        match self.format {
            OutputFormat::Jsonl => String::new(),
            OutputFormat::Json if self.patients.is_some() => "{\"patients\": [".to_owned(),
            OutputFormat::Json => "{\"results\": [".to_owned(),
            OutputFormat::Csv => cells::head(),
            OutputFormat::Tidy => tidy::head(),
            OutputFormat::Table => columns::head(self.width),
        }
    }

    /// Appends one result to `out`.
    pub(super) fn add(&mut self, outcome: &EntryOutcome, out: &mut String) {
        if let Some(patients) = &mut self.patients {
            return patients.add(outcome);
        }
        match self.format {
            OutputFormat::Jsonl => out.push_str(&outcome.line),
            OutputFormat::Json => self.add_json(&outcome.line, out),
            OutputFormat::Csv => cells::add(outcome, out),
            OutputFormat::Tidy => tidy::add(outcome, out),
            OutputFormat::Table => columns::add(outcome, self.width, out),
        }
        self.written += 1;
    }

    fn add_json(&mut self, line: &str, out: &mut String) {
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
            if self.format == OutputFormat::Json {
                self.add_json(&patient, &mut out);
            } else {
                out.push_str(&patient);
                out.push('\n');
            }
            self.written += 1;
            write(&out)?;
        }
        if self.format == OutputFormat::Json {
            write(&format!("\n], \"summary\": {{\"ok\": {}, \"failed\": {}}}}}\n", totals.ok, totals.failed))?;
        }
        Ok(())
    }
}
