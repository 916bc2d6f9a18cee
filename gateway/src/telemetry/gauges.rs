//! The metrics whose values are read at each scrape: slots, model servers, memory, the audit and the process.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use prometheus_client::{
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::{Registry, Unit},
};

use super::{
    labels::{ReasonLabels, ReplicaLabels, ReplicaStateLabels},
    lines::LogLines,
    process,
};
use crate::{
    admission::AdmissionCounts,
    audit::AuditState,
    memory::Memory,
    readiness::{Reason, ReplicaReport},
};

/// The values that a scrape reads.
#[derive(Debug)]
pub struct Gauges<'a> {
    /// Slots and queue.
    pub admission: AdmissionCounts,
    /// Extractions in flight, including waiting ones.
    pub running: usize,
    /// The memory budget.
    pub memory: &'a Memory,
    /// Live tasks of the runtime: incoming and outgoing connections and a few of the gateway's own.
    pub tasks: usize,
    /// Why notes cannot be read now; `None` if they can.
    pub reason: Option<Reason>,
    /// The model servers.
    pub replicas: &'a [ReplicaReport],
    /// The state of the audit; `None` if it is off.
    pub audit: Option<AuditState>,
    /// Keys whose budget of this month is used up.
    pub budgets_exhausted: usize,
}

type ByReplica = Family<ReplicaLabels, Gauge<f64, AtomicU64>>;

/// The metrics that are set at each scrape.
#[derive(Debug, Default)]
pub(super) struct ScrapedGauges {
    ready: Gauge,
    not_ready: Family<ReasonLabels, Gauge>,
    extractions_running: Gauge,
    memory_held: Gauge,
    memory_budget: Gauge,
    memory_refused: Counter,
    tasks: Gauge,
    upstream_in_flight: Gauge,
    upstream_tokens: Gauge,
    upstream_token_capacity: Gauge,
    queue_depth: Gauge,
    leases_given: Counter,
    leases_returned: Counter,
    leases_abandoned: Counter,
    queue_refused: Counter,
    upstream_replicas: Family<ReplicaStateLabels, Gauge>,
    vllm_requests_running: ByReplica,
    vllm_requests_waiting: ByReplica,
    vllm_kv_cache_usage: ByReplica,
    vllm_preemptions: Family<ReplicaLabels, Counter<f64, AtomicU64>>,
    audit_lines: Counter,
    audit_lines_lost: Counter,
    audit_failing: Gauge,
    budgets_exhausted: Gauge,
    log_lines_dropped: Counter,
    resident_memory: Gauge,
    cpu: Counter<f64, AtomicU64>,
    open_fds: Gauge,
    max_fds: Gauge,
    start_time: Gauge<f64, AtomicU64>,
}

impl ScrapedGauges {
    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register("ready", "1 if notes can be read now, as /health/ready says, else 0", self.ready.clone());
        let help = "1 for the reason why notes cannot be read now, else 0";
        registry.register("not_ready", help, self.not_ready.clone());
        registry.register(
            "extractions_running",
            "Extractions in flight, including waiting ones",
            self.extractions_running.clone(),
        );
        let help = "Bytes of the memory budget that requests, batches and cached answers have reserved";
        registry.register_with_unit("memory_held", help, Unit::Bytes, self.memory_held.clone());
        let help = "Memory budget: bytes that requests, batches and cached answers may reserve together";
        registry.register_with_unit("memory_budget", help, Unit::Bytes, self.memory_budget.clone());
        let help = "Reservations refused because they did not fit into the memory budget";
        registry.register("memory_refused", help, self.memory_refused.clone());
        registry.register("tasks", "Live tasks of the runtime, mostly connections", self.tasks.clone());
        registry.register(
            "upstream_in_flight",
            "Calls to the model servers in flight",
            self.upstream_in_flight.clone(),
        );
        let help = "Tokens of the calls to the model servers in flight, estimated";
        registry.register("upstream_tokens", help, self.upstream_tokens.clone());
        let help = "Tokens that the calls in flight may have together; 0 if they are not limited";
        registry.register("upstream_token_capacity", help, self.upstream_token_capacity.clone());
        let help = "Calls to the model servers waiting for a slot or for room for their tokens";
        registry.register("queue_depth", help, self.queue_depth.clone());
        registry.register("leases_given", "Slots given to calls to the model servers", self.leases_given.clone());
        let help =
            "Slots returned by calls to the model servers; leases_given minus this is the number of running calls";
        registry.register("leases_returned", help, self.leases_returned.clone());
        let help = "Slots returned because the caller no longer waited for the answer";
        registry.register("leases_abandoned", help, self.leases_abandoned.clone());
        let help = "Calls to the model servers refused because the queue was full or the wait too long";
        registry.register("queue_refused", help, self.queue_refused.clone());
        let help = "Model servers by state: 1 for the state that a model server is in, 0 for the others";
        registry.register("upstream_replicas", help, self.upstream_replicas.clone());
        let help = "Requests that the model server is running, by its own metrics";
        registry.register("vllm_requests_running", help, self.vllm_requests_running.clone());
        let help = "Requests that wait in the model server, by its own metrics";
        registry.register("vllm_requests_waiting", help, self.vllm_requests_waiting.clone());
        let help = "Used part of the model server's KV cache, 0 to 1, by its own metrics";
        registry.register("vllm_kv_cache_usage", help, self.vllm_kv_cache_usage.clone());
        let help = "Sequences that the model server has preempted since its start, by its own metrics";
        registry.register("vllm_preemptions", help, self.vllm_preemptions.clone());
        registry.register("audit_lines", "Audit lines written", self.audit_lines.clone());
        registry.register("audit_lines_lost", "Audit lines that could not be written", self.audit_lines_lost.clone());
        registry.register("audit_failing", "1 while audit lines cannot be written", self.audit_failing.clone());
        let help = "Keys whose budget of this month is used up";
        registry.register("budgets_exhausted", help, self.budgets_exhausted.clone());
        registry.register(
            "log_lines_dropped",
            "Log lines dropped because nothing read them",
            self.log_lines_dropped.clone(),
        );
    }

    pub(super) fn register_process(&self, root: &mut Registry) {
        let registry = root.sub_registry_with_prefix("process");
        registry.register_with_unit("resident_memory", "Resident memory", Unit::Bytes, self.resident_memory.clone());
        registry.register_with_unit("cpu", "CPU time used", Unit::Seconds, self.cpu.clone());
        registry.register("open_fds", "Open file descriptors", self.open_fds.clone());
        registry.register("max_fds", "Maximum number of open file descriptors", self.max_fds.clone());
        let help = "Start of the process, in seconds since 1970";
        registry.register_with_unit("start_time", help, Unit::Seconds, self.start_time.clone());
    }

    pub(super) fn set(&self, gauges: &Gauges<'_>) {
        let gauge_value = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        self.ready.set(i64::from(gauges.reason.is_none()));
        for reason in Reason::ALL {
            let labels = ReasonLabels { reason: reason.name() };
            self.not_ready.get_or_create(&labels).set(i64::from(gauges.reason == Some(reason)));
        }
        self.extractions_running.set(gauge_value(gauges.running));
        self.memory_held.set(gauge_value(gauges.memory.reserved()));
        self.memory_budget.set(gauge_value(gauges.memory.budget()));
        self.memory_refused.inner().store(gauges.memory.refused(), Relaxed);
        self.tasks.set(gauge_value(gauges.tasks));
        self.upstream_in_flight.set(gauge_value(gauges.admission.in_flight));
        let token_count = |tokens: u64| i64::try_from(tokens).unwrap_or(i64::MAX);
        self.upstream_tokens.set(token_count(gauges.admission.tokens));
        self.upstream_token_capacity.set(token_count(gauges.admission.token_capacity.unwrap_or(0)));
        self.queue_depth.set(gauge_value(gauges.admission.queued));
        self.leases_given.inner().store(gauges.admission.given, Relaxed);
        self.leases_returned.inner().store(gauges.admission.returned, Relaxed);
        self.leases_abandoned.inner().store(gauges.admission.abandoned, Relaxed);
        self.queue_refused.inner().store(gauges.admission.refused, Relaxed);
        for family in [&self.vllm_requests_running, &self.vllm_requests_waiting, &self.vllm_kv_cache_usage] {
            family.clear();
        }
        self.vllm_preemptions.clear();
        self.upstream_replicas.clear();
        for report in gauges.replicas {
            let replica = || report.name.clone();
            for state in ReplicaReport::STATES {
                let labels = ReplicaStateLabels { replica: replica(), state };
                self.upstream_replicas.get_or_create(&labels).set(i64::from(state == report.state));
            }
            let load = [
                (&self.vllm_requests_running, report.load.running),
                (&self.vllm_requests_waiting, report.load.waiting),
                (&self.vllm_kv_cache_usage, report.load.kv_cache),
            ];
            for (family, value) in load {
                if let Some(value) = value {
                    family.get_or_create(&ReplicaLabels { replica: replica() }).set(value);
                }
            }
            if let Some(preemptions) = report.load.preemptions {
                let labels = ReplicaLabels { replica: replica() };
                self.vllm_preemptions.get_or_create(&labels).inner().store(preemptions.to_bits(), Relaxed);
            }
        }
        if let Some(audit) = gauges.audit {
            self.audit_lines.inner().store(audit.written, Relaxed);
            self.audit_lines_lost.inner().store(audit.lost, Relaxed);
            self.audit_failing.set(i64::from(audit.failing));
        }
        self.budgets_exhausted.set(gauge_value(gauges.budgets_exhausted));
        self.log_lines_dropped.inner().store(LogLines::dropped(), Relaxed);
        self.resident_memory.set(process::rss_bytes().and_then(|bytes| i64::try_from(bytes).ok()).unwrap_or(0));
        self.cpu.inner().store(process::cpu_seconds().unwrap_or(0.0).to_bits(), Relaxed);
        self.open_fds.set(gauge_value(process::open_descriptors().unwrap_or(0)));
        self.max_fds.set(process::max_descriptors().and_then(|most| i64::try_from(most).ok()).unwrap_or(i64::MAX));
        self.start_time.set(process::start_seconds().unwrap_or(0.0));
    }
}
