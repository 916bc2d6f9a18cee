//! Reads one note for any route: response cache, engine, metrics, audit record.

use std::sync::Arc;

use super::{
    App,
    audit_record::AuditGuard,
    context::RequestContext,
    error::{ErrorCode, Problem, Violation},
    request::ValidRequest,
    shadow,
};
use crate::{
    admission::QueuePriority,
    extraction::{
        Answer, AnswerOptions, Deadline, EngineError, EngineName, EngineRequest, ExtractError, FieldSink, ModelName,
        Note, StageTimings, parse::Unusable,
    },
    routing::Caller,
};

/// The problem document that answers a request in place of a result.
pub(super) type Rejection = Box<Problem>;

/// One note to read: its request, its place in the queue, its deadline.
pub(super) struct NoteCall {
    pub(super) request: ValidRequest,
    pub(super) priority: QueuePriority,
    pub(super) deadline: Deadline,
    pub(super) sink: Option<FieldSink>,
}

/// The answer to one note.
pub(super) struct Extraction {
    pub(super) answer: Answer,
    pub(super) stages: StageTimings,
    /// `hit` or `miss`; none without a response cache.
    pub(super) cache: Option<&'static str>,
}

/// Bytes of the memory budget that a note occupies while it is read, for each byte of its text: the text is in memory
/// as received, as sent to the model, and as quoted in the answer.
const MEMORY_PER_NOTE_BYTE: usize = 4;

/// Returns the bytes of the memory budget that a note occupies while it is read.
pub(super) fn memory(note: &Note) -> usize {
    note.as_str().len().saturating_mul(MEMORY_PER_NOTE_BYTE)
}

/// Reads a note. Takes no longer than the deadline of the call.
pub(super) async fn read(
    app: &App,
    context: &RequestContext,
    call: &NoteCall,
    audit_guard: &mut AuditGuard,
) -> Result<Extraction, Rejection> {
    let ValidRequest { note, options } = &call.request;
    let model = model(app, context, call);
    audit_guard.record.model.clone_from(&model);
    let cache = app.extractor.response_cache.as_ref();
    let key = cache.and_then(|cache| Some((cache, cache.key(&call.request, model.as_ref())?)));
    if let Some((cache, key)) = key {
        let cached = cache.get(key, &context.id);
        app.state.metrics.count_cache_lookup(cached.is_some());
        if let Some((answer, stages)) = cached {
            audit_guard.record.cached = true;
            audit_guard.record_answer(&answer, stages);
            return Ok(Extraction { answer, stages, cache: Some("hit") });
        }
    }
    let (offsets, allow_partial, note_date) = (options.offsets, options.allow_partial, options.note_date);
    let answer_options = AnswerOptions { offsets, allow_partial, note_date };
    let request = engine_request(context, call, model);
    match app.extractor.pipeline.extract(note, &request, answer_options, call.deadline).await {
        Ok((answer, stages)) => {
            app.state.metrics.record_stages(stages);
            app.state.metrics.count_answer(&answer);
            if answer.degraded {
                count_failure(app, request.model.as_ref());
            }
            audit_guard.record_answer(&answer, stages);
            if let Some((cache, key)) = key {
                cache.keep(key, &answer);
            }
            shadow::start_reading(app, &call.request, memory(note), &answer);
            if answer.degraded {
                let (request_id, engine) = (&*context.id, answer.engine.as_str());
                tracing::warn!(request_id, engine, "the fallback engine answered instead of the model");
            }
            Ok(Extraction { answer, stages, cache: app.extractor.response_cache.as_ref().map(|_| "miss") })
        }
        Err(error) => {
            count_failure(app, request.model.as_ref());
            let (queue, engine) = request.timings.queue_and_engine();
            let stages = StageTimings { queue, engine, ..StageTimings::default() };
            app.state.metrics.record_stages(stages);
            if matches!(error, ExtractError::Unusable(Unusable::EmptyRecord)) {
                app.state.metrics.refused_empty_record(app.extractor.pipeline.engine());
            }
            audit_guard.record.stages = Some(stages);
            // A batch tries again after a full queue, and the outcome of its last try is reported.
            if !(call.priority.bulk && matches!(error, ExtractError::QueueFull)) {
                tracing::warn!(request_id = &*context.id, cause = %error, "no answer for a note");
            }
            Err(engine_problem(app, &error, &context.id).into())
        }
    }
}

/// Returns the model that reads the note; `None` with the rules engine. It is chosen once, so that all chunks, all
/// retries and the response cache use the same model.
fn model(app: &App, context: &RequestContext, call: &NoteCall) -> Option<ModelName> {
    let caller = Caller { session: context.session.as_deref(), principal: call.priority.principal.as_ref() };
    let ValidRequest { note, options } = &call.request;
    let with_model = app.extractor.pipeline.engine() == EngineName::Vllm;
    with_model.then(|| app.extractor.routing.resolve(options.model.as_ref(), caller, note.as_str()))
}

fn count_failure(app: &App, model: Option<&ModelName>) {
    if let Some(model) = model {
        app.state.metrics.models().count_failure(model);
    }
}

fn engine_request(context: &RequestContext, call: &NoteCall, model: Option<ModelName>) -> EngineRequest {
    let options = &call.request.options;
    EngineRequest {
        model,
        temperature: options.temperature,
        seed: None,
        budget: options.budget,
        confidence: options.confidence,
        request_id: Arc::clone(&context.id),
        traceparent: context.span.traceparent(context.trace.as_ref()).map(Into::into),
        priority: call.priority.clone(),
        timings: Arc::default(),
        sink: call.sink.clone(),
    }
}

pub(super) fn engine_problem(app: &App, error: &ExtractError, id: &str) -> Problem {
    match error {
        ExtractError::Engine(EngineError::NoteTooLong) => {
            let message = "`text` does not fit the model's context; send it in parts.".to_owned();
            Problem::invalid(vec![Violation { field: "text".to_owned(), rule: "fits_context", message }], id)
        }
        ExtractError::QueueFull => {
            ErrorCode::Overloaded.problem(id).with_retry_after(app.extractor.pipeline.admission().retry_after())
        }
        error => ErrorCode::from(error).problem(id),
    }
}
