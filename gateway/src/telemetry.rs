//! Logs and metrics. This file alone names metrics; their labels come from enums and route templates,
//! never from what a caller sent.

use std::{fmt::Write as _, io, time::Duration};

use crate::extraction::{Answer, Field};
use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode},
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::Registry,
};
use tracing_subscriber::{EnvFilter, fmt, layer::SubscriberExt, util::SubscriberInitExt};

/// JSON log lines on stderr; `RUST_LOG` sets the level (`info` without it).
pub fn init_logs() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let lines = fmt::layer().json().flatten_event(true).with_writer(io::stderr);
    // A second call, as in tests, leaves the first in place.
    let _ = tracing_subscriber::registry().with(filter).with(lines).try_init();
}

/// Resident memory of this process, where the system tells (Linux).
#[must_use]
pub fn rss_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let kilobytes = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    kilobytes.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kilobytes| kilobytes * 1_024)
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    route: String,
    status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct FieldLabels {
    field: &'static str,
    kind: &'static str,
}

/// The metrics of this process.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    requests: Family<Labels, Counter>,
    seconds: Histogram,
    values: Family<FieldLabels, Counter>,
    contradicted: Family<FieldLabels, Counter>,
    cross_check: Family<FieldLabels, Counter>,
    degraded: Counter,
    in_flight: Gauge,
    queued: Gauge,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("gateway");
        let requests = Family::default();
        registry.register("http_requests", "Requests answered, by route template and status", requests.clone());
        let seconds = Histogram::new([0.001, 0.005, 0.02, 0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0]);
        registry.register("http_request_seconds", "Time from arrival to answer", seconds.clone());
        let values = Family::default();
        registry.register("values", "Findings in the record, by field and basis", values.clone());
        let contradicted = Family::default();
        let help = "Findings left out of the record, by field and assertion";
        registry.register("values_left_out", help, contradicted.clone());
        let cross_check = Family::default();
        registry.register("cross_check", "Model and rules compared, by field and outcome", cross_check.clone());
        let degraded = Counter::default();
        registry.register("degraded", "Answers of a lesser engine while the model server was away", degraded.clone());
        let (in_flight, queued) = (Gauge::default(), Gauge::default());
        registry.register("upstream_in_flight", "Upstream calls running", in_flight.clone());
        registry.register("upstream_queued", "Upstream calls waiting", queued.clone());
        Self { registry, requests, seconds, values, contradicted, cross_check, degraded, in_flight, queued }
    }
}

impl Metrics {
    /// Counts one answered request. `route` is the template, never the path.
    pub fn answered(&self, route: &str, status: u16, time: Duration) {
        self.requests.get_or_create(&Labels { route: route.to_owned(), status }).inc();
        self.seconds.observe(time.as_secs_f64());
    }

    /// Counts what one answer holds: kinds of findings, never their values.
    pub fn extracted(&self, answer: &Answer) {
        self.degraded.inc_by(u64::from(answer.degraded));
        for field in Field::ALL {
            let count = |family: &Family<FieldLabels, Counter>, kind| {
                family.get_or_create(&FieldLabels { field: field.name(), kind }).inc();
            };
            for finding in answer.evidence.get(field) {
                match finding.assertion {
                    Some(assertion) if !finding.in_record => count(&self.contradicted, assertion.name()),
                    _ => count(&self.values, finding.basis.name()),
                }
            }
            if let Some(check) = &answer.cross_check {
                count(&self.cross_check, check.get(field).name());
            }
        }
    }

    /// The Prometheus text.
    #[must_use]
    pub fn render(&self, in_flight: usize, queued: usize) -> String {
        self.in_flight.set(i64::try_from(in_flight).unwrap_or(i64::MAX));
        self.queued.set(i64::try_from(queued).unwrap_or(i64::MAX));
        let mut text = String::new();
        if encode(&mut text, &self.registry).is_err() {
            let _ = writeln!(text, "# the metrics could not be written");
        }
        text
    }
}
