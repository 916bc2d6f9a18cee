//! Rate limits at the edge: the caller whose notes count, and the headers that report the remaining quota.
//!
//! The headers are those of draft-ietf-httpapi-ratelimit-headers.

use std::{net::IpAddr, time::Duration};

use axum::{
    extract::Request,
    http::{HeaderMap, HeaderName, HeaderValue},
};

use super::{
    App, access,
    error::{ErrorCode, Problem},
};
use crate::{
    access::Principal,
    rate_limiter::{LimitScope, RateLimitExceeded, RateLimitState},
    rate_limits::{RateLimitAttempt, RateLimitGrant},
};

const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const LIMIT: HeaderName = HeaderName::from_static("ratelimit");

/// The caller whose notes count against rate limits.
#[derive(Clone, Debug)]
pub(super) struct RateLimitedCaller {
    principal: Option<Principal>,
    address: Option<IpAddr>,
}

/// The 429 answer to a note that a rate limit refused.
pub(super) struct RateLimitRejection {
    problem: Problem,
    rate_limit: RateLimitState,
    /// The time after which the caller can try again.
    pub(super) after: Duration,
}

impl RateLimitRejection {
    /// Counts the rejection in the metrics and returns the problem and the state of the limit.
    pub(super) fn into_problem(self, app: &App) -> (Problem, RateLimitState) {
        app.state.metrics.rate_limited(self.rate_limit.scope);
        (self.problem, self.rate_limit)
    }
}

impl RateLimitedCaller {
    /// Returns the principal. None where the request needed no key.
    pub(super) fn principal(&self) -> Option<&Principal> {
        self.principal.as_ref()
    }

    /// Returns how many notes of the caller may be in flight at once, if that is limited.
    pub(super) fn at_once(&self) -> Option<usize> {
        self.principal.as_ref().and_then(Principal::at_once)
    }

    /// Returns the caller of a request.
    pub(super) fn of(app: &App, request: &Request) -> Self {
        Self { principal: access::principal(request), address: access::address(request, &app.access.trusted_proxies) }
    }

    /// Returns the caller of a job, whose request is over.
    pub(super) fn of_principal(principal: Option<Principal>) -> Self {
        Self { principal, address: None }
    }

    /// Counts one note against the limits of the caller.
    pub(super) fn admit(&self, app: &App, id: &str) -> Result<RateLimitGrant, Box<RateLimitRejection>> {
        let mut attempt = RateLimitAttempt::default();
        self.try_admit(app, id, &mut attempt)?;
        Ok(attempt.grant)
    }

    /// Counts one note like [`Self::admit`], but in an attempt that can be repeated.
    pub(super) fn try_admit(
        &self,
        app: &App,
        id: &str,
        attempt: &mut RateLimitAttempt,
    ) -> Result<(), Box<RateLimitRejection>> {
        app.access.rate_limits.try_admit(self.principal.as_ref(), self.address, attempt).map_err(
            |RateLimitExceeded { rate_limit, after }| {
                let mut problem = ErrorCode::RateLimited.problem(id).with_retry_after(after);
                if rate_limit.scope == LimitScope::Concurrency {
                    let quota = rate_limit.quota;
                    problem.detail =
                        format!("{quota} notes of this key are being read already. Send the next when one is done.");
                }
                Box::new(RateLimitRejection { problem, rate_limit, after })
            },
        )
    }
}

/// Adds the headers with the limit and its remaining quota to a response.
pub(super) fn add_headers(rate_limit: RateLimitState, headers: &mut HeaderMap) {
    let RateLimitState { scope, quota, window, remaining, reset } = rate_limit;
    let scope = scope.name();
    let policy = HeaderValue::from_str(&format!("\"{scope}\";q={quota};w={window}"));
    let limit = HeaderValue::from_str(&format!("\"{scope}\";r={remaining};t={reset}"));
    if let (Ok(policy), Ok(limit)) = (policy, limit) {
        headers.insert(POLICY, policy);
        headers.insert(LIMIT, limit);
    }
}
