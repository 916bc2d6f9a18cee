//! `POST /api/v1/extract`: one note, one record.

use std::sync::Arc;

use axum::{
    Extension,
    extract::{Request, State},
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};

use super::{
    App, access,
    account::Audited,
    arrival::Arrival,
    body,
    error::{ErrorCode, Problem},
    limits,
    note::{self, Done, Job, Refused},
    request::ExtractRequest,
};
use crate::{
    admission::Turn,
    extraction::Answer,
    memory::{Held, Purpose},
    rates::{Allowed, Standing},
};

/// Bytes of an answer with evidence for seven fields.
const USUAL_ANSWER: usize = 4 << 10;

const BODY_TOO_LATE: &str =
    "The body did not arrive in time: 1 KiB a second is the least, and the deadline the latest.";

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
    let principal = access::principal(&request);
    let mut audited = Audited::new(&app, &arrival, ROUTE, principal.clone());
    let mut standing = None;
    let outcome = tokio::select! {
        biased;
        outcome = answer(&app, &arrival, request, &mut audited, &mut standing) => outcome,
        problem = access::must_end(&app, principal.as_ref(), &arrival.id) => Err(Box::new(problem)),
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
    let taken = taken(app, arrival, request, audited).await.map_err(|refused| {
        let (problem, used_up) = *refused;
        *standing = used_up;
        Box::new(problem)
    })?;
    *standing = taken.allowed.standing;
    respond(&note::read(app, arrival, &taken.job, audited).await?, taken.held)
}

/// A note that was taken in, and what it holds of its caller's allowance while it is read.
pub(super) struct Taken {
    pub(super) job: Job,
    /// Of the budget of memory.
    pub(super) held: Held,
    pub(super) allowed: Allowed,
}

/// A note that was not, and the caller's allowance where that was why.
pub(super) type NotTaken = Box<(Problem, Option<Standing>)>;

/// Takes in the one note of a request: type, time, allowance, body.
pub(super) async fn taken(
    app: &App,
    arrival: &Arrival,
    request: Request,
    audited: &mut Audited,
) -> Result<Taken, NotTaken> {
    let id = &arrival.id;
    let refused = |problem| Box::new((problem, None));
    let because = |code: ErrorCode| refused(code.problem(id));
    if !body::is(request.headers(), "application/json") {
        return Err(because(ErrorCode::UnsupportedMediaType));
    }
    if app.readiness.is_draining() {
        return Err(because(ErrorCode::Draining));
    }
    let deadline = arrival.deadline(request.headers(), app.deadline);
    let deadline = deadline.map_err(|violation| refused(Problem::invalid(vec![violation], id)))?;
    let allowed = limits::Caller::of(app, &request).admit(app, id);
    let allowed = allowed.map_err(|too_soon| {
        let (problem, standing) = too_soon.told(app);
        Box::new((problem, Some(standing)))
    })?;
    let told = |problem| Box::new((problem, allowed.standing));
    let turn = Turn { principal: access::principal(&request), bulk: false };
    let held = body::hold(app, turn.principal.as_ref(), Purpose::Single);
    let mut held = held.map_err(|code| told(code.problem(id)))?;
    let body = tokio::select! {
        biased;
        body = body::read(request.into_body(), app.body_limit, deadline, &mut held) => body,
        () = app.work.is_closing() => Err(ErrorCode::Draining),
    };
    let body = body.map_err(|code| match code {
        ErrorCode::DeadlineExceeded => told(code.problem(id).saying(BODY_TOO_LATE)),
        code => told(code.problem(id)),
    })?;
    audited.account.body_bytes = body.len();
    let checked = app.rules.check(&body).map_err(|bad| told(bad.problem(id)))?;
    held.shrink_to(body::OF_A_REQUEST);
    held.grow_anyway(note::memory(&checked.note));
    audited.took(&checked.note);
    Ok(Taken { job: Job { checked, turn, deadline, listener: None }, held, allowed })
}

/// The answer, which counts as the request's memory until the caller has read it.
fn respond(done: &Done, held: Held) -> Result<Response, Refused> {
    let Done { answer, stages, cache } = done;
    let mut body = Vec::with_capacity(USUAL_ANSWER);
    serde_json::to_writer(&mut body, answer).map_err(|_| ErrorCode::Internal.problem(&answer.request_id))?;
    let json = (header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let mut response = (StatusCode::OK, [json], held.attached_to(body)).into_response();
    let headers = response.headers_mut();
    if answer.degraded {
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
