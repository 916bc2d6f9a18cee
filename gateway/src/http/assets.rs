//! Files that do not change while the process runs. Clients cache them and revalidate them by their hash (`ETag`).

use axum::{
    body::{Body, Bytes},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use sha2::{Digest, Sha256};

/// Clients may cache the file but must revalidate it before each use, because another version of the gateway has other
/// files at the same addresses.
const REVALIDATE: HeaderValue = HeaderValue::from_static("no-cache");
/// Bytes of the hash that are used in the `ETag`.
const HASH_BYTES: usize = 12;

/// A file with the hash of its content.
#[derive(Clone, Debug)]
pub(super) struct Asset {
    kind: HeaderValue,
    content: Bytes,
    etag: HeaderValue,
}

impl Asset {
    /// Returns the file with a media type. None if the type is not one.
    pub(super) fn new(kind: &str, content: Bytes) -> Option<Self> {
        // Weak, because the file may be sent compressed or not under the same name.
        let mut hash = hex::encode(Sha256::digest(&content));
        hash.truncate(2 * HASH_BYTES);
        let etag = format!("W/\"{hash}\"");
        Some(Self { kind: HeaderValue::from_str(kind).ok()?, content, etag: HeaderValue::from_str(&etag).ok()? })
    }

    pub(super) fn content(&self) -> &Bytes {
        &self.content
    }

    /// Returns the answer to a request for the file: the file, or 304 if the client has it in its cache.
    pub(super) fn answer(&self, request: &HeaderMap) -> Response {
        let cached = [(header::ETAG, self.etag.clone()), (header::CACHE_CONTROL, REVALIDATE)];
        if self.is_cached_by(request) {
            return (StatusCode::NOT_MODIFIED, cached).into_response();
        }
        (cached, [(header::CONTENT_TYPE, self.kind.clone())], Body::from(Bytes::clone(&self.content))).into_response()
    }

    fn is_cached_by(&self, request: &HeaderMap) -> bool {
        let tags = request.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
        let own = self.etag.to_str().unwrap_or_default().trim_start_matches("W/");
        tags.flat_map(|line| line.split(','))
            .map(str::trim)
            .any(|tag| tag == "*" || tag.trim_start_matches("W/") == own)
    }
}
