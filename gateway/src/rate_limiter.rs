//! One rate limit: a number of notes per second, minute or hour.
//!
//! It is a generic cell rate algorithm (the `governor` crate): a caller may use the whole allowance at once, and the
//! allowance refills evenly.

use std::{fmt, num::NonZeroU32, str::FromStr, time::Duration};

use governor::{
    NotUntil, Quota, RateLimiter,
    clock::{Clock, DefaultClock, Reference},
    middleware::{StateInformationMiddleware, StateSnapshot},
    state::{InMemoryState, NotKeyed},
};
use serde::Deserialize;

/// A number of notes per period, written as `10/s`, `600/min` or `5000/h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Rate {
    count: NonZeroU32,
    period: Duration,
}

impl FromStr for Rate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let invalid = || format!("`{text}` is not a rate: write a number per s, min or h, such as 10/s");
        let (count, unit) = text.split_once('/').ok_or_else(invalid)?;
        let seconds = match unit.trim() {
            "s" => 1,
            "min" => 60,
            "h" => 3_600,
            _ => return Err(invalid()),
        };
        Ok(Self { count: count.trim().parse().map_err(|_| invalid())?, period: Duration::from_secs(seconds) })
    }
}

impl TryFrom<String> for Rate {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

/// A rate and the allowance that is left of it.
pub struct Limiter {
    rate: Rate,
    allowance: RateLimiter<NotKeyed, InMemoryState, DefaultClock, StateInformationMiddleware>,
}

/// The callers that share one allowance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LimitScope {
    /// All callers together.
    Global,
    /// The callers with one key.
    Key,
    /// The callers at one address.
    Address,
    /// The callers with one key; the limit is on their calls in flight.
    Concurrency,
}

impl LimitScope {
    /// Every scope.
    pub const ALL: [Self; 4] = [Self::Global, Self::Key, Self::Address, Self::Concurrency];

    /// Returns the scope's name in headers and metrics.
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
    /// The callers that the limit applies to.
    pub scope: LimitScope,
    /// Notes in one window.
    pub quota: u32,
    /// Length of the window, in seconds.
    pub window: u64,
    /// Notes left in this window.
    pub remaining: u32,
    /// Seconds until the next note is allowed, rounded up.
    pub reset: u64,
}

/// The error of a note that exceeds a rate limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimitExceeded {
    /// The limit that is used up.
    pub rate_limit: RateLimitState,
    /// The time after which the caller can try again.
    pub after: Duration,
}

impl Rate {
    pub(crate) fn quota(self) -> Quota {
        let period_per_note = self.period / self.count.get();
        // The period is zero above one note per nanosecond, which is as good as no limit.
        Quota::with_period(period_per_note).unwrap_or(Quota::per_second(self.count)).allow_burst(self.count)
    }

    fn rate_limit(self, scope: LimitScope, remaining: u32, reset: Duration) -> RateLimitState {
        let reset = reset.as_secs() + u64::from(reset.subsec_nanos() > 0);
        RateLimitState { scope, quota: self.count.get(), window: self.period.as_secs(), remaining, reset }
    }

    pub(crate) fn to_state<P: Reference>(
        self,
        scope: LimitScope,
        decision: Result<StateSnapshot, NotUntil<P>>,
        now: P,
    ) -> Result<RateLimitState, RateLimitExceeded> {
        match decision {
            Ok(state) => {
                Ok(self.rate_limit(scope, state.remaining_burst_capacity(), self.quota().replenish_interval()))
            }
            Err(not_until) => {
                let after = not_until.wait_time_from(now);
                Err(RateLimitExceeded { rate_limit: self.rate_limit(scope, 0, after), after })
            }
        }
    }
}

impl Limiter {
    /// Returns a limiter with its whole allowance left.
    #[must_use]
    pub fn new(rate: Rate) -> Self {
        Self { rate, allowance: RateLimiter::direct(rate.quota()).with_middleware() }
    }

    /// Uses up as many notes of this allowance as are used up of `other`, at most all of them.
    pub fn use_as_much_as(&self, other: &Self) {
        // The check itself uses one note of `other`, which is no longer needed.
        let used = match other.allowance.check() {
            Ok(state) => other.rate.count.get().saturating_sub(state.remaining_burst_capacity() + 1),
            Err(_) => other.rate.count.get(),
        };
        if let Some(used) = NonZeroU32::new(used.min(self.rate.count.get())) {
            let _ = self.allowance.check_n(used);
        }
    }

    pub(crate) fn take(&self, scope: LimitScope) -> Result<RateLimitState, RateLimitExceeded> {
        self.rate.to_state(scope, self.allowance.check(), self.allowance.clock().now())
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
    fn rates_are_parsed() {
        for (text, count, seconds) in [("10/s", 10, 1), ("600/min", 600, 60), (" 5 / h", 5, 3_600)] {
            let rate: Rate = text.parse().unwrap();
            assert_eq!((rate.count.get(), rate.period.as_secs()), (count, seconds), "{text}");
        }
        for bad in ["", "10", "0/s", "-1/s", "10/d", "x/s", "1.5/s", "99999999999/s"] {
            assert!(bad.parse::<Rate>().is_err(), "{bad}");
        }
    }
}
