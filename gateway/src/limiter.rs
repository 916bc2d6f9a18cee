//! One rate limit: so many notes in so much time.
//!
//! A generic cell rate algorithm (the `governor` crate): the whole allowance may be used at once, and comes back evenly.

use std::{fmt, num::NonZeroU32, str::FromStr, time::Duration};

use governor::{
    NotUntil, Quota, RateLimiter,
    clock::{Clock, DefaultClock, Reference},
    middleware::{StateInformationMiddleware, StateSnapshot},
    state::{InMemoryState, NotKeyed},
};
use serde::Deserialize;

/// So many notes in so much time: `10/s`, `600/min`, `5000/h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Rate {
    count: NonZeroU32,
    period: Duration,
}

impl FromStr for Rate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refused = || format!("`{text}` is no rate: write a number per s, min or h, such as 10/s");
        let (count, unit) = text.split_once('/').ok_or_else(refused)?;
        let seconds = match unit.trim() {
            "s" => 1,
            "min" => 60,
            "h" => 3_600,
            _ => return Err(refused()),
        };
        Ok(Self { count: count.trim().parse().map_err(|_| refused())?, period: Duration::from_secs(seconds) })
    }
}

impl TryFrom<String> for Rate {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

/// One allowance.
pub struct Limiter {
    rate: Rate,
    allowance: RateLimiter<NotKeyed, InMemoryState, DefaultClock, StateInformationMiddleware>,
}

/// Whose allowance it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// Of all callers together.
    Global,
    /// Of one key.
    Key,
    /// Of one address.
    Address,
    /// Calls of one key that are under way.
    Concurrency,
}

impl Scope {
    /// The name in headers and metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Global => "global",
            Self::Key => "key",
            Self::Address => "address",
            Self::Concurrency => "concurrency",
        }
    }
}

/// The state of one rate limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimitState {
    /// Whose limit it is.
    pub scope: Scope,
    /// Notes in one window.
    pub quota: u32,
    /// Length of the window, in seconds.
    pub window: u64,
    /// Notes left in this window.
    pub remaining: u32,
    /// Seconds until the next note is allowed, rounded up.
    pub reset: u64,
}

/// A rate limit is used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimitExceeded {
    /// The limit that is used up.
    pub rate_limit: RateLimitState,
    /// When it is worth coming back.
    pub after: Duration,
}

impl Rate {
    pub(crate) fn quota(self) -> Quota {
        let of_one = self.period / self.count.get();
        // More than one in a nanosecond is as good as no limit.
        Quota::with_period(of_one).unwrap_or(Quota::per_second(self.count)).allow_burst(self.count)
    }

    fn rate_limit(self, scope: Scope, remaining: u32, reset: Duration) -> RateLimitState {
        let reset = reset.as_secs() + u64::from(reset.subsec_nanos() > 0);
        RateLimitState { scope, quota: self.count.get(), window: self.period.as_secs(), remaining, reset }
    }

    pub(crate) fn judged<P: Reference>(
        self,
        scope: Scope,
        taken: Result<StateSnapshot, NotUntil<P>>,
        now: P,
    ) -> Result<RateLimitState, RateLimitExceeded> {
        match taken {
            Ok(left) => Ok(self.rate_limit(scope, left.remaining_burst_capacity(), self.quota().replenish_interval())),
            Err(not_until) => {
                let after = not_until.wait_time_from(now);
                Err(RateLimitExceeded { rate_limit: self.rate_limit(scope, 0, after), after })
            }
        }
    }
}

impl Limiter {
    /// A whole allowance.
    #[must_use]
    pub fn new(rate: Rate) -> Self {
        Self { rate, allowance: RateLimiter::direct(rate.quota()).with_middleware() }
    }

    /// Uses as much of this allowance as is used of another, and all of it where that was more.
    pub fn use_as_much_as(&self, other: &Self) {
        // Asking takes one; what is left of the other does not matter any more.
        let used = match other.allowance.check() {
            Ok(left) => other.rate.count.get().saturating_sub(left.remaining_burst_capacity() + 1),
            Err(_) => other.rate.count.get(),
        };
        if let Some(used) = NonZeroU32::new(used.min(self.rate.count.get())) {
            let _ = self.allowance.check_n(used);
        }
    }

    pub(crate) fn take(&self, scope: Scope) -> Result<RateLimitState, RateLimitExceeded> {
        self.rate.judged(scope, self.allowance.check(), self.allowance.clock().now())
    }
}

impl fmt::Debug for Limiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.rate.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_as_they_are_written() {
        for (text, count, seconds) in [("10/s", 10, 1), ("600/min", 600, 60), (" 5 / h", 5, 3_600)] {
            let rate: Rate = text.parse().unwrap();
            assert_eq!((rate.count.get(), rate.period.as_secs()), (count, seconds), "{text}");
        }
        for bad in ["", "10", "0/s", "-1/s", "10/d", "x/s", "1.5/s", "99999999999/s"] {
            assert!(bad.parse::<Rate>().is_err(), "{bad}");
        }
    }
}
