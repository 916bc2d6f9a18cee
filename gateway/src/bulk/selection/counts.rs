//! Counts what `--select` decided, and how often the model found something in the sample of what the rules skip.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use crate::{
    bulk::{
        digits::grouped,
        outcome::{EntryOutcome, Selected},
    },
    extraction::{Basis, EngineName, Field},
};

/// The two-sided 95 % quantile of the normal distribution.
const Z: f64 = 1.96;

/// What was decided about the notes of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::bulk) struct SelectionCounts {
    seen: u64,
    skipped: u64,
    sampled: u64,
    /// Notes of the sample that a model answered.
    judged: u64,
    /// Of these, notes in whose record the model has a value.
    missed: u64,
    /// Of these, notes that support such a value.
    supported: u64,
}

/// The line of a note in the sample.
#[derive(Deserialize)]
struct Line {
    result: Option<SampledAnswer>,
}

/// What a model found.
#[derive(Deserialize)]
struct SampledAnswer {
    #[serde(default)]
    engine: String,
    #[serde(default)]
    evidence: BTreeMap<String, Vec<CountedFinding>>,
    #[serde(flatten)]
    rest: serde_json::Map<String, Value>,
}

#[derive(Deserialize)]
struct CountedFinding {
    #[serde(default)]
    in_record: bool,
    #[serde(default)]
    basis: String,
}

impl SampledAnswer {
    fn has_value(&self) -> bool {
        Field::ALL.iter().any(|field| self.rest.get(field.name()).is_some_and(|value| !value.is_null()))
    }

    fn has_supported_value(&self) -> bool {
        let is_supported = |finding: &CountedFinding| finding.in_record && finding.basis != Basis::Unsupported.name();
        self.evidence.values().flatten().any(is_supported)
    }
}

impl SelectionCounts {
    /// Adds the outcome of a note.
    pub(in crate::bulk) fn add(&mut self, outcome: &EntryOutcome) {
        match outcome.selected {
            None => {}
            Some(Selected::Seen) => self.seen += 1,
            Some(Selected::Skipped) => self.skipped += 1,
            Some(Selected::Sampled) => {
                self.sampled += 1;
                let line: Option<Line> = serde_json::from_str(&outcome.line).ok();
                // The rules answer for a server without a model, or whose model cannot be reached.
                let by_model = |result: &SampledAnswer| result.engine != EngineName::Rules.as_str();
                let Some(result) = line.and_then(|line| line.result).filter(by_model) else { return };
                self.judged += 1;
                self.missed += u64::from(result.has_value());
                self.supported += u64::from(result.has_value() && result.has_supported_value());
            }
        }
    }

    /// Returns two lines about the choice; `None` without `--select`.
    pub(in crate::bulk) fn summary(&self) -> Option<String> {
        let Self { seen, skipped, sampled, judged, missed, supported } = *self;
        if seen + skipped + sampled == 0 {
            return None;
        }
        let chosen = format!(
            "--select: the rules see oncology in {}; of the other {}, {} did not go to the model (model_skipped), and {} did \
             as a sample (model_sampled)",
            notes(seen),
            grouped(skipped + sampled),
            grouped(skipped),
            grouped(sampled)
        );
        if skipped + sampled == 0 {
            return Some(chosen);
        }
        if judged == 0 {
            return Some(format!(
                "{chosen}\nno model answered a note of the sample: how many notes the choice misses is not known"
            ));
        }
        let unjudged = match sampled - judged {
            0 => String::new(),
            left => format!(" ({} more failed, or were answered by the rules)", grouped(left)),
        };
        let (low, high) = interval(missed, judged);
        Some(format!(
            "{chosen}\nmiss rate: the model has a value for {} of {} of the sample{unjudged}, {} (95 % interval {} to {}); in \
             {} of them the note supports a value",
            grouped(missed),
            notes(judged),
            percent(share(missed, judged)),
            percent(low),
            percent(high),
            grouped(supported)
        ))
    }
}

fn notes(count: u64) -> String {
    format!("{} note{}", grouped(count), if count == 1 { "" } else { "s" })
}

fn percent(share: f64) -> String {
    format!("{:.2} %", share * 100.0)
}

#[expect(clippy::cast_precision_loss, reason = "two decimals are shown")]
fn share(part: u64, whole: u64) -> f64 {
    part as f64 / whole as f64
}

/// Returns the 95 % interval of a share by Wilson's score, which is valid for few notes, and also if none was missed.
fn interval(missed: u64, judged: u64) -> (f64, f64) {
    #[expect(clippy::cast_precision_loss, reason = "two decimals are shown")]
    let (share, count) = (share(missed, judged), judged as f64);
    let scale = 1.0 + Z * Z / count;
    let middle = share + Z * Z / (2.0 * count);
    let half = Z * (share * (1.0 - share) / count + Z * Z / (4.0 * count * count)).sqrt();
    (((middle - half) / scale).max(0.0), ((middle + half) / scale).min(1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_is_that_of_wilson() {
        for (missed, judged, low, high) in [
            (0, 1, 0.0, 0.7935),
            (0, 100, 0.0, 0.0370),
            (1, 9, 0.0199, 0.4350),
            (4, 2_000, 0.0008, 0.0051),
            (3, 3, 0.4385, 1.0),
        ] {
            let (found_low, found_high) = interval(missed, judged);
            assert!(
                (found_low - low).abs() < 1e-4 && (found_high - high).abs() < 1e-4,
                "{missed} of {judged}: {found_low} {found_high}"
            );
        }
    }
}
