//! Facts about a request that are known when it arrives and stay with it: id, time, trace.

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

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const X_REQUEST_TIMEOUT: HeaderName = HeaderName::from_static("x-request-timeout");
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// The context of one request.
#[derive(Clone, Debug)]
pub(super) struct RequestContext {
    /// The caller's id where it is harmless in headers, logs and upstream; else a new one.
    pub(super) id: Arc<str>,
    /// When it arrived.
    pub(super) at: Instant,
    /// The caller's trace, to be passed on.
    pub(super) trace: Option<TraceParent>,
    /// Its span, for a trace collector.
    pub(super) span: RequestSpan,
}

impl RequestContext {
    pub(super) fn now(headers: &HeaderMap) -> Self {
        let given = headers.get(X_REQUEST_ID).and_then(|id| id.to_str().ok()).filter(|id| is_id(id));
        let id = given.map_or_else(new_id, Arc::from);
        let trace = headers.get(TRACEPARENT).and_then(|parent| TraceParent::parse(parent.as_bytes()));
        let span = RequestSpan::begin(&id, trace.as_ref());
        Self { id, at: Instant::now(), trace, span }
    }

    /// One note of the many that came with this request, begun now.
    pub(super) fn of_note(&self, index: usize) -> Self {
        Self { id: format!("{}.{index}", self.id).into(), at: Instant::now(), ..self.clone() }
    }

    /// When an answer must be there: so long after the arrival, or sooner where the caller says so.
    pub(super) fn deadline(&self, headers: &HeaderMap, longest: Duration) -> Result<Deadline, Violation> {
        Ok(Deadline::after_since(self.at, wanted_within(headers, longest)?))
    }
}

/// The time that an answer may take: what the caller says with `X-Request-Timeout`, in seconds, and `longest` at most.
pub(super) fn wanted_within(headers: &HeaderMap, longest: Duration) -> Result<Duration, Violation> {
    let Some(asked) = headers.get(X_REQUEST_TIMEOUT) else { return Ok(longest) };
    let seconds = asked.to_str().ok().and_then(|text| text.trim().parse::<f64>().ok());
    let time = seconds.filter(|&seconds| seconds > 0.0).and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    let time = time.ok_or_else(|| Violation {
        field: "X-Request-Timeout".to_owned(),
        rule: "seconds",
        message: "The header X-Request-Timeout must be a number of seconds above zero.".to_owned(),
    })?;
    Ok(time.min(longest))
}

/// A time-ordered UUID. Its random part names a request and guards nothing: the quick generator will do, and
/// spares each request a system call.
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
    fn a_caller_may_only_shorten_the_time() {
        let longest = Duration::from_secs(55);
        for (given, seconds) in [
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
            if let Some(given) = given {
                headers.insert(X_REQUEST_TIMEOUT, given.parse().unwrap());
            }
            let context = RequestContext::now(&headers);
            let left = context.deadline(&headers, longest).ok().map(|deadline| deadline.left().as_secs_f64());
            match seconds {
                Some(seconds) => assert!(left.is_some_and(|left| (left - seconds).abs() < 0.4), "{given:?}: {left:?}"),
                None => assert_eq!(left, None, "{given:?}"),
            }
        }
    }
}
