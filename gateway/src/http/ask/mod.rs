//! `POST /api/v1/ask`: answers a question about one note by pointing at its words.

pub(super) mod stream;

use std::sync::Arc;

use axum::{
    Extension,
    extract::{Request, State},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};

use super::{
    App,
    audit_record::AuditGuard,
    context::RequestContext,
    error::ErrorCode,
    note::{self, Rejection},
    pending_request::{AdmittedRequest, PendingRequest},
    request::AskRequest,
};
use crate::{
    ask::{AskAnswer, AskError, AskSink, AskSource, NoSink, NoteQuestion},
    extraction::{EngineRequest, ExtractError, TokenBudget},
    telemetry::Route,
};

pub(super) const ROUTE: Route = "/api/v1/ask";

const NOT_THE_FORM: &str = "The model for questions did not answer in the requested form. Ask again, or ask about one \
                            of the seven fields, which needs no model.";
const CUT_OFF: &str = "The answer of the model for questions is longer than ask.max_tokens. Ask a narrower question.";

/// Answers a question about a note.
///
/// Questions about the seven fields are answered from the record of the rules engine, without a model: the value, its
/// words, its date, and what the note says about it (denied, planned, of a relative...). Other questions go to the
/// model of `ask.url`, if one is set; its quotes must be in the note, and the words of the note around them must
/// support its answer. If the note does not state the answer, the response says so. The service gives no advice and no
/// triage, and keeps nothing.
#[utoipa::path(post, path = ROUTE, tag = "questions", operation_id = "askNote",
    request_body = AskRequest, responses((status = 200, description = "The answer and the words that support it", body = AskAnswer,
        headers(("X-Request-Id" = String, description = "Id of this request, as in `request_id`")))))]
pub(super) async fn ask(
    State(app): State<App>,
    Extension(context): Extension<RequestContext>,
    request: Request,
) -> Response {
    let respond = async |request, pending: &mut _| respond(&app, &context, request, pending).await;
    let (pending, outcome) = PendingRequest::run(&app, &context, ROUTE, request, respond).await;
    pending.finish(outcome)
}

async fn respond(
    app: &App,
    context: &RequestContext,
    request: Request,
    pending: &mut PendingRequest,
) -> Result<Response, Rejection> {
    let (asked, admitted) = accept(app, context, request, pending).await?;
    let answer = answer(app, context, &asked, &admitted, &mut pending.audit_guard, &NoSink).await?;
    let json = serde_json::to_vec(&answer).map_err(|_| ErrorCode::Internal.problem(&context.id))?;
    let media_type = (header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok((StatusCode::OK, [media_type], admitted.reservation.attached_to(json)).into_response())
}

/// Checks a question: media type, deadline, rate limits, body.
async fn accept(
    app: &App,
    context: &RequestContext,
    request: Request,
    pending: &mut PendingRequest,
) -> Result<(NoteQuestion, AdmittedRequest), Rejection> {
    let parse = |body: &[u8]| app.extractor.policy.check_ask(body);
    pending.accept_note(app, context, request, parse, |asked: &NoteQuestion| &asked.note).await
}

/// Answers a question within its deadline, and records that it was answered.
async fn answer(
    app: &App,
    context: &RequestContext,
    asked: &NoteQuestion,
    admitted: &AdmittedRequest,
    audit_guard: &mut AuditGuard,
    sink: &dyn AskSink,
) -> Result<AskAnswer, Rejection> {
    let request = EngineRequest {
        traceparent: context.span.traceparent(context.trace.as_ref()).map(Into::into),
        priority: admitted.priority.clone(),
        ..EngineRequest::plain(TokenBudget::Adjustable(1), Arc::clone(&context.id))
    };
    match app.asker.ask(asked, &request, sink, admitted.deadline).await {
        Ok(reply) => {
            app.state.metrics.count_question(&reply.answer);
            match (reply.answer.source, app.asker.model()) {
                (AskSource::Record, _) => audit_guard.record_reply("rules", "rules", 0),
                (AskSource::Model, Some(model)) => audit_guard.record_reply("model", model, reply.tokens),
                _ => {}
            }
            Ok(reply.answer)
        }
        Err(error) => {
            tracing::warn!(request_id = &*context.id, cause = %error, "no answer to a question");
            let problem = match error {
                AskError::Unusable => ErrorCode::OutputUnusable.problem(&context.id).with_detail(NOT_THE_FORM),
                AskError::Extract(ExtractError::Truncated) => {
                    ErrorCode::OutputTruncated.problem(&context.id).with_detail(CUT_OFF)
                }
                AskError::Extract(ExtractError::QueueFull) => {
                    ErrorCode::Overloaded.problem(&context.id).with_retry_after(app.asker.admission().retry_after())
                }
                AskError::Extract(error) => note::engine_problem(app, &error, &context.id),
            };
            Err(problem.into())
        }
    }
}
