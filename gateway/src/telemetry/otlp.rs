//! Sends spans to an OpenTelemetry collector, in a build with the feature `otlp` and if `OTEL_EXPORTER_OTLP_ENDPOINT`
//! or `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT` is set. The other `OTEL_*` variables have their standard meaning.

use opentelemetry::{
    Context,
    trace::{SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState, TracerProvider},
};
use opentelemetry_sdk::{Resource, trace::SdkTracerProvider};
use tracing::Subscriber;
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::{Layer, filter::Targets, registry::LookupSpan};

use super::TraceParent;

/// The target of the spans that are sent. Spans of libraries have other targets and are not sent.
pub(super) const TARGET: &str = "gateway::request";

/// Sends the spans; dropping it sends the last ones.
#[derive(Debug)]
pub(super) struct Export(SdkTracerProvider);

impl Drop for Export {
    fn drop(&mut self) {
        let _ = self.0.shutdown();
    }
}

/// Returns the exporter, or `None` if no endpoint is set or the exporter cannot be made.
pub(super) fn export() -> Option<Export> {
    let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    if !set("OTEL_EXPORTER_OTLP_ENDPOINT") && !set("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") {
        return None;
    }
    crate::tls::install();
    let exporter = opentelemetry_otlp::SpanExporter::builder().with_http().build();
    match exporter {
        Ok(exporter) => {
            let resource = Resource::builder().with_service_name("extraction-gateway").build();
            let provider = SdkTracerProvider::builder().with_resource(resource).with_batch_exporter(exporter).build();
            Some(Export(provider))
        }
        Err(error) => {
            tracing::error!(%error, "traces cannot be exported");
            None
        }
    }
}

/// Returns the layer that turns the gateway's spans into spans of the exporter.
pub(super) fn layer<S>(export: &Export) -> impl Layer<S>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
{
    let tracer = export.0.tracer("gateway");
    let request_spans = Targets::new().with_target(TARGET, tracing::Level::INFO);
    // Threads and source lines are left out, so that a span has only the attributes that the gateway sets.
    let layer = tracing_opentelemetry::layer().with_tracer(tracer).with_threads(false).with_location(false);
    layer.with_tracked_inactivity(false).with_filter(request_spans)
}

/// Returns the caller's trace as the context whose child the request's span becomes.
pub(super) fn context_of(caller: &TraceParent) -> Option<Context> {
    let header = caller.header();
    let mut parts = header.split('-').skip(1);
    let (trace, parent, flags) = (parts.next()?, parts.next()?, parts.next()?);
    let flags = TraceFlags::new(u8::from_str_radix(flags, 16).ok()?);
    let (trace, parent) = (TraceId::from_hex(trace).ok()?, SpanId::from_hex(parent).ok()?);
    Some(Context::new().with_remote_span_context(SpanContext::new(trace, parent, flags, true, TraceState::default())))
}

/// Returns the `traceparent` header that makes a call a child of this span; `None` if the span is not collected.
pub(super) fn header_of(span: &tracing::Span) -> Option<String> {
    let context = span.context();
    let span = context.span().span_context().clone();
    let flags = span.trace_flags().to_u8();
    span.is_valid().then(|| format!("00-{}-{}-{flags:02x}", span.trace_id(), span.span_id()))
}
