//! The problem details of an error, as JSON.

use std::{fmt::Write as _, time::Duration};

use axum::{
    http::{HeaderName, HeaderValue, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use utoipa::ToSchema;

use super::ErrorCode;

/// Maximum violations that one problem lists.
const MAX_VIOLATIONS: usize = 20;

impl ErrorCode {
    /// Returns the problem with this code.
    #[must_use]
    pub fn problem(self, request_id: &str) -> Problem {
        Problem::new(self, request_id)
    }
}

/// One violation of the rules for requests.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Violation {
    /// The key in the request; empty if the violation concerns the whole body.
    #[schema(example = "text")]
    pub field: String,
    /// The rule that was broken.
    #[schema(example = "not_blank")]
    pub rule: &'static str,
    /// A sentence for a person, without the invalid value.
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
    /// Always `about:blank`; `code` distinguishes the problems.
    #[serde(rename = "type")]
    #[schema(example = "about:blank")]
    pub kind: &'static str,
    /// The short name of the problem.
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
    /// The id of this request, as in the `X-Request-Id` header and in the log.
    #[schema(example = "0199c0de-7a3b-7c21-8e5f-2b7d1c9a4e60")]
    pub request_id: String,
    /// What is wrong with the request; only with `invalid_request`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<Violation>,
    /// The time after which to try again, as in the `Retry-After` header.
    #[serde(skip)]
    retry_after: Option<Duration>,
    /// The header that says what the service accepts, and its value; only with `unsupported_media_type`.
    #[serde(skip)]
    accepted: Option<(HeaderName, &'static str)>,
}

impl Problem {
    /// Returns the problem with a code.
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
            accepted: None,
        }
    }

    /// Returns the problem with another sentence for a person.
    #[must_use]
    pub fn with_detail(self, detail: &str) -> Self {
        Self { detail: detail.to_owned(), ..self }
    }

    /// Returns the problem with another `type`, for a place where a key of this name distinguishes it from other
    /// objects.
    #[must_use]
    pub fn with_kind(self, kind: &'static str) -> Self {
        Self { kind, ..self }
    }

    /// Returns the problem with a header that says what the service accepts.
    #[must_use]
    pub fn with_accepted(self, name: HeaderName, value: &'static str) -> Self {
        Self { accepted: Some((name, value)), ..self }
    }

    /// Returns the header that says what the service accepts.
    #[must_use]
    pub fn accepted(&self) -> Option<&(HeaderName, &'static str)> {
        self.accepted.as_ref()
    }

    /// Returns the time after which to try again; `None` if another try is useless.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }

    /// Returns the problem with a measured time after which to try again.
    #[must_use]
    pub fn with_retry_after(self, time: Duration) -> Self {
        Self { retry_after: Some(time), ..self }
    }

    /// Returns a problem with status 422 that lists the violations.
    #[must_use]
    pub fn invalid(mut errors: Vec<Violation>, request_id: &str) -> Self {
        let more = errors.len().saturating_sub(MAX_VIOLATIONS);
        errors.truncate(MAX_VIOLATIONS);
        let mut detail = errors.iter().map(|error| error.message.as_str()).collect::<Vec<_>>().join(" ");
        if more > 0 {
            let _ = write!(detail, " And {more} more.");
        }
        Self { detail, errors, ..Self::new(ErrorCode::InvalidRequest, request_id) }
    }
}

/// A problem inside an answer, where no `Retry-After` header is possible.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct NestedProblem {
    /// The problem. For a note of a batch, `request_id` consists of the batch's id and the note's index.
    #[serde(flatten)]
    problem: Problem,
    /// Seconds after which to try again; absent if another try is useless.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, minimum = 1)]
    retry_after: Option<u64>,
}

impl NestedProblem {
    /// Returns the code of the problem.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        self.problem.code
    }
}

impl From<Problem> for NestedProblem {
    fn from(problem: Problem) -> Self {
        Self { retry_after: problem.retry_after.map(whole_seconds), problem }
    }
}

/// Returns the time in whole seconds, rounded up, at least 1.
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
        if let Some((name, value)) = self.accepted {
            headers.insert(name, HeaderValue::from_static(value));
        }
        if self.code == ErrorCode::Unauthorized {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response.extensions_mut().insert(self.code);
        response
    }
}
