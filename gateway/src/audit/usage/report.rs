//! The sums of an audit file as a table, as CSV and as JSON.

use serde::Serialize;
use utoipa::ToSchema;

/// The sums, and what could not be added up.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// One row for each month and key.
    pub rows: Vec<Row>,
    /// Lines read.
    pub lines: u64,
    /// Lines that were skipped, because they are not whole.
    pub unreadable: u64,
    /// Lines whose time at the engine is not known.
    pub untimed: u64,
}

/// The sums of one key in one month.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[schema(as = UsageRow)]
pub struct Row {
    /// The month in UTC: `2026-11`.
    #[schema(example = "2026-11")]
    pub month: String,
    /// The name of the key; `-` for extractions without one.
    #[schema(example = "trial-7")]
    pub key: String,
    /// Notes that were sent: extractions, questions and recordings.
    #[schema(example = 3)]
    pub notes: u64,
    /// How many of the notes were sent with a question.
    #[schema(example = 0)]
    pub questions: u64,
    /// Notes that were answered: with a record, an answer to the question, or a transcript.
    #[schema(example = 2)]
    pub answered: u64,
    /// Notes that ended with an error, or whose caller disconnected.
    #[schema(example = 1)]
    pub failed: u64,
    /// Answers from the cache.
    #[schema(example = 0)]
    pub cached: u64,
    /// Length of the notes, in code points.
    #[schema(example = 6090)]
    pub characters: u64,
    /// Tokens, as the model server counts them.
    #[schema(example = 1904)]
    pub tokens: u64,
    /// Time at the engine, in seconds. Notes that are read at once count each.
    #[schema(example = 6.3)]
    pub engine_seconds: f64,
    /// The share of the month's cost.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = 534.38)]
    pub cost: Option<f64>,
}

/// The rows could not be written as CSV.
#[derive(Debug, thiserror::Error)]
#[error("the rows cannot be written as CSV: {0}")]
pub struct CsvError(String);

impl Report {
    /// Returns the rows as CSV with a header.
    pub fn csv(&self) -> Result<String, CsvError> {
        let mut writer = csv::Writer::from_writer(Vec::new());
        let fault = |error: &dyn std::fmt::Display| CsvError(error.to_string());
        let has_cost = self.has_cost();
        writer.write_record(Self::header(has_cost)).map_err(|error| fault(&error))?;
        for row in &self.rows {
            writer.write_record(row.cells(has_cost)).map_err(|error| fault(&error))?;
        }
        let bytes = writer.into_inner().map_err(|error| fault(&error))?;
        String::from_utf8(bytes).map_err(|error| fault(&error)).map(|text| text.trim_end().to_owned())
    }

    /// Returns the rows as a table in columns.
    #[must_use]
    pub fn table(&self) -> String {
        let has_cost = self.has_cost();
        let mut lines = vec![Self::header(has_cost).map(str::to_owned).collect::<Vec<String>>()];
        lines.extend(self.rows.iter().map(|row| row.cells(has_cost).collect()));
        let columns = lines.first().map_or(0, Vec::len);
        let width = |at: usize| lines.iter().filter_map(|line| line.get(at)).map(String::len).max().unwrap_or_default();
        let widths: Vec<usize> = (0..columns).map(width).collect();
        let line = |cells: &Vec<String>| {
            let padded = cells.iter().zip(&widths).enumerate().map(|(at, (cell, width))| match at {
                0 | 1 => format!("{cell:<width$}"),
                _ => format!("{cell:>width$}"),
            });
            padded.collect::<Vec<String>>().join("  ").trim_end().to_owned()
        };
        lines.iter().map(line).collect::<Vec<String>>().join("\n")
    }

    fn has_cost(&self) -> bool {
        self.rows.iter().any(|row| row.cost.is_some())
    }

    fn header(has_cost: bool) -> impl Iterator<Item = &'static str> {
        let counts = ["notes", "questions", "answered", "failed", "cached", "characters", "tokens"];
        let columns = ["month", "key"].into_iter().chain(counts).chain(["engine_seconds"]);
        columns.chain(has_cost.then_some("cost"))
    }
}

impl Row {
    fn cells(&self, has_cost: bool) -> impl Iterator<Item = String> {
        let counts =
            [self.notes, self.questions, self.answered, self.failed, self.cached, self.characters, self.tokens];
        let texts = [self.month.clone(), self.key.clone()];
        let cost = has_cost.then(|| format!("{:.2}", self.cost.unwrap_or_default()));
        texts
            .into_iter()
            .chain(counts.map(|count| count.to_string()))
            .chain([format!("{:.1}", self.engine_seconds)])
            .chain(cost)
    }
}
