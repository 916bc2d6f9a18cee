//! Slots at the GPU: at most so many upstream calls at once, and a bounded, fair queue before them.

mod queue;

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tokio::sync::oneshot;

use self::queue::{Placement, Queue, WaiterId};
use crate::{access::Principal, deadline::Deadline};

/// What one more measurement counts in the mean time of a call.
const WEIGHT: f64 = 0.1;
/// The time to come back that is told while no call was measured yet, and the longest and the shortest.
const UNKNOWN_WAIT: Duration = Duration::from_secs(5);
const LONGEST_WAIT: Duration = Duration::from_mins(2);
const SHORTEST_WAIT: Duration = Duration::from_secs(1);

/// How many calls may run and how many may wait.
#[derive(Debug)]
pub struct Admission {
    in_flight_limit: usize,
    queue_limit: usize,
    state: Mutex<State>,
}

/// Decides a call's place in the queue: callers take turns, and single notes come before those of a batch (3:1).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QueuePriority {
    /// The caller, where callers are known.
    pub principal: Option<Principal>,
    /// Whether the note belongs to a batch.
    pub bulk: bool,
}

/// One slot; dropping it gives the slot to whoever is next.
#[derive(Debug)]
#[must_use = "dropping the lease gives the slot back"]
pub struct Lease {
    admission: Arc<Admission>,
    began: Option<Instant>,
    ended: bool,
}

/// Why a call got no slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AdmissionError {
    /// The queue is full, or the slot would come after the deadline.
    QueueFull,
    /// The deadline passed while waiting.
    DeadlineExceeded,
}

/// How things stand, and what has been counted since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Calls that run.
    pub in_flight: usize,
    /// Calls that wait.
    pub queued: usize,
    /// Slots that were ever given.
    pub given: u64,
    /// Slots that came back; the same as `given` while nothing runs.
    pub returned: u64,
    /// Slots that came back because nobody waited for the answer any more.
    pub vanished: u64,
    /// Calls that were refused a place.
    pub refused: u64,
}

#[derive(Debug, Default)]
struct State {
    free: usize,
    queue: Queue<oneshot::Sender<Lease>>,
    /// Mean time of a call, the newest weighing most; none was measured yet while this is nothing.
    mean: Option<Duration>,
    given: u64,
    returned: u64,
    vanished: u64,
    refused: u64,
}

/// A place in the queue; leaves it when dropped, also where the caller vanished.
struct Waiting<'a> {
    admission: &'a Admission,
    priority: &'a QueuePriority,
    ticket: WaiterId,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        // Dropped after the lock is given back.
        let _sender = self.admission.state().queue.remove(self.priority, self.ticket);
    }
}

impl Admission {
    /// Admission with `in_flight` slots and room for `queue` waiters.
    #[must_use]
    pub fn new(in_flight: usize, queue: usize) -> Arc<Self> {
        let state = State { free: in_flight, ..State::default() };
        Arc::new(Self { in_flight_limit: in_flight, queue_limit: queue, state: Mutex::new(state) })
    }

    /// A slot, at once or when it is this caller's turn.
    pub async fn acquire(
        self: &Arc<Self>,
        priority: &QueuePriority,
        deadline: Deadline,
    ) -> Result<Lease, AdmissionError> {
        let (mine, granted) = oneshot::channel();
        let (ticket, loser) = {
            let mut state = self.state();
            if state.free > 0 {
                state.free -= 1;
                state.given += 1;
                drop(state);
                return Ok(self.lease(Some(Instant::now())));
            }
            // Whoever would wait longer than he can is better told so now.
            let wait = state.wait(state.queue.ahead(priority), self.in_flight_limit);
            let too_late = state.mean.is_some() && wait > deadline.left();
            let placed = if too_late { Placement::Full } else { state.queue.push(priority, mine, self.queue_limit) };
            match placed {
                Placement::Waits(ticket) => (ticket, None),
                Placement::Instead(ticket, loser) => {
                    state.refused += 1;
                    (ticket, Some(loser))
                }
                Placement::Full => {
                    state.refused += 1;
                    return Err(AdmissionError::QueueFull);
                }
            }
        };
        // Dropping his end of the channel tells him.
        drop(loser);
        let waiting = Waiting { admission: self, priority, ticket };
        let granted = deadline.bound(granted).await;
        drop(waiting);
        match granted {
            Ok(Ok(mut lease)) => {
                self.state().given += 1;
                lease.began = Some(Instant::now());
                Ok(lease)
            }
            Ok(Err(_)) => Err(AdmissionError::QueueFull),
            Err(_) => Err(AdmissionError::DeadlineExceeded),
        }
    }

    /// How things stand.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let state = self.state();
        Counts {
            in_flight: self.in_flight_limit - state.free,
            queued: state.queue.len(),
            given: state.given,
            returned: state.returned,
            vanished: state.vanished,
            refused: state.refused,
        }
    }

    /// When it is worth coming back: the time until everybody who waits now has had his turn, from the
    /// measured time of a call. Whole seconds.
    #[must_use]
    pub fn retry_after(&self) -> Duration {
        let state = self.state();
        let wait = state.wait(state.queue.len() + 1, self.in_flight_limit);
        drop(state);
        let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        Duration::from_secs(seconds).clamp(SHORTEST_WAIT, LONGEST_WAIT)
    }

    fn lease(self: &Arc<Self>, began: Option<Instant>) -> Lease {
        Lease { admission: Arc::clone(self), began, ended: false }
    }

    fn release(self: &Arc<Self>, lease: &Lease) {
        let next = {
            let mut state = self.state();
            if let Some(began) = lease.began {
                state.returned += 1;
                state.vanished += u64::from(!lease.ended);
                state.measured(began.elapsed());
            }
            let next = state.queue.pop();
            if next.is_none() {
                state.free += 1;
            }
            next
        };
        if let Some(next) = next {
            // Whoever went in this moment leaves the lease to be dropped, and that comes back here.
            let _ = next.send(self.lease(None));
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn measured(&mut self, time: Duration) {
        let mean = self.mean.map_or(time, |mean| mean.mul_f64(1.0 - WEIGHT) + time.mul_f64(WEIGHT));
        self.mean = Some(mean);
    }

    /// The time until so many turns have come.
    fn wait(&self, turns: usize, slots: usize) -> Duration {
        let Some(mean) = self.mean else { return UNKNOWN_WAIT };
        let before = u32::try_from(turns).unwrap_or(u32::MAX);
        mean.saturating_mul(before) / u32::try_from(slots).unwrap_or(u32::MAX)
    }
}

impl Lease {
    /// The call came to its end, whichever. A lease that is dropped without this had a caller who vanished.
    pub fn end(mut self) {
        self.ended = true;
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let admission = Arc::clone(&self.admission);
        admission.release(self);
    }
}

#[cfg(test)]
mod tests;
