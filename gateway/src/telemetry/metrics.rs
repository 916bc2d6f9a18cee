//! The metrics of this process. Their names and labels are a public interface, which `gateway/docs/operating.md` lists.

use std::{fmt::Write as _, time::Duration};

use prometheus_client::{
    encoding::text::encode,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::Registry,
};

use super::{
    families::{self, SecondsFamily, counter, counters},
    gauges::{Gauges, ScrapedGauges},
    labels::{
        Attempt, AuthFailure, BudgetOutcome, BuildLabels, CacheLookup, EmptyRecordLabels, EmptyRecordOutcome,
        KindLabels, KnownLabels, NoteLabels, OutcomeLabels, RepairLabels, ReplicaLabels, RequestLabels, Route,
        RouteLabels, ServerRequestLabels, StageLabels, TokenKind, TokenLabels, ValueLabels,
    },
    model_metrics::ModelMetrics,
    text_format::MetricsFormat,
};
use crate::{
    ask::AskAnswer,
    extraction::{
        Agreement, Answer, Assertion, Basis, EngineName, Field, StageTimings, WarningCode, parse::RepairCode,
    },
    rate_limiter::LimitScope,
};

/// The stages of an extraction, in the order of `StageTimings`.
const STAGES: [&str; 4] = ["queue", "engine", "parse", "ground"];

/// The metrics of this process.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    requests: Family<RequestLabels, Counter>,
    request_seconds: SecondsFamily<RouteLabels>,
    server_request_seconds: SecondsFamily<ServerRequestLabels>,
    first_field_seconds: Histogram,
    notes: Family<NoteLabels, Counter>,
    note_chars: Histogram,
    callers_vanished: Counter,
    stage_seconds: [Histogram; STAGES.len()],
    attempts: Family<OutcomeLabels, Counter>,
    ejections: Family<ReplicaLabels, Counter>,
    tokens: Counter,
    model_tokens: Family<TokenLabels, Counter>,
    models: ModelMetrics,
    repairs: Family<RepairLabels, Counter>,
    values: [[Counter; Basis::ALL.len()]; Field::ALL.len()],
    left_out: Family<ValueLabels, Counter>,
    cross_check: Family<ValueLabels, Counter>,
    empty_records: Family<EmptyRecordLabels, Counter>,
    degraded: Counter,
    cache: Family<OutcomeLabels, Counter>,
    auth_failures: Family<KindLabels, Counter>,
    rate_limited: Family<KindLabels, Counter>,
    budget_notes: Family<OutcomeLabels, Counter>,
    questions: Family<OutcomeLabels, Counter>,
    scraped: ScrapedGauges,
}

/// Returns the labels of one family for each field and each of its kinds.
fn by_field<K: Copy>(
    kinds: &[K],
    name: impl Fn(K) -> &'static str,
    counts: impl Fn(Field, K) -> bool,
) -> Vec<ValueLabels> {
    let of_field = |field: Field| {
        let kinds = kinds.iter().filter(|&&kind| counts(field, kind));
        let labels = kinds.map(|&kind| ValueLabels { field: field.name(), kind: name(kind) });
        labels.collect::<Vec<_>>()
    };
    Field::ALL.into_iter().flat_map(of_field).collect()
}

impl Metrics {
    /// Returns the metrics, with all series whose labels are known before the first request.
    #[must_use]
    #[expect(clippy::too_many_lines, reason = "the list of the metrics, with their names and help texts")]
    pub fn new(known: &KnownLabels) -> Self {
        let mut root = Registry::default();
        let scraped = ScrapedGauges::default();
        scraped.register_process(&mut root);
        let server_request_seconds = families::seconds_by(
            &mut root,
            (
                "http_server_request_duration",
                "Time from a request's arrival to the end of its answer, by the names of OpenTelemetry",
            ),
            // `http_requests` shows the statuses of the other routes; a histogram for each status would be long.
            known.note_routes().map(|http_route| ServerRequestLabels {
                http_request_method: "POST",
                http_route,
                http_response_status_code: known.success(http_route),
            }),
        );
        let registry = root.sub_registry_with_prefix("gateway");
        scraped.register(registry);
        register_build(registry, known.engine);
        let labels = known.requests.iter().map(|&(route, status, code)| RequestLabels { route, status, code });
        let requests =
            counters(registry, ("http_requests", "Requests answered, by route, status and error code"), labels);
        let help = "Time from a request's arrival to the end of its answer, by route";
        let routes = known.routes().map(|route| RouteLabels { route });
        let request_seconds = families::seconds_by(registry, ("http_request", help), routes);
        let help = "Time from the arrival of a streamed note to its first field";
        let first_field_seconds = families::seconds(registry, "first_field", help);
        let help =
            "Notes by route and result, `ok` or an error code; a batch counts each note, a stream its last event";
        let labels = known.notes.iter().map(|&(route, code)| NoteLabels { route, code });
        let notes = counters(registry, ("notes", help), labels);
        let note_chars = families::chars(registry, "note_chars", "Length of the notes, in code points");
        let callers_vanished =
            counter(registry, "callers_vanished", "Requests whose caller disconnected before the end of the answer");
        let help = "Time that an extraction spends in each stage: queue, engine, parse, ground";
        let stage_seconds = families::seconds_by(registry, ("stage", help), STAGES.map(|stage| StageLabels { stage }));
        let stage_seconds = STAGES.map(|stage| stage_seconds.get_or_create_owned(&StageLabels { stage }));
        let labels = Attempt::ALL.iter().map(|outcome| OutcomeLabels { outcome: outcome.name() });
        let attempts = counters(registry, ("upstream_attempts", "Calls to the model servers, by outcome"), labels);
        let help = "Times that a model server was left out after failures";
        // Which model servers there are is known only while they are watched; see `render`.
        let ejections = counters(registry, ("upstream_ejections", help), []);
        let tokens = counter(registry, "tokens", "Prompt and answer tokens of answered notes");
        let help = "Tokens of calls to the model servers, by model and kind; calls without a usable answer count too";
        let labels = known.models.iter().flat_map(|model| {
            TokenKind::ALL.iter().map(|kind| TokenLabels { model: model.clone(), kind: kind.name() })
        });
        let model_tokens = counters(registry, ("model_tokens", help), labels);
        let models = ModelMetrics::register(registry, &known.models);
        let labels = RepairCode::ALL.map(|code| RepairLabels { kind: repair_name(code) });
        let repairs = counters(registry, ("repairs", "Repairs of an engine's output, by kind"), labels);
        let labels = by_field(&Basis::ALL, Basis::name, |_, _| true);
        let values = counters(registry, ("values", "Findings in the record, by field and basis"), labels);
        let values = Field::ALL.map(|field| {
            Basis::ALL.map(|basis| {
                let labels = ValueLabels { field: field.name(), kind: basis.name() };
                values.get_or_create_owned(&labels)
            })
        });
        let labels = by_field(&Assertion::ALL, Assertion::name, |field, assertion| !assertion.in_record(field));
        let help = "Findings left out of the record, by field and assertion";
        let left_out = counters(registry, ("values_left_out", help), labels);
        let help = "Cross-checks of the model's values against the rules', by field and outcome";
        let labels = by_field(&Agreement::ALL, Agreement::name, |_, _| true);
        let cross_check = counters(registry, ("cross_check", help), labels);
        let help = "Records without a value, by engine and outcome: answered, doubted (with a warning), refused (502)";
        let labels = EngineName::ALL.iter().flat_map(|engine| {
            let outcomes = EmptyRecordOutcome::ALL.iter();
            outcomes.map(|outcome| EmptyRecordLabels { engine: engine.as_str(), outcome: outcome.name() })
        });
        let empty_records = counters(registry, ("empty_records", help), labels);
        let help = "Notes that the rules answered because no model server could";
        let degraded = counter(registry, "degraded", help);
        let labels = CacheLookup::ALL.iter().map(|lookup| OutcomeLabels { outcome: lookup.name() });
        let cache = counters(registry, ("cache", "Lookups in the response cache, by outcome"), labels);
        let labels = AuthFailure::ALL.iter().map(|failure| KindLabels { kind: failure.name() });
        let help = "Requests refused because of a missing or unknown key, or a missing scope";
        let auth_failures = counters(registry, ("auth_failures", help), labels);
        let labels = LimitScope::ALL.map(|scope| KindLabels { kind: scope.name() });
        let help = "Notes refused by a rate limit, by the limit's scope";
        let rate_limited = counters(registry, ("rate_limited", help), labels);
        let labels = BudgetOutcome::ALL.iter().map(|outcome| OutcomeLabels { outcome: outcome.name() });
        let help = "Notes of keys with a budget, by outcome: counted, given back because they were not read, refused";
        let budget_notes = counters(registry, ("budget_notes", help), labels);
        let labels = AskAnswer::OUTCOMES.map(|outcome| OutcomeLabels { outcome });
        let help = "Questions answered, by what answered: record, model, emergency, none, not_said, withheld";
        let questions = counters(registry, ("questions", help), labels);
        Self {
            registry: root,
            requests,
            request_seconds,
            server_request_seconds,
            first_field_seconds,
            notes,
            note_chars,
            callers_vanished,
            stage_seconds,
            attempts,
            ejections,
            tokens,
            model_tokens,
            models,
            repairs,
            values,
            left_out,
            cross_check,
            empty_records,
            degraded,
            cache,
            auth_failures,
            rate_limited,
            budget_notes,
            questions,
            scraped,
        }
    }

    /// Counts one answered request. `time` is that from its arrival to the end of its answer.
    pub fn answered(
        &self,
        (method, route): (&'static str, Route),
        status: u16,
        code: Option<&'static str>,
        time: Duration,
    ) {
        let seconds = time.as_secs_f64();
        self.requests.get_or_create(&RequestLabels { route, status, code: code.unwrap_or("ok") }).inc();
        self.request_seconds.get_or_create(&RouteLabels { route }).observe(seconds);
        let labels =
            ServerRequestLabels { http_request_method: method, http_route: route, http_response_status_code: status };
        self.server_request_seconds.get_or_create(&labels).observe(seconds);
    }

    /// Records the time from the arrival of a streamed note to its first field.
    pub fn first_field(&self, time: Duration) {
        self.first_field_seconds.observe(time.as_secs_f64());
    }

    /// Records the length of a note, in code points.
    pub fn record_note_length(&self, chars: usize) {
        self.note_chars.observe(f64::from(u32::try_from(chars).unwrap_or(u32::MAX)));
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
        let times = [stages.queue, stages.engine, stages.parse, stages.judge];
        for (histogram, time) in self.stage_seconds.iter().zip(times) {
            histogram.observe(time.as_secs_f64());
        }
    }

    /// Counts the contents of one answer: kinds of findings, never their values.
    pub fn count_answer(&self, answer: &Answer) {
        self.tokens.inc_by(u64::from(answer.tokens_used));
        self.degraded.inc_by(u64::from(answer.degraded));
        if answer.engine == EngineName::Vllm {
            self.models.count_answer(answer);
        }
        if answer.record.is_empty() {
            let doubted = answer.warnings.iter().any(|warning| warning.code == WarningCode::EmptyRecordDoubted);
            let outcome = if doubted { EmptyRecordOutcome::Doubted } else { EmptyRecordOutcome::Answered };
            self.empty_record(answer.engine, outcome);
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

    /// Returns the metrics of the models.
    #[must_use]
    pub fn models(&self) -> &ModelMetrics {
        &self.models
    }

    /// Counts an empty record that was refused because the engine's output contained more than it.
    pub fn refused_empty_record(&self, engine: EngineName) {
        self.empty_record(engine, EmptyRecordOutcome::Refused);
    }

    fn empty_record(&self, engine: EngineName, outcome: EmptyRecordOutcome) {
        let labels = EmptyRecordLabels { engine: engine.as_str(), outcome: outcome.name() };
        self.empty_records.get_or_create(&labels).inc();
    }

    fn left_out(&self, field: Field, assertion: Assertion) {
        self.left_out.get_or_create(&ValueLabels { field: field.name(), kind: assertion.name() }).inc();
    }

    /// Counts one call to a model server.
    pub fn count_attempt(&self, attempt: Attempt) {
        self.attempts.get_or_create(&OutcomeLabels { outcome: attempt.name() }).inc();
    }

    /// Counts the tokens of one call to a model server, also if its answer is not usable.
    pub fn count_tokens(&self, model: &str, prompt: u32, answer: u32) {
        for (kind, tokens) in [(TokenKind::Prompt, prompt), (TokenKind::Answer, answer)] {
            let labels = TokenLabels { model: model.to_owned(), kind: kind.name() };
            self.model_tokens.get_or_create(&labels).inc_by(u64::from(tokens));
        }
    }

    /// Counts an answered question, by what answered it.
    pub fn count_question(&self, answer: &AskAnswer) {
        self.questions.get_or_create(&OutcomeLabels { outcome: answer.outcome() }).inc();
    }

    /// Counts that a model server is left out.
    pub fn ejected(&self, replica: &str) {
        self.ejections.get_or_create(&ReplicaLabels { replica: replica.to_owned() }).inc();
    }

    /// Counts a lookup in the response cache.
    pub fn count_cache_lookup(&self, hit: bool) {
        let lookup = if hit { CacheLookup::Hit } else { CacheLookup::Miss };
        self.cache.get_or_create(&OutcomeLabels { outcome: lookup.name() }).inc();
    }

    /// Counts a request that was refused as unauthorized.
    pub fn count_auth_failure(&self, failure: AuthFailure) {
        self.auth_failures.get_or_create(&KindLabels { kind: failure.name() }).inc();
    }

    /// Counts a note that exceeds a rate limit.
    pub fn rate_limited(&self, scope: LimitScope) {
        self.rate_limited.get_or_create(&KindLabels { kind: scope.name() }).inc();
    }

    /// Counts a note of a key with a budget.
    pub fn count_budget(&self, outcome: BudgetOutcome) {
        self.budget_notes.get_or_create(&OutcomeLabels { outcome: outcome.name() }).inc();
    }

    /// Returns the metrics in a text format.
    #[must_use]
    pub fn render(&self, gauges: &Gauges<'_>, format: MetricsFormat) -> String {
        self.scraped.set(gauges);
        for report in gauges.replicas {
            drop(self.ejections.get_or_create(&ReplicaLabels { replica: report.name.clone() }));
        }
        let mut text = String::new();
        if encode(&mut text, &self.registry).is_err() {
            let _ = writeln!(text, "# the metrics could not be written");
        }
        format.written(text)
    }
}

impl Default for Metrics {
    /// Returns metrics whose routes and models are not known: their series begin with the first event.
    fn default() -> Self {
        let (requests, notes, models) = Default::default();
        Self::new(&KnownLabels { requests, notes, models, engine: EngineName::Rules })
    }
}

/// Registers what this program is; its value is always 1.
fn register_build(registry: &mut Registry, engine: EngineName) {
    let build = Family::<BuildLabels, Gauge>::default();
    registry.register("build_info", "Version of the gateway and its engine; always 1", build.clone());
    let labels = BuildLabels { version: env!("CARGO_PKG_VERSION"), engine: engine.as_str() };
    build.get_or_create(&labels).set(1);
}

/// Returns the name of a repair as the JSON of an answer has it.
fn repair_name(repair: RepairCode) -> String {
    serde_json::to_value(repair).ok().and_then(|name| name.as_str().map(str::to_owned)).unwrap_or_default()
}
