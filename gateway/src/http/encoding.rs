//! Compresses answers for clients that accept it. Server-sent events are never compressed.
//!
//! Whole answers are compressed at once, so that no encoder waits for a slow client. Answers that are written piece by
//! piece (batches) have an encoder each, which is flushed whenever no more bytes are ready: a line is sent when its note is
//! done, compressed or not.

use std::{io, pin::Pin};

use async_compression::{
    Level,
    brotli::EncoderParams,
    tokio::{bufread, write},
    zstd::CParameter,
};
use axum::{
    body::{Body, Bytes, HttpBody},
    http::{HeaderMap, HeaderValue, header},
    response::Response,
};
use futures_util::{StreamExt, TryStreamExt};
use http_body_util::BodyExt;
use tokio::io::{AsyncRead, AsyncWriteExt};
use tokio_util::io::{ReaderStream, StreamReader};

use super::App;
use crate::{
    access::Principal,
    memory::{MemoryReservation, Purpose},
};

/// Sizes of whole answers that are compressed: for a shorter one it has no benefit; for a longer one it would take too
/// long for one request.
const WHOLE_BYTES: std::ops::RangeInclusive<u64> = (1 << 10)..=(512 << 10);
/// Bytes that are compressed at once.
const PIECE_BYTES: usize = 8 << 10;
/// Bytes that one encoder occupies, with the window below.
const ENCODER_BYTES: usize = 1 << 20;
/// The window of brotli and zstd, as the power of two of its bytes. It bounds the memory of an encoder.
const WINDOW_LOG: u8 = 17;

/// A content coding that this service writes, the preferred one first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    Zstd,
    Gzip,
    Brotli,
}

impl Encoding {
    const ALL: [Self; 3] = [Self::Zstd, Self::Gzip, Self::Brotli];

    const fn name(self) -> &'static str {
        match self {
            Self::Zstd => "zstd",
            Self::Gzip => "gzip",
            Self::Brotli => "br",
        }
    }

    /// Returns the coding that a client accepts with the highest quality; none if it names none of them.
    pub(super) fn accepted(headers: &HeaderMap) -> Option<Self> {
        let mut best = (0.0, None);
        for encoding in Self::ALL {
            let quality = encoding.quality(headers);
            if quality > best.0 {
                best = (quality, Some(encoding));
            }
        }
        best.1
    }

    /// Returns whether a client accepts this coding.
    pub(super) fn is_accepted(self, headers: &HeaderMap) -> bool {
        self.quality(headers) > 0.0
    }

    /// Returns the quality that a client gives this coding; 0 if it does not name it.
    fn quality(self, headers: &HeaderMap) -> f32 {
        let lines = headers.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
        let mut ranges = lines.flat_map(|line| line.split(',')).map(quality);
        ranges.find(|(name, _)| name.eq_ignore_ascii_case(self.name())).map_or(0.0, |(_, quality)| quality)
    }

    /// Compresses bytes at once.
    pub(super) async fn compress(self, bytes: &[u8]) -> io::Result<Vec<u8>> {
        macro_rules! written_by {
            ($encoder:expr) => {{
                let mut encoder = $encoder;
                encoder.write_all(bytes).await?;
                encoder.shutdown().await?;
                encoder.into_inner()
            }};
        }
        let out = Vec::with_capacity(bytes.len() / 4);
        Ok(match self {
            Self::Zstd => written_by!(write::ZstdEncoder::with_quality_and_params(out, Level::Fastest, &zstd())),
            Self::Gzip => written_by!(write::GzipEncoder::with_quality(out, Level::Fastest)),
            Self::Brotli => written_by!(write::BrotliEncoder::with_params(out, brotli())),
        })
    }

    /// Returns a body that is compressed while it is read.
    fn compress_stream(self, body: Body, reservation: MemoryReservation) -> Body {
        let plain = StreamReader::new(TryStreamExt::map_err(body.into_data_stream(), io::Error::other));
        let encoder: Pin<Box<dyn AsyncRead + Send>> = match self {
            Self::Zstd => Box::pin(bufread::ZstdEncoder::with_quality_and_params(plain, Level::Fastest, &zstd())),
            Self::Gzip => Box::pin(bufread::GzipEncoder::with_quality(plain, Level::Fastest)),
            Self::Brotli => Box::pin(bufread::BrotliEncoder::with_params(plain, brotli())),
        };
        Body::from_stream(ReaderStream::with_capacity(encoder, PIECE_BYTES).inspect(move |_| {
            // Kept as long as the encoder.
            let _ = &reservation;
        }))
    }
}

fn zstd() -> [CParameter; 3] {
    let window = u32::from(WINDOW_LOG);
    [CParameter::window_log(window), CParameter::hash_log(window - 2), CParameter::chain_log(window - 2)]
}

fn brotli() -> EncoderParams {
    EncoderParams::default().quality(Level::Precise(2)).window_size(i32::from(WINDOW_LOG))
}

/// Returns the name and the quality of one range of `Accept-Encoding`.
fn quality(range: &str) -> (&str, f32) {
    let mut parts = range.split(';').map(str::trim);
    let name = parts.next().unwrap_or_default();
    let quality = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
    // A quality that is not a number is a mistake of the client; the coding is then not used.
    (name, quality.map_or(1.0, |text| text.parse().unwrap_or(0.0)))
}

/// Compresses the response with the coding that the client accepts, if it is text and long enough.
pub(super) async fn compress(
    app: &App,
    accepted: Option<Encoding>,
    principal: Option<&Principal>,
    mut response: Response,
) -> Response {
    let size = response.body().size_hint().exact();
    let is_long_enough = size.is_none_or(|size| WHOLE_BYTES.contains(&size));
    if !is_long_enough || !is_text(response.headers()) || response.headers().contains_key(header::CONTENT_ENCODING) {
        return response;
    }
    response.headers_mut().append(header::VARY, HeaderValue::from_static("Accept-Encoding"));
    let Some(encoding) = accepted else { return response };
    let (mut parts, body) = response.into_parts();
    let body = if size.is_some() {
        compress_whole(encoding, body).await
    } else {
        let reservation = app.state.memory.reserve(principal.map(Principal::memory), Purpose::Batch, ENCODER_BYTES);
        match reservation {
            Ok(reservation) => Ok(encoding.compress_stream(body, reservation)),
            // Without memory for an encoder the answer is sent as it is.
            Err(_) => Err(body),
        }
    };
    let body = match body {
        Ok(encoded) => {
            parts.headers.remove(header::CONTENT_LENGTH);
            parts.headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(encoding.name()));
            encoded
        }
        Err(plain) => plain,
    };
    Response::from_parts(parts, body)
}

/// Compresses a whole body. Returns the body itself if that fails.
async fn compress_whole(encoding: Encoding, body: Body) -> Result<Body, Body> {
    // The whole body is in memory, so this never waits.
    let Ok(plain) = body.collect().await.map(http_body_util::Collected::to_bytes) else { return Err(Body::empty()) };
    match encoding.compress(&plain).await {
        Ok(encoded) => Ok(Body::from(Bytes::from_owner(Encoded { encoded, _plain: plain }))),
        Err(_) => Err(Body::from(plain)),
    }
}

/// A compressed answer. It keeps the answer itself, to which the memory reservation of its request is attached, until
/// the client has read it.
struct Encoded {
    encoded: Vec<u8>,
    _plain: Bytes,
}

impl AsRef<[u8]> for Encoded {
    fn as_ref(&self) -> &[u8] {
        &self.encoded
    }
}

/// Returns whether an answer is text other than server-sent events, whose comments and events must not wait.
fn is_text(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let is_text = kind.starts_with("text/") && !kind.starts_with("text/event-stream");
    is_text || ["json", "javascript", "openmetrics", "svg"].iter().any(|part| kind.contains(part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepted_takes_the_best_coding_that_the_client_names() {
        for (lines, expected) in [
            (vec!["gzip, deflate, br, zstd"], Some(Encoding::Zstd)),
            (vec!["gzip, deflate"], Some(Encoding::Gzip)),
            (vec!["gzip;q=0.5, br;q=0.9"], Some(Encoding::Brotli)),
            (vec!["GZIP;Q=1.0"], Some(Encoding::Gzip)),
            (vec!["deflate", "br"], Some(Encoding::Brotli)),
            (vec!["gzip;q=0"], None),
            (vec!["gzip;q=high"], None),
            (vec!["*"], None),
            (vec!["identity"], None),
            (vec!["x-gzipped"], None),
            (vec![""], None),
            (vec![], None),
        ] {
            let mut headers = HeaderMap::new();
            for line in &lines {
                headers.append(header::ACCEPT_ENCODING, line.parse().unwrap());
            }
            assert_eq!(Encoding::accepted(&headers), expected, "{lines:?}");
        }
    }
}
