//! `POST /api/v1/extract`: one note, one record.

use std::sync::Arc;

use axum::{
    Extension,
    extract::{Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};

use super::{
    App, access,
    account::Audited,
    arrival::Arrival,
    body,
    error::{ErrorCode, Problem, Violation},
    limits,
    request::{BadBody, Checked, ExtractRequest},
};
use crate::{
    admission::Turn,
    extraction::{Answer, Ask, Deadline, EngineError, ExtractError, Stages, Wishes},
    rates::Standing,
};

/// Bytes of an answer with evidence for seven fields.
const USUAL_ANSWER: usize = 4 << 10;

/// An answer that is none.
type Refused = Box<Problem>;

const ROUTE: &str = "/api/v1/extract";
const SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");
const X_DEGRADED: HeaderName = HeaderName::from_static("x-degraded");
const X_CACHE: HeaderName = HeaderName::from_static("x-cache");

/// Reads one note.
///
/// Gives the seven fields and, for every value, the words of the note that it comes from.
///
/// Headers that may be sent: `X-Request-Id` (kept if it matches `[A-Za-z0-9._-]{1,64}`), `X-Request-Timeout` (seconds within
/// which an answer is wanted; only shortens the service's own deadline), `traceparent` (passed on to the model server).
#[utoipa::path(post, path = ROUTE, tag = "extraction", operation_id = "extract",
    request_body = ExtractRequest, responses((status = 200, description = "The record and its evidence", body = Answer,
        headers(
            ("X-Request-Id" = String, description = "Id of this request, as in `request_id`"),
            ("Server-Timing" = String, description = "Milliseconds of each stage"),
            ("X-Degraded" = Option<String>, description = "`rules` where these answered in place of the model"),
            ("X-Cache" = Option<String>, description = "`hit` or `miss`, where answers are kept"),
        ))))]
pub(super) async fn extract(
    State(app): State<Arc<App>>,
    Extension(arrival): Extension<Arrival>,
    request: Request,
) -> Response {
    let mut audited = Audited::new(&app, &arrival, ROUTE, access::principal(&request));
    let mut standing = None;
    let outcome = tokio::select! {
        biased;
        outcome = answer(&app, &arrival, request, &mut audited, &mut standing) => outcome,
        () = app.work.is_cut_off() => Err(Box::new(ErrorCode::Draining.problem(&arrival.id))),
    };
    let mut response = outcome.unwrap_or_else(|refused| refused.into_response());
    if let Some(standing) = standing {
        limits::tell(standing, response.headers_mut());
    }
    let code = response.extensions().get::<ErrorCode>().map(|code| code.name());
    let account = audited.ended(response.status(), code);
    response.extensions_mut().insert(account);
    response
}

async fn answer(
    app: &App,
    arrival: &Arrival,
    request: Request,
    audited: &mut Audited,
    standing: &mut Option<Standing>,
) -> Result<Response, Refused> {
    let id = &arrival.id;
    if !is_json(request.headers()) {
        return Err(ErrorCode::UnsupportedMediaType.problem(id).into());
    }
    if app.readiness.is_draining() {
        return Err(ErrorCode::Draining.problem(id).into());
    }
    let deadline = arrival.deadline(request.headers(), app.deadline);
    let deadline = deadline.map_err(|violation| Problem::invalid(vec![violation], id))?;
    let allowed = limits::admit(app, &request, id).map_err(|refused| {
        let (problem, used_up) = *refused;
        *standing = Some(used_up);
        Box::new(problem)
    })?;
    *standing = allowed.standing;
    let turn = Turn { principal: access::principal(&request), bulk: false };
    let body = tokio::select! {
        biased;
        body = body::read(request.into_body(), app.body_limit, deadline) => body.map_err(|code| code.problem(id))?,
        () = app.work.is_closing() => return Err(ErrorCode::Draining.problem(id).into()),
    };
    audited.account.body_bytes = body.len();
    let checked = app.rules.check(&body).map_err(|bad| match bad {
        BadBody::NotJson => ErrorCode::InvalidJson.problem(id),
        BadBody::Invalid(errors) => Problem::invalid(errors, id),
    })?;
    drop(body);
    audited.took(&checked.note);
    read(app, arrival, checked, turn, deadline, audited).await
}

async fn read(
    app: &App,
    arrival: &Arrival,
    checked: Checked,
    turn: Turn,
    deadline: Deadline,
    audited: &mut Audited,
) -> Result<Response, Refused> {
    let key = app.answers.as_ref().and_then(|answers| Some((answers, answers.key(&checked)?)));
    if let Some((answers, key)) = key {
        let kept = answers.get(key, &arrival.id);
        app.metrics.looked_in_cache(kept.is_some());
        if let Some((answer, stages)) = kept {
            audited.account.cached = true;
            audited.gave(&answer, stages);
            return respond(&answer, stages, Some("hit"));
        }
    }
    let ask = Ask {
        model: checked.model,
        temperature: checked.temperature,
        seed: None,
        budget: checked.budget,
        confidence: checked.confidence,
        request_id: Arc::clone(&arrival.id),
        traceparent: arrival.span.of_call(arrival.trace.as_ref()).map(Into::into),
        turn,
        spent: Arc::default(),
    };
    let wishes = Wishes { offsets: checked.offsets, allow_partial: checked.allow_partial };
    // Everything that waits in there waits for the deadline at most.
    match app.pipeline.extract(&checked.note, &ask, wishes, deadline).await {
        Ok((answer, stages)) => {
            app.metrics.staged(stages);
            app.metrics.extracted(&answer);
            audited.gave(&answer, stages);
            if let Some((answers, key)) = key {
                answers.keep(key, &answer);
            }
            respond(&answer, stages, app.answers.as_ref().map(|_| "miss"))
        }
        Err(error) => {
            let (queue, engine) = ask.spent.queue_and_engine();
            let stages = Stages { queue, engine, ..Stages::default() };
            app.metrics.staged(stages);
            audited.account.stages = Some(stages);
            Err(refused(app, &error, &arrival.id).into())
        }
    }
}

fn respond(answer: &Answer, stages: Stages, cache: Option<&'static str>) -> Result<Response, Refused> {
    let mut body = Vec::with_capacity(USUAL_ANSWER);
    serde_json::to_writer(&mut body, answer).map_err(|_| ErrorCode::Internal.problem(&answer.request_id))?;
    let json = (header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let mut response = (StatusCode::OK, [json], body).into_response();
    let headers = response.headers_mut();
    if answer.degraded {
        tracing::warn!(request_id = answer.request_id, engine = answer.engine.as_str(), "a lesser engine answered");
        headers.insert(X_DEGRADED, HeaderValue::from_static(answer.engine.as_str()));
    }
    if let Some(cache) = cache {
        headers.insert(X_CACHE, HeaderValue::from_static(cache));
    }
    if let Ok(timing) = HeaderValue::from_str(&stages.server_timing()) {
        headers.insert(SERVER_TIMING, timing);
    }
    Ok(response)
}

fn refused(app: &App, error: &ExtractError, id: &str) -> Problem {
    tracing::warn!(request_id = id, cause = %error, "no answer for a note");
    match error {
        ExtractError::Engine(EngineError::NoteTooLong) => {
            let message = "`text` does not fit the model's context; send it in parts.".to_owned();
            Problem::invalid(vec![Violation { field: "text".to_owned(), rule: "fits_context", message }], id)
        }
        ExtractError::QueueFull => ErrorCode::Overloaded.problem(id).after(app.pipeline.admission().retry_after()),
        error => ErrorCode::from(error).problem(id),
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = value.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/json")
}
