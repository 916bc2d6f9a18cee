//! The client that a key was given to: its name, its limits, and what it has used of them.

use std::{
    fmt,
    hash::{Hash, Hasher},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::AcqRel, Ordering::Acquire},
    },
};

use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::scopes::{Scope, Scopes};
use crate::{
    memory::KeyShare,
    rate_limiter::{Limiter, Rate},
};

/// Batches of one key that may have notes in flight at once: half of the limit for all keys together.
const MAX_BATCHES_PER_KEY: usize = 8;

/// The limits and scopes in the line of a key.
#[derive(Clone, Copy, Debug)]
pub(super) struct KeyTerms {
    pub(super) rate: Option<Rate>,
    /// Notes that may be in flight at once.
    pub(super) at_once: Option<u32>,
    pub(super) scopes: Scopes,
    /// Notes that may be read in a month.
    pub(super) budget: Option<u64>,
    /// Tokens that may be used in a month.
    pub(super) token_budget: Option<u64>,
}

impl Default for KeyTerms {
    fn default() -> Self {
        Self { rate: None, at_once: None, scopes: Scopes::DEFAULT, budget: None, token_budget: None }
    }
}

/// The client that a key was given to. Two principals with the same name are equal.
#[derive(Clone)]
pub struct Principal(Arc<PrincipalState>);

struct PrincipalState {
    name: String,
    terms: KeyTerms,
    limiter: Option<Arc<Limiter>>,
    /// Notes in flight. The count is shared across reloads of the key file, even if they change the limit.
    in_flight: Arc<AtomicU32>,
    /// The memory that its requests occupy, and the slots for its batches. Both are shared across reloads too.
    memory: KeyShare,
    batches: Arc<Semaphore>,
    /// Cancelled once the key is no longer in the key file.
    revoked: CancellationToken,
}

/// Counts one note of a client as in flight until it is dropped.
#[derive(Debug)]
#[must_use = "dropping it no longer counts the note"]
pub struct ConcurrencyGuard(Arc<AtomicU32>);

impl Drop for ConcurrencyGuard {
    fn drop(&mut self) {
        self.0.fetch_sub(1, AcqRel);
    }
}

impl Principal {
    /// Returns a client without limits of its own.
    #[must_use]
    pub fn named(name: &str) -> Self {
        Self::with_terms(name, KeyTerms::default())
    }

    pub(super) fn with_terms(name: &str, terms: KeyTerms) -> Self {
        let limiter = terms.rate.map(|rate| Arc::new(Limiter::new(rate)));
        Self(Arc::new(PrincipalState {
            name: name.to_owned(),
            terms,
            limiter,
            in_flight: Arc::default(),
            memory: KeyShare::default(),
            batches: Arc::new(Semaphore::new(MAX_BATCHES_PER_KEY)),
            revoked: CancellationToken::new(),
        }))
    }

    /// Returns this client of a reloaded key file with the usage of `before`, the same client before the reload. The
    /// limits are those of the reloaded file. With `same_key`, revoking the new client also ends requests that began
    /// before; a key that has lost a scope is not the same key.
    pub(super) fn with_usage_of(&self, before: &Self, same_key: bool) -> Self {
        let (now, before) = (&self.0, &before.0);
        let limiter = match (&now.limiter, &before.limiter) {
            (Some(_), Some(used)) if now.terms.rate == before.terms.rate => Some(Arc::clone(used)),
            (Some(new), Some(used)) => {
                new.use_as_much_as(used);
                Some(Arc::clone(new))
            }
            (new, _) => new.clone(),
        };
        Self(Arc::new(PrincipalState {
            name: now.name.clone(),
            terms: now.terms,
            limiter,
            in_flight: Arc::clone(&before.in_flight),
            memory: before.memory.clone(),
            batches: Arc::clone(&before.batches),
            revoked: if same_key { before.revoked.clone() } else { now.revoked.clone() },
        }))
    }

    /// Returns the name of the key.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Returns the rate limit of the key, if it has one.
    #[must_use]
    pub fn limiter(&self) -> Option<&Limiter> {
        self.0.limiter.as_deref()
    }

    /// Returns how many notes of the client may be in flight at once, if that is limited.
    #[must_use]
    pub fn at_once(&self) -> Option<usize> {
        self.0.terms.at_once.map(|most| most as usize)
    }

    /// Returns the share of the memory budget that the client's requests occupy.
    #[must_use]
    pub fn memory(&self) -> &KeyShare {
        &self.0.memory
    }

    /// Returns the slots for batches of the client.
    #[must_use]
    pub fn batches(&self) -> &Arc<Semaphore> {
        &self.0.batches
    }

    /// Returns what the key may do.
    #[must_use]
    pub fn scopes(&self) -> Scopes {
        self.0.terms.scopes
    }

    /// Returns whether the key has a scope.
    #[must_use]
    pub fn may(&self, scope: Scope) -> bool {
        self.scopes().contain(scope)
    }

    /// Returns how many notes of the key may be read in a month, if that is limited.
    #[must_use]
    pub fn budget(&self) -> Option<u64> {
        self.0.terms.budget
    }

    /// Returns how many tokens the notes of the key may use in a month, if that is limited.
    #[must_use]
    pub fn token_budget(&self) -> Option<u64> {
        self.0.terms.token_budget
    }

    /// Counts one more note as in flight until the guard is dropped. At the limit, fails with the limit.
    pub fn begin_note(&self) -> Result<ConcurrencyGuard, u32> {
        let most = self.0.terms.at_once.unwrap_or(u32::MAX);
        let entered = self.0.in_flight.fetch_update(AcqRel, Acquire, |now| (now < most).then_some(now + 1));
        entered.map(|_| ConcurrencyGuard(Arc::clone(&self.0.in_flight))).map_err(|_| most)
    }

    /// Ends the requests that run for this key.
    pub(super) fn revoke(&self) {
        self.0.revoked.cancel();
    }
}

/// Waits until the caller's key is no longer in the key file. Never ends for a caller without a key.
pub async fn revoked(caller: Option<&Principal>) {
    match caller {
        Some(principal) => principal.0.revoked.cancelled().await,
        None => std::future::pending().await,
    }
}

impl PartialEq for Principal {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name()
    }
}

impl Eq for Principal {}

impl Hash for Principal {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name().hash(state);
    }
}

impl fmt::Debug for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
