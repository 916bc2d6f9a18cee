//! Counts the outcomes of a run and words them: one line of progress while the run lasts, a summary of a few lines at
//! its end. The texts contain only counts, rates, times and codes, never text of a note.

use std::{collections::BTreeMap, fmt::Write as _, time::Instant};

pub(super) use super::digits::grouped;
use super::{
    input::{Size, by_kind},
    outcome::{EntryOutcome, SkippedNote},
    output::RunTotals,
    selection::SelectionCounts,
};

/// Counts of one run.
#[derive(Clone, Debug)]
pub(super) struct RunCounts {
    started: Instant,
    size: Size,
    read: u64,
    failures: BTreeMap<String, u64>,
    /// Number of failures that come back unless the input or the command line is changed.
    needing_change: u64,
    /// Number of notes with each remark.
    remarks: BTreeMap<String, u64>,
    skipped: u64,
    /// What `--select` decided.
    selection: SelectionCounts,
    text_bytes: u64,
    /// Bytes of the inputs that are processed, and the part of them whose notes an earlier run had read.
    weight: u64,
    skipped_weight: u64,
}

impl RunCounts {
    pub(super) fn new(size: Size) -> Self {
        Self {
            started: Instant::now(),
            size,
            read: 0,
            failures: BTreeMap::new(),
            needing_change: 0,
            remarks: BTreeMap::new(),
            skipped: 0,
            selection: SelectionCounts::default(),
            text_bytes: 0,
            weight: 0,
            skipped_weight: 0,
        }
    }

    pub(super) fn ended(&mut self, outcome: &EntryOutcome) {
        match &outcome.failure {
            None => {
                self.read += 1;
                self.text_bytes += outcome.text_bytes as u64;
            }
            Some(code) => count(&mut self.failures, code),
        }
        self.selection.add(outcome);
        self.needing_change += u64::from(outcome.needs_change);
        outcome.remarks.iter().for_each(|code| count(&mut self.remarks, code));
        self.weight += outcome.weight;
    }

    pub(super) fn skipped(&mut self, skipped: &SkippedNote) {
        self.skipped += 1;
        self.weight += skipped.weight;
        self.skipped_weight += skipped.weight;
    }

    /// Returns the number of notes that failed in this run.
    pub(super) fn failed(&self) -> u64 {
        self.failures.values().sum()
    }

    /// Whether notes failed, and every one of them would fail again in the same run.
    pub(super) fn only_a_change_helps(&self) -> bool {
        self.needing_change > 0 && self.needing_change == self.failed()
    }

    /// Returns the totals of the output, with the notes of earlier runs.
    pub(super) fn sums(&self) -> RunTotals {
        RunTotals { ok: self.read + self.skipped, failed: self.failed(), complete: true }
    }

    /// Returns the processed bytes of the inputs and, if it is known, the size of all inputs.
    pub(super) fn weights(&self) -> (u64, Option<u64>) {
        (self.weight, self.size.bytes)
    }

    /// Returns the progress so far as one line: notes, notes per second, failures and the estimated time left.
    pub(super) fn standing(&self) -> String {
        let seconds = self.started.elapsed().as_secs_f64();
        let ended = self.read + self.failed();
        let mut line =
            format!("{} notes, {}/s, {} failed", grouped(ended), rate(ended, seconds), grouped(self.failed()));
        let fresh = self.weight.saturating_sub(self.skipped_weight);
        if let Some(all) = self.size.bytes.filter(|_| fresh > 0) {
            let left = all.saturating_sub(self.weight);
            #[expect(clippy::cast_precision_loss, reason = "the time left is an estimate")]
            let time = seconds * left as f64 / fresh as f64;
            let _ = write!(line, ", {} left", clock(time));
        }
        line
    }

    /// Returns the summary of the run, a few lines.
    pub(super) fn summary(&self) -> String {
        let seconds = self.started.elapsed().as_secs_f64();
        let ended = self.read + self.failed();
        let mut out = format!(
            "{} note{} in {seconds:.1} s: {} read",
            grouped(ended),
            if ended == 1 { "" } else { "s" },
            grouped(self.read)
        );
        let _ = write!(out, ", {} failed", grouped(self.failed()));
        if !self.failures.is_empty() {
            let _ = write!(out, " ({})", by_code(&self.failures));
        }
        if self.skipped > 0 {
            let _ = write!(out, "; {} were done in an earlier run", grouped(self.skipped));
        }
        if self.read > 0 {
            #[expect(clippy::cast_precision_loss, reason = "two digits are shown")]
            let megabytes = self.text_bytes as f64 / 1e6 / seconds;
            let _ = write!(out, "\n{} notes/s, {megabytes:.2} MB/s of note text", rate(ended, seconds));
        }
        if !self.remarks.is_empty() {
            let _ = write!(out, "\nread, with warnings to check: {}", by_code(&self.remarks));
        }
        if let Some(selection) = self.selection.summary() {
            let _ = write!(out, "\n{selection}");
        }
        if !self.size.passed_over.is_empty() {
            let _ = write!(
                out,
                "\n{} file(s) in the folders are not .txt or .pdf files and were not read: {}",
                grouped(self.size.passed_over.values().sum()),
                by_kind(&self.size.passed_over)
            );
        }
        out
    }
}

fn count(counts: &mut BTreeMap<String, u64>, code: &str) {
    match counts.get_mut(code) {
        Some(count) => *count += 1,
        None => {
            counts.insert(code.to_owned(), 1);
        }
    }
}

fn by_code(counts: &BTreeMap<String, u64>) -> String {
    counts.iter().map(|(code, count)| format!("{} {code}", grouped(*count))).collect::<Vec<_>>().join(", ")
}

fn rate(count: u64, seconds: f64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
    let rate = count as f64 / seconds.max(1e-3);
    if rate < 10.0 {
        return format!("{rate:.1}");
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count of notes in a second")]
    let whole = rate.round() as u64;
    grouped(whole)
}

fn clock(seconds: f64) -> String {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the cast saturates")]
    let whole = seconds.round() as u64;
    let (hours, minutes, seconds) = (whole / 3_600, whole / 60 % 60, whole % 60);
    if hours > 0 { format!("{hours}:{minutes:02}:{seconds:02}") } else { format!("{minutes}:{seconds:02}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_times_and_rates_are_formatted() {
        for (count, expected) in [(0, "0"), (999, "999"), (1_000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(grouped(count), expected);
        }
        for (seconds, expected) in [(0.4, "0:00"), (59.6, "1:00"), (75.0, "1:15"), (3_725.0, "1:02:05")] {
            assert_eq!(clock(seconds), expected);
        }
        for (count, seconds, expected) in [(5, 2.0, "2.5"), (10_000, 2.0, "5,000"), (0, 0.0, "0.0")] {
            assert_eq!(rate(count, seconds), expected);
        }
    }
}
