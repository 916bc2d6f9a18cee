//! The memory budget that all requests share: for arriving bodies, notes being read, and answers waiting to be sent.
//!
//! Every request reserves bytes of the budget and releases them when it ends, also after an error. A request that does
//! not fit is refused before its body is read. One key may reserve half of the budget, and all batches together three
//! quarters, so that there is always room for single notes of other clients.

mod cgroup;
#[cfg(test)]
mod tests;

use std::sync::{
    Arc,
    atomic::{
        AtomicU64, AtomicUsize,
        Ordering::{AcqRel, Acquire, Relaxed},
    },
};

use bytes::Bytes;

pub use self::cgroup::default_budget;

/// The memory budget, in bytes. Clones share it.
#[derive(Clone, Debug)]
pub struct Memory(Arc<MemoryBudget>);

#[derive(Debug)]
struct MemoryBudget {
    most: usize,
    held: AtomicUsize,
    refused: AtomicU64,
}

/// The bytes that the requests of one key have reserved.
#[derive(Clone, Debug, Default)]
pub struct KeyShare(Arc<AtomicUsize>);

/// Kind of request that reserves the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// One note with one answer, which may use the whole budget.
    Single,
    /// A batch. Batches leave a quarter of the budget to single notes.
    Batch,
}

/// The error of a reservation that does not fit into the budget or the key's share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutOfMemoryBudget;

/// Bytes that one request has reserved, until this is dropped.
#[derive(Debug)]
#[must_use = "dropping it releases the bytes"]
pub struct MemoryReservation {
    memory: Memory,
    share: Option<KeyShare>,
    purpose: Purpose,
    bytes: usize,
}

impl Memory {
    /// Returns an unused budget of `most` bytes.
    #[must_use]
    pub fn new(most: usize) -> Self {
        Self(Arc::new(MemoryBudget { most, held: AtomicUsize::new(0), refused: AtomicU64::new(0) }))
    }

    /// Reserves bytes for a new request.
    pub fn reserve(
        &self,
        share: Option<&KeyShare>,
        purpose: Purpose,
        bytes: usize,
    ) -> Result<MemoryReservation, OutOfMemoryBudget> {
        let mut held = MemoryReservation { memory: self.clone(), share: share.cloned(), purpose, bytes: 0 };
        held.grow(bytes)?;
        Ok(held)
    }

    /// Returns the whole budget, in bytes.
    #[must_use]
    pub fn budget(&self) -> usize {
        self.0.most
    }

    /// Returns the size in bytes of the largest body that is read whole: a quarter of the budget, so that the body of
    /// one batch leaves room for others.
    #[must_use]
    pub fn largest_body(&self) -> usize {
        self.0.most / 4
    }

    /// Returns the bytes that are reserved now.
    #[must_use]
    pub fn reserved(&self) -> usize {
        self.0.held.load(Acquire)
    }

    /// Returns how often a reservation did not fit.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.0.refused.load(Relaxed)
    }

    fn limit(&self, purpose: Purpose) -> usize {
        match purpose {
            Purpose::Single => self.0.most,
            Purpose::Batch => self.0.most / 4 * 3,
        }
    }

    fn share_limit(&self) -> usize {
        self.0.most / 2
    }
}

impl MemoryReservation {
    /// Returns whether `more` bytes would fit now. It does not reserve them.
    #[must_use]
    pub fn fits(&self, more: usize) -> bool {
        let Self { memory, share, purpose, .. } = self;
        let fits = |counter: &AtomicUsize, most: usize| counter.load(Acquire).saturating_add(more) <= most;
        let fits_share = share.as_ref().is_none_or(|share| fits(&share.0, memory.share_limit()));
        fits_share && fits(&memory.0.held, memory.limit(*purpose))
    }

    /// Returns an error, and counts it, if `more` bytes do not fit now. It does not reserve them.
    pub fn check(&self, more: usize) -> Result<(), OutOfMemoryBudget> {
        if self.fits(more) { Ok(()) } else { Err(self.no_room()) }
    }

    /// Reserves `more` bytes in addition.
    pub fn grow(&mut self, more: usize) -> Result<(), OutOfMemoryBudget> {
        let Self { memory, share, purpose, bytes } = self;
        let add = |counter: &AtomicUsize, most: usize| {
            let sum = |now: usize| now.checked_add(more).filter(|&sum| sum <= most);
            counter.fetch_update(AcqRel, Acquire, sum).is_ok()
        };
        if share.as_ref().is_some_and(|share| !add(&share.0, memory.share_limit())) {
            return Err(self.no_room());
        }
        if !add(&memory.0.held, memory.limit(*purpose)) {
            if let Some(share) = share {
                share.0.fetch_sub(more, AcqRel);
            }
            return Err(self.no_room());
        }
        *bytes += more;
        Ok(())
    }

    /// Reserves `more` bytes in addition, even if they do not fit, because the request needs them to finish. Until
    /// there is room again, new requests do not fit.
    pub fn grow_over_budget(&mut self, more: usize) {
        self.memory.0.held.fetch_add(more, AcqRel);
        if let Some(share) = &self.share {
            share.0.fetch_add(more, AcqRel);
        }
        self.bytes += more;
    }

    /// Releases all but `bytes` bytes; does nothing if the reservation is smaller.
    pub fn shrink_to(&mut self, bytes: usize) {
        let excess = self.bytes.saturating_sub(bytes);
        self.memory.0.held.fetch_sub(excess, AcqRel);
        if let Some(share) = &self.share {
            share.0.fetch_sub(excess, AcqRel);
        }
        self.bytes -= excess;
    }

    /// Reserves bytes for another part of the same request, which may live longer. They need not fit, as with
    /// [`Self::grow_over_budget`].
    pub fn reserve_also(&self, bytes: usize) -> Self {
        let (memory, share) = (self.memory.clone(), self.share.clone());
        let mut other = Self { memory, share, purpose: self.purpose, bytes: 0 };
        other.grow_over_budget(bytes);
        other
    }

    /// Returns the bytes with this reservation attached, which lasts until every clone and slice of them is dropped. An
    /// answer that its caller does not read stays reserved this way.
    #[must_use]
    pub fn attached_to(mut self, bytes: Vec<u8>) -> Bytes {
        self.shrink_to(bytes.capacity());
        self.grow_over_budget(bytes.capacity() - self.bytes);
        Bytes::from_owner(Attached { bytes, _held: self })
    }

    fn no_room(&self) -> OutOfMemoryBudget {
        self.memory.0.refused.fetch_add(1, Relaxed);
        OutOfMemoryBudget
    }
}

impl Drop for MemoryReservation {
    fn drop(&mut self) {
        self.shrink_to(0);
    }
}

struct Attached {
    bytes: Vec<u8>,
    _held: MemoryReservation,
}

impl AsRef<[u8]> for Attached {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}
