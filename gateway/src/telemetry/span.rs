//! The span of one request, for a trace collector. It exists only in a build with the feature `otlp`. In other builds
//! the methods do nothing, except that calls to the model server stay in the caller's trace.

use super::{Route, TraceParent};

/// The span of one request within the caller's trace.
#[derive(Clone, Debug)]
pub struct RequestSpan {
    #[cfg(feature = "otlp")]
    span: tracing::Span,
}

#[cfg(not(feature = "otlp"))]
impl RequestSpan {
    /// Returns a span that does nothing.
    #[must_use]
    pub fn begin(_: &str, _: Option<&TraceParent>) -> Self {
        Self {}
    }

    /// Runs a part of the request.
    pub async fn run<F: Future>(&self, work: F) -> F::Output {
        work.await
    }

    /// Returns the header `traceparent` for a call to the model server, in the caller's trace.
    #[must_use]
    pub fn traceparent(&self, caller: Option<&TraceParent>) -> Option<String> {
        caller.map(TraceParent::of_call)
    }

    /// Does nothing.
    pub fn end(&self, _: &str, _: Route, _: u16, _: Option<&'static str>) {}

    /// Does nothing.
    pub fn set_attribute(&self, _: &'static str, _: i64) {}
}

#[cfg(feature = "otlp")]
impl RequestSpan {
    /// Starts the span of a request, in the caller's trace or in a new one.
    #[must_use]
    pub fn begin(request_id: &str, caller: Option<&TraceParent>) -> Self {
        use tracing_opentelemetry::OpenTelemetrySpanExt;
        let span = tracing::info_span!(target: super::otlp::TARGET, "request", otel.kind = "server");
        if let Some(context) = caller.and_then(super::otlp::context_of) {
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
        super::otlp::header_of(&self.span).or_else(|| caller.map(TraceParent::of_call))
    }

    /// Records the answer of the request.
    pub fn end(&self, method: &str, route: Route, status: u16, code: Option<&'static str>) {
        use tracing_opentelemetry::OpenTelemetrySpanExt;
        self.span.set_attribute("otel.name", format!("{method} {route}"));
        self.span.set_attribute("http.request.method", method.to_owned());
        self.span.set_attribute("http.route", route);
        self.span.set_attribute("http.response.status_code", i64::from(status));
        if let Some(code) = code {
            self.span.set_attribute("error.type", code);
        }
    }

    /// Sets one more attribute of the span.
    pub fn set_attribute(&self, name: &'static str, value: i64) {
        use tracing_opentelemetry::OpenTelemetrySpanExt;
        self.span.set_attribute(name, value);
    }
}
