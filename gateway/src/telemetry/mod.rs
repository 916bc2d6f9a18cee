//! Logs and metrics. This room alone names metrics; their labels come from enums and route templates,
//! never from what a caller sent.

mod lines;
mod metrics;
mod process;
mod trace;

use tracing_subscriber::{EnvFilter, filter::Directive, fmt, layer::SubscriberExt, util::SubscriberInitExt};

pub use self::{
    lines::Lines,
    metrics::{Attempt, AuthFailure, Gauges, Metrics, Route},
    process::rss_bytes,
    trace::TraceParent,
};

/// Libraries that write addresses of the model server at level debug. They never may.
const DISCREET: [&str; 6] = ["hyper=info", "hyper_util=info", "reqwest=info", "rustls=info", "h2=info", "tower=info"];

/// JSON log lines on stderr; `RUST_LOG` sets the level (`info` without it). Dropping what is given writes
/// the last lines out.
#[must_use]
pub fn init_logs() -> Lines {
    let lines = Lines::to_stderr();
    let filter = discreet(EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info")));
    // A line that cannot be written must not become a panic: that would answer 500 to a caller.
    let layer = fmt::layer().json().flatten_event(true).with_writer(lines.writer()).log_internal_errors(false);
    // A second call, as in tests, leaves the first in place.
    let _ = tracing_subscriber::registry().with(filter).with(layer).try_init();
    lines
}

/// A filter under which no library writes an address of the model server, whatever was asked for.
#[must_use]
pub fn discreet(filter: EnvFilter) -> EnvFilter {
    let directives = DISCREET.iter().filter_map(|text| text.parse::<Directive>().ok());
    directives.fold(filter, EnvFilter::add_directive)
}
