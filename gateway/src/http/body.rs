//! Bodies of requests: read within a size, a time and the budget of memory, and taken off the wire even where nobody wants
//! them.

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
use http_body_util::BodyExt;
use hyper::body::{Frame, SizeHint};

use super::{App, error::ErrorCode, pace::MinimumRate};
use crate::{
    access::Principal,
    extraction::Deadline,
    memory::{MemoryReservation, OutOfMemoryBudget, Purpose},
};

/// Of a body that nobody wants, at most so much is taken off the wire, for so long at most.
const MOST_DISCARDED: u64 = 16 << 20;
const DISCARDED_WITHIN: Duration = Duration::from_secs(2);
/// Bytes that a request takes beside its body: the buffers of its connection, which hold what is written to a caller who does
/// not read. It also bounds the requests that are open at once, of a key and together.
pub(super) const OF_A_REQUEST: usize = 64 << 10;

/// Whether a body is said to be of this type, whatever its parameters, and not to be compressed.
pub(super) fn is(headers: &HeaderMap, kind: &str) -> bool {
    if headers.get(header::CONTENT_ENCODING).is_some_and(|encoding| encoding != "identity") {
        return false;
    }
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case(kind)
}

impl From<OutOfMemoryBudget> for ErrorCode {
    fn from(OutOfMemoryBudget: OutOfMemoryBudget) -> Self {
        Self::Overloaded
    }
}

/// Begins to hold memory for a request.
pub(super) fn hold(app: &App, principal: Option<&Principal>, purpose: Purpose) -> Result<MemoryReservation, ErrorCode> {
    Ok(app.memory.hold(principal.map(Principal::memory), purpose, OF_A_REQUEST)?)
}

/// The whole body, at most `limit` bytes, before the deadline, and not slower than [`MinimumRate`] asks. It is refused before it
/// is read where its length is known and does not fit; `reservation` grows by what it takes.
pub(super) async fn read(
    mut body: Body,
    limit: usize,
    deadline: Deadline,
    reservation: &mut MemoryReservation,
) -> Result<Bytes, ErrorCode> {
    let least = body.size_hint().lower();
    if least > limit as u64 {
        return Err(ErrorCode::BodyTooLarge);
    }
    reservation.ask(usize::try_from(least).unwrap_or(usize::MAX))?;
    let mut pace = MinimumRate::begin();
    let mut whole = BodyBuffer { bytes: Vec::new(), limit, reservation };
    loop {
        let frame = tokio::time::timeout_at(pace.until(), body.frame());
        let Ok(Ok(frame)) = deadline.bound(frame).await else { return Err(ErrorCode::DeadlineExceeded) };
        let data = match frame {
            None => return Ok(whole.bytes.into()),
            // The caller went, or framed the body wrong; if he is there, he is told.
            Some(Err(_)) => return Err(ErrorCode::InvalidJson),
            Some(Ok(frame)) => frame.into_data().unwrap_or_default(),
        };
        pace.came(data.len());
        if whole.bytes.is_empty() && body.is_end_stream() {
            // All in one piece, as most are: it needs no copy.
            whole.check(data.len())?;
            whole.reservation.grow(data.len())?;
            return Ok(data);
        }
        whole.push(&data, body.size_hint().lower())?;
    }
}

/// A body as far as it came.
struct BodyBuffer<'a> {
    bytes: Vec<u8>,
    limit: usize,
    reservation: &'a mut MemoryReservation,
}

impl BodyBuffer<'_> {
    fn check(&self, more: usize) -> Result<(), ErrorCode> {
        if self.bytes.len() + more > self.limit { Err(ErrorCode::BodyTooLarge) } else { Ok(()) }
    }

    /// Appends a piece, after which at least `to_come` more bytes follow. Room is made by doubling, so that nobody takes
    /// memory by saying how much he is going to send.
    fn push(&mut self, piece: &[u8], to_come: u64) -> Result<(), ErrorCode> {
        self.check(piece.len())?;
        let (len, room) = (self.bytes.len(), self.bytes.capacity());
        if room - len < piece.len() {
            let to_come = usize::try_from(to_come).unwrap_or(usize::MAX);
            let all = (len + piece.len()).saturating_add(to_come).min(self.limit);
            let target = if to_come > 0 { all.min(2 * (len + piece.len())) } else { (2 * room).max(len + piece.len()) };
            let target = target.min(self.limit);
            self.reservation.grow(target - room.min(target))?;
            self.bytes.reserve_exact(target - len);
        }
        self.bytes.extend_from_slice(piece);
        Ok(())
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

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use futures_util::{StreamExt, stream};
    use tokio::time::Instant;

    use super::*;
    use crate::memory::Memory;

    const LIMIT: usize = 1 << 20;

    /// Of pieces that each come so many seconds after the one before, and then nothing: how reading ends, and when.
    async fn slowly(pieces: Vec<(u64, usize)>, ends: bool) -> (u64, Result<usize, ErrorCode>) {
        let began = Instant::now();
        let pieces = stream::iter(pieces).then(async |(pause, bytes)| {
            tokio::time::sleep(Duration::from_secs(pause)).await;
            Ok::<_, Infallible>(vec![b'x'; bytes])
        });
        let rest = if ends { stream::empty().boxed() } else { stream::pending().boxed() };
        let memory = Memory::new(4 << 20);
        let mut reservation = memory.hold(None, Purpose::Single, 0).unwrap();
        let body = Body::from_stream(pieces.chain(rest));
        let read = read(body, LIMIT, Deadline::after(Duration::from_secs(55)), &mut reservation).await;
        (began.elapsed().as_secs(), read.map(|body| body.len()))
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_comes_at_a_least_rate_and_before_the_deadline() {
        let late = Err(ErrorCode::DeadlineExceeded);
        for (pieces, ends, expected) in [
            (vec![], true, (0, Ok(0))),
            (vec![(9, 10), (0, 10)], true, (9, Ok(20))),
            (vec![], false, (10, late)),
            (vec![(0, 10)], false, (10, late)),
            (vec![(5, 1); 20], true, (10, late)),
            (vec![(5, 10 << 10), (14, 10 << 10), (9, 1)], true, (28, Ok((20 << 10) + 1))),
            (vec![(5, 10 << 10), (16, 10 << 10)], true, (20, late)),
            (vec![(5, 100 << 10); 20], true, (55, Err(ErrorCode::BodyTooLarge))),
            (vec![(5, 20 << 10); 20], true, (55, late)),
            (vec![(0, LIMIT)], true, (0, Ok(LIMIT))),
            (vec![(0, LIMIT), (0, 1)], true, (0, Err(ErrorCode::BodyTooLarge))),
        ] {
            assert_eq!(slowly(pieces.clone(), ends).await, expected, "{pieces:?}");
        }
    }

    #[tokio::test]
    async fn a_body_holds_what_it_takes() {
        let memory = Memory::new(1 << 20);
        for (known, sizes, expected) in [
            (true, vec![100], Ok(100)),
            (false, vec![100], Ok(100)),
            (false, vec![100; 11], Ok(1_600)),
            (false, vec![1 << 19, 1 << 19, 1], Err(ErrorCode::Overloaded)),
            (true, vec![(1 << 20) + 1], Err(ErrorCode::Overloaded)),
        ] {
            let mut reservation = memory.hold(None, Purpose::Single, 0).unwrap();
            let body = if known {
                Body::from(vec![b'x'; sizes[0]])
            } else {
                Body::from_stream(stream::iter(sizes.clone()).map(|bytes| Ok::<_, Infallible>(vec![b'x'; bytes])))
            };
            let deadline = Deadline::after(Duration::from_secs(55));
            let read = read(body, 8 << 20, deadline, &mut reservation).await;
            assert_eq!(read.map(|_| memory.held()), expected, "{known} {sizes:?}");
            drop(reservation);
            assert_eq!(memory.held(), 0);
        }
    }
}
