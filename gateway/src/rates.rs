//! Rate limits: so many notes in so much time, of all callers, of one key, of one address.
//!
//! A generic cell rate algorithm (the `governor` crate): a full allowance may be used at once, and comes back
//! evenly.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    num::NonZeroU32,
    str::FromStr,
    sync::atomic::{AtomicU32, Ordering::Relaxed},
    time::Duration,
};

use governor::{
    NotUntil, Quota, RateLimiter,
    clock::{Clock, DefaultClock, Reference},
    middleware::{StateInformationMiddleware, StateSnapshot},
    state::{InMemoryState, NotKeyed, keyed::HashMapStateStore},
};
use serde::Deserialize;

use crate::access::{Principal, UnderWay};

/// After so many looks, addresses whose allowance is whole again are forgotten.
const LOOKS_BETWEEN_CLEANINGS: u32 = 4_096;
/// The time to come back after as many calls as a key may have under way.
const AFTER_CONCURRENCY: Duration = Duration::from_secs(1);

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

/// An allowance for each address.
struct PerAddress {
    rate: Rate,
    allowances: RateLimiter<IpAddr, HashMapStateStore<IpAddr>, DefaultClock, StateInformationMiddleware>,
    looks: AtomicU32,
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

/// What is left of an allowance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Whose it is.
    pub scope: Scope,
    /// All of it.
    pub quota: u32,
    /// In how many seconds all of it comes back.
    pub window: u64,
    /// What is left.
    pub remaining: u32,
    /// In how many seconds there is more, rounded up.
    pub reset: u64,
}

/// A note that is asked for, perhaps more than once, and the limits that let it pass so far.
#[derive(Debug, Default)]
pub struct Asking {
    /// What it holds while it is read.
    pub allowed: Allowed,
    passed: Passed,
}

#[derive(Debug, Default)]
struct Passed(Vec<Scope>);

/// A note that may be read. Held while it is.
#[derive(Debug, Default)]
#[must_use = "dropping it ends the call for the limits"]
pub struct Allowed {
    /// The allowance with the least left, where there is one.
    pub standing: Option<Standing>,
    concurrency: Option<UnderWay>,
}

/// A note that came too soon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooSoon {
    /// The allowance that is used up.
    pub standing: Standing,
    /// When it is worth coming back.
    pub after: Duration,
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
    pub fn admit(&self, principal: Option<&Principal>, address: Option<IpAddr>) -> Result<Allowed, TooSoon> {
        let mut asking = Asking::default();
        self.ask(principal, address, &mut asking)?;
        Ok(asking.allowed)
    }

    /// The same for a note that may be asked for again: limits that let it pass before do not count it once more.
    pub fn ask(
        &self,
        principal: Option<&Principal>,
        address: Option<IpAddr>,
        asking: &mut Asking,
    ) -> Result<(), TooSoon> {
        let Asking { allowed, passed } = asking;
        passed.once(Scope::Concurrency, || {
            let entered = principal.map(Principal::enter).transpose();
            let entered = entered.map_err(|most| TooSoon {
                standing: Standing { scope: Scope::Concurrency, quota: most, window: 1, remaining: 0, reset: 1 },
                after: AFTER_CONCURRENCY,
            })?;
            allowed.concurrency = entered;
            Ok(())
        })?;
        passed.once(Scope::Key, || {
            if let Some(limiter) = principal.and_then(Principal::limiter) {
                allowed.counted(limiter.take(Scope::Key)?);
            }
            Ok(())
        })?;
        passed.once(Scope::Address, || {
            if let (Some(limiter), Some(address)) = (&self.per_address, address) {
                allowed.counted(limiter.take(address)?);
            }
            Ok(())
        })?;
        passed.once(Scope::Global, || {
            if let Some(limiter) = &self.global {
                allowed.counted(limiter.take(Scope::Global)?);
            }
            Ok(())
        })
    }
}

impl Allowed {
    fn counted(&mut self, standing: Standing) {
        self.standing = Some(self.standing.filter(|least| least.remaining <= standing.remaining).unwrap_or(standing));
    }
}

impl Passed {
    /// Asks a limit that has not let the note pass yet.
    fn once(&mut self, scope: Scope, ask: impl FnOnce() -> Result<(), TooSoon>) -> Result<(), TooSoon> {
        if !self.0.contains(&scope) {
            ask()?;
            self.0.push(scope);
        }
        Ok(())
    }
}

impl Rate {
    fn quota(self) -> Quota {
        let of_one = self.period / self.count.get();
        // More than one in a nanosecond is as good as no limit.
        Quota::with_period(of_one).unwrap_or(Quota::per_second(self.count)).allow_burst(self.count)
    }

    fn standing(self, scope: Scope, remaining: u32, reset: Duration) -> Standing {
        let reset = reset.as_secs() + u64::from(reset.subsec_nanos() > 0);
        Standing { scope, quota: self.count.get(), window: self.period.as_secs(), remaining, reset }
    }

    fn judged<P: Reference>(
        self,
        scope: Scope,
        taken: Result<StateSnapshot, NotUntil<P>>,
        now: P,
    ) -> Result<Standing, TooSoon> {
        match taken {
            Ok(left) => Ok(self.standing(scope, left.remaining_burst_capacity(), self.quota().replenish_interval())),
            Err(not_until) => {
                let after = not_until.wait_time_from(now);
                Err(TooSoon { standing: self.standing(scope, 0, after), after })
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

    fn take(&self, scope: Scope) -> Result<Standing, TooSoon> {
        self.rate.judged(scope, self.allowance.check(), self.allowance.clock().now())
    }
}

impl PerAddress {
    fn new(rate: Rate) -> Self {
        let allowances = RateLimiter::hashmap(rate.quota()).with_middleware();
        Self { rate, allowances, looks: AtomicU32::new(0) }
    }

    fn take(&self, address: IpAddr) -> Result<Standing, TooSoon> {
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

impl fmt::Debug for Limiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.rate.fmt(f)
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
    fn rates_as_they_are_written() {
        for (text, count, seconds) in [("10/s", 10, 1), ("600/min", 600, 60), (" 5 / h", 5, 3_600)] {
            let rate = rate(text);
            assert_eq!((rate.count.get(), rate.period.as_secs()), (count, seconds), "{text}");
        }
        for bad in ["", "10", "0/s", "-1/s", "10/d", "x/s", "1.5/s", "99999999999/s"] {
            assert!(bad.parse::<Rate>().is_err(), "{bad}");
        }
    }

    #[test]
    fn an_allowance_is_used_up_and_says_what_is_left() {
        let rates = Rates::new(Some(rate("2/h")), None);
        assert_eq!(rates.admit(None, None).unwrap().standing.unwrap().remaining, 1);
        assert_eq!(rates.admit(None, None).unwrap().standing.unwrap().remaining, 0);
        let refused = rates.admit(None, None).unwrap_err();
        assert_eq!((refused.standing.scope, refused.standing.quota), (Scope::Global, 2));
        assert!(refused.after > Duration::from_mins(25) && refused.after <= Duration::from_mins(30), "{refused:?}");
    }

    #[test]
    fn who_is_over_his_own_limit_does_not_use_up_everybodys() {
        let rates = Rates::new(Some(rate("3/h")), Some(rate("1/h")));
        let (one, other) = ("10.0.0.1".parse().ok(), "10.0.0.2".parse().ok());
        assert!(rates.admit(None, one).is_ok());
        for _ in 0..9 {
            assert_eq!(rates.admit(None, one).unwrap_err().standing.scope, Scope::Address);
        }
        assert!(rates.admit(None, other).is_ok() && rates.admit(None, None).is_ok());
        assert_eq!(rates.admit(None, None).unwrap_err().standing.scope, Scope::Global);
    }

    #[test]
    fn a_note_that_is_asked_for_again_counts_once() {
        let rates = Rates::new(Some(rate("1/h")), Some(rate("3/h")));
        let address = "10.0.0.1".parse().ok();
        assert!(rates.admit(None, None).is_ok());
        let mut asking = Asking::default();
        for _ in 0..9 {
            assert_eq!(rates.ask(None, address, &mut asking).unwrap_err().standing.scope, Scope::Global);
        }
        // Of three of the address one is used.
        let left = || rates.admit(None, address).unwrap_err().standing.scope;
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
