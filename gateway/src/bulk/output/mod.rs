//! Writes results in one of five formats. Each format is made from the line that the batch route would answer, so that
//! all formats have the same content.

mod cells;
mod columns;
mod row;
mod sink;
mod tidy;

use super::{arguments::OutputFormat, outcome::EntryOutcome};

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
}

/// Totals of a run, as in the summary of the JSON format.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct RunTotals {
    pub(super) ok: u64,
    pub(super) failed: u64,
}

impl ResultWriter {
    pub(super) fn new(format: OutputFormat, width: usize) -> Self {
        Self { format, width, written: 0 }
    }

    /// Returns the text before the first result.
    pub(super) fn begin(&self) -> String {
        match self.format {
            OutputFormat::Jsonl => String::new(),
            OutputFormat::Json => "{\"results\": [".to_owned(),
            OutputFormat::Csv => cells::head(),
            OutputFormat::Tidy => tidy::head(),
            OutputFormat::Table => columns::head(self.width),
        }
    }

    /// Appends one result to `out`.
    pub(super) fn add(&mut self, outcome: &EntryOutcome, out: &mut String) {
        match self.format {
            OutputFormat::Jsonl => out.push_str(&outcome.line),
            OutputFormat::Json => {
                out.push_str(if self.written == 0 { "\n" } else { ",\n" });
                out.push_str(outcome.line.trim_end());
            }
            OutputFormat::Csv => cells::add(outcome, out),
            OutputFormat::Tidy => tidy::add(outcome, out),
            OutputFormat::Table => columns::add(outcome, self.width, out),
        }
        self.written += 1;
    }

    /// Returns the text after the last result.
    pub(super) fn end(&self, totals: RunTotals) -> String {
        match self.format {
            OutputFormat::Json => {
                format!("\n], \"summary\": {{\"ok\": {}, \"failed\": {}}}}}\n", totals.ok, totals.failed)
            }
            _ => String::new(),
        }
    }
}
