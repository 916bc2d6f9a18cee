//! The gate: which routes are open, and whose key came with a request to the others.

use std::{net::SocketAddr, sync::Arc};

use axum::{
    extract::{ConnectInfo, Request, State},
    http::{HeaderMap, header},
    middleware::Next,
    response::{IntoResponse, Response},
};

use super::{
    RequestId,
    error::{ErrorCode, Problem},
};
use crate::access::Keys;

/// What anybody may ask: what the service is, and whether it lives. Every other path needs a key.
pub(super) const OPEN: [&str; 8] =
    ["/", "/ui", "/health", "/health/live", "/health/ready", "/api/v1/schema", "/docs", "/openapi.json"];
/// The assets of the Swagger page.
const OPEN_BELOW: &str = "/docs/";
/// Answers callers on this machine only, key or not: scrapers seldom carry one.
const LOCAL: [&str; 2] = ["/metrics", "/health"];

/// Lets a request through that needs no key or has one.
pub(super) async fn gate(State(keys): State<Option<Arc<Keys>>>, request: Request, next: Next) -> Response {
    let Some(keys) = keys.filter(|_| !is_open(&request)) else { return next.run(request).await };
    let Some(principal) = key_of(request.headers()).and_then(|key| keys.principal(key)) else {
        let id = request.extensions().get::<RequestId>().cloned();
        return Problem::new(ErrorCode::Unauthorized, id.as_ref().map_or("", |id| &id.0)).into_response();
    };
    let mut response = next.run(request).await;
    // The log line is written outside of this layer.
    response.extensions_mut().insert(principal);
    response
}

/// Whether a path is open to everybody, by the list.
pub(super) fn is_open_path(path: &str) -> bool {
    OPEN.contains(&path) || path.starts_with(OPEN_BELOW)
}

fn is_open(request: &Request) -> bool {
    let path = request.uri().path();
    let local = || {
        let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
        peer.is_some_and(|ConnectInfo(peer)| peer.ip().to_canonical().is_loopback())
    };
    // The verbose form tells how busy the service is.
    let telling = path == "/health" && request.uri().query().is_some_and(|query| query.contains("verbose"));
    (is_open_path(path) && !telling) || (LOCAL.contains(&path) && local())
}

/// The key that came with a request: `Authorization: Bearer KEY` or `X-API-Key: KEY`.
fn key_of(headers: &HeaderMap) -> Option<&[u8]> {
    let bearer = headers.get(header::AUTHORIZATION).and_then(|value| {
        let (scheme, key) = value.as_bytes().split_at_checked(7)?;
        scheme.eq_ignore_ascii_case(b"bearer ").then(|| key.trim_ascii())
    });
    bearer.or_else(|| headers.get("x-api-key").map(|value| value.as_bytes().trim_ascii()))
}
