//! Request bodies: reads them within limits of size, time and memory, and discards the rest of a body that no handler
//! reads.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    body::{Body, Bytes, HttpBody},
    extract::Request,
    http::header,
};
use http_body_util::BodyExt;
use hyper::body::{Frame, SizeHint};

use super::{App, error::ErrorCode, minimum_rate::MinimumRate};
use crate::{
    access::Principal,
    extraction::Deadline,
    memory::{MemoryReservation, OutOfMemoryBudget, Purpose},
};

/// Limits for discarding an unread body: bytes and time.
const MAX_DISCARDED: u64 = 16 << 20;
const DISCARD_TIMEOUT: Duration = Duration::from_secs(2);
/// Bytes that a request occupies in addition to its body: the buffers of its connection, which hold output until the
/// caller reads it. Through the memory budget it also bounds the number of open requests, of each key and in all.
pub(super) const REQUEST_OVERHEAD: usize = 64 << 10;

impl From<OutOfMemoryBudget> for ErrorCode {
    fn from(OutOfMemoryBudget: OutOfMemoryBudget) -> Self {
        Self::Overloaded
    }
}

/// Reserves memory for a request, without its body.
pub(super) fn reserve(
    app: &App,
    principal: Option<&Principal>,
    purpose: Purpose,
) -> Result<MemoryReservation, ErrorCode> {
    Ok(app.state.memory.reserve(principal.map(Principal::memory), purpose, REQUEST_OVERHEAD)?)
}

/// Reads a whole body of at most `limit` bytes, before the deadline and at least as fast as [`MinimumRate`] requires.
/// `reservation` grows by the memory that the body occupies. A body of a known length that does not fit is refused
/// before it is read.
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
    reservation.check(usize::try_from(least).unwrap_or(usize::MAX))?;
    let mut minimum_rate = MinimumRate::begin();
    let mut buffer = BodyBuffer { bytes: Vec::new(), limit, reservation };
    loop {
        // A compressed body may have many pieces at once; other tasks get their turn between them.
        tokio::task::coop::consume_budget().await;
        let frame = tokio::time::timeout_at(minimum_rate.next_deadline(), body.frame());
        let Ok(Ok(frame)) = deadline.bound(frame).await else { return Err(ErrorCode::DeadlineExceeded) };
        let data = match frame {
            None => return Ok(buffer.bytes.into()),
            // The caller disconnected or framed the body wrongly. In the second case it receives the error.
            Some(Err(_)) => return Err(ErrorCode::InvalidJson),
            Some(Ok(frame)) => frame.into_data().unwrap_or_default(),
        };
        minimum_rate.add_bytes(data.len());
        if buffer.bytes.is_empty() && body.is_end_stream() {
            // Most bodies arrive in one piece, which needs no copy.
            buffer.check(data.len())?;
            buffer.reservation.grow(data.len())?;
            return Ok(data);
        }
        buffer.push(&data, body.size_hint().lower())?;
    }
}

/// The part of a body that has arrived.
struct BodyBuffer<'a> {
    bytes: Vec<u8>,
    limit: usize,
    reservation: &'a mut MemoryReservation,
}

impl BodyBuffer<'_> {
    fn check(&self, additional: usize) -> Result<(), ErrorCode> {
        if self.bytes.len() + additional > self.limit { Err(ErrorCode::BodyTooLarge) } else { Ok(()) }
    }

    /// Appends a piece, which at least `remaining` more bytes follow. The capacity is at most twice the bytes received,
    /// so that a caller cannot occupy memory by announcing a long body.
    fn push(&mut self, piece: &[u8], remaining: u64) -> Result<(), ErrorCode> {
        self.check(piece.len())?;
        let (len, room) = (self.bytes.len(), self.bytes.capacity());
        if room - len < piece.len() {
            let remaining = usize::try_from(remaining).unwrap_or(usize::MAX);
            let all = (len + piece.len()).saturating_add(remaining).min(self.limit);
            let target =
                if remaining > 0 { all.min(2 * (len + piece.len())) } else { (2 * room).max(len + piece.len()) };
            let target = target.min(self.limit);
            self.reservation.grow(target - room.min(target))?;
            self.bytes.reserve_exact(target - len);
        }
        self.bytes.extend_from_slice(piece);
        Ok(())
    }
}

/// Returns the request with a body that, when dropped, discards what was not read, while the answer is written. Many
/// clients send their whole body before they read the answer, and would otherwise find their connection reset.
pub(super) fn discard_leftovers(request: Request) -> Request {
    // A caller that waits for `100 Continue` has sent nothing yet.
    let expects_continue = request.headers().contains_key(header::EXPECT);
    let bodyless = request.body().is_end_stream();
    let too_large = request.body().size_hint().lower() > MAX_DISCARDED;
    if expects_continue || bodyless || too_large {
        return request;
    }
    request.map(|body| Body::new(UnreadBody { body: Some(body) }))
}

struct UnreadBody {
    body: Option<Body>,
}

impl HttpBody for UnreadBody {
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

impl Drop for UnreadBody {
    fn drop(&mut self) {
        let Some(body) = self.body.take().filter(|body| !body.is_end_stream()) else { return };
        // Outside a runtime, as at the end of a test, there is no connection either.
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        runtime.spawn(tokio::time::timeout(DISCARD_TIMEOUT, discard(body)));
    }
}

async fn discard(mut body: Body) {
    let mut seen = 0;
    while let Some(Ok(frame)) = body.frame().await {
        seen += frame.data_ref().map_or(0, Bytes::len) as u64;
        if seen > MAX_DISCARDED {
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

    /// Reads a body of pieces, given as seconds after the previous piece and bytes. Without `ends` the body then stays
    /// open. Returns after how many seconds the read ends, and how.
    async fn read_slow_body(pieces: Vec<(u64, usize)>, ends: bool) -> (u64, Result<usize, ErrorCode>) {
        let began = Instant::now();
        let pieces = stream::iter(pieces).then(async |(pause, bytes)| {
            tokio::time::sleep(Duration::from_secs(pause)).await;
            Ok::<_, Infallible>(vec![b'x'; bytes])
        });
        let rest = if ends { stream::empty().boxed() } else { stream::pending().boxed() };
        let memory = Memory::new(4 << 20);
        let mut reservation = memory.reserve(None, Purpose::Single, 0).unwrap();
        let body = Body::from_stream(pieces.chain(rest));
        let read = read(body, LIMIT, Deadline::after(Duration::from_secs(55)), &mut reservation).await;
        (began.elapsed().as_secs(), read.map(|body| body.len()))
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_must_keep_the_minimum_rate_and_the_deadline() {
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
            assert_eq!(read_slow_body(pieces.clone(), ends).await, expected, "{pieces:?}");
        }
    }

    #[tokio::test]
    async fn the_reservation_grows_by_the_memory_of_the_body() {
        let memory = Memory::new(1 << 20);
        for (known, sizes, expected) in [
            (true, vec![100], Ok(100)),
            (false, vec![100], Ok(100)),
            (false, vec![100; 11], Ok(1_600)),
            (false, vec![1 << 19, 1 << 19, 1], Err(ErrorCode::Overloaded)),
            (true, vec![(1 << 20) + 1], Err(ErrorCode::Overloaded)),
        ] {
            let mut reservation = memory.reserve(None, Purpose::Single, 0).unwrap();
            let body = if known {
                Body::from(vec![b'x'; sizes[0]])
            } else {
                Body::from_stream(stream::iter(sizes.clone()).map(|bytes| Ok::<_, Infallible>(vec![b'x'; bytes])))
            };
            let deadline = Deadline::after(Duration::from_secs(55));
            let read = read(body, 8 << 20, deadline, &mut reservation).await;
            assert_eq!(read.map(|_| memory.reserved()), expected, "{known} {sizes:?}");
            drop(reservation);
            assert_eq!(memory.reserved(), 0);
        }
    }
}
