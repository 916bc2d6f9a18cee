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
    limiter::{Limiter, Rate, RateLimitExceeded, RateLimitState, Scope},
};

/// After so many looks, addresses whose allowance is whole again are forgotten.
const LOOKS_BETWEEN_CLEANINGS: u32 = 4_096;
/// The time to come back after as many calls as a key may have under way.
const AFTER_CONCURRENCY: Duration = Duration::from_secs(1);

/// An allowance for each address.
struct PerAddress {
    rate: Rate,
    allowances: RateLimiter<IpAddr, HashMapStateStore<IpAddr>, DefaultClock, StateInformationMiddleware>,
    looks: AtomicU32,
}

/// One note's attempts to pass the rate limits, and the limits that it has passed.
#[derive(Debug, Default)]
pub struct RateLimitAttempt {
    /// Held while the note is read.
    pub grant: RateLimitGrant,
    passed: PassedScopes,
}

#[derive(Debug, Default)]
struct PassedScopes(Vec<Scope>);

/// Permission to read one note; held until the note is answered.
#[derive(Debug, Default)]
#[must_use = "dropping it ends the call for the limits"]
pub struct RateLimitGrant {
    /// The limit with the fewest notes left; `None` without limits.
    pub rate_limit: Option<RateLimitState>,
    concurrency: Option<ConcurrencyGuard>,
}

/// The limits that are not of one key.
#[derive(Debug, Default)]
pub struct Rates {
    global: Option<Limiter>,
    per_address: Option<PerAddress>,
}

impl Rates {
    /// The limits of all callers together and of each address.
    #[must_use]
    pub fn new(global: Option<Rate>, per_address: Option<Rate>) -> Self {
        Self { global: global.map(Limiter::new), per_address: per_address.map(PerAddress::new) }
    }

    /// Counts one note against every limit that is its caller's. The caller's own come first, so that
    /// whoever is over his does not use up what is everybody's.
    pub fn admit(
        &self,
        principal: Option<&Principal>,
        address: Option<IpAddr>,
    ) -> Result<RateLimitGrant, RateLimitExceeded> {
        let mut attempt = RateLimitAttempt::default();
        self.ask(principal, address, &mut attempt)?;
        Ok(attempt.grant)
    }

    /// The same for a note that may be asked for again: limits that let it pass before do not count it once more.
    pub fn ask(
        &self,
        principal: Option<&Principal>,
        address: Option<IpAddr>,
        attempt: &mut RateLimitAttempt,
    ) -> Result<(), RateLimitExceeded> {
        let RateLimitAttempt { grant, passed } = attempt;
        passed.once(Scope::Concurrency, || {
            let entered = principal.map(Principal::enter).transpose();
            let entered = entered.map_err(|most| RateLimitExceeded {
                rate_limit: RateLimitState {
                    scope: Scope::Concurrency,
                    quota: most,
                    window: 1,
                    remaining: 0,
                    reset: 1,
                },
                after: AFTER_CONCURRENCY,
            })?;
            grant.concurrency = entered;
            Ok(())
        })?;
        passed.once(Scope::Key, || {
            if let Some(limiter) = principal.and_then(Principal::limiter) {
                grant.counted(limiter.take(Scope::Key)?);
            }
            Ok(())
        })?;
        passed.once(Scope::Address, || {
            if let (Some(limiter), Some(address)) = (&self.per_address, address) {
                grant.counted(limiter.take(address)?);
            }
            Ok(())
        })?;
        passed.once(Scope::Global, || {
            if let Some(limiter) = &self.global {
                grant.counted(limiter.take(Scope::Global)?);
            }
            Ok(())
        })
    }
}

impl RateLimitGrant {
    fn counted(&mut self, rate_limit: RateLimitState) {
        self.rate_limit =
            Some(self.rate_limit.filter(|least| least.remaining <= rate_limit.remaining).unwrap_or(rate_limit));
    }
}

impl PassedScopes {
    /// Asks a limit that has not let the note pass yet.
    fn once(
        &mut self,
        scope: Scope,
        ask: impl FnOnce() -> Result<(), RateLimitExceeded>,
    ) -> Result<(), RateLimitExceeded> {
        if !self.0.contains(&scope) {
            ask()?;
            self.0.push(scope);
        }
        Ok(())
    }
}

impl PerAddress {
    fn new(rate: Rate) -> Self {
        let allowances = RateLimiter::hashmap(rate.quota()).with_middleware();
        Self { rate, allowances, looks: AtomicU32::new(0) }
    }

    fn take(&self, address: IpAddr) -> Result<RateLimitState, RateLimitExceeded> {
        if self.looks.fetch_add(1, Relaxed) % LOOKS_BETWEEN_CLEANINGS == LOOKS_BETWEEN_CLEANINGS - 1 {
            self.allowances.retain_recent();
        }
        let taken = self.allowances.check_key(&subscriber(address));
        self.rate.judged(Scope::Address, taken, self.allowances.clock().now())
    }
}

/// Whose allowance it is: the IPv4 address, also one that an IPv6 address is made of, or what one subscriber is given of
/// the IPv6 addresses: the first 64 bits.
fn subscriber(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => match owner_of_tunnel(address) {
            Some(owner) => IpAddr::V4(owner),
            None => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64))),
        },
        address @ IpAddr::V4(_) => address,
    }
}

/// The IPv4 address whose owner has this IPv6 address through a tunnel. With one IPv4 address come 65,536 networks of 64
/// bits by 6to4 (`2002::/16`), and many more by Teredo (`2001::/32`), which holds the address inverted.
fn owner_of_tunnel(address: Ipv6Addr) -> Option<Ipv4Addr> {
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
    fn an_allowance_is_used_up_and_says_what_is_left() {
        let rates = Rates::new(Some(rate("2/h")), None);
        assert_eq!(rates.admit(None, None).unwrap().rate_limit.unwrap().remaining, 1);
        assert_eq!(rates.admit(None, None).unwrap().rate_limit.unwrap().remaining, 0);
        let refused = rates.admit(None, None).unwrap_err();
        assert_eq!((refused.rate_limit.scope, refused.rate_limit.quota), (Scope::Global, 2));
        assert!(refused.after > Duration::from_mins(25) && refused.after <= Duration::from_mins(30), "{refused:?}");
    }

    #[test]
    fn who_is_over_his_own_limit_does_not_use_up_everybodys() {
        let rates = Rates::new(Some(rate("3/h")), Some(rate("1/h")));
        let (one, other) = ("10.0.0.1".parse().ok(), "10.0.0.2".parse().ok());
        assert!(rates.admit(None, one).is_ok());
        for _ in 0..9 {
            assert_eq!(rates.admit(None, one).unwrap_err().rate_limit.scope, Scope::Address);
        }
        assert!(rates.admit(None, other).is_ok() && rates.admit(None, None).is_ok());
        assert_eq!(rates.admit(None, None).unwrap_err().rate_limit.scope, Scope::Global);
    }

    #[test]
    fn a_note_that_is_asked_for_again_counts_once() {
        let rates = Rates::new(Some(rate("1/h")), Some(rate("3/h")));
        let address = "10.0.0.1".parse().ok();
        assert!(rates.admit(None, None).is_ok());
        let mut attempt = RateLimitAttempt::default();
        for _ in 0..9 {
            assert_eq!(rates.ask(None, address, &mut attempt).unwrap_err().rate_limit.scope, Scope::Global);
        }
        // Of three of the address one is used.
        let left = || rates.admit(None, address).unwrap_err().rate_limit.scope;
        assert_eq!([left(), left(), left()], [Scope::Global, Scope::Global, Scope::Address]);
    }

    #[test]
    fn addresses_of_one_subscriber_are_one() {
        let rates = Rates::new(None, Some(rate("1/h")));
        let ask = |address: &str| rates.admit(None, address.parse().ok()).is_ok();
        assert!(ask("2001:db8::1") && !ask("2001:db8::2") && ask("2001:db8:0:1::1"));
        assert!(ask("192.0.2.1") && !ask("::ffff:192.0.2.1"));
        // By 6to4 and Teredo it is the owner of the IPv4 address, whatever else the address says.
        assert!(!ask("2002:c000:0201::1") && !ask("2002:c000:0201:ffff::1"));
        assert!(!ask("2001:0:6565:6565:8000:1:3fff:fdfe") && !ask("2001:0:7777:7777::3fff:fdfe"));
        assert!(ask("2002:c000:0202::1") && !ask("192.0.2.2"));
    }
}
