//! The metrics of this process. Their names and labels are an interface: `gateway/README.md` lists them.

use std::{fmt::Write as _, time::Duration};

use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode},
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::{Registry, Unit},
};

use super::{lines::Lines, process};
use crate::{
    admission::Counts,
    audit::AuditState,
    extraction::{Answer, Assertion, Basis, Field, Stages, parse::RepairCode},
    rates::Scope,
    readiness::ReplicaReport,
};

/// A route as metrics and log name it: its template, never the path.
pub type Route = &'static str;

/// Seconds from the quickest answer of the rules to the deadline.
const SECONDS: [f64; 14] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0, 60.0];

/// How a call to the model server went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Attempt {
    /// 200, whole.
    Answered,
    /// No connection, or reset before a byte of an answer.
    Unreachable,
    /// 4xx.
    Rejected,
    /// 429.
    Overloaded,
    /// 503.
    Busy,
    /// Another status, or an answer that broke off.
    Failed,
    /// The deadline passed meanwhile.
    Late,
}

impl Attempt {
    const fn name(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Unreachable => "unreachable",
            Self::Rejected => "rejected",
            Self::Overloaded => "overloaded",
            Self::Busy => "busy",
            Self::Failed => "failed",
            Self::Late => "late",
        }
    }
}

/// Why a stranger was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AuthFailure {
    /// No key came with the request.
    NoKey,
    /// A key that is not known, or in a place where it may not stand.
    UnknownKey,
}

impl AuthFailure {
    const fn name(self) -> &'static str {
        match self {
            Self::NoKey => "no_key",
            Self::UnknownKey => "unknown_key",
        }
    }
}

/// What is looked up when the metrics are asked for.
#[derive(Debug)]
pub struct Gauges<'a> {
    /// Slots and queue.
    pub admission: Counts,
    /// Extractions under way, the waiting ones included.
    pub running: usize,
    /// The model servers.
    pub replicas: &'a [ReplicaReport],
    /// The audit, where there is one.
    pub audit: Option<AuditState>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfRequest {
    route: Route,
    status: u16,
    code: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfRoute {
    route: Route,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfStage {
    stage: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Outcome {
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Kind {
    kind: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfRepair {
    kind: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfValue {
    field: &'static str,
    kind: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfReplica {
    replica: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfReplicaState {
    replica: String,
    state: &'static str,
}

type ByReplica = Family<OfReplica, Gauge<f64, std::sync::atomic::AtomicU64>>;
type Seconds = fn() -> Histogram;

/// The metrics of this process.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    requests: Family<OfRequest, Counter>,
    request_seconds: Family<OfRoute, Histogram, Seconds>,
    callers_vanished: Counter,
    stage_seconds: Family<OfStage, Histogram, Seconds>,
    attempts: Family<Outcome, Counter>,
    ejections: Family<OfReplica, Counter>,
    tokens: Counter,
    repairs: Family<OfRepair, Counter>,
    values: [[Counter; Basis::ALL.len()]; Field::ALL.len()],
    left_out: Family<OfValue, Counter>,
    cross_check: Family<OfValue, Counter>,
    degraded: Counter,
    cache: Family<Outcome, Counter>,
    auth_failures: Family<Kind, Counter>,
    rate_limited: Family<Kind, Counter>,
    looked_up: LookedUp,
}

/// What is set when the metrics are asked for.
#[derive(Debug, Default)]
struct LookedUp {
    running: Gauge,
    in_flight: Gauge,
    queued: Gauge,
    given: Counter,
    returned: Counter,
    vanished: Counter,
    queue_refused: Counter,
    replica_ready: Family<OfReplicaState, Gauge>,
    vllm_running: ByReplica,
    vllm_waiting: ByReplica,
    vllm_kv_cache: ByReplica,
    audit_written: Counter,
    audit_lost: Counter,
    audit_failing: Gauge,
    log_dropped: Counter,
    rss: Gauge,
    cpu: Counter<f64, std::sync::atomic::AtomicU64>,
    descriptors: Gauge,
}

fn seconds() -> Histogram {
    Histogram::new(SECONDS)
}

impl Default for Metrics {
    fn default() -> Self {
        let mut root = Registry::default();
        let looked_up = LookedUp::default();
        looked_up.register_process(&mut root);
        let registry = root.sub_registry_with_prefix("gateway");
        looked_up.register(registry);
        let requests = Family::default();
        registry.register("http_requests", "Requests answered, by route, status and error code", requests.clone());
        let request_seconds = Family::new_with_constructor(seconds as Seconds);
        let help = "Time from arrival to answer";
        registry.register_with_unit("http_request", help, Unit::Seconds, request_seconds.clone());
        let callers_vanished = counter(registry, "callers_vanished", "Requests whose caller left before the answer");
        let stage_seconds = Family::new_with_constructor(seconds as Seconds);
        let help = "Time of one extraction in each stage: queue, engine, parse, ground";
        registry.register_with_unit("stage", help, Unit::Seconds, stage_seconds.clone());
        let attempts = family(registry, "upstream_attempts", "Calls to the model servers, by outcome");
        let ejections = family(registry, "upstream_ejections", "Times a model server was left out after failures");
        let tokens = counter(registry, "tokens", "Prompt and answer tokens, as the model server counts them");
        let repairs = family(registry, "repairs", "What had to be mended in the model's output");
        let values = family::<OfValue>(registry, "values", "Findings in the record, by field and basis");
        let values = Field::ALL.map(|field| {
            Basis::ALL.map(|basis| {
                let labels = OfValue { field: field.name(), kind: basis.name() };
                values.get_or_create_owned(&labels)
            })
        });
        let help = "Findings left out of the record, by field and assertion";
        let left_out = family(registry, "values_left_out", help);
        let help = "Model and rules compared, by field and outcome";
        let cross_check = family(registry, "cross_check", help);
        let help = "Answers of the rules while the model server was away";
        let degraded = counter(registry, "degraded", help);
        let cache = family(registry, "cache", "Looks into the cache of answers, by outcome");
        let auth_failures = family(registry, "auth_failures", "Requests refused for want of a known key");
        let rate_limited = family(registry, "rate_limited", "Notes refused by a rate limit, by whose it is");
        Self {
            registry: root,
            requests,
            request_seconds,
            callers_vanished,
            stage_seconds,
            attempts,
            ejections,
            tokens,
            repairs,
            values,
            left_out,
            cross_check,
            degraded,
            cache,
            auth_failures,
            rate_limited,
            looked_up,
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
        self.requests.get_or_create(&OfRequest { route, status, code: code.unwrap_or("ok") }).inc();
        self.request_seconds.get_or_create(&OfRoute { route }).observe(time.as_secs_f64());
    }

    /// Counts a request whose caller left before the answer.
    pub fn caller_vanished(&self) {
        self.callers_vanished.inc();
    }

    /// Counts what one answer holds: kinds of findings, never their values.
    pub fn extracted(&self, answer: &Answer, stages: Stages) {
        let named =
            [("queue", stages.queue), ("engine", stages.engine), ("parse", stages.parse), ("ground", stages.ground)];
        for (stage, time) in named {
            self.stage_seconds.get_or_create(&OfStage { stage }).observe(time.as_secs_f64());
        }
        self.tokens.inc_by(u64::from(answer.tokens_used));
        self.degraded.inc_by(u64::from(answer.degraded));
        for repair in &answer.repairs {
            self.repairs.get_or_create(&OfRepair { kind: written(repair.code) }).inc();
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
                let labels = OfValue { field: field.name(), kind: check.get(field).name() };
                self.cross_check.get_or_create(&labels).inc();
            }
        }
    }

    fn left_out(&self, field: Field, assertion: Assertion) {
        self.left_out.get_or_create(&OfValue { field: field.name(), kind: assertion.name() }).inc();
    }

    /// Counts one call to a model server.
    pub fn attempted(&self, attempt: Attempt) {
        self.attempts.get_or_create(&Outcome { outcome: attempt.name() }).inc();
    }

    /// Counts a model server that is left out from now on.
    pub fn ejected(&self, replica: &str) {
        self.ejections.get_or_create(&OfReplica { replica: replica.to_owned() }).inc();
    }

    /// Counts a look into the cache.
    pub fn looked_in_cache(&self, hit: bool) {
        self.cache.get_or_create(&Outcome { outcome: if hit { "hit" } else { "miss" } }).inc();
    }

    /// Counts a stranger.
    pub fn refused_stranger(&self, failure: AuthFailure) {
        self.auth_failures.get_or_create(&Kind { kind: failure.name() }).inc();
    }

    /// Counts a note over a limit.
    pub fn rate_limited(&self, scope: Scope) {
        self.rate_limited.get_or_create(&Kind { kind: scope.name() }).inc();
    }

    /// The metrics as `OpenMetrics` text, which Prometheus reads.
    #[must_use]
    pub fn render(&self, gauges: &Gauges<'_>) -> String {
        self.looked_up.set(gauges);
        let mut text = String::new();
        if encode(&mut text, &self.registry).is_err() {
            let _ = writeln!(text, "# the metrics could not be written");
        }
        text
    }
}

/// A repair as the answer writes it.
fn written(repair: RepairCode) -> String {
    serde_json::to_value(repair).ok().and_then(|name| name.as_str().map(str::to_owned)).unwrap_or_default()
}

impl LookedUp {
    fn register(&self, registry: &mut Registry) {
        registry.register("extractions_running", "Extractions under way", self.running.clone());
        registry.register("upstream_in_flight", "Upstream calls running", self.in_flight.clone());
        registry.register("queue_depth", "Upstream calls waiting for a slot", self.queued.clone());
        registry.register("leases_given", "Slots given to upstream calls", self.given.clone());
        let help = "Slots that came back; behind leases_given only by what runs";
        registry.register("leases_returned", help, self.returned.clone());
        let help = "Slots that came back because nobody waited for the answer any more";
        registry.register("leases_abandoned", help, self.vanished.clone());
        registry.register("queue_refused", "Upstream calls refused a place in the queue", self.queue_refused.clone());
        registry.register("upstream_replicas", "Model servers, 1 at their state", self.replica_ready.clone());
        let help = "Sequences that the model server decodes, as it says itself";
        registry.register("vllm_requests_running", help, self.vllm_running.clone());
        let help = "Sequences that wait in the model server, as it says itself";
        registry.register("vllm_requests_waiting", help, self.vllm_waiting.clone());
        let help = "Part of the model server's KV cache in use, 0 to 1, as it says itself";
        registry.register("vllm_kv_cache_usage", help, self.vllm_kv_cache.clone());
        registry.register("audit_lines", "Audit lines written", self.audit_written.clone());
        registry.register("audit_lines_lost", "Audit lines that could not be written", self.audit_lost.clone());
        registry.register("audit_failing", "1 while audit lines cannot be written", self.audit_failing.clone());
        registry.register("log_lines_dropped", "Log lines that nobody took", self.log_dropped.clone());
    }

    fn register_process(&self, root: &mut Registry) {
        let registry = root.sub_registry_with_prefix("process");
        registry.register_with_unit("resident_memory", "Resident memory", Unit::Bytes, self.rss.clone());
        registry.register_with_unit("cpu", "Processor time used", Unit::Seconds, self.cpu.clone());
        registry.register("open_fds", "File descriptors that are open", self.descriptors.clone());
    }

    fn set(&self, gauges: &Gauges<'_>) {
        use std::sync::atomic::Ordering::Relaxed;
        let counted = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        self.running.set(counted(gauges.running));
        self.in_flight.set(counted(gauges.admission.in_flight));
        self.queued.set(counted(gauges.admission.queued));
        self.given.inner().store(gauges.admission.given, Relaxed);
        self.returned.inner().store(gauges.admission.returned, Relaxed);
        self.vanished.inner().store(gauges.admission.vanished, Relaxed);
        self.queue_refused.inner().store(gauges.admission.refused, Relaxed);
        for family in [&self.vllm_running, &self.vllm_waiting, &self.vllm_kv_cache] {
            family.clear();
        }
        self.replica_ready.clear();
        for report in gauges.replicas {
            let replica = || report.name.clone();
            self.replica_ready.get_or_create(&OfReplicaState { replica: replica(), state: report.state }).set(1);
            let load = [
                (&self.vllm_running, report.load.running),
                (&self.vllm_waiting, report.load.waiting),
                (&self.vllm_kv_cache, report.load.kv_cache),
            ];
            for (family, value) in load {
                if let Some(value) = value {
                    family.get_or_create(&OfReplica { replica: replica() }).set(value);
                }
            }
        }
        if let Some(audit) = gauges.audit {
            self.audit_written.inner().store(audit.written, Relaxed);
            self.audit_lost.inner().store(audit.lost, Relaxed);
            self.audit_failing.set(i64::from(audit.failing));
        }
        self.log_dropped.inner().store(Lines::dropped(), Relaxed);
        self.rss.set(process::rss_bytes().and_then(|bytes| i64::try_from(bytes).ok()).unwrap_or(0));
        self.cpu.inner().store(process::cpu_seconds().unwrap_or(0.0).to_bits(), Relaxed);
        self.descriptors.set(counted(process::open_descriptors().unwrap_or(0)));
    }
}
