//! The span of one request, for a trace collector. It exists only in a build with the feature `otlp`; else
//! these are no-ops, and the caller's trace is passed on as it is.

use super::{Route, TraceParent};

/// One request in its caller's trace.
#[derive(Clone, Debug)]
pub struct RequestSpan {
    #[cfg(feature = "otlp")]
    span: tracing::Span,
}

#[cfg(not(feature = "otlp"))]
impl RequestSpan {
    /// A request begins.
    #[must_use]
    pub fn begin(_: &str, _: Option<&TraceParent>) -> Self {
        Self {}
    }

    /// Runs what belongs to the request.
    pub async fn run<F: Future>(&self, work: F) -> F::Output {
        work.await
    }

    /// The header `traceparent` for a call to the model server.
    #[must_use]
    pub fn of_call(&self, came: Option<&TraceParent>) -> Option<String> {
        came.map(TraceParent::of_call)
    }

    /// The request was answered.
    pub fn end(&self, _: &str, _: Route, _: u16, _: Option<&'static str>) {}

    /// What is known of it besides, by name.
    pub fn tell(&self, _: &'static str, _: i64) {}
}

#[cfg(feature = "otlp")]
impl RequestSpan {
    /// A request begins, in the trace that it came with or in a new one.
    #[must_use]
    pub fn begin(request_id: &str, came: Option<&TraceParent>) -> Self {
        use tracing_opentelemetry::OpenTelemetrySpanExt;
        let span = tracing::info_span!(target: super::otlp::TARGET, "request", otel.kind = "server");
        if let Some(context) = came.and_then(super::otlp::context_of) {
            // A span that nobody collects has no parent to be set.
            let _ = span.set_parent(context);
        }
        span.set_attribute("gateway.request_id", request_id.to_owned());
        Self { span }
    }

    /// Runs what belongs to the request.
    pub async fn run<F: Future>(&self, work: F) -> F::Output {
        tracing::Instrument::instrument(work, self.span.clone()).await
    }

    /// The header `traceparent` for a call to the model server: of this span where it is collected, else of
    /// the trace that the request came with.
    #[must_use]
    pub fn of_call(&self, came: Option<&TraceParent>) -> Option<String> {
        super::otlp::header_of(&self.span).or_else(|| came.map(TraceParent::of_call))
    }

    /// The request was answered.
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

    /// What is known of it besides, by name.
    pub fn tell(&self, name: &'static str, value: i64) {
        use tracing_opentelemetry::OpenTelemetrySpanExt;
        self.span.set_attribute(name, value);
    }
}
