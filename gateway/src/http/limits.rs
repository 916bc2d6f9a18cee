//! Rate limits at the edge: who is counted, and the headers that say what is left.
//!
//! The headers are those of draft-ietf-httpapi-ratelimit-headers.

use axum::{
    extract::Request,
    http::{HeaderMap, HeaderName, HeaderValue},
};

use super::{
    App, access,
    error::{ErrorCode, Problem},
};
use crate::rates::{Allowed, Scope, Standing};

const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const LIMIT: HeaderName = HeaderName::from_static("ratelimit");

/// Counts one note of a request's caller against his limits.
pub(super) fn admit(app: &App, request: &Request, id: &str) -> Result<Allowed, Box<(Problem, Standing)>> {
    let principal = request.extensions().get();
    let address = access::address(request, &app.trusted_proxies);
    app.rates.admit(principal, address).map_err(|too_soon| {
        app.metrics.rate_limited(too_soon.standing.scope);
        let mut problem = ErrorCode::RateLimited.problem(id).after(too_soon.after);
        if too_soon.standing.scope == Scope::Concurrency {
            let most = too_soon.standing.quota;
            problem.detail =
                format!("{most} notes of this key are being read already. Send the next when one is done.");
        }
        Box::new((problem, too_soon.standing))
    })
}

/// Says in an answer what is left of the caller's allowance.
pub(super) fn tell(standing: Standing, headers: &mut HeaderMap) {
    let Standing { scope, quota, window, remaining, reset } = standing;
    let scope = scope.name();
    let policy = HeaderValue::from_str(&format!("\"{scope}\";q={quota};w={window}"));
    let limit = HeaderValue::from_str(&format!("\"{scope}\";r={remaining};t={reset}"));
    if let (Ok(policy), Ok(limit)) = (policy, limit) {
        headers.insert(POLICY, policy);
        headers.insert(LIMIT, limit);
    }
}
