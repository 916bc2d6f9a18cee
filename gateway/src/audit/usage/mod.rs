//! Adds up the audit file by month and key: notes, characters, tokens, time at the engine, and a share of the cost.
//!
//! Only counts are kept, so a file of any size takes little memory. A line that is not whole is counted and skipped.

mod report;

use std::{
    borrow::Cow,
    collections::BTreeMap,
    fs::File,
    io::{self, BufRead, BufReader, Read},
    path::{Path, PathBuf},
};

use serde::Deserialize;

use super::AuditEntry;

pub use report::{CsvError, Report, Row};

/// Longest line that is read, in bytes. The gateway writes shorter ones.
const LONGEST_LINE: u64 = 64 << 10;
/// The name under which extractions without a key are added up.
pub const NO_KEY: &str = "-";
/// How the routes of questions begin.
const QUESTIONS: &str = "/api/v1/ask";
/// Most older files that are looked for.
const MOST_OLDER: usize = 10_000;
/// Most pairs of month and key. A key file has at most 100,000 keys, so a file with more names is not an audit file.
const MOST_ROWS: usize = 1_000_000;

/// What the extractions of one key in one month have used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Used {
    /// Notes that were sent: extractions, questions, recordings and scans.
    pub notes: u64,
    /// Notes that were sent with a question.
    pub questions: u64,
    /// Notes that were answered: with a record, an answer to the question, a transcript, or the text of a scan.
    pub answered: u64,
    /// Notes that count against the budget of the key: those that were answered, and those whose caller disconnected
    /// while they were read.
    pub counted: u64,
    /// Answers that came from the cache.
    pub cached: u64,
    /// Length of the notes, in code points.
    pub characters: u64,
    /// Tokens, as the model server counts them.
    pub tokens: u64,
    /// Time at the engine, in milliseconds.
    pub engine_milliseconds: u64,
}

/// What the lines of audit files add up to.
#[derive(Clone, Debug, Default)]
pub struct Usage {
    by_month_and_key: BTreeMap<(String, String), Used>,
    /// Lines read.
    pub lines: u64,
    /// Lines that are not whole lines of an audit file.
    pub unreadable: u64,
    /// Lines without the time at the engine, which earlier versions of the gateway wrote.
    pub untimed: u64,
}

/// Why audit files cannot be added up.
#[derive(Debug, thiserror::Error)]
pub enum UsageError {
    /// A file cannot be read.
    #[error("the audit file {}: {cause}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The error of the system.
        cause: io::Error,
    },
    /// The file has lines, and none of them is that of an audit file.
    #[error("{} is not an audit file: none of its lines is a JSON object with `time` and `code`", path.display())]
    NoAudit {
        /// The file.
        path: PathBuf,
    },
    /// Neither the command line nor the settings name a file.
    #[error(
        "there is no audit file to add up: name files, or set audit.path and restart the gateway, which then writes one \
         line for each extraction"
    )]
    NoFile,
    /// There are more pairs of month and key than an audit file can have.
    #[error("the files name more than {MOST_ROWS} pairs of month and key")]
    TooMany,
}

/// The status of a note whose caller disconnected.
const CALLER_LEFT: u16 = 499;

/// The part of a line that is added up.
#[derive(Default, Deserialize)]
struct Line {
    time: String,
    principal: Option<String>,
    #[serde(default)]
    route: Cow<'static, str>,
    status: u16,
    #[serde(default)]
    note_chars: u64,
    /// Earlier versions of the gateway did not write it.
    has_note: Option<bool>,
    #[serde(default)]
    cached: bool,
    #[serde(default)]
    tokens: u64,
    engine_milliseconds: Option<u64>,
}

impl Usage {
    /// Adds the lines of one file. Fails if none of them is that of an audit file.
    pub fn add_file(&mut self, path: &Path) -> Result<(), UsageError> {
        let (lines, bad) = (self.lines, self.unreadable);
        self.add_lines(path)?;
        let (lines, bad) = (self.lines - lines, self.unreadable - bad);
        if lines > 0 && lines == bad { Err(UsageError::NoAudit { path: path.to_owned() }) } else { Ok(()) }
    }

    /// Adds the lines of one file, whatever it is.
    pub(super) fn add_lines(&mut self, path: &Path) -> Result<(), UsageError> {
        let unreadable = |cause| UsageError::Unreadable { path: path.to_owned(), cause };
        let mut file = BufReader::new(File::open(path).map_err(unreadable)?);
        let mut line = Vec::new();
        loop {
            line.clear();
            let read = file.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut line).map_err(unreadable)?;
            if read == 0 {
                return Ok(());
            }
            if read as u64 == LONGEST_LINE && !line.ends_with(b"\n") {
                file.skip_until(b'\n').map_err(unreadable)?;
            }
            if !line.trim_ascii().is_empty() {
                self.add_line(&line)?;
            }
        }
    }

    fn add_line(&mut self, line: &[u8]) -> Result<(), UsageError> {
        self.lines += 1;
        let parsed: Result<Line, _> = serde_json::from_slice(line);
        let Some((month, line)) = parsed.ok().and_then(|line| Some((month(&line.time)?.to_owned(), line))) else {
            self.unreadable += 1;
            return Ok(());
        };
        self.add(month, line);
        if self.by_month_and_key.len() > MOST_ROWS { Err(UsageError::TooMany) } else { Ok(()) }
    }

    /// Adds an entry as its line in the file would be added.
    pub(super) fn add_entry(&mut self, entry: &AuditEntry) {
        self.lines += 1;
        let Some(month) = month(&entry.time) else { return };
        let line = Line {
            time: String::new(),
            principal: entry.principal.clone(),
            route: Cow::Borrowed(entry.route),
            status: entry.status,
            note_chars: entry.note_chars as u64,
            has_note: Some(entry.has_note),
            cached: entry.cached,
            tokens: u64::from(entry.tokens),
            engine_milliseconds: Some(entry.engine_milliseconds),
        };
        self.add(month.to_owned(), line);
    }

    fn add(&mut self, month: String, line: Line) {
        self.untimed += u64::from(line.engine_milliseconds.is_none());
        let key = line.principal.unwrap_or_else(|| NO_KEY.to_owned());
        let used = self.by_month_and_key.entry((month, key)).or_default();
        let answered = (200..300).contains(&line.status);
        used.notes += 1;
        used.questions += u64::from(line.route.starts_with(QUESTIONS));
        used.answered += u64::from(answered);
        used.counted += u64::from(counts(line.status, line.has_note.unwrap_or(line.note_chars > 0)));
        used.cached += u64::from(line.cached);
        used.characters = used.characters.saturating_add(line.note_chars);
        used.tokens = used.tokens.saturating_add(line.tokens);
        used.engine_milliseconds =
            used.engine_milliseconds.saturating_add(line.engine_milliseconds.unwrap_or_default());
    }

    /// Returns what a key has used in a month.
    pub(super) fn of(&self, month_and_key: &(String, String)) -> Option<&Used> {
        self.by_month_and_key.get(month_and_key)
    }

    /// Returns the first month with an extraction.
    pub(super) fn first_month(&self) -> Option<&str> {
        self.by_month_and_key.first_key_value().map(|((month, _), _)| month.as_str())
    }

    /// Returns the number of pairs of month and key.
    pub(super) fn rows(&self) -> usize {
        self.by_month_and_key.len()
    }

    /// Forgets the first month with an extraction.
    pub(super) fn forget_first_month(&mut self) {
        if let Some(first) = self.first_month().map(str::to_owned) {
            self.by_month_and_key.retain(|(month, _), _| *month != first);
        }
    }

    /// Returns the sums in order of month and key, for the months from `since` on (such as `2026-11`).
    ///
    /// With `month_cost`, what the box cost in each month, each key gets a share of it: by its time at the engine, or, in a
    /// month in which no engine time is known, by its notes. Notes from the cache took no time and cost nothing.
    #[must_use]
    pub fn report(&self, since: Option<&str>, key: Option<&str>, month_cost: Option<f64>) -> Report {
        let mut totals: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
        for ((month, _), used) in &self.by_month_and_key {
            let total = totals.entry(month).or_default();
            total.0 = total.0.saturating_add(used.engine_milliseconds);
            total.1 = total.1.saturating_add(used.notes);
        }
        let share = |month: &str, used: &Used| {
            let (time, notes) = totals.get(month).copied().unwrap_or_default();
            let (part, whole) = if time > 0 { (used.engine_milliseconds, time) } else { (used.notes, notes) };
            ratio(part, whole)
        };
        let rows = self
            .by_month_and_key
            .iter()
            .filter(|((month, name), _)| {
                since.is_none_or(|since| month.as_str() >= since) && key.is_none_or(|key| name == key)
            })
            .map(|((month, name), used)| Row {
                month: month.clone(),
                key: name.clone(),
                notes: used.notes,
                questions: used.questions,
                answered: used.answered,
                failed: used.notes - used.answered,
                cached: used.cached,
                characters: used.characters,
                tokens: used.tokens,
                engine_seconds: in_f64(used.engine_milliseconds) / 1_000.0,
                cost: month_cost.map(|cost| (cost * share(month, used) * 100.0).round() / 100.0),
            })
            .collect();
        Report { rows, lines: self.lines, unreadable: self.unreadable, untimed: self.untimed }
    }
}

/// Returns whether a request with this status counts against the budget of its key: it was answered, or its caller
/// disconnected after a valid note, recording or scan had arrived.
#[must_use]
pub fn counts(status: u16, has_note: bool) -> bool {
    (200..300).contains(&status) || status == CALLER_LEFT && has_note
}

fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { in_f64(part) / in_f64(whole) }
}

/// Returns a count as a floating-point number, exact up to 2^53.
#[expect(clippy::cast_precision_loss, reason = "2^53 milliseconds are 285,000 years")]
fn in_f64(count: u64) -> f64 {
    count as f64
}

/// Returns the month of a time in RFC 3339: `2026-11`.
fn month(time: &str) -> Option<&str> {
    let month = time.get(..7).filter(|_| time.as_bytes().get(7) == Some(&b'-'))?;
    is_month(month).then_some(month)
}

/// Returns whether a text is a month such as `2026-11`.
#[must_use]
pub fn is_month(text: &str) -> bool {
    let [y1, y2, y3, y4, b'-', m1, m2] = text.as_bytes() else { return false };
    let digits = [y1, y2, y3, y4, m1, m2].into_iter().all(u8::is_ascii_digit);
    digits && matches!((m1, m2), (b'0', b'1'..=b'9') | (b'1', b'0'..=b'2'))
}

/// Returns an audit file and its older files that exist, oldest first.
#[must_use]
pub fn with_older(path: &Path) -> Vec<PathBuf> {
    let older = |number: &usize| super::file::numbered(path, *number);
    let kept = (1..=MOST_OLDER).take_while(|number| older(number).exists()).collect::<Vec<usize>>();
    kept.iter().rev().map(older).chain([path.to_owned()]).collect()
}

#[cfg(test)]
mod tests;
