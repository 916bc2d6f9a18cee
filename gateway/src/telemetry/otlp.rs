//! Spans to an OpenTelemetry collector, in a build with the feature `otlp` and where `OTEL_EXPORTER_OTLP_ENDPOINT` (or
//! `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT`) is set. The other `OTEL_*` variables mean what they always mean.

use opentelemetry::{
    Context,
    trace::{SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState, TracerProvider},
};
use opentelemetry_sdk::{Resource, trace::SdkTracerProvider};
use tracing::Subscriber;
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::{Layer, filter::Targets, registry::LookupSpan};

use super::TraceParent;

/// The target of the spans that are sent: no others are, whatever libraries write.
pub(super) const TARGET: &str = "gateway::request";

/// The spans on their way; dropping it sends the last ones.
#[derive(Debug)]
pub(super) struct Export(SdkTracerProvider);

impl Drop for Export {
    fn drop(&mut self) {
        let _ = self.0.shutdown();
    }
}

/// The exporter, where an endpoint is set.
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

/// The layer that makes spans of ours into spans of the exporter.
pub(super) fn layer<S>(export: &Export) -> impl Layer<S>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
{
    let tracer = export.0.tracer("gateway");
    let ours = Targets::new().with_target(TARGET, tracing::Level::INFO);
    // Neither threads nor source lines: what goes out is what is named here.
    let layer = tracing_opentelemetry::layer().with_tracer(tracer).with_threads(false).with_location(false);
    layer.with_tracked_inactivity(false).with_filter(ours)
}

/// The trace that a request came with, as the parent of its span.
pub(super) fn context_of(came: &TraceParent) -> Option<Context> {
    let header = came.header();
    let mut parts = header.split('-').skip(1);
    let (trace, parent, flags) = (parts.next()?, parts.next()?, parts.next()?);
    let flags = TraceFlags::new(u8::from_str_radix(flags, 16).ok()?);
    let (trace, parent) = (TraceId::from_hex(trace).ok()?, SpanId::from_hex(parent).ok()?);
    Some(Context::new().with_remote_span_context(SpanContext::new(trace, parent, flags, true, TraceState::default())))
}

/// The header that makes a call a child of this span; nothing where it is not collected.
pub(super) fn header_of(span: &tracing::Span) -> Option<String> {
    let context = span.context();
    let of_span = context.span().span_context().clone();
    let flags = of_span.trace_flags().to_u8();
    of_span.is_valid().then(|| format!("00-{}-{}-{flags:02x}", of_span.trace_id(), of_span.span_id()))
}
