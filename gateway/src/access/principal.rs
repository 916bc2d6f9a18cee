//! A client that a key was given to: its name, its limits, and what runs for it.

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

use crate::{
    limiter::{Limiter, Rate},
    memory::KeyShare,
};

/// Batches of one key that may have notes under way at once: half of what all keys together may.
const BATCHES_OF_A_KEY: usize = 8;

/// The client that a key was given to, by the name of its key. Two are the same where the names are.
#[derive(Clone)]
pub struct Principal(Arc<Client>);

struct Client {
    name: String,
    rate: Option<Rate>,
    limiter: Option<Arc<Limiter>>,
    at_once: Option<u32>,
    /// Whether the key opens the metrics only.
    for_metrics: bool,
    /// Notes that are under way. One count for all readings of the key file, whatever limit they set.
    under_way: Arc<AtomicU32>,
    /// The memory that its requests hold, and the batches that it may have under way. One of each, as above.
    memory: KeyShare,
    batches: Arc<Semaphore>,
    /// Cancelled once the key is no longer in the key file.
    revoked: CancellationToken,
}

/// One note of a client that is under way, until this is dropped.
#[derive(Debug)]
#[must_use = "dropping it ends the note for the limit"]
pub struct ConcurrencyGuard(Arc<AtomicU32>);

impl Drop for ConcurrencyGuard {
    fn drop(&mut self) {
        self.0.fetch_sub(1, AcqRel);
    }
}

impl Principal {
    /// A client without limits of its own.
    #[must_use]
    pub fn named(name: &str) -> Self {
        Self::limited(name, None, None, false)
    }

    pub(super) fn limited(name: &str, rate: Option<Rate>, at_once: Option<u32>, for_metrics: bool) -> Self {
        let limiter = rate.map(|rate| Arc::new(Limiter::new(rate)));
        Self(Arc::new(Client {
            name: name.to_owned(),
            rate,
            limiter,
            at_once,
            for_metrics,
            under_way: Arc::default(),
            memory: KeyShare::default(),
            batches: Arc::new(Semaphore::new(BATCHES_OF_A_KEY)),
            revoked: CancellationToken::new(),
        }))
    }

    /// The same client after `before`, which an earlier reading of the key file gave: with the limits of now, and with what
    /// is used of them. What runs goes on where it is the same key too.
    pub(super) fn after(&self, before: &Self, same_key: bool) -> Self {
        let (now, before) = (&self.0, &before.0);
        let limiter = match (&now.limiter, &before.limiter) {
            (Some(_), Some(used)) if now.rate == before.rate => Some(Arc::clone(used)),
            (Some(new), Some(used)) => {
                new.use_as_much_as(used);
                Some(Arc::clone(new))
            }
            (new, _) => new.clone(),
        };
        Self(Arc::new(Client {
            name: now.name.clone(),
            rate: now.rate,
            limiter,
            at_once: now.at_once,
            for_metrics: now.for_metrics,
            under_way: Arc::clone(&before.under_way),
            memory: before.memory.clone(),
            batches: Arc::clone(&before.batches),
            revoked: if same_key { before.revoked.clone() } else { now.revoked.clone() },
        }))
    }

    /// The name of the key.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Its own rate limit.
    #[must_use]
    pub fn limiter(&self) -> Option<&Limiter> {
        self.0.limiter.as_deref()
    }

    /// How many of its notes may be under way, where that is limited.
    #[must_use]
    pub fn at_once(&self) -> Option<usize> {
        self.0.at_once.map(|most| most as usize)
    }

    /// What its requests hold of the budget of memory.
    #[must_use]
    pub fn memory(&self) -> &KeyShare {
        &self.0.memory
    }

    /// The batches that it may have under way at once.
    #[must_use]
    pub fn batches(&self) -> &Arc<Semaphore> {
        &self.0.batches
    }

    /// Whether its key opens metrics and health only, and reads no notes.
    #[must_use]
    pub fn is_for_metrics(&self) -> bool {
        self.0.for_metrics
    }

    /// One more of its notes is under way until what is given is dropped. Where as many are as may, says how many that is.
    pub fn enter(&self) -> Result<ConcurrencyGuard, u32> {
        let most = self.0.at_once.unwrap_or(u32::MAX);
        let entered = self.0.under_way.fetch_update(AcqRel, Acquire, |now| (now < most).then_some(now + 1));
        entered.map(|_| ConcurrencyGuard(Arc::clone(&self.0.under_way))).map_err(|_| most)
    }

    /// Ends what runs for this key.
    pub(super) fn revoke(&self) {
        self.0.revoked.cancel();
    }
}

/// Ends once the caller's key is no longer in the key file; never for a caller without a key.
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
