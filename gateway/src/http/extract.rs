//! `POST /api/v1/extract`: reads one note and returns its record.

use axum::{
    Extension,
    extract::{Request, State},
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};

use super::{
    App, access,
    audit_record::AuditGuard,
    body,
    context::RequestContext,
    decoding,
    error::{ErrorCode, Problem},
    media::Takes,
    note::{self, Extraction, ExtractionJob, Rejection},
    rate_limit,
    request::{ExtractRequest, InvalidBody, ValidRequest},
};
use crate::{
    admission::QueuePriority,
    extraction::{Answer, Deadline, Note},
    memory::{MemoryReservation, Purpose},
    rate_limiter::RateLimitState,
    rate_limits::RateLimitGrant,
};

/// The usual size of an answer with evidence for seven fields, in bytes.
const ANSWER_BYTES: usize = 4 << 10;

const BODY_TOO_LATE: &str =
    "The body did not arrive in time. Send at least 1 KiB a second, and the whole body before the deadline.";

const ROUTE: &str = "/api/v1/extract";
const SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");
const X_DEGRADED: HeaderName = HeaderName::from_static("x-degraded");
const X_CACHE: HeaderName = HeaderName::from_static("x-cache");

/// Reads one note.
///
/// Returns the seven fields and, for every value, the words of the note that support it.
///
/// Optional request headers: `X-Request-Id` (kept if it matches `[A-Za-z0-9._-]{1,64}`), `X-Request-Timeout` (seconds
/// within which the client wants an answer; it can only shorten the service's own deadline), `X-Session-Id` (1 to 128
/// visible ASCII characters; if several models answer for the default one, all notes of a session are read by the same),
/// `traceparent` (passed on to the model server).
#[utoipa::path(post, path = ROUTE, tag = "extraction", operation_id = "extractNote",
    request_body = ExtractRequest, responses((status = 200, description = "The record and its evidence", body = Answer,
        headers(
            ("X-Request-Id" = String, description = "Id of this request, as in `request_id`"),
            ("Server-Timing" = String, description = "Milliseconds of each stage"),
            ("X-Degraded" = Option<String>, description = "`rules` if the rules engine answered instead of the model"),
            ("X-Cache" = Option<String>, description = "`hit` or `miss`, if the response cache is on"),
        ))))]
pub(super) async fn extract(
    State(app): State<App>,
    Extension(context): Extension<RequestContext>,
    request: Request,
) -> Response {
    let principal = access::principal(&request);
    let mut audit_guard = AuditGuard::new(&app, &context, ROUTE, principal.clone());
    let mut rate_limit = None;
    let outcome = tokio::select! {
        biased;
        outcome = answer(&app, &context, request, &mut audit_guard, &mut rate_limit) => outcome,
        problem = access::must_end(&app, principal.as_ref(), &context.id) => Err(Box::new(problem)),
    };
    let mut response = outcome.unwrap_or_else(|rejection| rejection.into_response());
    if let Some(rate_limit) = rate_limit {
        rate_limit::add_headers(rate_limit, response.headers_mut());
    }
    let code = response.extensions().get::<ErrorCode>().map(|code| code.name());
    let audit_record = audit_guard.finish(response.status(), code);
    response.extensions_mut().insert(audit_record);
    response
}

async fn answer(
    app: &App,
    context: &RequestContext,
    request: Request,
    audit_guard: &mut AuditGuard,
    rate_limit: &mut Option<RateLimitState>,
) -> Result<Response, Rejection> {
    let accepted = accept(app, context, request, audit_guard).await.map_err(|rejection| {
        let (problem, limit_state) = *rejection;
        *rate_limit = limit_state;
        Box::new(problem)
    })?;
    *rate_limit = accepted.grant.rate_limit;
    respond(&note::read(app, context, &accepted.job, audit_guard).await?, accepted.reservation)
}

/// A note that passed all checks, and its reservations.
pub(super) struct AcceptedNote {
    pub(super) job: ExtractionJob,
    /// Reserved bytes of the memory budget.
    pub(super) reservation: MemoryReservation,
    pub(super) grant: RateLimitGrant,
}

/// The problem of a rejected note, and the state of its rate limit, if that is known.
pub(super) type RejectedNote = Box<(Problem, Option<RateLimitState>)>;

/// Checks the one note of a request: media type, deadline, rate limits, body.
pub(super) async fn accept(
    app: &App,
    context: &RequestContext,
    request: Request,
    audit_guard: &mut AuditGuard,
) -> Result<AcceptedNote, RejectedNote> {
    let parse = |body: &[u8]| app.extractor.policy.check(body);
    let accepted = accept_body(app, context, request, audit_guard, parse, |valid: &ValidRequest| &valid.note).await?;
    let AcceptedBody { body, priority, deadline, reservation, grant } = accepted;
    Ok(AcceptedNote { job: ExtractionJob { request: body, priority, deadline, sink: None }, reservation, grant })
}

/// A body that passed all checks, and its reservations.
pub(super) struct AcceptedBody<T> {
    pub(super) body: T,
    pub(super) priority: QueuePriority,
    pub(super) deadline: Deadline,
    pub(super) reservation: MemoryReservation,
    pub(super) grant: RateLimitGrant,
}

/// Checks a request with one note in its body, which `parse` reads: media type, deadline, rate limits, body.
pub(super) async fn accept_body<T>(
    app: &App,
    context: &RequestContext,
    request: Request,
    audit_guard: &mut AuditGuard,
    parse: impl FnOnce(&[u8]) -> Result<T, InvalidBody>,
    note: impl Fn(&T) -> &Note,
) -> Result<AcceptedBody<T>, RejectedNote> {
    let id = &context.id;
    let rejection = |problem| Box::new((problem, None));
    let reject = |code: ErrorCode| rejection(code.problem(id));
    let (_, coding) = Takes::Json.check(request.headers(), id).map_err(|problem| rejection(*problem))?;
    if app.state.readiness.is_draining() {
        return Err(reject(ErrorCode::Draining));
    }
    let deadline = context.deadline(request.headers(), app.extractor.deadline);
    let deadline = deadline.map_err(|violation| rejection(Problem::invalid(vec![violation], id)))?;
    audit_guard.reserve().map_err(|problem| rejection(*problem))?;
    let grant = rate_limit::CallerAllowance::of(app, &request).admit(app, id);
    let grant = grant.map_err(|exceeded| {
        let (problem, rate_limit) = exceeded.into_problem(app);
        Box::new((problem, Some(rate_limit)))
    })?;
    let with_limit = |problem| Box::new((problem, grant.rate_limit));
    let priority = QueuePriority { principal: access::principal(&request), ..QueuePriority::default() };
    let reservation = body::reserve(app, priority.principal.as_ref(), Purpose::Single);
    let mut reservation = reservation.map_err(|code| with_limit(code.problem(id)))?;
    let limit = app.extractor.body_limit;
    let body = decoding::decoded(request.into_body(), coding, limit, &reservation);
    let body = body.map_err(|code| with_limit(code.problem(id)))?;
    let body = tokio::select! {
        biased;
        body = body::read(body, limit, deadline, &mut reservation) => body,
        () = app.state.in_flight.closed() => Err(ErrorCode::Draining),
    };
    let body = body.map_err(|code| match code {
        ErrorCode::DeadlineExceeded => with_limit(code.problem(id).with_detail(BODY_TOO_LATE)),
        ErrorCode::InvalidJson if coding.is_some() => {
            with_limit(code.problem(id).with_detail(decoding::NOT_DECOMPRESSED))
        }
        code => with_limit(code.problem(id)),
    })?;
    audit_guard.record.body_bytes = body.len();
    let valid = parse(&body).map_err(|bad| with_limit(bad.problem(id)))?;
    reservation.shrink_to(body::REQUEST_OVERHEAD);
    reservation.grow_anyway(note::memory(note(&valid)));
    audit_guard.record_note(note(&valid));
    Ok(AcceptedBody { body: valid, priority, deadline, reservation, grant })
}

/// Returns the response with the answer. The answer keeps the request's memory reserved until the caller has read it.
fn respond(extraction: &Extraction, reservation: MemoryReservation) -> Result<Response, Rejection> {
    let Extraction { answer, stages, cache } = extraction;
    let mut body = Vec::with_capacity(ANSWER_BYTES);
    serde_json::to_writer(&mut body, answer).map_err(|_| ErrorCode::Internal.problem(&answer.request_id))?;
    let json = (header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let mut response = (StatusCode::OK, [json], reservation.attached_to(body)).into_response();
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
