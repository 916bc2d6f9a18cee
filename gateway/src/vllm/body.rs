//! Reads the bodies of a model server's answers up to a size limit. No other code in `vllm` reads them, so a server
//! that sends without end costs one connection and not the memory of this process.

use bytes::{Bytes, BytesMut};
use reqwest::Response;

/// Size limit of a completion or a token count, in bytes.
pub(super) const LARGEST_ANSWER: usize = 8 << 20;
/// Size limit of a list of models, in bytes. An entry of vLLM's list has half a kilobyte.
pub(super) const LARGEST_LIST: usize = 1 << 20;
/// Size limit of a metrics text, in bytes. vLLM's text has a tenth of this.
pub(super) const LARGEST_METRICS: usize = 1 << 20;

/// The error of a body that is too large or whose connection broke.
#[derive(Debug)]
pub(super) struct IncompleteBody;

/// A body with a limit on the bytes that may be read.
pub(super) struct Body {
    response: Response,
    left: usize,
}

impl Body {
    /// Returns the body of a response; an error if its `Content-Length` is above `most` bytes.
    pub(super) fn of(response: Response, most: usize) -> Result<Self, IncompleteBody> {
        let announced = response.content_length().unwrap_or(0);
        if usize::try_from(announced).is_ok_and(|announced| announced <= most) {
            Ok(Self { response, left: most })
        } else {
            Err(IncompleteBody)
        }
    }

    /// Returns the next bytes; `None` at the end.
    pub(super) async fn chunk(&mut self) -> Result<Option<Bytes>, IncompleteBody> {
        let Some(bytes) = self.response.chunk().await.map_err(|_| IncompleteBody)? else { return Ok(None) };
        self.left = self.left.checked_sub(bytes.len()).ok_or(IncompleteBody)?;
        Ok(Some(bytes))
    }
}

/// Returns the whole body; an error if it has more than `most` bytes.
pub(super) async fn read(response: Response, most: usize) -> Result<Bytes, IncompleteBody> {
    let mut body = Body::of(response, most)?;
    let Some(first) = body.chunk().await? else { return Ok(Bytes::new()) };
    // Most answers arrive in one piece, which is not copied.
    let Some(second) = body.chunk().await? else { return Ok(first) };
    let mut whole = BytesMut::from(first);
    whole.extend_from_slice(&second);
    while let Some(bytes) = body.chunk().await? {
        whole.extend_from_slice(&bytes);
    }
    Ok(whole.freeze())
}
