//! Bodies of requests: read within a size and a time, and taken off the wire even where nobody wants them.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    body::{Body, Bytes, HttpBody},
    extract::Request,
    http::{HeaderMap, header},
};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::{Frame, SizeHint};

use super::error::ErrorCode;
use crate::extraction::Deadline;

/// Of a body that nobody wants, at most so much is taken off the wire, for so long at most.
const MOST_DISCARDED: u64 = 16 << 20;
const DISCARDED_WITHIN: Duration = Duration::from_secs(2);

/// Whether a body is said to be of this type, whatever its parameters.
pub(super) fn is(headers: &HeaderMap, kind: &str) -> bool {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case(kind)
}

/// The whole body, at most `limit` bytes, before the deadline.
pub(super) async fn read(body: Body, limit: usize, deadline: Deadline) -> Result<Bytes, ErrorCode> {
    if body.size_hint().lower() > limit as u64 {
        return Err(ErrorCode::BodyTooLarge);
    }
    match deadline.bound(Limited::new(body, limit).collect()).await {
        Ok(Ok(whole)) => Ok(whole.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(ErrorCode::BodyTooLarge),
        // The caller went, or framed the body wrong; if he is there, he is told.
        Ok(Err(_)) => Err(ErrorCode::InvalidJson),
        Err(_) => Err(ErrorCode::DeadlineExceeded),
    }
}

/// The same request, of which the rest of the body that was not read is taken off the wire while the answer is
/// written. Many clients send their whole body before they look at the answer, and would find their
/// connection reset.
pub(super) fn discard_leftovers(request: Request) -> Request {
    // A caller who waits for `100 Continue` has sent nothing yet.
    let waits = request.headers().contains_key(header::EXPECT);
    let bodyless = request.body().is_end_stream();
    let too_large = request.body().size_hint().lower() > MOST_DISCARDED;
    if waits || bodyless || too_large {
        return request;
    }
    request.map(|body| Body::new(Leftovers { body: Some(body) }))
}

struct Leftovers {
    body: Option<Body>,
}

impl HttpBody for Leftovers {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let Some(body) = &mut self.body else { return Poll::Ready(None) };
        let frame = Pin::new(body).poll_frame(cx);
        if matches!(frame, Poll::Ready(None | Some(Err(_)))) {
            self.body = None;
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(HttpBody::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or_else(|| SizeHint::with_exact(0), HttpBody::size_hint)
    }
}

impl Drop for Leftovers {
    fn drop(&mut self) {
        let Some(body) = self.body.take().filter(|body| !body.is_end_stream()) else { return };
        // Outside a runtime, as in a test's end, there is no connection either.
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        runtime.spawn(tokio::time::timeout(DISCARDED_WITHIN, discard(body)));
    }
}

async fn discard(mut body: Body) {
    let mut seen = 0;
    while let Some(Ok(frame)) = body.frame().await {
        seen += frame.data_ref().map_or(0, Bytes::len) as u64;
        if seen > MOST_DISCARDED {
            return;
        }
    }
}
