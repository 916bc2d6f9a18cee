//! Logs, metrics and traces. Only this module names metrics. Their labels come from enums and route templates, never
//! from text that a caller sent.

pub mod alerts;
mod families;
mod gauges;
mod labels;
mod lines;
mod metrics;
mod model_metrics;
mod model_span;
mod otlp;
mod process;
mod span;
mod text_format;
mod trace;

use tracing::{Level, Subscriber};
use tracing_subscriber::{
    EnvFilter, Layer,
    filter::{FilterExt, filter_fn},
    fmt,
    layer::{Filter, SubscriberExt},
    util::SubscriberInitExt,
};

pub use self::{
    gauges::Gauges,
    labels::{Attempt, AuthFailure, BudgetOutcome, KnownLabels, Reader, Route, ShadowOutcome},
    lines::LogLines,
    metrics::Metrics,
    model_metrics::{BasisCounts, ModelMetrics},
    model_span::{ModelCall, ModelCallResult, ModelCallSpan},
    process::rss_bytes,
    span::RequestSpan,
    text_format::MetricsFormat,
    trace::TraceParent,
};

/// Libraries that log the model server's address at level debug, which must not get into the log.
const DISCREET: [&str; 6] = ["hyper", "hyper_util", "reqwest", "rustls", "h2", "tower"];

/// A library that logs the model server's name, and the names in its certificate, as an error at each check. The
/// watcher logs the fault itself, once and without a name.
const SILENT: &str = "rustls_platform_verifier";

/// Sends log lines and spans; dropping it sends the last ones.
#[derive(Debug)]
#[must_use = "dropping it ends the log"]
pub struct Telemetry {
    _export: Option<otlp::Export>,
    _lines: LogLines,
}

/// Starts JSON logging on stderr. `RUST_LOG` sets the level, which is `info` by default.
///
/// Also sends spans to the collector that `OTEL_EXPORTER_OTLP_ENDPOINT` names, if it is set.
pub fn init() -> Telemetry {
    let lines = LogLines::to_stderr();
    let filter = discreet(EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info")));
    // A line that cannot be written must not cause a panic, because the caller would get a 500.
    let json = fmt::layer().json().flatten_event(true).with_current_span(false).with_span_list(false);
    let json = json.with_writer(lines.writer()).log_internal_errors(false).with_filter(filter);
    let subscriber = tracing_subscriber::registry().with(json);
    let (export, fault) = match otlp::export() {
        Ok(export) => (export, None),
        Err(fault) => (None, Some(fault)),
    };
    let subscriber = subscriber.with(export.as_ref().map(otlp::layer));
    // A second call, as in tests, leaves the first subscriber in place.
    let _ = subscriber.try_init();
    if let Some(fault) = fault {
        tracing::error!(fault, "no spans are sent to the collector");
    }
    Telemetry { _export: export, _lines: lines }
}

/// Returns the filter without any line that has an address of the model server, even where `filter` enables the
/// library that writes it, or a module of that library; and without the spans for a collector, so that without one they
/// cost nothing.
pub fn discreet<S>(filter: EnvFilter) -> impl Filter<S>
where
    S: Subscriber,
{
    let allowed = filter_fn(|metadata| {
        let library = metadata.target().split("::").next().unwrap_or_default();
        metadata.target() != otlp::TARGET
            && library != SILENT
            && (*metadata.level() <= Level::INFO || !DISCREET.contains(&library))
    });
    allowed.and(filter)
}
