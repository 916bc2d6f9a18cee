//! Every error a caller can get, as RFC 9457 problem details. The client's sentence is here; the cause
//! goes to the log.

use std::{fmt::Write as _, time::Duration};

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::extraction::{EngineError, ExtractError};

/// Of what is wrong with a request, at most so much is said.
const MOST_VIOLATIONS: usize = 20;

/// What went wrong, for a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(example = "invalid_request")]
#[expect(missing_docs, reason = "the table in `ErrorCode::row` says it")]
pub enum ErrorCode {
    InvalidJson,
    InvalidHost,
    Unauthorized,
    NotFound,
    MethodNotAllowed,
    BodyTooLarge,
    UnsupportedMediaType,
    HostNotAllowed,
    InvalidRequest,
    RateLimited,
    HeadTooLarge,
    Internal,
    UpstreamRejected,
    UpstreamFailed,
    OutputUnusable,
    OutputTruncated,
    UpstreamUnavailable,
    ModelLoading,
    Overloaded,
    Draining,
    DeadlineExceeded,
}

impl ErrorCode {
    /// Every code.
    pub const ALL: [Self; 21] = [
        Self::InvalidJson,
        Self::InvalidHost,
        Self::Unauthorized,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::BodyTooLarge,
        Self::UnsupportedMediaType,
        Self::HostNotAllowed,
        Self::InvalidRequest,
        Self::RateLimited,
        Self::HeadTooLarge,
        Self::Internal,
        Self::UpstreamRejected,
        Self::UpstreamFailed,
        Self::OutputUnusable,
        Self::OutputTruncated,
        Self::UpstreamUnavailable,
        Self::ModelLoading,
        Self::Overloaded,
        Self::Draining,
        Self::DeadlineExceeded,
    ];

    /// Wire name, status, title and the sentence for a person.
    #[must_use]
    #[expect(clippy::too_many_lines, reason = "a table")]
    pub const fn row(self) -> (&'static str, u16, &'static str, &'static str) {
        match self {
            Self::InvalidJson => {
                ("invalid_json", 400, "Invalid JSON", "The body is not JSON in UTF-8. Check quoting and encoding.")
            }
            Self::InvalidHost => (
                "invalid_host",
                400,
                "Invalid Host",
                "An HTTP/1.1 request has exactly one Host header, with a host name or an address in it.",
            ),
            Self::Unauthorized => (
                "unauthorized",
                401,
                "Unauthorized",
                "No key that is known came with the request: send Authorization: Bearer KEY or X-API-Key: KEY. Without keys, /metrics answers callers on its own machine only.",
            ),
            Self::NotFound => ("not_found", 404, "Not found", "There is no such path. See /docs for those that exist."),
            Self::MethodNotAllowed => (
                "method_not_allowed",
                405,
                "Method not allowed",
                "The path exists, but not for this method. See the Allow header.",
            ),
            Self::BodyTooLarge => (
                "body_too_large",
                413,
                "Body too large",
                "The body is larger than this server takes. Send a shorter note.",
            ),
            Self::UnsupportedMediaType => (
                "unsupported_media_type",
                415,
                "Unsupported media type",
                "Send the body as Content-Type: application/json, and not compressed.",
            ),
            Self::HostNotAllowed => (
                "host_not_allowed",
                421,
                "Host not allowed",
                "Without keys this service answers only where it is asked for by an address, as localhost or by a name without dots: a stranger's web page could read its answers otherwise. Ask so, or have the operator list the name in allowed_hosts (GATEWAY_ALLOWED_HOSTS) or set keys.",
            ),
            Self::InvalidRequest => (
                "invalid_request",
                422,
                "Invalid request",
                "The request was understood but cannot be carried out. See `errors`.",
            ),
            Self::RateLimited => (
                "rate_limited",
                429,
                "Too many requests",
                "More notes than the limit allows. Try again after the time in Retry-After.",
            ),
            Self::HeadTooLarge => (
                "head_too_large",
                431,
                "Head too large",
                "The request line and the headers are larger than 64 KiB together. Send fewer or shorter headers.",
            ),
            Self::Internal => {
                ("internal", 500, "Internal error", "This is a fault of the service. Report it with the request id.")
            }
            Self::UpstreamRejected => (
                "upstream_rejected",
                502,
                "Model server refused",
                "The model server refused the request: its configuration and this service's do not fit. An operator must look.",
            ),
            Self::UpstreamFailed => (
                "upstream_failed",
                502,
                "Model server failed",
                "The model server failed while it read the note. Nothing is known about the note; try again or tell an operator.",
            ),
            Self::OutputUnusable => (
                "output_unusable",
                502,
                "Unusable model output",
                "The model answered twice, but not with a record. Nothing is known about the note.",
            ),
            Self::OutputTruncated => (
                "output_truncated",
                502,
                "Model output cut off",
                "The model's answer did not fit the token budget. Nothing is known about the note; a larger `max_tokens` may help.",
            ),
            Self::UpstreamUnavailable => (
                "upstream_unavailable",
                503,
                "Model server unavailable",
                "The model server cannot be reached. Try again later.",
            ),
            Self::ModelLoading => (
                "model_loading",
                503,
                "Model is loading",
                "The model server is starting and loads its model. Try again in a minute.",
            ),
            Self::Overloaded => (
                "overloaded",
                503,
                "Overloaded",
                "The service has as much to do as it may: too many notes are waiting, or requests take as much memory as they may, all together or those of one key. Try again after the time in Retry-After.",
            ),
            Self::Draining => (
                "draining",
                503,
                "Shutting down",
                "This server is shutting down and takes no more notes. Try again soon.",
            ),
            Self::DeadlineExceeded => (
                "deadline_exceeded",
                504,
                "Deadline exceeded",
                "No answer came in time. Nothing is known about the note; try again later.",
            ),
        }
    }

    /// The HTTP status.
    #[must_use]
    pub fn status(self) -> StatusCode {
        StatusCode::from_u16(self.row().1).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// The code's name on the wire, in the log and in metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.row().0
    }

    /// The problem of this code.
    #[must_use]
    pub fn problem(self, request_id: &str) -> Problem {
        Problem::new(self, request_id)
    }

    /// When to come back where nothing better is known.
    const fn retry_after(self) -> Option<Duration> {
        match self {
            Self::UpstreamUnavailable | Self::Overloaded | Self::Draining | Self::RateLimited => {
                Some(Duration::from_secs(5))
            }
            Self::ModelLoading => Some(Duration::from_secs(30)),
            _ => None,
        }
    }
}

/// One thing wrong with a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Violation {
    /// The request key; empty where it is the body as a whole.
    #[schema(example = "text")]
    pub field: String,
    /// The rule that was broken.
    #[schema(example = "not_blank")]
    pub rule: &'static str,
    /// A sentence for a person; it never holds the offending value.
    #[schema(example = "`text` must hold more than white space.")]
    pub message: String,
}

/// An error answer (RFC 9457, `application/problem+json`).
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(example = json!({"type": "about:blank", "title": "Invalid request", "status": 422,
    "detail": "`text` must hold more than white space.", "code": "invalid_request",
    "request_id": "0199c0de-7a3b-7c21-8e5f-2b7d1c9a4e60",
    "errors": [{"field": "text", "rule": "not_blank", "message": "`text` must hold more than white space."}]}))]
pub struct Problem {
    /// Always `about:blank`: `code` tells problems apart.
    #[serde(rename = "type")]
    #[schema(example = "about:blank")]
    pub kind: &'static str,
    /// Short name of the problem.
    #[schema(example = "Invalid request")]
    pub title: &'static str,
    /// The HTTP status.
    #[schema(example = 422, minimum = 400, maximum = 599)]
    pub status: u16,
    /// A sentence for a person.
    #[schema(example = "The request was understood but cannot be carried out. See `errors`.")]
    pub detail: String,
    /// What went wrong, for a program.
    pub code: ErrorCode,
    /// Id of this request, as in the `X-Request-Id` header and in the log.
    #[schema(example = "0199c0de-7a3b-7c21-8e5f-2b7d1c9a4e60")]
    pub request_id: String,
    /// What is wrong with the request; only with `invalid_request`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<Violation>,
    /// When to come back, as in the header.
    #[serde(skip)]
    retry_after: Option<Duration>,
}

impl Problem {
    /// The problem of a code.
    #[must_use]
    pub fn new(code: ErrorCode, request_id: &str) -> Self {
        let (_, status, title, detail) = code.row();
        Self {
            kind: "about:blank",
            title,
            status,
            detail: detail.to_owned(),
            code,
            request_id: request_id.to_owned(),
            errors: Vec::new(),
            retry_after: code.retry_after(),
        }
    }

    /// The same with another sentence for a person.
    #[must_use]
    pub fn saying(self, detail: &str) -> Self {
        Self { detail: detail.to_owned(), ..self }
    }

    /// When to come back, where it is worth it.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }

    /// The same with a measured time to come back after.
    #[must_use]
    pub fn after(self, time: Duration) -> Self {
        Self { retry_after: Some(time), ..self }
    }

    /// A 422 that lists what is wrong.
    #[must_use]
    pub fn invalid(mut errors: Vec<Violation>, request_id: &str) -> Self {
        let more = errors.len().saturating_sub(MOST_VIOLATIONS);
        errors.truncate(MOST_VIOLATIONS);
        let mut detail = errors.iter().map(|error| error.message.as_str()).collect::<Vec<_>>().join(" ");
        if more > 0 {
            let _ = write!(detail, " And {more} more.");
        }
        Self { detail, errors, ..Self::new(ErrorCode::InvalidRequest, request_id) }
    }
}

/// A problem inside an answer, where no header can say when to come back.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct NestedProblem {
    /// Its `request_id` is, of a note in a batch, that of the batch and the note's index.
    #[serde(flatten)]
    problem: Problem,
    /// In how many seconds it is worth trying again; only where it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, minimum = 1)]
    retry_after: Option<u64>,
}

impl From<Problem> for NestedProblem {
    fn from(problem: Problem) -> Self {
        Self { retry_after: problem.retry_after.map(whole_seconds), problem }
    }
}

/// Whole seconds, and never sooner than meant.
fn whole_seconds(time: Duration) -> u64 {
    (time.as_secs() + u64::from(time.subsec_nanos() > 0)).max(1)
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = serde_json::to_vec(&self).unwrap_or_default();
        let mut response = (self.code.status(), body).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(time) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(whole_seconds(time)));
        }
        if self.code == ErrorCode::Unauthorized {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response.extensions_mut().insert(self.code);
        response
    }
}

impl From<&ExtractError> for ErrorCode {
    fn from(error: &ExtractError) -> Self {
        match error {
            ExtractError::QueueFull => Self::Overloaded,
            ExtractError::Truncated => Self::OutputTruncated,
            ExtractError::Unusable(_) => Self::OutputUnusable,
            ExtractError::Engine(error) => match error {
                EngineError::Loading => Self::ModelLoading,
                EngineError::Unavailable => Self::UpstreamUnavailable,
                EngineError::Overloaded => Self::Overloaded,
                EngineError::Rejected => Self::UpstreamRejected,
                EngineError::Failed => Self::UpstreamFailed,
                EngineError::NoteTooLong => Self::InvalidRequest,
                EngineError::DeadlineExceeded => Self::DeadlineExceeded,
            },
        }
    }
}
