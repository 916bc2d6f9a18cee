//! Reads the lines of `gateway extract`: JSON lines, or the JSON that has one result per line.

use std::{
    fs::File,
    io::{BufRead, BufReader},
    path::Path,
};

use super::object::Object;
use crate::bulk::BulkError;

/// One result.
#[derive(Debug)]
pub(super) struct ResultNote {
    /// The number of its line.
    pub(super) number: usize,
    pub(super) id: String,
    pub(super) line: Object,
}

impl ResultNote {
    /// Returns the code of the problem if the note failed.
    pub(super) fn failure(&self) -> Option<String> {
        let error: Object = self.line.parsed("error")?;
        Some(error.parsed("code").unwrap_or_default())
    }

    /// Returns the carried values with their names.
    pub(super) fn carried(&self) -> Vec<(String, String)> {
        let carried: Object = self.line.parsed("carried").unwrap_or_default();
        carried.texts().map(|(name, value)| (name.to_owned(), value)).collect()
    }
}

/// Gives each result of a file to `take`.
pub(super) fn each(path: &Path, mut take: impl FnMut(ResultNote) -> Result<(), BulkError>) -> Result<(), BulkError> {
    let unreadable = |cause| BulkError::Failed(format!("{}: {cause}", path.display()));
    let file = File::open(path).map_err(unreadable)?;
    if !file.metadata().is_ok_and(|data| data.is_file()) {
        return Err(BulkError::Failed(format!(
            "{} is not a file. The results are read twice: write them to a file first",
            path.display()
        )));
    }
    for (line, number) in BufReader::new(file).lines().zip(1usize..) {
        let line = line.map_err(unreadable)?;
        let line = line.trim().trim_end_matches(',');
        // The lines around the results of --format json.
        if line.is_empty() || line == "{\"results\": [" || line.starts_with("], \"summary\":") {
            continue;
        }
        take(parsed(line, number).ok_or_else(|| not_a_result(path, number, line))?)?;
    }
    Ok(())
}

fn parsed(json: &str, number: usize) -> Option<ResultNote> {
    let line = Object::of(json)?;
    let id = line.parsed("id")?;
    let is_result = line.parsed::<Object>("result").is_some_and(|result| result.get("evidence").is_some());
    let is_error = line.parsed::<Object>("error").is_some();
    (is_result != is_error).then_some(ResultNote { number, id, line })
}

fn not_a_result(path: &Path, number: usize, line: &str) -> BulkError {
    let is_timeline = Object::of(line).is_some_and(|line| line.get("timeline").is_some());
    let next = if is_timeline {
        "It is the timeline of a patient, which has no values of single notes. Run `gateway extract` without --patient-column; with --keep the results carry the patient"
    } else {
        "Give the JSON lines that `gateway extract --out F.jsonl` wrote for the review: tables have no evidence"
    };
    BulkError::Failed(format!("{}, line {number}: this line is not the result of a note. {next}", path.display()))
}
