//! The body of a batch as it arrives. While the batch takes no notes, because its caller does not read the answers or
//! because the engine is slow, the rest of the body is read into a [`Spool`].
//!
//! Many clients send their whole body before they read the answer. If the gateway stopped reading, such a client and
//! the gateway would wait for each other.

use std::{sync::Arc, time::Duration};

use axum::body::{Body, Bytes, HttpBody};
use http_body_util::BodyExt;
use tokio::time::Instant;

use crate::{
    http::error::ErrorCode,
    memory::MemoryReservation,
    spool::{PIECE_BYTES, Spool, SpoolSpace},
};

/// How long the body may wait before it is read into the spool. Until then a caller that reads its answers is slowed
/// down to the speed of the batch; some clients give up when they cannot send for 5 s.
const SPOOL_AFTER: Duration = Duration::from_millis(500);

/// A body that arrives.
#[derive(Debug)]
pub(in crate::http) struct ArrivingBody {
    body: Body,
    /// The rest of a compressed body as it is, which is discarded in place of `body`.
    rest: Option<Body>,
    spool: Spool,
    /// Whether the body is read into the spool, since it had to wait.
    spooling: bool,
    /// When bytes were last received.
    last_received: Instant,
    received: usize,
    limit: usize,
    /// How the batch's part of the body ended; `None` while the batch still reads.
    end: Option<Result<(), ErrorCode>>,
    /// Whether nothing more arrives.
    fully_arrived: bool,
    /// The memory reservation of the spool.
    reservation: MemoryReservation,
}

impl ArrivingBody {
    /// Returns a body of which the batch gets at most `limit` bytes; `None` if its declared size is larger. `rest`: see
    /// `decoding::with_rest`.
    pub(in crate::http) fn new(
        (body, rest): (Body, Option<Body>),
        limit: usize,
        space: &Arc<SpoolSpace>,
        reservation: MemoryReservation,
    ) -> Option<Self> {
        if body.size_hint().lower() > limit as u64 {
            return None;
        }
        let (spool, last_received) = (Spool::new(Arc::clone(space)), Instant::now());
        let (spooling, received, end, fully_arrived) = (false, 0, None, false);
        Some(Self { body, rest, spool, spooling, last_received, received, limit, end, fully_arrived, reservation })
    }

    /// Returns the next bytes, or `None` at the end. If the future is dropped, no bytes are lost.
    pub(in crate::http) async fn next(&mut self) -> Result<Option<Bytes>, ErrorCode> {
        if let Some(piece) = self.spool.pop().await {
            self.reservation.shrink_to(self.spool.memory_with(0));
            return piece.map(|bytes| Some(bytes.into())).map_err(|error| {
                tracing::error!(%error, "notes of a batch cannot be read from the temporary file");
                ErrorCode::Internal
            });
        }
        if self.end.is_none() {
            self.spooling = false;
            if let Some(data) = self.receive().await {
                return Ok(Some(data));
            }
        }
        self.end.unwrap_or(Ok(())).map(|()| None)
    }

    /// Returns whether [`Self::next`] can return without more of the body.
    pub(in crate::http) fn is_ready(&self) -> bool {
        self.end.is_some() || !self.spool.is_empty()
    }

    /// Returns whether [`Self::spool`] may find more bytes.
    pub(in crate::http) fn can_spool(&self) -> bool {
        !self.fully_arrived
    }

    /// Moves the next bytes of the body into the spool once the body has waited, and returns how many. Discards them if
    /// the batch reads no more, so that the caller finishes sending and reads its answers, whose last line gives the
    /// reason. If the future is dropped, no bytes are lost.
    pub(in crate::http) async fn spool(&mut self) -> usize {
        if !self.spooling {
            tokio::time::sleep_until(self.last_received + SPOOL_AFTER).await;
            self.spooling = true;
        }
        self.spool.settle(!self.reservation.fits(PIECE_BYTES)).await;
        self.reservation.shrink_to(self.spool.memory_with(0));
        if self.end.is_some() {
            if let Some(rest) = self.rest.take() {
                self.body = rest;
            }
            let discarded = self.body.frame().await;
            self.fully_arrived = !matches!(discarded, Some(Ok(_)));
            return discarded
                .and_then(Result::ok)
                .and_then(|frame| frame.into_data().ok())
                .map_or(0, |data| data.len());
        }
        let Some(data) = self.receive().await else { return 0 };
        let more = self.spool.memory_with(data.len()) - self.spool.memory_with(0);
        if self.spool.has_file() {
            // The next call moves it into the file.
            self.reservation.grow_over_budget(more);
        } else if self.reservation.grow(more).is_err() {
            self.end = Some(Err(ErrorCode::Overloaded));
            return data.len();
        }
        self.spool.push(&data);
        data.len()
    }

    /// Ends the batch's part of the body: discards what waits in the spool and what still arrives.
    pub(in crate::http) fn refuse_rest(&mut self, code: ErrorCode) {
        self.end = Some(Err(code));
        self.spool.clear();
        self.reservation.shrink_to(0);
    }

    /// Receives the next bytes of the body. Sets `end` if there are none.
    async fn receive(&mut self) -> Option<Bytes> {
        loop {
            let frame = self.body.frame().await;
            self.last_received = Instant::now();
            let data = match frame {
                Some(Ok(frame)) => frame.into_data(),
                // The caller disconnected or framed the body wrongly. In the second case it receives the error.
                Some(Err(_)) => {
                    (self.end, self.fully_arrived) = (Some(Err(ErrorCode::InvalidJson)), true);
                    return None;
                }
                None => {
                    (self.end, self.fully_arrived) = (Some(Ok(())), true);
                    return None;
                }
            };
            let Ok(data) = data else { continue };
            self.received += data.len();
            if self.received > self.limit {
                self.end = Some(Err(ErrorCode::BodyTooLarge));
                return None;
            }
            return Some(data);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use futures_util::{StreamExt, stream};

    use super::*;
    use crate::{
        http::{
            decoding::{decompressed, with_rest},
            media::Coding,
        },
        memory::{Memory, Purpose},
    };

    /// Returns a body of pieces of 100 KiB that arrive at once, and then stay open unless the body `ends`.
    fn body(pieces: u8, ends: bool, limit: usize, memory: &Memory) -> ArrivingBody {
        let pieces = stream::iter((0..pieces).map(|piece| Ok::<_, Infallible>(vec![piece; 100 << 10])));
        let rest = if ends { stream::empty().boxed() } else { stream::pending().boxed() };
        let space = Arc::new(SpoolSpace::new(std::env::temp_dir(), 0));
        let reservation = memory.reserve(None, Purpose::Batch, 0).unwrap();
        ArrivingBody::new((Body::from_stream(pieces.chain(rest)), None), limit, &space, reservation).unwrap()
    }

    async fn rest(body: &mut ArrivingBody) -> (Vec<u8>, Result<(), ErrorCode>) {
        let mut all = Vec::new();
        loop {
            match body.next().await {
                Ok(Some(data)) => all.extend_from_slice(&data),
                end => return (all, end.map(|_| ())),
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_waits_half_a_second_before_it_is_spooled() {
        let memory = Memory::new(8 << 20);
        let mut body = body(3, true, 1 << 20, &memory);
        let began = Instant::now();
        assert_eq!(body.next().await.unwrap().unwrap()[0], 0);
        tokio::time::sleep(Duration::from_millis(200)).await;
        // A future that is dropped takes nothing.
        assert!(tokio::time::timeout(Duration::from_millis(200), body.spool()).await.is_err());
        assert_eq!((body.spool().await, began.elapsed().as_millis()), (100 << 10, 500));
        assert_eq!((body.spool().await, began.elapsed().as_millis()), (100 << 10, 500));
        assert_eq!(memory.reserved(), 4 * PIECE_BYTES);
        assert_eq!(body.spool().await, 0);
        assert!(!body.can_spool());
        let expected = [vec![1; 100 << 10], vec![2; 100 << 10]].concat();
        assert_eq!(rest(&mut body).await, (expected, Ok(())));
        assert_eq!(memory.reserved(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn bytes_over_a_limit_are_discarded_and_the_earlier_ones_returned() {
        for (limit, budget, pieces, code) in
            [(250 << 10, 8 << 20, 2, ErrorCode::BodyTooLarge), (1 << 20, 512 << 10, 3, ErrorCode::Overloaded)]
        {
            let memory = Memory::new(budget);
            let mut body = body(6, true, limit, &memory);
            while body.can_spool() {
                body.spool().await;
            }
            let (all, end) = rest(&mut body).await;
            assert_eq!((all.len(), end), (pieces * (100 << 10), Err(code)));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_rest_of_a_compressed_body_is_not_decompressed() {
        use std::io::Write;
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        gzip.write_all(&vec![b'x'; 64 << 20]).unwrap();
        let compressed = gzip.finish().unwrap();
        let memory = Memory::new(8 << 20);
        let reserve = || memory.reserve(None, Purpose::Batch, 0).unwrap();
        let pieces: Vec<_> = compressed.chunks(1 << 10).map(|piece| Ok::<_, Infallible>(piece.to_vec())).collect();
        let (body, rest) = with_rest(Body::from_stream(stream::iter(pieces)), Some(Coding::Gzip));
        let body = decompressed(body, Some(Coding::Gzip), 1 << 20, &reserve()).unwrap();
        let space = Arc::new(SpoolSpace::new(std::env::temp_dir(), 0));
        let mut body = ArrivingBody::new((body, rest), 1 << 20, &space, reserve()).unwrap();
        let mut taken = 0;
        while body.can_spool() {
            taken += body.spool().await;
        }
        // The wanted part, and the rest as it was sent.
        assert!(taken < (1 << 20) + compressed.len(), "{taken} of {}", compressed.len());
        assert_eq!(self::rest(&mut body).await.1, Err(ErrorCode::BodyTooLarge));
    }

    #[tokio::test(start_paused = true)]
    async fn a_refused_rest_is_discarded_and_an_open_body_is_awaited() {
        let memory = Memory::new(8 << 20);
        let mut body = body(4, false, 1 << 20, &memory);
        assert_eq!((body.spool().await, body.is_ready()), (100 << 10, true));
        body.refuse_rest(ErrorCode::Draining);
        assert_eq!(memory.reserved(), 0);
        for _ in 0..3 {
            assert_eq!(body.spool().await, 100 << 10);
        }
        assert!(tokio::time::timeout(Duration::from_mins(1), body.spool()).await.is_err());
        assert!(body.can_spool());
        assert_eq!(rest(&mut body).await, (Vec::new(), Err(ErrorCode::Draining)));
    }
}
