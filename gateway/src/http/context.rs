//! Facts about a request that are known when it arrives and do not change: id, time, trace.

use std::{
    sync::Arc,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use axum::http::{HeaderMap, HeaderName};
use uuid::Uuid;

use super::error::Violation;
use crate::{
    extraction::Deadline,
    telemetry::{RequestSpan, TraceParent},
};

pub(super) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const X_SESSION_ID: HeaderName = HeaderName::from_static("x-session-id");
const X_REQUEST_TIMEOUT: HeaderName = HeaderName::from_static("x-request-timeout");
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
/// Longest `X-Session-Id`, in characters.
const LONGEST_SESSION: usize = 128;

/// The context of one request.
#[derive(Clone, Debug)]
pub(super) struct RequestContext {
    /// The caller's `X-Request-Id` if it is safe in headers, in logs and for the model server; else a new id.
    pub(super) id: Arc<str>,
    /// The caller's `X-Session-Id`, which is in no log; see [`check_session`].
    pub(super) session: Option<Arc<str>>,
    /// When the request arrived.
    pub(super) arrived: Instant,
    /// The caller's trace, which is passed on to the model server.
    pub(super) trace: Option<TraceParent>,
    /// The span of the request, for a trace collector.
    pub(super) span: RequestSpan,
}

impl RequestContext {
    pub(super) fn now(headers: &HeaderMap) -> Self {
        let given = headers.get(X_REQUEST_ID).and_then(|id| id.to_str().ok()).filter(|id| is_id(id));
        let id = given.map_or_else(new_id, Arc::from);
        let trace = headers.get(TRACEPARENT).and_then(|parent| TraceParent::parse(parent.as_bytes()));
        let span = RequestSpan::begin(&id, trace.as_ref());
        let session = session(headers).ok().flatten().map(Arc::from);
        Self { id, session, arrived: Instant::now(), trace, span }
    }

    /// Returns the context of one note of this batch request. Its time starts now.
    pub(super) fn of_note(&self, index: usize) -> Self {
        Self { id: format!("{}.{index}", self.id).into(), arrived: Instant::now(), ..self.clone() }
    }

    /// Returns the deadline of the answer: `longest` after the arrival, or earlier if `X-Request-Timeout` says so.
    pub(super) fn deadline(&self, headers: &HeaderMap, longest: Duration) -> Result<Deadline, Violation> {
        Ok(Deadline::after_since(self.arrived, requested_timeout(headers, longest)?))
    }
}

/// Returns the session that the caller names in `X-Session-Id`; an error if the header is not 1 to 128 visible ASCII
/// characters, or is given twice.
fn session(headers: &HeaderMap) -> Result<Option<&str>, Violation> {
    let mut given = headers.get_all(X_SESSION_ID).iter();
    let Some(session) = given.next() else { return Ok(None) };
    let is_visible = |text: &&str| text.bytes().all(|byte| byte.is_ascii_graphic());
    let session = session.to_str().ok().filter(is_visible).filter(|text| (1..=LONGEST_SESSION).contains(&text.len()));
    session.filter(|_| given.next().is_none()).map(Some).ok_or_else(|| Violation {
        field: "X-Session-Id".to_owned(),
        rule: "session",
        message: "The header X-Session-Id must be 1 to 128 visible ASCII characters.".to_owned(),
    })
}

/// Checks `X-Session-Id`. If an invalid header were ignored, another model than before could read the notes of the
/// session.
pub(super) fn check_session(headers: &HeaderMap) -> Result<(), Vec<Violation>> {
    session(headers).map(drop).map_err(|violation| vec![violation])
}

/// Returns the time that an answer may take: the seconds in `X-Request-Timeout`, but at most `longest`. Fails if the
/// header is not a number above zero.
pub(super) fn requested_timeout(headers: &HeaderMap, longest: Duration) -> Result<Duration, Violation> {
    let Some(header) = headers.get(X_REQUEST_TIMEOUT) else { return Ok(longest) };
    let seconds = header.to_str().ok().and_then(|text| text.trim().parse::<f64>().ok());
    let time = seconds.filter(|&seconds| seconds > 0.0).and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    let time = time.ok_or_else(|| Violation {
        field: "X-Request-Timeout".to_owned(),
        rule: "seconds",
        message: "The header X-Request-Timeout must be a number of seconds above zero.".to_owned(),
    })?;
    Ok(time.min(longest))
}

/// Returns a new time-ordered UUID (version 7). The id needs no secrecy, so a fast generator is enough for its random
/// part and saves a system call for each request.
fn new_id() -> Arc<str> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let mut random = [0; 10];
    fastrand::fill(&mut random);
    let milliseconds = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
    let id = uuid::Builder::from_unix_timestamp_millis(milliseconds, &random).into_uuid();
    let mut text = Uuid::encode_buffer();
    Arc::from(&*id.hyphenated().encode_lower(&mut text))
}

fn is_id(id: &str) -> bool {
    (1..=64).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_bounded_visible_text() {
        let long = "x".repeat(128);
        for (values, expected) in [
            (&[][..], Ok(None)),
            (&["s-1"], Ok(Some("s-1"))),
            (&["~!a,b;c=\"d\""], Ok(Some("~!a,b;c=\"d\""))),
            (&[&*long], Ok(Some(&*long))),
            (&[&*format!("{long}x")], Err(())),
            (&[""], Err(())),
            (&["a b"], Err(())),
            (&["a\tb"], Err(())),
            (&["\u{e9}"], Err(())),
            (&["a", "a"], Err(())),
        ] {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(X_SESSION_ID, axum::http::HeaderValue::from_bytes(value.as_bytes()).unwrap());
            }
            assert_eq!(session(&headers).map_err(drop), expected, "{values:?}");
            assert_eq!(check_session(&headers).is_ok(), expected.is_ok());
            assert_eq!(RequestContext::now(&headers).session.as_deref(), expected.unwrap_or_default());
        }
    }

    #[test]
    fn x_request_timeout_can_only_shorten_the_deadline() {
        let longest = Duration::from_secs(55);
        for (value, seconds) in [
            (None, Some(55.0)),
            (Some("2"), Some(2.0)),
            (Some(" 0.5 "), Some(0.5)),
            (Some("60"), Some(55.0)),
            (Some("1e300"), None),
            (Some("inf"), None),
            (Some("NaN"), None),
            (Some("0"), None),
            (Some("-1"), None),
            (Some("5s"), None),
            (Some(""), None),
        ] {
            let mut headers = HeaderMap::new();
            if let Some(value) = value {
                headers.insert(X_REQUEST_TIMEOUT, value.parse().unwrap());
            }
            let context = RequestContext::now(&headers);
            let left = context.deadline(&headers, longest).ok().map(|deadline| deadline.left().as_secs_f64());
            match seconds {
                Some(seconds) => assert!(left.is_some_and(|left| (left - seconds).abs() < 0.4), "{value:?}: {left:?}"),
                None => assert_eq!(left, None, "{value:?}"),
            }
        }
    }
}
