//! The span of one call to a model server, for a trace collector, by OpenTelemetry's conventions for generative models.
//! It has no text of the note or of the answer, and no address.

use opentelemetry::{Array, StringValue, Value};
use tracing::{Span, field};
use tracing_opentelemetry::OpenTelemetrySpanExt;

use super::{Attempt, TraceParent, otlp};

/// What is known about a call before it is made.
#[derive(Clone, Copy, Debug)]
pub struct ModelCall<'a> {
    /// `chat` or `text_completion`.
    pub operation: &'static str,
    /// The requested model, one of the settings.
    pub model: &'a str,
    /// The name of the model server, such as `vllm-1`.
    pub replica: &'a str,
    /// Most tokens of the answer.
    pub max_tokens: u32,
    /// The sampling temperature.
    pub temperature: f32,
    /// The seed of the sampler.
    pub seed: Option<u64>,
}

/// What is known about a call after its answer.
#[derive(Clone, Copy, Debug)]
pub struct ModelCallResult {
    /// Tokens of the prompt.
    pub prompt_tokens: u32,
    /// Tokens of the answer.
    pub answer_tokens: u32,
    /// `stop` or `length`.
    pub finish_reason: &'static str,
}

/// The span of one call to a model server.
#[derive(Debug)]
pub struct ModelCallSpan {
    span: Span,
}

impl ModelCallSpan {
    /// Starts the span of a call within the span that the header `traceparent` names.
    #[must_use]
    pub fn begin(call: &ModelCall<'_>, traceparent: Option<&str>) -> Self {
        let span = tracing::info_span!(
            target: otlp::TARGET,
            parent: None,
            "model call",
            otel.name = field::Empty,
            otel.kind = "client",
        );
        if span.is_none() {
            return Self { span };
        }
        let parent = traceparent.and_then(|header| TraceParent::parse(header.as_bytes()));
        if let Some(context) = parent.as_ref().and_then(otlp::context_of) {
            // A span that is not collected has no parent to set.
            let _ = span.set_parent(context);
        }
        span.record("otel.name", format!("{} {}", call.operation, call.model));
        span.set_attribute("gen_ai.operation.name", call.operation);
        span.set_attribute("gen_ai.provider.name", "vllm");
        span.set_attribute("gen_ai.request.model", call.model.to_owned());
        span.set_attribute("gen_ai.request.max_tokens", i64::from(call.max_tokens));
        span.set_attribute("gen_ai.request.temperature", f64::from(call.temperature));
        if let Some(seed) = call.seed.and_then(|seed| i64::try_from(seed).ok()) {
            span.set_attribute("gen_ai.request.seed", seed);
        }
        span.set_attribute("gen_ai.output.type", "json");
        span.set_attribute("gateway.replica", call.replica.to_owned());
        Self { span }
    }

    /// Returns the header `traceparent` for the call; `None` if the span is not collected.
    #[must_use]
    pub fn traceparent(&self) -> Option<String> {
        otlp::header_of(&self.span)
    }

    /// Records the answer.
    pub fn answered(&self, result: ModelCallResult) {
        if self.span.is_none() {
            return;
        }
        self.span.set_attribute("gen_ai.usage.input_tokens", i64::from(result.prompt_tokens));
        self.span.set_attribute("gen_ai.usage.output_tokens", i64::from(result.answer_tokens));
        let reasons = vec![StringValue::from(result.finish_reason)];
        self.span.set_attribute("gen_ai.response.finish_reasons", Value::Array(Array::String(reasons)));
    }

    /// Records that there was no usable answer.
    pub fn failed(&self, outcome: Attempt) {
        if !self.span.is_none() {
            otlp::mark_failed(&self.span, outcome.name());
        }
    }
}
