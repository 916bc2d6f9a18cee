//! Logs and metrics. This room alone names metrics; their labels come from enums and route templates,
//! never from what a caller sent.

mod gauges;
mod labels;
mod lines;
mod metrics;
#[cfg(feature = "otlp")]
mod otlp;
mod process;
mod span;
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
    labels::{Attempt, AuthFailure, Route},
    lines::Lines,
    metrics::Metrics,
    process::rss_bytes,
    span::RequestSpan,
    trace::TraceParent,
};

/// Libraries that write addresses of the model server at level debug. They never may.
const DISCREET: [&str; 6] = ["hyper", "hyper_util", "reqwest", "rustls", "h2", "tower"];

/// A library that writes the name of the model server, and those in its certificate, as an error at each look. What is
/// wrong is said by the watcher, once and without a name.
const SILENT: &str = "rustls_platform_verifier";

/// Log lines and spans on their way out; dropping it sends the last of them.
#[derive(Debug)]
#[must_use = "dropping it ends the log"]
pub struct Telemetry {
    #[cfg(feature = "otlp")]
    _export: Option<otlp::Export>,
    _lines: Lines,
}

/// JSON log lines on stderr; `RUST_LOG` sets the level (`info` without it). In a build with the feature `otlp`
/// also spans to the collector that `OTEL_EXPORTER_OTLP_ENDPOINT` names.
pub fn init() -> Telemetry {
    let lines = Lines::to_stderr();
    let filter = discreet(EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info")));
    // A line that cannot be written must not become a panic: that would answer 500 to a caller.
    let json = fmt::layer().json().flatten_event(true).with_current_span(false).with_span_list(false);
    let json = json.with_writer(lines.writer()).log_internal_errors(false).with_filter(filter);
    let subscriber = tracing_subscriber::registry().with(json);
    #[cfg(feature = "otlp")]
    let export = otlp::export();
    #[cfg(feature = "otlp")]
    let subscriber = subscriber.with(export.as_ref().map(otlp::layer));
    // A second call, as in tests, leaves the first in place.
    let _ = subscriber.try_init();
    Telemetry {
        #[cfg(feature = "otlp")]
        _export: export,
        _lines: lines,
    }
}

/// A filter under which no library writes an address of the model server, whatever was asked for, of it or of
/// a part of it.
pub fn discreet<S>(filter: EnvFilter) -> impl Filter<S>
where
    S: Subscriber,
{
    let allowed = filter_fn(|metadata| {
        let library = metadata.target().split("::").next().unwrap_or_default();
        library != SILENT && (*metadata.level() <= Level::INFO || !DISCREET.contains(&library))
    });
    allowed.and(filter)
}
