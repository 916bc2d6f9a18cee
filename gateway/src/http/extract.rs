//! `POST /api/v1/extract`: one note, one record.

use axum::{
    Extension,
    body::Bytes,
    extract::State,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};

use super::{
    App, RequestId,
    error::{ErrorCode, Problem, Violation},
    request::{BadBody, ExtractRequest},
};
use crate::extraction::{Answer, Ask, Deadline, EngineError, ExtractError, Stages, Wishes};

const SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");
const X_DEGRADED: HeaderName = HeaderName::from_static("x-degraded");

/// Reads one note.
///
/// Gives the seven fields and, for every value, the words of the note that it comes from.
#[utoipa::path(post, path = "/api/v1/extract", tag = "extraction", operation_id = "extract",
    request_body = ExtractRequest, responses((status = 200, description = "The record and its evidence", body = Answer)))]
pub(super) async fn extract(
    State(app): State<App>,
    Extension(id): Extension<RequestId>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let deadline = Deadline::after(app.deadline);
    if !is_json(&headers) {
        return Problem::new(ErrorCode::UnsupportedMediaType, &id.0).into_response();
    }
    if app.readiness.is_draining() {
        return Problem::new(ErrorCode::Draining, &id.0).into_response();
    }
    let checked = match app.rules.check(&body) {
        Ok(checked) => checked,
        Err(BadBody::NotJson) => return Problem::new(ErrorCode::InvalidJson, &id.0).into_response(),
        Err(BadBody::Invalid(errors)) => return Problem::invalid(errors, &id.0).into_response(),
    };
    drop(body);
    let ask = Ask {
        model: checked.model,
        temperature: checked.temperature,
        seed: None,
        budget: checked.budget,
        confidence: checked.confidence,
        request_id: id.0.clone(),
    };
    let wishes = Wishes { offsets: checked.offsets, allow_partial: checked.allow_partial };
    let outcome = deadline.bound(app.pipeline.extract(&checked.note, &ask, wishes, deadline)).await;
    app.readiness.was_active();
    match outcome {
        Ok(Ok((answer, stages))) => {
            app.metrics.extracted(&answer);
            respond(&answer, stages)
        }
        Ok(Err(error)) => refuse(&error, &id),
        Err(_) => Problem::new(ErrorCode::DeadlineExceeded, &id.0).into_response(),
    }
}

fn respond(answer: &Answer, stages: Stages) -> Response {
    let Ok(body) = serde_json::to_vec(answer) else {
        return Problem::new(ErrorCode::Internal, &answer.request_id).into_response();
    };
    let json = (header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let mut response = (StatusCode::OK, [json], body).into_response();
    if answer.degraded {
        tracing::warn!(request_id = answer.request_id, engine = answer.engine.as_str(), "a lesser engine answered");
        response.headers_mut().insert(X_DEGRADED, HeaderValue::from_static(answer.engine.as_str()));
    }
    if let Ok(timing) = HeaderValue::from_str(&stages.server_timing()) {
        response.headers_mut().insert(SERVER_TIMING, timing);
    }
    response
}

fn refuse(error: &ExtractError, id: &RequestId) -> Response {
    tracing::warn!(request_id = %id.0, cause = %error, "no answer for a note");
    if matches!(error, ExtractError::Engine(EngineError::NoteTooLong)) {
        let message = "`text` does not fit the model's context; send it in parts.".to_owned();
        let violation = Violation { field: "text".to_owned(), rule: "fits_context", message };
        return Problem::invalid(vec![violation], &id.0).into_response();
    }
    Problem::new(ErrorCode::from(error), &id.0).into_response()
}

fn is_json(headers: &HeaderMap) -> bool {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = value.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/json")
}
