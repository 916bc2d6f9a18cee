//! How results are written. Every form is made of the line that the batch route would answer, so that all say
//! the same.

mod cells;
mod columns;
mod row;
mod sink;

use super::{arguments::Format, outcome::Outcome};

pub(super) use self::{
    cells::{HEAD, is_guarded},
    sink::{Sink, lock, private},
};

/// Turns outcomes into the bytes of one form.
#[derive(Debug)]
pub(super) struct Form {
    format: Format,
    /// Columns of the terminal, for the table.
    width: usize,
    written: u64,
}

/// What was counted, as the JSON form ends with it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct RunTotals {
    pub(super) ok: u64,
    pub(super) failed: u64,
}

impl Form {
    pub(super) fn new(format: Format, width: usize) -> Self {
        Self { format, width, written: 0 }
    }

    /// What stands before the first result.
    pub(super) fn begin(&self) -> String {
        match self.format {
            Format::Jsonl => String::new(),
            Format::Json => "{\"results\": [".to_owned(),
            Format::Csv => cells::head(),
            Format::Table => columns::head(self.width),
        }
    }

    /// Adds one result.
    pub(super) fn add(&mut self, outcome: &Outcome, out: &mut String) {
        match self.format {
            Format::Jsonl => out.push_str(&outcome.line),
            Format::Json => {
                out.push_str(if self.written == 0 { "\n" } else { ",\n" });
                out.push_str(outcome.line.trim_end());
            }
            Format::Csv => cells::add(outcome, out),
            Format::Table => columns::add(outcome, self.width, out),
        }
        self.written += 1;
    }

    /// What stands after the last.
    pub(super) fn end(&self, sums: RunTotals) -> String {
        match self.format {
            Format::Json => {
                format!("\n], \"summary\": {{\"ok\": {}, \"failed\": {}}}}}\n", sums.ok, sums.failed)
            }
            _ => String::new(),
        }
    }
}
