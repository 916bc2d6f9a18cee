//! `POST /api/v1/scan`: turns the scan of a document into text for a person to check. It never returns a record.

use std::time::Duration;

use axum::{
    Extension,
    body::Bytes,
    extract::{Request, State},
    http::header,
    response::{IntoResponse, Response},
};
use utoipa::ToSchema;

use super::{
    App,
    context::RequestContext,
    error::{ErrorCode, Problem, Violation},
    upload::{self, Upload, UploadKind, violation},
};
use crate::{
    admission::QueuePriority,
    extraction::Deadline,
    memory::{MemoryReservation, OutOfMemoryBudget},
    scan::{ScanError, ScanFault, ScanFormat, ScanReader, ScannedText},
};

const ROUTE: &str = "/api/v1/scan";
const TYPES: &str = "image/png, image/jpeg, image/tiff, application/pdf";

const SCAN: UploadKind = UploadKind {
    route: ROUTE,
    // The copy that is taken from the form. The same bytes are sent to the server.
    copies: 1,
    accepted: "multipart/form-data, image/png, image/jpeg, image/tiff, application/pdf",
    is_body: |media_type| media_type.starts_with("image/") || media_type == "application/pdf",
    wrong_type: "Send the scan as the part `file` of a multipart/form-data, or as the body with Content-Type: image/png, \
                 image/jpeg, image/tiff or application/pdf.",
    compressed: "Send the scan without Content-Encoding: pictures are compressed already.",
    other_site: "This service has no keys, so it takes no form from a page of another site. Send the scan as the body, \
                 with Content-Type: image/png, image/jpeg, image/tiff or application/pdf.",
    too_large: "The scan is larger than this server takes (scan.max_bytes). Send its pages one by one, in grey and with \
                300 dots an inch.",
    too_late: "The scan did not arrive in time. Send at least 1 KiB a second, and all of it before the deadline.",
    not_whole: "The scan did not arrive whole: the connection broke, or its framing is wrong.",
};

const OTHER_PART: &str = "The form has a part other than `file`. Language and limits are settings of the service.";
const NO_SCAN: &str = "The bytes are neither a picture in PNG, JPEG or TIFF nor a PDF. The name and the declared type \
                       of the file are not used.";
const CUT_OFF: &str = "The scan is incomplete: its end is missing. Send it again, or create the file again.";
const UNREADABLE: &str = "The scan cannot be read: it is damaged, has a password, is a picture that is too large, or \
                          is built so that reading it never ends. Save it again as PNG, or send its pages one by one.";
const TOO_LONG: &str = "The scan has more pages or bytes than the OCR server takes, or more pages or words than a text may have. \
                        Send it in parts.";
const NOT_IN_TIME: &str = "No text came in time. Send fewer pages, or try again later.";
const REJECTED: &str = "The OCR server refused the request: its configuration does not match the configuration of this \
                        service. Tell an operator.";
const FAILED: &str =
    "The OCR server failed or its answer is not valid, so there is no text. Try again or tell an operator.";
const UNAVAILABLE: &str =
    "The OCR server cannot be reached or is not ready, so there is no text. Try again after the time in Retry-After.";
const OVERLOADED: &str = "Too many scans are being read. Try again after the time in Retry-After.";

/// The form of a scan.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it only documents the form")]
pub(super) struct ScanForm {
    /// The scan: PNG, JPEG, TIFF or PDF, by its bytes.
    #[schema(value_type = String, format = Binary)]
    file: Vec<u8>,
}

/// Reads a scan.
///
/// Returns the text for a person to check, with the confidence of each word; words and headings that OCR is not sure of are
/// marked. It is never a record: send the text that the person approved to `/api/v1/extract`.
///
/// The scan is PNG, JPEG, TIFF or PDF, as the part `file` of a form or as the body. The pages of a PDF are read as
/// pictures: its text layer, if it has one, is not used.
#[utoipa::path(post, path = ROUTE, tag = "extraction", operation_id = "readScan",
    request_body(content((ScanForm = "multipart/form-data"))),
    responses((status = 200, description = "The text, for review", body = ScannedText,
        headers(("X-Request-Id" = String, description = "Id of this request, as in `request_id`")))))]
pub(super) async fn read_scan(
    State(app): State<App>,
    Extension(context): Extension<RequestContext>,
    request: Request,
) -> Response {
    let Some(reader) = app.scan_reader.clone() else {
        return ErrorCode::ScanOff.problem(&context.id).into_response();
    };
    upload::answer(&app, &context, &*reader, request).await
}

impl Upload for ScanReader {
    type Format = ScanFormat;

    const KIND: UploadKind = SCAN;

    fn max_bytes(&self) -> usize {
        self.max_bytes
    }

    fn timeout(&self) -> Duration {
        self.timeout
    }

    fn check_part(&self, _: &str, _: &str) -> Result<(), Violation> {
        Err(violation("", "unknown_key", OTHER_PART))
    }

    fn check(&self, bytes: &[u8], id: &str) -> Result<ScanFormat, Box<Problem>> {
        ScanFormat::check(bytes).map_err(|fault| {
            Box::new(match fault {
                ScanFault::Unknown => {
                    let problem = ErrorCode::UnsupportedMediaType.problem(id).with_detail(NO_SCAN);
                    problem.with_accepted(header::ACCEPT, TYPES)
                }
                ScanFault::CutOff => Problem::invalid(vec![violation("file", "whole", CUT_OFF)], id),
            })
        })
    }

    async fn read(
        &self,
        bytes: Bytes,
        format: ScanFormat,
        id: &str,
        priority: &QueuePriority,
        deadline: Deadline,
        reservation: &mut MemoryReservation,
    ) -> Result<Vec<u8>, Problem> {
        self.read(bytes, format, id, priority, deadline, reservation).await.map_err(|error| {
            tracing::warn!(request_id = id, cause = %error, "no text for a scan");
            problem(error, self, id)
        })
    }
}

fn problem(error: ScanError, reader: &ScanReader, id: &str) -> Problem {
    let invalid = |rule, message| Problem::invalid(vec![violation("file", rule, message)], id);
    let (code, detail) = match error {
        ScanError::QueueFull => {
            let problem = ErrorCode::Overloaded.problem(id).with_detail(OVERLOADED);
            return problem.with_retry_after(reader.retry_after());
        }
        ScanError::NoMemory => return ErrorCode::from(OutOfMemoryBudget).problem(id),
        ScanError::NoText => return ErrorCode::NoText.problem(id),
        ScanError::Unreadable => return invalid("readable", UNREADABLE),
        ScanError::TooLarge => return invalid("max_length", TOO_LONG),
        ScanError::Overloaded => (ErrorCode::Overloaded, OVERLOADED),
        ScanError::Unavailable => (ErrorCode::UpstreamUnavailable, UNAVAILABLE),
        ScanError::Rejected => (ErrorCode::UpstreamRejected, REJECTED),
        ScanError::Failed => (ErrorCode::UpstreamFailed, FAILED),
        ScanError::DeadlineExceeded => (ErrorCode::DeadlineExceeded, NOT_IN_TIME),
    };
    code.problem(id).with_detail(detail)
}
