//! Which origins may call from a browser.

use std::time::Duration;

use axum::http::{HeaderName, HeaderValue, Method};
use tower_http::cors::{AllowOrigin, CorsLayer};

use crate::config::OriginPattern;

/// Headers of ours that a page may send, and those that it may read.
const ASKED: [&str; 6] =
    ["authorization", "content-type", "traceparent", "x-api-key", "x-request-id", "x-request-timeout"];
const TOLD: [&str; 7] =
    ["ratelimit", "ratelimit-policy", "retry-after", "server-timing", "x-cache", "x-degraded", "x-request-id"];
/// So long a browser need not ask again.
const PREFLIGHT_HOLDS: Duration = Duration::from_hours(1);

/// The layer for a list of patterns.
pub fn layer(patterns: Vec<OriginPattern>) -> CorsLayer {
    let allowed = move |origin: &HeaderValue, _: &_| {
        origin.to_str().is_ok_and(|origin| patterns.iter().any(|pattern| pattern.matches(origin)))
    };
    CorsLayer::new()
        .allow_origin(AllowOrigin::predicate(allowed))
        .allow_methods([Method::GET, Method::POST])
        .allow_headers(ASKED.map(HeaderName::from_static))
        .expose_headers(TOLD.map(HeaderName::from_static))
        .max_age(PREFLIGHT_HOLDS)
}
