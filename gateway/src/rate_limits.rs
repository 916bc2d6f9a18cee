//! The rate limits of all callers together, of each key and of each address.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    sync::atomic::{AtomicU32, Ordering::Relaxed},
    time::Duration,
};

use governor::{
    RateLimiter,
    clock::{Clock, DefaultClock},
    middleware::StateInformationMiddleware,
    state::keyed::HashMapStateStore,
};

use crate::{
    access::{ConcurrencyGuard, Principal},
    rate_limiter::{LimitScope, Limiter, Rate, RateLimitExceeded, RateLimitState},
};

/// Number of checks after which addresses with a whole allowance are removed from memory.
const CHECKS_BETWEEN_CLEANUPS: u32 = 4_096;
/// The retry time for a key that has as many calls in flight as it may have.
const CONCURRENCY_RETRY_AFTER: Duration = Duration::from_secs(1);

/// One allowance per address.
struct PerAddress {
    rate: Rate,
    allowances: RateLimiter<IpAddr, HashMapStateStore<IpAddr>, DefaultClock, StateInformationMiddleware>,
    checks: AtomicU32,
}

/// The attempts of one note to pass the rate limits, and the limits that it has passed so far.
#[derive(Debug, Default)]
pub struct RateLimitAttempt {
    /// The permission to read the note, held while an engine reads it.
    pub grant: RateLimitGrant,
    passed: PassedScopes,
}

#[derive(Debug, Default)]
struct PassedScopes(Vec<LimitScope>);

/// Permission to read one note; held until the note is answered.
#[derive(Debug, Default)]
#[must_use = "dropping it ends the call in the count of the key's calls in flight"]
pub struct RateLimitGrant {
    /// The limit with the fewest notes left; `None` without limits.
    pub rate_limit: Option<RateLimitState>,
    concurrency: Option<ConcurrencyGuard>,
}

/// The limits of all callers together and of each address. The limits of a key are in its [`Principal`].
#[derive(Debug, Default)]
pub struct RateLimits {
    global: Option<Limiter>,
    per_address: Option<PerAddress>,
}

impl RateLimits {
    /// Returns limits of which none is used yet.
    #[must_use]
    pub fn new(global: Option<Rate>, per_address: Option<Rate>) -> Self {
        Self { global: global.map(Limiter::new), per_address: per_address.map(PerAddress::new) }
    }

    /// Counts one note against every limit that applies to its caller.
    ///
    /// The caller's own limits are checked first, so that a caller over its own limit does not use up the global one.
    pub fn admit(
        &self,
        principal: Option<&Principal>,
        address: Option<IpAddr>,
    ) -> Result<RateLimitGrant, RateLimitExceeded> {
        let mut attempt = RateLimitAttempt::default();
        self.try_admit(principal, address, &mut attempt)?;
        Ok(attempt.grant)
    }

    /// Does the same as [`Self::admit`] for a note that may try several times: a limit that the note has passed does
    /// not count it again.
    pub fn try_admit(
        &self,
        principal: Option<&Principal>,
        address: Option<IpAddr>,
        attempt: &mut RateLimitAttempt,
    ) -> Result<(), RateLimitExceeded> {
        let RateLimitAttempt { grant, passed } = attempt;
        passed.check_once(LimitScope::Concurrency, || {
            let guard = principal.map(Principal::begin_note).transpose();
            let guard = guard.map_err(|limit| RateLimitExceeded {
                rate_limit: RateLimitState {
                    scope: LimitScope::Concurrency,
                    quota: limit,
                    window: 1,
                    remaining: 0,
                    reset: 1,
                },
                after: CONCURRENCY_RETRY_AFTER,
            })?;
            grant.concurrency = guard;
            Ok(())
        })?;
        passed.check_once(LimitScope::Key, || {
            if let Some(limiter) = principal.and_then(Principal::limiter) {
                grant.keep_least(limiter.take(LimitScope::Key)?);
            }
            Ok(())
        })?;
        passed.check_once(LimitScope::Address, || {
            if let (Some(limiter), Some(address)) = (&self.per_address, address) {
                grant.keep_least(limiter.take(address)?);
            }
            Ok(())
        })?;
        passed.check_once(LimitScope::Global, || {
            if let Some(limiter) = &self.global {
                grant.keep_least(limiter.take(LimitScope::Global)?);
            }
            Ok(())
        })
    }
}

impl RateLimitGrant {
    fn keep_least(&mut self, rate_limit: RateLimitState) {
        self.rate_limit =
            Some(self.rate_limit.filter(|least| least.remaining <= rate_limit.remaining).unwrap_or(rate_limit));
    }
}

impl PassedScopes {
    /// Checks the limit of `scope` unless the note has passed it before.
    fn check_once(
        &mut self,
        scope: LimitScope,
        check: impl FnOnce() -> Result<(), RateLimitExceeded>,
    ) -> Result<(), RateLimitExceeded> {
        if !self.0.contains(&scope) {
            check()?;
            self.0.push(scope);
        }
        Ok(())
    }
}

impl PerAddress {
    fn new(rate: Rate) -> Self {
        let allowances = RateLimiter::hashmap(rate.quota()).with_middleware();
        Self { rate, allowances, checks: AtomicU32::new(0) }
    }

    fn take(&self, address: IpAddr) -> Result<RateLimitState, RateLimitExceeded> {
        if self.checks.fetch_add(1, Relaxed) % CHECKS_BETWEEN_CLEANUPS == CHECKS_BETWEEN_CLEANUPS - 1 {
            self.allowances.retain_recent();
        }
        let decision = self.allowances.check_key(&subscriber(address));
        self.rate.to_state(LimitScope::Address, decision, self.allowances.clock().now())
    }
}

/// Returns the address that stands for one subscriber and has one allowance: the IPv4 address, also where an IPv6
/// address contains it, or the first 64 bits of an IPv6 address, which is the network that one subscriber gets.
fn subscriber(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => match tunnel_ipv4(address) {
            Some(ipv4) => IpAddr::V4(ipv4),
            None => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64))),
        },
        address @ IpAddr::V4(_) => address,
    }
}

/// Returns the IPv4 address that a tunnel's IPv6 address contains.
///
/// The owner of one IPv4 address has 65,536 networks of 64 bits through 6to4 (`2002::/16`), and many more through
/// Teredo (`2001::/32`), which contains the address with all bits inverted.
fn tunnel_ipv4(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let bits = |shift: u32| u32::try_from((address.to_bits() >> shift) & u128::from(u32::MAX)).ok().map(Ipv4Addr::from);
    match address.segments() {
        [0x2002, ..] => bits(80),
        [0x2001, 0, ..] => bits(0).map(|inverted| Ipv4Addr::from_bits(!inverted.to_bits())),
        _ => None,
    }
}

impl fmt::Debug for PerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.rate.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rate(text: &str) -> Rate {
        text.parse().unwrap()
    }

    #[test]
    fn a_grant_shows_the_notes_left_and_a_used_up_allowance_is_an_error() {
        let rates = RateLimits::new(Some(rate("2/h")), None);
        assert_eq!(rates.admit(None, None).unwrap().rate_limit.unwrap().remaining, 1);
        assert_eq!(rates.admit(None, None).unwrap().rate_limit.unwrap().remaining, 0);
        let refused = rates.admit(None, None).unwrap_err();
        assert_eq!((refused.rate_limit.scope, refused.rate_limit.quota), (LimitScope::Global, 2));
        assert!(refused.after > Duration::from_mins(25) && refused.after <= Duration::from_mins(30), "{refused:?}");
    }

    #[test]
    fn a_caller_over_its_own_limit_does_not_use_up_the_global_limit() {
        let rates = RateLimits::new(Some(rate("3/h")), Some(rate("1/h")));
        let (one, other) = ("10.0.0.1".parse().ok(), "10.0.0.2".parse().ok());
        assert!(rates.admit(None, one).is_ok());
        for _ in 0..9 {
            assert_eq!(rates.admit(None, one).unwrap_err().rate_limit.scope, LimitScope::Address);
        }
        assert!(rates.admit(None, other).is_ok() && rates.admit(None, None).is_ok());
        assert_eq!(rates.admit(None, None).unwrap_err().rate_limit.scope, LimitScope::Global);
    }

    #[test]
    fn a_note_that_tries_several_times_counts_once() {
        let rates = RateLimits::new(Some(rate("1/h")), Some(rate("3/h")));
        let address = "10.0.0.1".parse().ok();
        assert!(rates.admit(None, None).is_ok());
        let mut attempt = RateLimitAttempt::default();
        for _ in 0..9 {
            assert_eq!(rates.try_admit(None, address, &mut attempt).unwrap_err().rate_limit.scope, LimitScope::Global);
        }
        // One of the three notes of the address is used.
        let scope = || rates.admit(None, address).unwrap_err().rate_limit.scope;
        assert_eq!([scope(), scope(), scope()], [LimitScope::Global, LimitScope::Global, LimitScope::Address]);
    }

    #[test]
    fn all_addresses_of_one_subscriber_share_an_allowance() {
        let rates = RateLimits::new(None, Some(rate("1/h")));
        let admitted = |address: &str| rates.admit(None, address.parse().ok()).is_ok();
        assert!(admitted("2001:db8::1") && !admitted("2001:db8::2") && admitted("2001:db8:0:1::1"));
        assert!(admitted("192.0.2.1") && !admitted("::ffff:192.0.2.1"));
        // A 6to4 or Teredo address belongs to the owner of the IPv4 address in it, whatever its other bits are.
        assert!(!admitted("2002:c000:0201::1") && !admitted("2002:c000:0201:ffff::1"));
        assert!(!admitted("2001:0:6565:6565:8000:1:3fff:fdfe") && !admitted("2001:0:7777:7777::3fff:fdfe"));
        assert!(admitted("2002:c000:0202::1") && !admitted("192.0.2.2"));
    }
}
