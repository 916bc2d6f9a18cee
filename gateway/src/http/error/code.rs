//! The error codes, each with its status, its title and a sentence for a person.

use std::time::Duration;

use axum::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use crate::extraction::{EngineError, ExtractError};

/// What went wrong, for a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(example = "invalid_request")]
#[expect(missing_docs, reason = "the table in `ErrorCode::row` describes the codes")]
pub enum ErrorCode {
    InvalidJson,
    InvalidHost,
    Unauthorized,
    InsufficientScope,
    NotFound,
    JobsOff,
    UsageOff,
    TranscribeOff,
    ScanOff,
    MethodNotAllowed,
    BodyTooLarge,
    UnsupportedMediaType,
    HostNotAllowed,
    InvalidRequest,
    NoSpeech,
    NoText,
    RateLimited,
    BudgetExhausted,
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
    pub const ALL: [Self; 29] = [
        Self::InvalidJson,
        Self::InvalidHost,
        Self::Unauthorized,
        Self::InsufficientScope,
        Self::NotFound,
        Self::JobsOff,
        Self::UsageOff,
        Self::TranscribeOff,
        Self::ScanOff,
        Self::MethodNotAllowed,
        Self::BodyTooLarge,
        Self::UnsupportedMediaType,
        Self::HostNotAllowed,
        Self::InvalidRequest,
        Self::NoSpeech,
        Self::NoText,
        Self::RateLimited,
        Self::BudgetExhausted,
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

    /// Returns the name in JSON, the status, the title and the sentence for a person.
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
                "The request has no valid API key: send Authorization: Bearer KEY or X-API-Key: KEY. Without keys, /metrics answers callers on its own machine only.",
            ),
            Self::InsufficientScope => (
                "insufficient_scope",
                403,
                "Insufficient scope",
                "The key may not do this. The operator names the scopes of a key in its line of the key file.",
            ),
            Self::NotFound => {
                ("not_found", 404, "Not found", "There is no such path. See /docs for the paths that exist.")
            }
            Self::JobsOff => (
                "jobs_off",
                404,
                "Jobs are off",
                "This service keeps no jobs: its operator has not set jobs.folder and jobs.key_file (GATEWAY_JOBS__FOLDER, GATEWAY_JOBS__KEY_FILE). Send the notes to /api/v1/extract/batch.",
            ),
            Self::UsageOff => (
                "usage_off",
                404,
                "Usage is not counted",
                "This service does not count the usage of keys: its operator has not set audit.path (GATEWAY_AUDIT__PATH).",
            ),
            Self::TranscribeOff => (
                "transcribe_off",
                404,
                "Dictation is off",
                "This service transcribes nothing: its operator has not set transcribe.url (GATEWAY_TRANSCRIBE__URL), the address of a transcription server.",
            ),
            Self::ScanOff => (
                "scan_off",
                404,
                "Scans are off",
                "This service reads no scans: its operator has not set scan.url (GATEWAY_SCAN__URL), the address of an OCR server.",
            ),
            Self::MethodNotAllowed => (
                "method_not_allowed",
                405,
                "Method not allowed",
                "The path exists, but not for this method. The Allow header lists the methods of the path.",
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
                "Send the body as Content-Type: application/json.",
            ),
            Self::HostNotAllowed => (
                "host_not_allowed",
                421,
                "Host not allowed",
                "Without keys this service answers only requests whose Host is an address, localhost or a name without dots; otherwise another web site could read its answers. Use such a host, or have the operator list the name in allowed_hosts (GATEWAY_ALLOWED_HOSTS) or set keys.",
            ),
            Self::InvalidRequest => (
                "invalid_request",
                422,
                "Invalid request",
                "The request was understood but cannot be carried out. See `errors`.",
            ),
            Self::NoSpeech => (
                "no_speech",
                422,
                "No speech",
                "No speech was recognised in the recording. Check the microphone, and record it again.",
            ),
            Self::NoText => (
                "no_text",
                422,
                "No text",
                "No text was recognised on the scan. Check that its pages are upright and not empty, and scan them again.",
            ),
            Self::RateLimited => (
                "rate_limited",
                429,
                "Too many requests",
                "More notes were sent than a rate limit allows, so this one was not read. Try again after the time in Retry-After.",
            ),
            Self::BudgetExhausted => (
                "budget_exhausted",
                429,
                "Budget used up",
                "The notes that this key may have read in a month, or their tokens, are used up. The next month (UTC) begins after the time in Retry-After.",
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
                "The model server refused the request: its configuration does not match the configuration of this service. Nothing is known about the note. Tell the operator the request id: the log of this service states the cause.",
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
                "The model answered twice, but not with a record. Nothing is known about the note; try again or tell an operator.",
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
                "The model server cannot be reached. Nothing is known about the note; try again after the time in Retry-After.",
            ),
            Self::ModelLoading => (
                "model_loading",
                503,
                "Model is loading",
                "The model server is starting and loads its model. Nothing is known about the note; try again after the time in Retry-After.",
            ),
            Self::Overloaded => (
                "overloaded",
                503,
                "Overloaded",
                "The service is at its limit: too many notes are waiting, or the requests of all clients or of one key have used up their share of the memory. Try again after the time in Retry-After.",
            ),
            Self::Draining => (
                "draining",
                503,
                "Shutting down",
                "This server is shutting down and accepts no more notes. Try again after the time in Retry-After.",
            ),
            Self::DeadlineExceeded => (
                "deadline_exceeded",
                504,
                "Deadline exceeded",
                "No answer came in time. Nothing is known about the note; try again later.",
            ),
        }
    }

    /// Returns the HTTP status.
    #[must_use]
    pub fn status(self) -> StatusCode {
        StatusCode::from_u16(self.row().1).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// Returns the code's name in JSON, in the log and in metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.row().0
    }

    /// Returns whether a note can have this code: all but those of requests that are refused before their route is
    /// known.
    pub(crate) const fn is_of_notes(self) -> bool {
        !matches!(
            self,
            Self::InvalidHost
                | Self::HostNotAllowed
                | Self::InsufficientScope
                | Self::UsageOff
                | Self::NotFound
                | Self::MethodNotAllowed
                | Self::HeadTooLarge
        )
    }

    /// Returns the usual time after which a client should try again; `None` if another try is useless.
    pub(super) const fn retry_after(self) -> Option<Duration> {
        match self {
            Self::UpstreamUnavailable | Self::Overloaded | Self::Draining | Self::RateLimited => {
                Some(Duration::from_secs(5))
            }
            Self::ModelLoading => Some(Duration::from_secs(30)),
            _ => None,
        }
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
