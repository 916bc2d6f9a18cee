//! The span of one request, for a trace collector, by OpenTelemetry's conventions for HTTP servers. Without a collector
//! its methods do nothing, except that calls to the model server stay in the caller's trace.

use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

use super::{Route, TraceParent, otlp};

/// The span of one request within the caller's trace.
#[derive(Clone, Debug)]
pub struct RequestSpan {
    span: Span,
}

impl RequestSpan {
    /// Starts the span of a request, in the caller's trace or in a new one.
    #[must_use]
    pub fn begin(request_id: &str, caller: Option<&TraceParent>) -> Self {
        let span = tracing::info_span!(target: otlp::TARGET, "request", otel.kind = "server");
        if span.is_none() {
            return Self { span };
        }
        if let Some(context) = caller.and_then(otlp::context_of) {
            // A span that is not collected has no parent to set.
            let _ = span.set_parent(context);
        }
        span.set_attribute("gateway.request_id", request_id.to_owned());
        Self { span }
    }

    /// Runs a part of the request within the span.
    pub async fn run<F: Future>(&self, work: F) -> F::Output {
        tracing::Instrument::instrument(work, self.span.clone()).await
    }

    /// Returns the header `traceparent` for a call to the model server: in this span if it is collected, otherwise in
    /// the caller's trace.
    #[must_use]
    pub fn traceparent(&self, caller: Option<&TraceParent>) -> Option<String> {
        otlp::header_of(&self.span).or_else(|| caller.map(TraceParent::of_call))
    }

    /// Records the answer of the request. `status` is `None` if the caller disconnected before an answer; `code` is an
    /// error code.
    pub fn end(&self, method: &'static str, route: Option<Route>, status: Option<u16>, code: Option<&'static str>) {
        if self.span.is_none() {
            return;
        }
        // The conventions have a separate word for methods that are not listed.
        let (method, name) = if method == "other" { ("_OTHER", "HTTP") } else { (method, method) };
        let name = route.map_or_else(|| name.to_owned(), |route| format!("{name} {route}"));
        otlp::rename(&self.span, name);
        self.span.set_attribute("http.request.method", method);
        self.span.set_attribute("url.scheme", "http");
        if let Some(route) = route {
            self.span.set_attribute("http.route", route);
            // A path that contains a part from the caller is left out.
            if !route.contains('{') {
                self.span.set_attribute("url.path", route);
            }
        }
        if let Some(status) = status {
            self.span.set_attribute("http.response.status_code", i64::from(status));
        }
        if let Some(code) = code {
            self.span.set_attribute("gateway.error_code", code);
            // An error that the client caused does not mark the span as failed.
            if status.is_none_or(|status| !(400..500).contains(&status)) {
                otlp::mark_failed(&self.span, code);
            }
        }
    }

    /// Sets one more attribute of the span.
    pub fn set_attribute(&self, name: &'static str, value: i64) {
        self.span.set_attribute(name, value);
    }
}
