//! The metrics that are looked up when they are asked for: slots, model servers, the process.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use prometheus_client::{
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::{Registry, Unit},
};

use super::{
    labels::{ReplicaLabels, ReplicaStateLabels},
    lines::Lines,
    process,
};
use crate::{admission::Counts, audit::AuditState, memory::Memory, readiness::ReplicaReport};

/// What is looked up when the metrics are asked for.
#[derive(Debug)]
pub struct Gauges<'a> {
    /// Slots and queue.
    pub admission: Counts,
    /// Extractions under way, the waiting ones included.
    pub running: usize,
    /// The budget of memory.
    pub memory: &'a Memory,
    /// Tasks of the runtime that live: connections, to and from, and a handful of our own.
    pub tasks: usize,
    /// The model servers.
    pub replicas: &'a [ReplicaReport],
    /// The audit, where there is one.
    pub audit: Option<AuditState>,
}

type ByReplica = Family<ReplicaLabels, Gauge<f64, AtomicU64>>;

/// What is set when the metrics are asked for.
#[derive(Debug, Default)]
pub(super) struct ScrapedGauges {
    running: Gauge,
    memory_held: Gauge,
    memory_budget: Gauge,
    memory_refused: Counter,
    tasks: Gauge,
    in_flight: Gauge,
    queued: Gauge,
    given: Counter,
    returned: Counter,
    vanished: Counter,
    queue_refused: Counter,
    replica_ready: Family<ReplicaStateLabels, Gauge>,
    vllm_running: ByReplica,
    vllm_waiting: ByReplica,
    vllm_kv_cache: ByReplica,
    audit_written: Counter,
    audit_lost: Counter,
    audit_failing: Gauge,
    log_dropped: Counter,
    rss: Gauge,
    cpu: Counter<f64, AtomicU64>,
    descriptors: Gauge,
}

impl ScrapedGauges {
    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register("extractions_running", "Extractions under way", self.running.clone());
        let help = "Memory that requests hold of the budget";
        registry.register_with_unit("memory_held", help, Unit::Bytes, self.memory_held.clone());
        let help = "Memory that requests may hold together";
        registry.register_with_unit("memory_budget", help, Unit::Bytes, self.memory_budget.clone());
        let help = "Times that something did not fit into the budget of memory";
        registry.register("memory_refused", help, self.memory_refused.clone());
        registry.register("tasks", "Tasks that live, of connections most of all", self.tasks.clone());
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

    pub(super) fn register_process(&self, root: &mut Registry) {
        let registry = root.sub_registry_with_prefix("process");
        registry.register_with_unit("resident_memory", "Resident memory", Unit::Bytes, self.rss.clone());
        registry.register_with_unit("cpu", "Processor time used", Unit::Seconds, self.cpu.clone());
        registry.register("open_fds", "File descriptors that are open", self.descriptors.clone());
    }

    pub(super) fn set(&self, gauges: &Gauges<'_>) {
        let counted = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        self.running.set(counted(gauges.running));
        self.memory_held.set(counted(gauges.memory.held()));
        self.memory_budget.set(counted(gauges.memory.most()));
        self.memory_refused.inner().store(gauges.memory.refused(), Relaxed);
        self.tasks.set(counted(gauges.tasks));
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
            self.replica_ready.get_or_create(&ReplicaStateLabels { replica: replica(), state: report.state }).set(1);
            let load = [
                (&self.vllm_running, report.load.running),
                (&self.vllm_waiting, report.load.waiting),
                (&self.vllm_kv_cache, report.load.kv_cache),
            ];
            for (family, value) in load {
                if let Some(value) = value {
                    family.get_or_create(&ReplicaLabels { replica: replica() }).set(value);
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
