//! Takes a file out of a request: the part `file` of a form, as browsers and many programs send it, or the body itself,
//! declared as what it is. The file becomes text for a person to check.

use std::{
    convert::Infallible,
    time::{Duration, Instant},
};

use axum::{
    body::Bytes,
    extract::Request,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use futures_util::stream;

use super::{
    App, body,
    context::RequestContext,
    error::{ErrorCode, Problem, Violation},
    media,
    note::Rejection,
    pending_request::{AdmittedRequest, PendingRequest},
};
use crate::{
    admission::QueuePriority,
    extraction::{Deadline, StageTimings},
    memory::MemoryReservation,
    telemetry::Route,
};

/// Bytes of a form around its file.
const FORM_OVERHEAD: usize = 16 << 10;
/// The part of the form with the file.
const FILE: &str = "file";
/// Longest other part, in bytes.
const LONGEST_PART: usize = 256;

/// A kind of file: its media types, and the texts for the caller when a file of it is refused.
pub(super) struct UploadKind {
    pub(super) route: Route,
    /// The number of copies of a file in memory in addition to the body.
    pub(super) copies: usize,
    /// The accepted media types, with that of a form.
    pub(super) accepted: &'static str,
    /// Returns whether a body with this declared type may be such a file. Its bytes decide.
    pub(super) is_body: fn(media_type: &str) -> bool,
    pub(super) wrong_type: &'static str,
    pub(super) compressed: &'static str,
    pub(super) other_site: &'static str,
    pub(super) too_large: &'static str,
    pub(super) too_late: &'static str,
    pub(super) not_whole: &'static str,
}

/// A kind of file that a route turns into text: its limits, its check and its reader.
pub(super) trait Upload: Sync {
    /// What the bytes are.
    type Format: Send;

    const KIND: UploadKind;

    /// Returns the maximum size of a file, in bytes.
    fn max_bytes(&self) -> usize;
    /// Returns the maximum time from the arrival of a request to its answer.
    fn timeout(&self) -> Duration;
    /// Checks a part of the form other than the file. No part is ignored.
    fn check_part(&self, name: &str, value: &str) -> Result<(), Violation>;
    /// Returns what the bytes are; a problem for a file that is not accepted.
    fn check(&self, bytes: &[u8], id: &str) -> Result<Self::Format, Box<Problem>>;
    /// Returns the answer to a file, in JSON. `reservation` grows by the memory that it occupies.
    fn read(
        &self,
        bytes: Bytes,
        format: Self::Format,
        id: &str,
        priority: &QueuePriority,
        deadline: Deadline,
        reservation: &mut MemoryReservation,
    ) -> impl Future<Output = Result<Vec<u8>, Problem>> + Send;
}

/// Answers a request with a file.
pub(super) async fn answer<U: Upload>(app: &App, context: &RequestContext, upload: &U, request: Request) -> Response {
    let read = async |request, pending: &mut _| read(app, upload, context, request, pending).await;
    let (pending, outcome) = PendingRequest::run(app, context, U::KIND.route, request, read).await;
    pending.finish(outcome)
}

async fn read<U: Upload>(
    app: &App,
    upload: &U,
    context: &RequestContext,
    request: Request,
    pending: &mut PendingRequest,
) -> Result<Response, Rejection> {
    let id = &context.id;
    let format = UploadFormat::of(&U::KIND, request.headers(), app.access.keys.is_some(), id)?;
    let admitted = pending.admit(app, context, &request, upload.timeout())?;
    let AdmittedRequest { priority, deadline, mut reservation, grant: _grant } = admitted;
    let bytes = receive(app, upload, format, request, deadline, &mut reservation, id).await?;
    let audit_guard = &mut pending.audit_guard;
    audit_guard.record.body_bytes = bytes.len();
    let format = upload.check(&bytes, id)?;
    audit_guard.begin_reading();
    let began = Instant::now();
    let outcome = upload.read(bytes, format, id, &priority, deadline, &mut reservation).await;
    audit_guard.record.stages = Some(StageTimings { engine: began.elapsed(), ..StageTimings::default() });
    let kind = [(header::CONTENT_TYPE, "application/json")];
    Ok((StatusCode::OK, kind, reservation.attached_to(outcome?)).into_response())
}

/// Reads the body and takes the file out of it.
async fn receive<U: Upload>(
    app: &App,
    upload: &U,
    format: UploadFormat,
    request: Request,
    deadline: Deadline,
    reservation: &mut MemoryReservation,
    id: &str,
) -> Result<Bytes, Box<Problem>> {
    let kind = U::KIND;
    let too_large = || Box::new(ErrorCode::BodyTooLarge.problem(id).with_detail(kind.too_large));
    let most = upload.max_bytes().min(app.state.memory.largest_body());
    let body = tokio::select! {
        biased;
        body = body::read(request.into_body(), most + FORM_OVERHEAD, deadline, reservation) => body,
        () = app.state.in_flight.until_closed() => Err(ErrorCode::Draining),
    };
    let body = body.map_err(|code| match code {
        ErrorCode::BodyTooLarge => too_large(),
        ErrorCode::DeadlineExceeded => Box::new(code.problem(id).with_detail(kind.too_late)),
        ErrorCode::InvalidJson => Box::new(Problem::invalid(vec![violation(FILE, "whole", kind.not_whole)], id)),
        code => Box::new(code.problem(id)),
    })?;
    reservation
        .grow(body.len().saturating_mul(kind.copies))
        .map_err(|error| Box::new(ErrorCode::from(error).problem(id)))?;
    let bytes = format
        .take(body, |name, value| upload.check_part(name, value))
        .await
        .map_err(|violation| Box::new(Problem::invalid(vec![violation], id)))?;
    if bytes.len() > most { Err(too_large()) } else { Ok(bytes) }
}

/// How a request holds its file.
#[derive(Debug, PartialEq, Eq)]
enum UploadFormat {
    /// A form with this boundary.
    Form(String),
    /// The body.
    Body,
}

impl UploadFormat {
    /// Returns how the file is sent, by the head of the request. `with_keys`: a page of another site has no key, so where
    /// there are keys a form may come from anywhere.
    fn of(kind: &UploadKind, headers: &HeaderMap, with_keys: bool, id: &str) -> Result<Self, Box<Problem>> {
        let refused = |detail: &str, name, value| {
            Box::new(ErrorCode::UnsupportedMediaType.problem(id).with_detail(detail).with_accepted(name, value))
        };
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        if headers.contains_key(header::CONTENT_ENCODING)
            && !text(header::CONTENT_ENCODING).eq_ignore_ascii_case("identity")
        {
            return Err(refused(kind.compressed, header::ACCEPT_ENCODING, "identity"));
        }
        let declared = text(header::CONTENT_TYPE);
        let media_type = declared.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        if media_type == "multipart/form-data" {
            if !with_keys && !media::is_from_own_page(headers) {
                return Err(refused(kind.other_site, header::ACCEPT, kind.accepted));
            }
            let boundary = multer::parse_boundary(declared);
            return boundary.map(Self::Form).map_err(|_| refused(kind.wrong_type, header::ACCEPT, kind.accepted));
        }
        let is_body = media_type == "application/octet-stream" || (kind.is_body)(&media_type);
        if is_body { Ok(Self::Body) } else { Err(refused(kind.wrong_type, header::ACCEPT, kind.accepted)) }
    }

    /// Returns the file of a body. `check` checks the other parts of the form.
    async fn take(self, body: Bytes, check: impl Fn(&str, &str) -> Result<(), Violation>) -> Result<Bytes, Violation> {
        match self {
            Self::Body => Ok(body),
            Self::Form(boundary) => file_of(body, boundary, check).await,
        }
    }
}

async fn file_of(
    body: Bytes,
    boundary: String,
    check: impl Fn(&str, &str) -> Result<(), Violation>,
) -> Result<Bytes, Violation> {
    let broken = |_| violation(FILE, "form", "The form is not complete multipart/form-data.");
    let mut form = multer::Multipart::new(stream::iter([Ok::<_, Infallible>(body)]), boundary);
    let mut file = None;
    while let Some(part) = form.next_field().await.map_err(broken)? {
        if part.name() != Some(FILE) {
            let name = part.name().unwrap_or_default().to_owned();
            let value = part.bytes().await.map_err(broken)?;
            // A value that is too long or not text is not one of the accepted values.
            let value = std::str::from_utf8(&value).ok().filter(|value| value.len() <= LONGEST_PART);
            check(&name, value.unwrap_or_default())?;
            continue;
        }
        if file.is_some() {
            return Err(violation(FILE, "one", "The form has more than one `file`. Send one in a request."));
        }
        file = Some(part.bytes().await.map_err(broken)?);
    }
    file.ok_or_else(|| violation(FILE, "required", "The form has no `file`."))
}

pub(super) fn violation(field: &str, rule: &'static str, message: &str) -> Violation {
    Violation { field: field.to_owned(), rule, message: message.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::{super::transcribe::RECORDING, *};

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    #[test]
    fn the_head_says_how_the_file_is_sent() {
        use UploadFormat::{Body, Form};
        for (kind, expected) in [
            ("audio/wav", Some(Body)),
            ("Audio/WebM;codecs=opus", Some(Body)),
            ("video/webm", Some(Body)),
            ("application/octet-stream", Some(Body)),
            ("multipart/form-data; boundary=abc", Some(Form("abc".to_owned()))),
            ("multipart/form-data; boundary=\"a b\"", Some(Form("a b".to_owned()))),
            ("multipart/form-data", None),
            ("multipart/mixed; boundary=abc", None),
            ("application/json", None),
            ("text/plain", None),
            ("", None),
        ] {
            let format = UploadFormat::of(&RECORDING, &headers(&[("content-type", kind)]), false, "id");
            assert_eq!(format.ok(), expected, "{kind}");
        }
        assert!(UploadFormat::of(&RECORDING, &HeaderMap::new(), false, "id").is_err());
        let zipped = headers(&[("content-type", "audio/wav"), ("content-encoding", "gzip")]);
        assert!(UploadFormat::of(&RECORDING, &zipped, false, "id").is_err());
    }

    #[test]
    fn a_page_of_another_site_sends_no_form_to_a_service_without_keys() {
        let from = |origin| {
            headers(&[
                ("content-type", "multipart/form-data; boundary=a"),
                ("origin", origin),
                ("host", "localhost:8080"),
            ])
        };
        for (origin, with_keys, expected) in [
            ("http://localhost:8080", false, true),
            ("https://evil.example", false, false),
            ("null", false, false),
            ("https://evil.example", true, true),
        ] {
            assert_eq!(
                UploadFormat::of(&RECORDING, &from(origin), with_keys, "id").is_ok(),
                expected,
                "{origin} {with_keys}"
            );
        }
    }

    #[tokio::test]
    async fn a_form_has_one_file_and_only_parts_that_are_checked() {
        let part = |name: &str, value: &str| {
            format!("--a\r\nContent-Disposition: form-data; name=\"{name}\"; filename=\"x.mp4\"\r\n\r\n{value}\r\n")
        };
        let file = part("file", "sound");
        let end = "--a--\r\n".to_owned();
        for (form, expected) in [
            (file.clone() + &end, Ok("sound")),
            (file.clone() + &part("model", "known") + &end, Ok("sound")),
            (part("model", "known") + &file + &end, Ok("sound")),
            (part("model", "CANARY") + &file + &end, Err("unknown")),
            (part("model", &"known".repeat(60)) + &file + &end, Err("unknown")),
            (file.clone() + &file + &end, Err("one")),
            (part("model", "known") + &end, Err("required")),
            (end.clone(), Err("required")),
            (file.clone(), Err("form")),
            ("sound".to_owned(), Err("form")),
        ] {
            let check = |name: &str, value: &str| match (name, value) {
                ("model", "known") => Ok(()),
                _ => Err(violation("", "unknown", "")),
            };
            let taken = UploadFormat::Form("a".to_owned()).take(Bytes::from(form.clone()), check).await;
            let taken = taken.as_ref().map(|file| std::str::from_utf8(file).unwrap());
            assert!(!format!("{taken:?}").contains("CANARY"));
            assert_eq!(taken.map_err(|violation| violation.rule), expected, "{form}");
        }
    }
}
