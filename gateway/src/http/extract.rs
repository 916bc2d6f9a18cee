//! `POST /api/v1/extract`: reads one note and returns its record.

use axum::{
    Extension,
    extract::{Request, State},
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};

use super::{
    App,
    context::RequestContext,
    error::ErrorCode,
    note::{self, Extraction, NoteCall, Rejection},
    pending_request::{AdmittedRequest, PendingRequest},
    request::{ExtractRequest, ValidRequest},
};
use crate::{extraction::Answer, memory::MemoryReservation};

/// The usual size of an answer with evidence for seven fields, in bytes.
const ANSWER_BYTES: usize = 4 << 10;

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
    let answer = async |request, pending: &mut _| answer(&app, &context, request, pending).await;
    let (pending, outcome) = PendingRequest::run(&app, &context, ROUTE, request, answer).await;
    pending.finish(outcome)
}

async fn answer(
    app: &App,
    context: &RequestContext,
    request: Request,
    pending: &mut PendingRequest,
) -> Result<Response, Rejection> {
    let (request, admitted) = accept(app, context, request, pending).await?;
    let AdmittedRequest { priority, deadline, reservation, grant: _grant } = admitted;
    let call = NoteCall { request, priority, deadline, sink: None };
    respond(&note::read(app, context, &call, &mut pending.audit_guard).await?, reservation)
}

/// Checks the one note of a request: media type, deadline, rate limits, body.
pub(super) async fn accept(
    app: &App,
    context: &RequestContext,
    request: Request,
    pending: &mut PendingRequest,
) -> Result<(ValidRequest, AdmittedRequest), Rejection> {
    let parse = |body: &[u8]| app.extractor.policy.check(body);
    pending.accept_note(app, context, request, parse, |valid: &ValidRequest| &valid.note).await
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
