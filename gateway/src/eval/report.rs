//! Writes the scores as a table or as JSON.

use std::{collections::BTreeMap, fmt::Write as _};

use clap::ValueEnum;
use serde::Serialize;
use serde_json::{Value, json};

use super::{
    BASES, Prediction, bootstrap,
    measure::{self, Counts, FieldCounts, MatchCounts, share},
};
use crate::extraction::Field;

/// How a report is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ReportFormat {
    /// A table to read on a terminal.
    #[default]
    Table,
    /// One JSON object.
    Json,
}

/// The result of an evaluation.
#[derive(Clone, Debug)]
pub struct Report {
    engine: &'static str,
    notes: usize,
    fields: Counts,
    micro: FieldCounts,
    interval: Option<(f64, f64)>,
    bases: BTreeMap<(Field, &'static str), usize>,
    left_out: usize,
    failures: BTreeMap<&'static str, usize>,
    against: Option<Comparison>,
}

/// Other predictions for the same notes.
#[derive(Clone, Debug)]
struct Comparison {
    micro: FieldCounts,
    /// The 95 % interval of the difference of the relaxed micro F1.
    interval: Option<(f64, f64)>,
    /// Notes without a prediction.
    failed: usize,
}

#[derive(Serialize)]
struct Scores {
    precision: Option<f64>,
    recall: Option<f64>,
    f1: Option<f64>,
}

impl From<MatchCounts> for Scores {
    fn from(tally: MatchCounts) -> Self {
        Self { precision: tally.precision(), recall: tally.recall(), f1: tally.f1() }
    }
}

impl Report {
    pub(super) fn new(engine: &'static str, notes: &[Counts], predicted: &[Prediction]) -> Self {
        let (fields, micro) = measure::total(notes);
        let mut report = Self {
            engine,
            notes: notes.len(),
            fields,
            micro,
            interval: bootstrap::interval(notes),
            bases: BTreeMap::new(),
            left_out: 0,
            failures: BTreeMap::new(),
            against: None,
        };
        for prediction in predicted {
            prediction.bases.iter().for_each(|(key, count)| *report.bases.entry(*key).or_default() += count);
            report.left_out += prediction.left_out;
            prediction.failure.into_iter().for_each(|code| *report.failures.entry(code).or_default() += 1);
        }
        report
    }

    /// Adds a comparison with other predictions. `notes` and `others` are scores of the same notes in the same order.
    pub(super) fn against(self, notes: &[Counts], others: &[Counts], predicted: &[Prediction]) -> Self {
        let comparison = Comparison {
            micro: measure::total(others).1,
            interval: bootstrap::paired_interval(notes, others),
            failed: predicted.iter().filter(|prediction| prediction.failure.is_some()).count(),
        };
        Self { against: Some(comparison), ..self }
    }

    /// Returns how much better the relaxed micro F1 is than that of the other predictions; `None` without a score.
    fn difference(&self, comparison: &Comparison) -> Option<f64> {
        Some(self.micro.relaxed.f1()? - comparison.micro.relaxed.f1()?)
    }

    /// Returns the number of notes without a prediction, those of a comparison included. Each counts as a note without
    /// values.
    #[must_use]
    pub fn failed(&self) -> usize {
        self.failures.values().sum::<usize>() + self.against.as_ref().map_or(0, |comparison| comparison.failed)
    }

    /// Returns the report as text in the given format.
    #[must_use]
    pub fn written(&self, format: ReportFormat) -> String {
        match format {
            ReportFormat::Table => self.table(),
            ReportFormat::Json => format!("{:#}", self.json()),
        }
    }

    fn values(&self, basis: &str, field: Option<Field>) -> usize {
        let counts = self
            .bases
            .iter()
            .filter(|((of_field, name), _)| *name == basis && field.is_none_or(|field| field == *of_field));
        counts.map(|(_, count)| count).sum()
    }

    fn basis_shares(&self, field: Option<Field>) -> [Option<f64>; 4] {
        let all = BASES.iter().map(|basis| self.values(basis.name(), field)).sum();
        BASES.map(|basis| share(self.values(basis.name(), field), all))
    }

    fn table(&self) -> String {
        let mut out = String::new();
        let _ = writeln!(out, "{} notes, engine {}, {} without a prediction", self.notes, self.engine, self.failed());
        for (code, count) in &self.failures {
            let _ = writeln!(out, "  {code}: {count}");
        }
        let _ = writeln!(
            out,
            "\n{:<16} {:>6}  {:^19}  {:^19}  {:>8}  {:>6} {:>6} {:>6} {:>6}",
            "",
            "notes",
            "exact  P     R    F1",
            "relaxed P    R    F1",
            "spurious",
            "stated",
            "norm.",
            "infer.",
            "unsup."
        );
        for (field, counts) in &self.fields {
            self.row(&mut out, field.name(), counts, Some(*field));
        }
        self.row(&mut out, "all (micro)", &self.micro, None);
        if let Some((low, high)) = self.interval {
            let _ =
                writeln!(out, "\nrelaxed micro F1: 95 % interval {low:.3} to {high:.3} (1000 resamples of the notes)");
        }
        if let Some(comparison) = &self.against
            && let (Some(difference), Some((low, high))) = (self.difference(comparison), comparison.interval)
        {
            let other = comparison.micro.relaxed.f1().unwrap_or_default();
            let _ = writeln!(
                out,
                "against the other predictions, relaxed micro F1 {other:.3}: difference {difference:+.3}, 95 % interval \
                 {low:+.3} to {high:+.3} (the same notes drawn for both)"
            );
        }
        let _ = writeln!(out, "values left out because the note contradicts or withholds them: {}", self.left_out);
        out
    }

    fn row(&self, out: &mut String, name: &str, counts: &FieldCounts, field: Option<Field>) {
        let shown = |value: Option<f64>| value.map_or_else(|| "  -  ".to_owned(), |value| format!("{value:.3}"));
        let scores = |tally: MatchCounts| {
            format!("{} {} {}", shown(tally.precision()), shown(tally.recall()), shown(tally.f1()))
        };
        let [stated, normalized, inferred, unsupported] = self.basis_shares(field).map(shown);
        let _ = writeln!(
            out,
            "{name:<16} {:>6}  {:>19}  {:>19}  {:>8}  {stated:>6} {normalized:>6} {inferred:>6} {unsupported:>6}",
            counts.labelled,
            scores(counts.exact),
            scores(counts.relaxed),
            shown(share(counts.spurious, counts.empty)),
        );
    }

    fn json(&self) -> Value {
        let scores = |counts: &FieldCounts, field: Option<Field>| {
            let bases: BTreeMap<&str, Option<f64>> =
                BASES.iter().map(|basis| basis.name()).zip(self.basis_shares(field)).collect();
            json!({
                "labelled": counts.labelled,
                "exact": Scores::from(counts.exact),
                "relaxed": Scores::from(counts.relaxed),
                "spurious": share(counts.spurious, counts.empty),
                "basis": bases,
            })
        };
        let fields: BTreeMap<&str, Value> =
            self.fields.iter().map(|(field, counts)| (field.name(), scores(counts, Some(*field)))).collect();
        let mut report = json!({
            "engine": self.engine,
            "notes": self.notes,
            "failed": self.failures,
            "fields": fields,
            "micro": scores(&self.micro, None),
            "relaxed_micro_f1_interval_95": self.interval.map(|(low, high)| [low, high]),
            "values_left_out": self.left_out,
        });
        if let Some(comparison) = &self.against
            && let Some(report) = report.as_object_mut()
        {
            let micro = &comparison.micro;
            let against = json!({
                "micro": {"exact": Scores::from(micro.exact), "relaxed": Scores::from(micro.relaxed)},
                "difference": self.difference(comparison),
                "failed": comparison.failed,
                "difference_interval_95": comparison.interval.map(|(low, high)| [low, high]),
            });
            report.insert("against".to_owned(), against);
        }
        report
    }
}
