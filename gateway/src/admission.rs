//! Slots at the GPU: at most so many upstream calls at once, a bounded queue before them.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::Relaxed},
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::extraction::Deadline;

/// How many calls may run and how many may wait.
#[derive(Debug)]
pub struct Admission {
    slots: Arc<Semaphore>,
    in_flight_limit: usize,
    queue_limit: usize,
    queued: AtomicUsize,
}

/// One slot; dropping it gives the slot back.
#[derive(Debug)]
#[must_use = "dropping the lease gives the slot back"]
pub struct Lease(#[expect(dead_code, reason = "held for its drop")] OwnedSemaphorePermit);

/// Why there is no slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// As many wait as may.
    QueueFull,
    /// The deadline passed while waiting.
    DeadlineExceeded,
}

/// A place in the queue; leaves it when dropped, also where the caller vanished.
struct Waiting<'a>(&'a AtomicUsize);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

impl Admission {
    /// Admission with `in_flight` slots and room for `queue` waiters.
    #[must_use]
    pub fn new(in_flight: usize, queue: usize) -> Arc<Self> {
        Arc::new(Self {
            slots: Arc::new(Semaphore::new(in_flight)),
            in_flight_limit: in_flight,
            queue_limit: queue,
            queued: AtomicUsize::new(0),
        })
    }

    /// A slot, at once or after waiting in order of arrival.
    pub async fn acquire(&self, deadline: Deadline) -> Result<Lease, Refusal> {
        if let Ok(permit) = Arc::clone(&self.slots).try_acquire_owned() {
            return Ok(Lease(permit));
        }
        if self.queued.fetch_add(1, Relaxed) >= self.queue_limit {
            self.queued.fetch_sub(1, Relaxed);
            return Err(Refusal::QueueFull);
        }
        let waiting = Waiting(&self.queued);
        let permit = deadline.bound(Arc::clone(&self.slots).acquire_owned()).await;
        drop(waiting);
        match permit {
            Ok(Ok(permit)) => Ok(Lease(permit)),
            // The semaphore is never closed, so only the deadline is left.
            Ok(Err(_)) | Err(_) => Err(Refusal::DeadlineExceeded),
        }
    }

    /// Calls that run now.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.in_flight_limit.saturating_sub(self.slots.available_permits())
    }

    /// Calls that wait now.
    #[must_use]
    pub fn queued(&self) -> usize {
        self.queued.load(Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const SOON: Duration = Duration::from_millis(5);

    #[tokio::test(start_paused = true)]
    async fn slots_queue_and_refusal() {
        let admission = Admission::new(1, 1);
        let lease = admission.acquire(Deadline::after(SOON)).await.unwrap();
        let waiter = tokio::spawn({
            let admission = Arc::clone(&admission);
            async move { admission.acquire(Deadline::after(Duration::from_mins(1))).await }
        });
        while admission.queued() == 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!(admission.acquire(Deadline::after(SOON)).await.unwrap_err(), Refusal::QueueFull);
        drop(lease);
        let lease = waiter.await.unwrap().unwrap();
        assert_eq!((admission.in_flight(), admission.queued()), (1, 0));
        drop(lease);
        assert_eq!(admission.in_flight(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn the_deadline_ends_waiting_and_a_vanished_caller_leaves_the_queue() {
        let admission = Admission::new(1, 4);
        let _lease = admission.acquire(Deadline::after(SOON)).await.unwrap();
        assert_eq!(admission.acquire(Deadline::after(SOON)).await.unwrap_err(), Refusal::DeadlineExceeded);
        let waiting = admission.acquire(Deadline::after(Duration::from_mins(1)));
        assert!(tokio::time::timeout(SOON, waiting).await.is_err());
        assert_eq!(admission.queued(), 0);
    }
}
