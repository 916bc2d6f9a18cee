//! The memory that requests may take together: bodies that arrive, notes that are read, answers that wait to be sent.
//!
//! Every request holds bytes of one budget and gives them back when it ends, however it ends. What does not fit is
//! refused before it is read. A key may hold half of the budget, batches together three quarters: there is always
//! something left for a single note of somebody else.

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

/// The budget, in bytes.
#[derive(Clone, Debug)]
pub struct Memory(Arc<Budget>);

#[derive(Debug)]
struct Budget {
    most: usize,
    held: AtomicUsize,
    refused: AtomicU64,
}

/// The bytes that the requests of one key hold.
#[derive(Clone, Debug, Default)]
pub struct KeyShare(Arc<AtomicUsize>);

/// What the bytes are held for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// One note, with an answer to it alone: may use all of the budget.
    Single,
    /// A batch: leaves a quarter of the budget to single notes.
    Batch,
}

/// There is no room for more bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutOfMemoryBudget;

/// Bytes that one request holds, until this is dropped.
#[derive(Debug)]
#[must_use = "dropping it gives the bytes back"]
pub struct MemoryReservation {
    memory: Memory,
    share: Option<KeyShare>,
    purpose: Purpose,
    bytes: usize,
}

impl Memory {
    /// A budget of so many bytes.
    #[must_use]
    pub fn new(most: usize) -> Self {
        Self(Arc::new(Budget { most, held: AtomicUsize::new(0), refused: AtomicU64::new(0) }))
    }

    /// Holds bytes for a new request.
    pub fn hold(
        &self,
        share: Option<&KeyShare>,
        purpose: Purpose,
        bytes: usize,
    ) -> Result<MemoryReservation, OutOfMemoryBudget> {
        let mut held = MemoryReservation { memory: self.clone(), share: share.cloned(), purpose, bytes: 0 };
        held.grow(bytes)?;
        Ok(held)
    }

    /// All of it, in bytes.
    #[must_use]
    pub fn most(&self) -> usize {
        self.0.most
    }

    /// The largest body that is taken whole: a quarter of the budget, so that one body of a batch leaves room for others.
    #[must_use]
    pub fn largest_body(&self) -> usize {
        self.0.most / 4
    }

    /// The bytes that are held now.
    #[must_use]
    pub fn held(&self) -> usize {
        self.0.held.load(Acquire)
    }

    /// How often something did not fit.
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

    fn limit_of_share(&self) -> usize {
        self.0.most / 2
    }
}

impl MemoryReservation {
    /// Whether so many more bytes would fit now. They are not held yet.
    #[must_use]
    pub fn fits(&self, more: usize) -> bool {
        let Self { memory, share, purpose, .. } = self;
        let fits = |counter: &AtomicUsize, most: usize| counter.load(Acquire).saturating_add(more) <= most;
        let fits_share = share.as_ref().is_none_or(|share| fits(&share.0, memory.limit_of_share()));
        fits_share && fits(&memory.0.held, memory.limit(*purpose))
    }

    /// Refuses so many more bytes if they do not fit now. They are not held yet.
    pub fn ask(&self, more: usize) -> Result<(), OutOfMemoryBudget> {
        if self.fits(more) { Ok(()) } else { Err(self.no_room()) }
    }

    /// Holds more bytes.
    pub fn grow(&mut self, more: usize) -> Result<(), OutOfMemoryBudget> {
        let Self { memory, share, purpose, bytes } = self;
        let add = |counter: &AtomicUsize, most: usize| {
            let sum = |now: usize| now.checked_add(more).filter(|&sum| sum <= most);
            counter.fetch_update(AcqRel, Acquire, sum).is_ok()
        };
        if share.as_ref().is_some_and(|share| !add(&share.0, memory.limit_of_share())) {
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

    /// Holds more bytes although they may not fit: they are needed to end what was begun. Then nothing new is begun.
    pub fn grow_anyway(&mut self, more: usize) {
        self.memory.0.held.fetch_add(more, AcqRel);
        if let Some(share) = &self.share {
            share.0.fetch_add(more, AcqRel);
        }
        self.bytes += more;
    }

    /// Gives back what is over so many bytes.
    pub fn shrink_to(&mut self, bytes: usize) {
        let over = self.bytes.saturating_sub(bytes);
        self.memory.0.held.fetch_sub(over, AcqRel);
        if let Some(share) = &self.share {
            share.0.fetch_sub(over, AcqRel);
        }
        self.bytes -= over;
    }

    /// Holds bytes for something else of the same request, which may live longer. They may not fit, as with
    /// [`Self::grow_anyway`].
    pub fn another(&self, bytes: usize) -> Self {
        let (memory, share) = (self.memory.clone(), self.share.clone());
        let mut other = Self { memory, share, purpose: self.purpose, bytes: 0 };
        other.grow_anyway(bytes);
        other
    }

    /// Bytes that are held as long as anything of them lives, such as an answer that its caller does not read.
    #[must_use]
    pub fn attached_to(mut self, bytes: Vec<u8>) -> Bytes {
        self.shrink_to(bytes.capacity());
        self.grow_anyway(bytes.capacity() - self.bytes);
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
