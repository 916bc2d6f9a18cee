//! Takes a file out of a request: the part `file` of a form, as browsers and many programs send it, or the body itself,
//! declared as what it is. What the file becomes is text for a person to check.

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
use serde::Serialize;

use super::{
    App, access,
    audit_record::AuditGuard,
    body,
    context::RequestContext,
    error::{ErrorCode, Problem, Violation},
    media, rate_limit,
};
use crate::{
    admission::QueuePriority,
    extraction::{Deadline, StageTimings},
    memory::{MemoryReservation, Purpose},
    rate_limiter::RateLimitState,
    telemetry::Route,
};

/// Bytes of a form around its file.
const FORM_OVERHEAD: usize = 16 << 10;
/// The only part of the form.
const FILE: &str = "file";

/// What is said of a kind of file.
pub(super) struct UploadKind {
    pub(super) route: Route,
    /// How often a file is in memory beside the body.
    pub(super) copies: usize,
    /// The accepted media types, with that of a form.
    pub(super) accepted: &'static str,
    /// Whether a body declared so is such a file. The bytes decide what it is.
    pub(super) is_body: fn(media_type: &str) -> bool,
    pub(super) wrong_type: &'static str,
    pub(super) compressed: &'static str,
    pub(super) other_site: &'static str,
    pub(super) other_part: &'static str,
    pub(super) too_large: &'static str,
    pub(super) too_late: &'static str,
    pub(super) not_whole: &'static str,
}

/// What happens with the bytes of a file.
pub(super) trait Upload: Sync {
    /// What the bytes are.
    type Format: Send;
    /// The answer.
    type Answer: Serialize + Send;

    const KIND: UploadKind;

    /// Returns the maximum size of a file, in bytes.
    fn max_bytes(&self) -> usize;
    /// Returns the maximum time from the arrival of a request to its answer.
    fn timeout(&self) -> Duration;
    /// Returns what the bytes are; a problem for a file that is not taken.
    fn check(&self, bytes: &[u8], id: &str) -> Result<Self::Format, Box<Problem>>;
    /// Returns the answer to a file.
    fn read(
        &self,
        bytes: Bytes,
        format: Self::Format,
        id: &str,
        priority: &QueuePriority,
        deadline: Deadline,
    ) -> impl Future<Output = Result<Self::Answer, Problem>> + Send;
}

type Refused = Box<(Problem, Option<RateLimitState>)>;

/// Answers a request with a file.
pub(super) async fn answer<U: Upload>(app: &App, context: &RequestContext, upload: &U, request: Request) -> Response {
    let principal = access::principal(&request);
    let mut audit_guard = AuditGuard::new(app, context, U::KIND.route, principal.clone());
    let outcome = tokio::select! {
        biased;
        outcome = read(app, upload, context, request, &mut audit_guard) => outcome,
        problem = access::must_end(app, principal.as_ref(), &context.id) => Err(Box::new((problem, None))),
    };
    let (mut response, limit) = outcome.unwrap_or_else(|refused| (refused.0.into_response(), refused.1));
    if let Some(limit) = limit {
        rate_limit::add_headers(limit, response.headers_mut());
    }
    let code = response.extensions().get::<ErrorCode>().map(|code| code.name());
    let audit_record = audit_guard.finish(response.status(), code);
    response.extensions_mut().insert(audit_record);
    response
}

async fn read<U: Upload>(
    app: &App,
    upload: &U,
    context: &RequestContext,
    request: Request,
    audit_guard: &mut AuditGuard,
) -> Result<(Response, Option<RateLimitState>), Refused> {
    let id = &context.id;
    let without_limit = |problem| Box::new((problem, None));
    let format = UploadFormat::of(&U::KIND, request.headers(), app.access.keys.is_some(), id);
    let format = format.map_err(|problem| without_limit(*problem))?;
    if app.state.readiness.is_draining() {
        return Err(without_limit(ErrorCode::Draining.problem(id)));
    }
    let deadline = context.deadline(request.headers(), upload.timeout());
    let deadline = deadline.map_err(|violation| without_limit(Problem::invalid(vec![violation], id)))?;
    let grant = rate_limit::CallerAllowance::of(app, &request).admit(app, id);
    let grant = grant.map_err(|exceeded| {
        let (problem, limit) = exceeded.into_problem(app);
        Box::new((problem, Some(limit)))
    })?;
    let refuse = |problem: Problem| Box::new((problem, grant.rate_limit));
    let priority = QueuePriority { principal: access::principal(&request), bulk: false, background: false };
    let reservation = body::reserve(app, priority.principal.as_ref(), Purpose::Single);
    let mut reservation = reservation.map_err(|code| refuse(code.problem(id)))?;
    let bytes = receive(app, upload, format, request, deadline, &mut reservation, id).await;
    let bytes = bytes.map_err(|problem| refuse(*problem))?;
    audit_guard.record.body_bytes = bytes.len();
    let format = upload.check(&bytes, id).map_err(|problem| refuse(*problem))?;
    audit_guard.begin_reading();
    let began = Instant::now();
    let outcome = upload.read(bytes, format, id, &priority, deadline).await;
    audit_guard.record.stages = Some(StageTimings { engine: began.elapsed(), ..StageTimings::default() });
    let json = serde_json::to_vec(&outcome.map_err(refuse)?);
    let json = json.map_err(|_| refuse(ErrorCode::Internal.problem(id)))?;
    let kind = [(header::CONTENT_TYPE, "application/json")];
    Ok(((StatusCode::OK, kind, reservation.attached_to(json)).into_response(), grant.rate_limit))
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
        () = app.state.in_flight.closed() => Err(ErrorCode::Draining),
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
    let bytes = format.take(&kind, body).await.map_err(|violation| Box::new(Problem::invalid(vec![violation], id)))?;
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

    /// Returns the file of a body.
    async fn take(self, kind: &UploadKind, body: Bytes) -> Result<Bytes, Violation> {
        match self {
            Self::Body => Ok(body),
            Self::Form(boundary) => file_of(kind, body, boundary).await,
        }
    }
}

async fn file_of(kind: &UploadKind, body: Bytes, boundary: String) -> Result<Bytes, Violation> {
    let broken = |_| violation(FILE, "form", "The form is not complete multipart/form-data.");
    let mut form = multer::Multipart::new(stream::iter([Ok::<_, Infallible>(body)]), boundary);
    let mut file = None;
    while let Some(part) = form.next_field().await.map_err(broken)? {
        if part.name() != Some(FILE) {
            return Err(violation("", "unknown_key", kind.other_part));
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
    async fn a_form_has_one_file_and_nothing_else() {
        let part = |name: &str| {
            format!("--a\r\nContent-Disposition: form-data; name=\"{name}\"; filename=\"x.mp4\"\r\n\r\nsound\r\n")
        };
        let end = "--a--\r\n".to_owned();
        for (form, expected) in [
            (part("file") + &end, Ok("sound")),
            (part("file") + &part("file") + &end, Err("one")),
            (part("file") + &part("model") + &end, Err("unknown_key")),
            (end.clone(), Err("required")),
            (part("file"), Err("form")),
            ("sound".to_owned(), Err("form")),
        ] {
            let taken = UploadFormat::Form("a".to_owned()).take(&RECORDING, Bytes::from(form.clone())).await;
            let taken =
                taken.as_ref().map(|file| std::str::from_utf8(file).unwrap()).map_err(|violation| violation.rule);
            assert_eq!(taken, expected, "{form}");
        }
    }
}
