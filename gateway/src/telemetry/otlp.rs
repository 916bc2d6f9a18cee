//! Sends spans to an OpenTelemetry collector if `OTEL_EXPORTER_OTLP_ENDPOINT` or `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT` is
//! set. The other `OTEL_*` variables have their standard meaning.

use std::env;

use opentelemetry::{
    Context, Key,
    trace::{SpanContext, SpanId, Status, TraceContextExt, TraceFlags, TraceId, TraceState, TracerProvider},
};
use opentelemetry_otlp::WithHttpConfig;
use opentelemetry_sdk::{Resource, resource::ResourceBuilder, trace::SdkTracerProvider};
use tracing::Subscriber;
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::{Layer, filter::Targets, registry::LookupSpan};

use super::TraceParent;

/// The target of the spans that are sent. Spans of libraries have other targets and are not sent.
pub(super) const TARGET: &str = "gateway::request";

/// The variables that switch the export on, the more specific one first.
const ENDPOINTS: [&str; 2] = ["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"];
const PROTOCOLS: [&str; 2] = ["OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"];
/// The name of the service if no variable names it.
const SERVICE_NAME: &str = "extraction-gateway";

/// Sends the spans; dropping it sends the last ones.
#[derive(Debug)]
pub(super) struct Export(SdkTracerProvider);

impl Drop for Export {
    fn drop(&mut self) {
        let _ = self.0.shutdown();
    }
}

/// Returns the exporter; `None` if no endpoint is set or tracing is switched off. Fails if it cannot be made.
pub(super) fn export() -> Result<Option<Export>, String> {
    let value = |name: &str| env::var(name).ok().filter(|value| !value.is_empty());
    let is = |name: &str, word: &str| value(name).is_some_and(|value| value.eq_ignore_ascii_case(word));
    let Some(endpoint) = ENDPOINTS.into_iter().find_map(value) else { return Ok(None) };
    if is("OTEL_SDK_DISABLED", "true") || is("OTEL_TRACES_EXPORTER", "none") {
        return Ok(None);
    }
    if let Some(protocol) = PROTOCOLS.into_iter().find_map(value).filter(|protocol| protocol != "http/protobuf") {
        // The value is the operator's own.
        return Err(format!(
            "OTEL_EXPORTER_OTLP_PROTOCOL is {protocol}, which this program does not support: set it to http/protobuf, \
             and the endpoint to the collector's port for HTTP, by default 4318"
        ));
    }
    let exporter = opentelemetry_otlp::SpanExporter::builder().with_http().with_http_client(client(&endpoint)?);
    let exporter = exporter.build().map_err(|error| error.to_string())?;
    let provider = SdkTracerProvider::builder().with_resource(resource()).with_batch_exporter(exporter).build();
    Ok(Some(Export(provider)))
}

/// Returns the attributes of this process that are sent with its spans.
fn resource() -> Resource {
    let builder = || -> ResourceBuilder { Resource::builder() };
    // If the variables name no service, the library uses the name `unknown_service`.
    let named = builder().build().get(&Key::from_static_str("service.name"));
    let named = named.is_some_and(|name| !name.as_str().starts_with("unknown_service"));
    let builder = if named { builder() } else { builder().with_service_name(SERVICE_NAME) };
    builder.with_attribute(opentelemetry::KeyValue::new("service.version", env!("CARGO_PKG_VERSION"))).build()
}

/// Returns the HTTP client of the exporter.
fn client(endpoint: &str) -> Result<reqwest::blocking::Client, String> {
    crate::tls::install();
    let builder = reqwest::blocking::Client::builder().no_proxy();
    // Plain HTTP needs no certificates, and a container image with only the binary has none.
    let builder = if endpoint.starts_with("http://") { builder.tls_certs_only([]) } else { builder };
    // A client for blocking calls must not be made on a thread of the async runtime.
    let made = std::thread::spawn(move || builder.build()).join();
    match made {
        Ok(Ok(client)) => Ok(client),
        Ok(Err(_)) | Err(_) => {
            Err("the HTTP client of the collector cannot be made: for an endpoint with https, SSL_CERT_FILE \
                                    must name a file with the certificates of authorities"
                .to_owned())
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
    layer.with_target(false).with_tracked_inactivity(false).with_filter(request_spans)
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

/// Marks a span as failed, with the word for the error.
pub(super) fn mark_failed(span: &tracing::Span, error: &'static str) {
    span.set_attribute("error.type", error);
    span.set_status(Status::error(""));
}

/// Renames a span. `otel.name` would name it only until it has begun, and it has once its context was asked for.
pub(super) fn rename(span: &tracing::Span, name: String) {
    span.context().span().update_name(name);
}
