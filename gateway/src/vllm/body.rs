//! Bodies of a model server's answers, read up to a bound. Nothing else in here reads one: a server that sends
//! without end costs a connection, never the memory of this process.

use bytes::{Bytes, BytesMut};
use reqwest::Response;

/// Largest completion, or count of tokens, that is read.
pub(super) const LARGEST_ANSWER: usize = 8 << 20;
/// Largest list of models that is read; an entry of vLLM's has half a kilobyte.
pub(super) const LARGEST_LIST: usize = 1 << 20;
/// Largest text of metrics that is read; vLLM's has a tenth of this.
pub(super) const LARGEST_METRICS: usize = 1 << 20;

/// Why a body was not read to its end: it is too large, or the connection broke.
#[derive(Debug)]
pub(super) struct IncompleteBody;

/// A body that gives at most so many bytes.
pub(super) struct Body {
    response: Response,
    left: usize,
}

impl Body {
    /// The body of a response. One that announces more than `most` bytes is not read at all.
    pub(super) fn of(response: Response, most: usize) -> Result<Self, IncompleteBody> {
        let announced = response.content_length().unwrap_or(0);
        if usize::try_from(announced).is_ok_and(|announced| announced <= most) {
            Ok(Self { response, left: most })
        } else {
            Err(IncompleteBody)
        }
    }

    /// The next bytes; nothing at the end.
    pub(super) async fn chunk(&mut self) -> Result<Option<Bytes>, IncompleteBody> {
        let Some(bytes) = self.response.chunk().await.map_err(|_| IncompleteBody)? else { return Ok(None) };
        self.left = self.left.checked_sub(bytes.len()).ok_or(IncompleteBody)?;
        Ok(Some(bytes))
    }
}

/// The whole body, at most so many bytes.
pub(super) async fn read(response: Response, most: usize) -> Result<Bytes, IncompleteBody> {
    let mut body = Body::of(response, most)?;
    let Some(first) = body.chunk().await? else { return Ok(Bytes::new()) };
    // The common answer comes in one piece, and is not copied.
    let Some(second) = body.chunk().await? else { return Ok(first) };
    let mut whole = BytesMut::from(first);
    whole.extend_from_slice(&second);
    while let Some(bytes) = body.chunk().await? {
        whole.extend_from_slice(&bytes);
    }
    Ok(whole.freeze())
}
