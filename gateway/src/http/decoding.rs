//! Decompresses request bodies while they arrive, in bounded memory. The limits of a body count its decompressed bytes.

use std::{
    io,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
};

use async_compression::{
    tokio::bufread::{GzipDecoder, ZlibDecoder, ZstdDecoder},
    zstd::DParameter,
};
use axum::body::{Body, Bytes, HttpBody};
use futures_util::{StreamExt, TryStreamExt};
use http_body_util::Limited;
use hyper::body::{Frame, SizeHint};
use tokio::io::AsyncRead;
use tokio_util::io::{ReaderStream, StreamReader};

use super::{error::ErrorCode, media::Coding};
use crate::memory::MemoryReservation;

/// Most bytes that are decompressed at once.
const PIECE_BYTES: usize = 8 << 10;
/// How many bytes a compressed body may be longer than the limit for the body itself: text that cannot be compressed
/// becomes a little longer.
const SLACK_BYTES: usize = 64 << 10;
/// The largest window of zstd that is read, as the power of two of its bytes: 8 MiB, which RFC 9659 sets for HTTP.
const ZSTD_WINDOW_LOG: u32 = 23;

/// The error text for a body that is not what its `Content-Encoding` says.
pub(super) const NOT_DECOMPRESSED: &str =
    "The body cannot be decompressed: it is broken, or not compressed as Content-Encoding says.";

impl Coding {
    /// Returns the bytes of memory that a decoder occupies.
    const fn memory(self) -> usize {
        match self {
            Self::Gzip | Self::Deflate => 64 << 10,
            Self::Zstd => (1 << ZSTD_WINDOW_LOG) + (256 << 10),
        }
    }
}

/// Returns two handles of a compressed body. The first is decompressed. Once it is dropped, the second serves to
/// discard the rest without decompressing it, which could cost a thousand times its bytes. A body without a coding has
/// no second one.
pub(super) fn with_rest(body: Body, coding: Option<Coding>) -> (Body, Option<Body>) {
    if coding.is_none() {
        return (body, None);
    }
    let shared = SharedBody(Arc::new(Mutex::new(body)));
    (Body::new(shared.clone()), Some(Body::new(shared)))
}

/// A body that two parts of a request read, one after the other.
#[derive(Clone)]
struct SharedBody(Arc<Mutex<Body>>);

impl SharedBody {
    fn body(&self) -> MutexGuard<'_, Body> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl HttpBody for SharedBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut *self.body()).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body().is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body().size_hint()
    }
}

/// Returns the decompressed body; the body itself if it has no coding. While the decoder exists, its memory is reserved
/// in addition to `reservation`. Fails if that memory is not free, or if the compressed body is known to be longer than
/// `limit` allows. The caller limits the decompressed bytes.
pub(super) fn decompressed(
    body: Body,
    coding: Option<Coding>,
    limit: usize,
    reservation: &MemoryReservation,
) -> Result<Body, ErrorCode> {
    let Some(coding) = coding else { return Ok(body) };
    let limit = limit.saturating_add(SLACK_BYTES);
    if body.size_hint().lower() > limit as u64 {
        return Err(ErrorCode::BodyTooLarge);
    }
    let mut decoder_reservation = reservation.reserve_also(0);
    decoder_reservation.grow(coding.memory())?;
    // Without a limit a body of nothing but empty gzip members would never end: it has no decompressed bytes to count.
    let compressed = Body::new(Limited::new(body, limit)).into_data_stream();
    let compressed = StreamReader::new(compressed.map_err(io::Error::other));
    let decoder: Pin<Box<dyn AsyncRead + Send>> = match coding {
        Coding::Gzip => {
            let mut decoder = GzipDecoder::new(compressed);
            decoder.multiple_members(true);
            Box::pin(decoder)
        }
        Coding::Deflate => Box::pin(ZlibDecoder::new(compressed)),
        Coding::Zstd => {
            let mut decoder = ZstdDecoder::with_params(compressed, &[DParameter::window_log_max(ZSTD_WINDOW_LOG)]);
            decoder.multiple_members(true);
            Box::pin(decoder)
        }
    };
    let pieces = ReaderStream::with_capacity(decoder, PIECE_BYTES);
    Ok(Body::from_stream(pieces.inspect(move |_| {
        // Kept as long as the decoder.
        let _ = &decoder_reservation;
    })))
}
