//! The metrics of this process. Their names and labels are a public interface, which `gateway/docs/operating.md` lists.

use std::{fmt::Write as _, time::Duration};

use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode},
    metrics::{counter::Counter, family::Family, histogram::Histogram},
    registry::{Registry, Unit},
};

use super::{
    gauges::{Gauges, ScrapedGauges},
    labels::{
        Attempt, AuthFailure, EmptyRecordLabels, KindLabels, NoteLabels, OutcomeLabels, RepairLabels, ReplicaLabels,
        RequestLabels, Route, RouteLabels, StageLabels, ValueLabels,
    },
};
use crate::{
    extraction::{Answer, Assertion, Basis, EngineName, Field, StageTimings, WarningCode, parse::RepairCode},
    rate_limiter::LimitScope,
};

/// Bucket bounds in seconds, from the quickest answer of the rules to about the deadline.
const SECONDS: [f64; 14] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0, 60.0];

/// The stages of an extraction, in the order of `StageTimings`.
const STAGES: [&str; 4] = ["queue", "engine", "parse", "ground"];

type Seconds = fn() -> Histogram;

/// The metrics of this process.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    requests: Family<RequestLabels, Counter>,
    request_seconds: Family<RouteLabels, Histogram, Seconds>,
    notes: Family<NoteLabels, Counter>,
    callers_vanished: Counter,
    stage_seconds: [Histogram; STAGES.len()],
    attempts: Family<OutcomeLabels, Counter>,
    ejections: Family<ReplicaLabels, Counter>,
    tokens: Counter,
    repairs: Family<RepairLabels, Counter>,
    values: [[Counter; Basis::ALL.len()]; Field::ALL.len()],
    left_out: Family<ValueLabels, Counter>,
    cross_check: Family<ValueLabels, Counter>,
    empty_records: Family<EmptyRecordLabels, Counter>,
    degraded: Counter,
    cache: Family<OutcomeLabels, Counter>,
    auth_failures: Family<KindLabels, Counter>,
    rate_limited: Family<KindLabels, Counter>,
    scraped: ScrapedGauges,
}

fn seconds() -> Histogram {
    Histogram::new(SECONDS)
}

impl Default for Metrics {
    fn default() -> Self {
        let mut root = Registry::default();
        let scraped = ScrapedGauges::default();
        scraped.register_process(&mut root);
        let registry = root.sub_registry_with_prefix("gateway");
        scraped.register(registry);
        let requests = Family::default();
        registry.register("http_requests", "Requests answered, by route, status and error code", requests.clone());
        let request_seconds = Family::new_with_constructor(seconds as Seconds);
        let help = "Time from a request's arrival to its answer, by route";
        registry.register_with_unit("http_request", help, Unit::Seconds, request_seconds.clone());
        let help =
            "Notes by route and result, `ok` or an error code; a batch counts each note, a stream its last event";
        let notes = family(registry, "notes", help);
        let callers_vanished =
            counter(registry, "callers_vanished", "Requests whose caller disconnected before the answer");
        let stage_seconds = Family::<StageLabels, _, _>::new_with_constructor(seconds as Seconds);
        let help = "Time that an extraction spends in each stage: queue, engine, parse, ground";
        registry.register_with_unit("stage", help, Unit::Seconds, stage_seconds.clone());
        let stage_seconds = STAGES.map(|stage| stage_seconds.get_or_create_owned(&StageLabels { stage }));
        let attempts = family(registry, "upstream_attempts", "Calls to the model servers, by outcome");
        let ejections = family(registry, "upstream_ejections", "Times that a model server was left out after failures");
        let tokens = counter(registry, "tokens", "Prompt and answer tokens, as the model server counts them");
        let repairs = family(registry, "repairs", "Repairs of an engine's output, by kind");
        let values = family::<ValueLabels>(registry, "values", "Findings in the record, by field and basis");
        let values = Field::ALL.map(|field| {
            Basis::ALL.map(|basis| {
                let labels = ValueLabels { field: field.name(), kind: basis.name() };
                values.get_or_create_owned(&labels)
            })
        });
        let help = "Findings left out of the record, by field and assertion";
        let left_out = family(registry, "values_left_out", help);
        let help = "Cross-checks of the model's values against the rules', by field and outcome";
        let cross_check = family(registry, "cross_check", help);
        let help = "Records without a value, by engine and outcome: answered, doubted (with a warning), refused (502)";
        let empty_records = family(registry, "empty_records", help);
        let help = "Notes that the rules answered because no model server could";
        let degraded = counter(registry, "degraded", help);
        let cache = family(registry, "cache", "Lookups in the response cache, by outcome");
        let auth_failures = family(registry, "auth_failures", "Requests refused because of a missing or unknown key");
        let rate_limited = family(registry, "rate_limited", "Notes refused by a rate limit, by the limit's scope");
        Self {
            registry: root,
            requests,
            request_seconds,
            notes,
            callers_vanished,
            stage_seconds,
            attempts,
            ejections,
            tokens,
            repairs,
            values,
            left_out,
            cross_check,
            empty_records,
            degraded,
            cache,
            auth_failures,
            rate_limited,
            scraped,
        }
    }
}

fn counter(registry: &mut Registry, name: &str, help: &str) -> Counter {
    let counter = Counter::default();
    registry.register(name, help, counter.clone());
    counter
}

fn family<L>(registry: &mut Registry, name: &str, help: &str) -> Family<L, Counter>
where
    L: Clone + std::hash::Hash + Eq + EncodeLabelSet + std::fmt::Debug + Send + Sync + 'static,
{
    let family = Family::default();
    registry.register(name, help, family.clone());
    family
}

impl Metrics {
    /// Counts one answered request.
    pub fn answered(&self, route: Route, status: u16, code: Option<&'static str>, time: Duration) {
        self.requests.get_or_create(&RequestLabels { route, status, code: code.unwrap_or("ok") }).inc();
        self.request_seconds.get_or_create(&RouteLabels { route }).observe(time.as_secs_f64());
    }

    /// Counts a note whose result is known: `ok` or an error code.
    pub fn count_note(&self, route: Route, code: &'static str) {
        self.notes.get_or_create(&NoteLabels { route, code }).inc();
    }

    /// Counts a request whose caller disconnected before the answer.
    pub fn caller_vanished(&self) {
        self.callers_vanished.inc();
    }

    /// Records the times of one extraction's stages, also if it failed.
    pub fn record_stages(&self, stages: StageTimings) {
        let times = [stages.queue, stages.engine, stages.parse, stages.ground];
        for (histogram, time) in self.stage_seconds.iter().zip(times) {
            histogram.observe(time.as_secs_f64());
        }
    }

    /// Counts the contents of one answer: kinds of findings, never their values.
    pub fn count_answer(&self, answer: &Answer) {
        self.tokens.inc_by(u64::from(answer.tokens_used));
        self.degraded.inc_by(u64::from(answer.degraded));
        if answer.record.is_empty() {
            let doubted = answer.warnings.iter().any(|warning| warning.code == WarningCode::EmptyRecordDoubted);
            self.empty_record(answer.engine, if doubted { "doubted" } else { "answered" });
        }
        for repair in &answer.repairs {
            self.repairs.get_or_create(&RepairLabels { kind: repair_name(repair.code) }).inc();
        }
        for (field, values) in Field::ALL.into_iter().zip(&self.values) {
            for finding in answer.evidence.get(field) {
                match finding.assertion {
                    Some(assertion) if !finding.in_record => self.left_out(field, assertion),
                    _ => {
                        let mut by_basis = Basis::ALL.into_iter().zip(values);
                        if let Some((_, count)) = by_basis.find(|(basis, _)| *basis == finding.basis) {
                            count.inc();
                        }
                    }
                }
            }
            if let Some(check) = &answer.cross_check {
                let labels = ValueLabels { field: field.name(), kind: check.get(field).name() };
                self.cross_check.get_or_create(&labels).inc();
            }
        }
    }

    /// Counts an empty record that was refused because the engine's output contained more than it.
    pub fn refused_empty_record(&self, engine: EngineName) {
        self.empty_record(engine, "refused");
    }

    fn empty_record(&self, engine: EngineName, outcome: &'static str) {
        self.empty_records.get_or_create(&EmptyRecordLabels { engine: engine.as_str(), outcome }).inc();
    }

    fn left_out(&self, field: Field, assertion: Assertion) {
        self.left_out.get_or_create(&ValueLabels { field: field.name(), kind: assertion.name() }).inc();
    }

    /// Counts one call to a model server.
    pub fn count_attempt(&self, attempt: Attempt) {
        self.attempts.get_or_create(&OutcomeLabels { outcome: attempt.name() }).inc();
    }

    /// Counts that a model server is left out.
    pub fn ejected(&self, replica: &str) {
        self.ejections.get_or_create(&ReplicaLabels { replica: replica.to_owned() }).inc();
    }

    /// Counts a lookup in the response cache.
    pub fn count_cache_lookup(&self, hit: bool) {
        self.cache.get_or_create(&OutcomeLabels { outcome: if hit { "hit" } else { "miss" } }).inc();
    }

    /// Counts a request that was refused as unauthorized.
    pub fn count_auth_failure(&self, failure: AuthFailure) {
        self.auth_failures.get_or_create(&KindLabels { kind: failure.name() }).inc();
    }

    /// Counts a note that exceeds a rate limit.
    pub fn rate_limited(&self, scope: LimitScope) {
        self.rate_limited.get_or_create(&KindLabels { kind: scope.name() }).inc();
    }

    /// Returns the metrics as `OpenMetrics` text, which Prometheus reads.
    #[must_use]
    pub fn render(&self, gauges: &Gauges<'_>) -> String {
        self.scraped.set(gauges);
        let mut text = String::new();
        if encode(&mut text, &self.registry).is_err() {
            let _ = writeln!(text, "# the metrics could not be written");
        }
        text
    }
}

/// Returns the name of a repair as the JSON of an answer has it.
fn repair_name(repair: RepairCode) -> String {
    serde_json::to_value(repair).ok().and_then(|name| name.as_str().map(str::to_owned)).unwrap_or_default()
}
