//! CORS: the origins whose pages may call the service from a browser.

use std::time::Duration;

use axum::http::{HeaderName, HeaderValue, Method};
use tower_http::cors::{AllowOrigin, CorsLayer};

use crate::config::OriginPattern;

/// Request headers that a page may send, and response headers that it may read.
const REQUEST_HEADERS: [&str; 6] =
    ["authorization", "content-type", "traceparent", "x-api-key", "x-request-id", "x-request-timeout"];
const RESPONSE_HEADERS: [&str; 7] =
    ["ratelimit", "ratelimit-policy", "retry-after", "server-timing", "x-cache", "x-degraded", "x-request-id"];
/// How long a browser may reuse the answer to a preflight request.
const PREFLIGHT_MAX_AGE: Duration = Duration::from_hours(1);

/// Returns the CORS layer that allows origins which match one of the patterns.
pub fn layer(patterns: Vec<OriginPattern>) -> CorsLayer {
    let allowed = move |origin: &HeaderValue, _: &_| {
        origin.to_str().is_ok_and(|origin| patterns.iter().any(|pattern| pattern.matches(origin)))
    };
    CorsLayer::new()
        .allow_origin(AllowOrigin::predicate(allowed))
        .allow_methods([Method::GET, Method::POST])
        .allow_headers(REQUEST_HEADERS.map(HeaderName::from_static))
        .expose_headers(RESPONSE_HEADERS.map(HeaderName::from_static))
        .max_age(PREFLIGHT_MAX_AGE)
}
