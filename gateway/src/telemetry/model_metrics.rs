//! The metrics of each model: what it answered, and how the shadow model's records compare. They contain counts only.

use std::sync::Arc;

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};

use super::{
    families::counters,
    labels::{ModelOutcome, Reader, ShadowOutcome},
};
use crate::extraction::{Agreement, Answer, Basis, CrossCheck, Field};

/// The metrics of the models.
#[derive(Debug)]
pub struct ModelMetrics {
    shares: Family<ModelLabels, Gauge>,
    notes: Family<ModelOutcomeLabels, Counter>,
    values: Family<ModelKindLabels, Counter>,
    shadow_notes: Family<ModelOutcomeLabels, Counter>,
    shadow_fields: Family<ShadowFieldLabels, Counter>,
    shadow_values: Family<ShadowValueLabels, Counter>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ModelLabels {
    model: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ModelOutcomeLabels {
    model: String,
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ModelKindLabels {
    model: String,
    kind: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ShadowFieldLabels {
    model: String,
    field: &'static str,
    kind: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ShadowValueLabels {
    model: String,
    reader: &'static str,
    kind: &'static str,
}

/// The number of values in a record, by basis.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BasisCounts([u64; Basis::ALL.len()]);

impl BasisCounts {
    /// Counts the values of an answer's record.
    #[must_use]
    pub fn of(answer: &Answer) -> Self {
        let mut counts = Self::default();
        let findings = Field::ALL.into_iter().flat_map(|field| answer.evidence.get(field));
        for finding in findings.filter(|finding| finding.in_record) {
            let mut by_basis = Basis::ALL.into_iter().zip(&mut counts.0);
            if let Some((_, count)) = by_basis.find(|(basis, _)| *basis == finding.basis) {
                *count += 1;
            }
        }
        counts
    }

    fn by_basis(self) -> impl Iterator<Item = (&'static str, u64)> {
        Basis::ALL.into_iter().map(Basis::name).zip(self.0)
    }
}

/// Returns the name of a comparison of the shadow model's record with the answer's.
const fn comparison(agreement: Agreement) -> &'static str {
    match agreement {
        Agreement::Agree => "agree",
        Agreement::Differ => "differ",
        Agreement::OnlyModel => "only_answer",
        Agreement::OnlyRules => "only_shadow",
    }
}

impl ModelMetrics {
    /// Registers the metrics, with all series of these models.
    pub(super) fn register(registry: &mut Registry, models: &[String]) -> Self {
        let by_outcome = |outcomes: &[&'static str]| -> Vec<ModelOutcomeLabels> {
            let labels = |model: &String| {
                let model = model.clone();
                outcomes.iter().map(move |&outcome| ModelOutcomeLabels { model: model.clone(), outcome })
            };
            models.iter().flat_map(labels).collect()
        };
        let answers: Vec<_> = ModelOutcome::ALL.iter().map(|outcome| outcome.name()).collect();
        let readings: Vec<_> = ShadowOutcome::ALL.iter().map(|outcome| outcome.name()).collect();
        let shares = Family::default();
        let help = "Share of the notes for the public name that a model reads, in percent";
        registry.register("model_share", help, shares.clone());
        let help = "Notes by the model that read them and result: answered, empty (a record without a value), failed";
        let notes = counters(registry, ("model_notes", help), by_outcome(&answers));
        let help = "Values in records, by the model that answered and by basis";
        let labels = models
            .iter()
            .flat_map(|model| Basis::ALL.map(|basis| ModelKindLabels { model: model.clone(), kind: basis.name() }));
        let values = counters(registry, ("model_values", help), labels);
        let help = "Notes of the shadow model's sample by result: compared, failed, dropped (no room)";
        let shadow_notes = counters(registry, ("shadow_notes", help), by_outcome(&readings));
        let help = "Fields of notes that the shadow model read too: how its values compare with the answer's";
        let labels = models.iter().flat_map(|model| {
            Field::ALL.into_iter().flat_map(move |field| {
                let kinds = Agreement::ALL.map(comparison);
                kinds.map(|kind| ShadowFieldLabels { model: model.clone(), field: field.name(), kind })
            })
        });
        let shadow_fields = counters(registry, ("shadow_fields", help), labels);
        let help = "Values of notes that the shadow model read too, by basis: those of the answer and of the shadow";
        let labels = models.iter().flat_map(|model| {
            Reader::ALL.iter().flat_map(move |reader| {
                let labels = |kind| ShadowValueLabels { model: model.clone(), reader: reader.name(), kind };
                Basis::ALL.map(|basis| labels(basis.name()))
            })
        });
        let shadow_values = counters(registry, ("shadow_values", help), labels);
        Self { shares, notes, values, shadow_notes, shadow_fields, shadow_values }
    }

    /// Sets the shares of the models in percent.
    pub fn set_shares(&self, shares: &[(Arc<str>, u8)]) {
        for (model, percent) in shares {
            self.shares.get_or_create(&ModelLabels { model: model.to_string() }).set(i64::from(*percent));
        }
    }

    /// Counts a note that a model answered: its result, and its values by basis.
    pub(super) fn count_answer(&self, answer: &Answer) {
        let outcome = if answer.record.is_empty() { ModelOutcome::Empty } else { ModelOutcome::Answered };
        self.count_note(&answer.model, outcome);
        for (kind, count) in BasisCounts::of(answer).by_basis() {
            self.values.get_or_create(&ModelKindLabels { model: answer.model.clone(), kind }).inc_by(count);
        }
    }

    /// Counts a note that a model did not answer.
    pub fn count_failure(&self, model: &str) {
        self.count_note(model, ModelOutcome::Failed);
    }

    fn count_note(&self, model: &str, outcome: ModelOutcome) {
        self.notes.get_or_create(&ModelOutcomeLabels { model: model.to_owned(), outcome: outcome.name() }).inc();
    }

    /// Counts a note of the shadow model's sample.
    pub fn count_shadow(&self, model: &str, outcome: ShadowOutcome) {
        self.shadow_notes.get_or_create(&ModelOutcomeLabels { model: model.to_owned(), outcome: outcome.name() }).inc();
    }

    /// Counts how the fields of the answer and of the shadow model compare.
    pub fn compare_shadow(&self, model: &str, check: &CrossCheck) {
        for field in Field::ALL {
            let kind = comparison(check.get(field));
            self.shadow_fields
                .get_or_create(&ShadowFieldLabels { model: model.to_owned(), field: field.name(), kind })
                .inc();
        }
    }

    /// Counts the values of a note that the shadow model read too.
    pub fn count_shadow_values(&self, model: &str, reader: Reader, counts: BasisCounts) {
        for (kind, count) in counts.by_basis() {
            let labels = ShadowValueLabels { model: model.to_owned(), reader: reader.name(), kind };
            self.shadow_values.get_or_create(&labels).inc_by(count);
        }
    }
}
