//! Limits concurrent calls by slots, with a bounded, fair queue for the calls that wait. The calls are those to the model
//! servers, and the work on cores (`extraction::CpuPool`).
//!
//! Calls to the model servers are also limited by their tokens, because a few long notes fill a GPU that has room for many
//! short ones. A call that waits for tokens keeps its turn: no later call gets a slot first, so that a long note is
//! never starved by short ones.

mod queue;

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tokio::sync::{Notify, futures::Notified, oneshot};

use self::queue::{Placement, Queue, WaiterId};
use crate::{access::Principal, deadline::Deadline, readiness::TokenCapacity};

/// The weight of a new measurement in the mean time of a call.
const MEAN_WEIGHT: f64 = 0.1;
/// The time in `Retry-After` before any call was measured.
const UNKNOWN_WAIT: Duration = Duration::from_secs(5);
/// The longest time in `Retry-After`.
const LONGEST_WAIT: Duration = Duration::from_mins(2);
/// The shortest time in `Retry-After`.
const SHORTEST_WAIT: Duration = Duration::from_secs(1);

/// Gives slots to calls, and queues the calls that must wait.
#[derive(Debug)]
pub struct Admission {
    in_flight_limit: usize,
    queue_limit: usize,
    /// How many tokens the calls may have together, while it is known; `None` if tokens are not counted.
    capacity: Option<Arc<TokenCapacity>>,
    state: Mutex<State>,
    crowded: Notify,
}

/// Decides a call's place in the queue: callers take turns, and single notes come before those of a batch (3:1).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QueuePriority {
    /// The caller, where callers are known.
    pub principal: Option<Principal>,
    /// Whether the note belongs to a batch.
    pub bulk: bool,
    /// Whether no caller waits for the call. It never waits: it gets a slot only while most slots are free, and must end
    /// as soon as a caller has to wait; see [`Admission::crowded`].
    pub background: bool,
}

/// Permission for one call to run. Dropping it gives the slot and the tokens to the next waiters.
#[derive(Debug)]
#[must_use = "dropping the lease gives the slot back"]
pub struct Lease {
    admission: Arc<Admission>,
    /// The tokens that are counted for the call.
    tokens: u64,
    began: Option<Instant>,
    background: bool,
    ended: bool,
}

/// Why a call got no slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AdmissionError {
    /// The queue is full, the call lost its place to another one, or its slot would come after its deadline.
    QueueFull,
    /// The deadline passed while waiting.
    DeadlineExceeded,
}

/// The current numbers of calls, and counters since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AdmissionCounts {
    /// Calls that run now.
    pub in_flight: usize,
    /// Calls that wait now.
    pub queued: usize,
    /// Tokens of the calls that run now, estimated.
    pub tokens: u64,
    /// How many tokens the calls may have together; `None` if it is not known or not limited.
    pub token_capacity: Option<u64>,
    /// Leases given since the start.
    pub given: u64,
    /// Leases returned since the start; equal to `given` while no call runs.
    pub returned: u64,
    /// Leases returned because the caller disconnected before the call ended.
    pub abandoned: u64,
    /// Calls that were refused, or lost their place in the queue to another call.
    pub refused: u64,
}

#[derive(Debug, Default)]
struct State {
    free: usize,
    /// Tokens of all leases.
    tokens: u64,
    queue: Queue<Waiter>,
    /// Exponentially weighted mean time of a call. None until a call was measured.
    mean: Option<Duration>,
    given: u64,
    returned: u64,
    abandoned: u64,
    refused: u64,
}

/// A call in the queue.
#[derive(Debug)]
struct Waiter {
    sender: oneshot::Sender<Lease>,
    tokens: u64,
}

/// A waiter in the queue. Dropping it removes it from the queue, also when the caller disconnects.
struct Waiting<'a> {
    admission: &'a Arc<Admission>,
    priority: &'a QueuePriority,
    id: WaiterId,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        // The sender is dropped after the lock is released.
        let removed = self.admission.state().queue.remove(self.priority, self.id);
        if removed.is_some() {
            // The calls after it may have waited only because this call needed many tokens.
            self.admission.serve_queue();
        }
    }
}

impl Admission {
    /// Returns an admission with `in_flight` slots and a queue for `queue` waiters.
    #[must_use]
    pub fn new(in_flight: usize, queue: usize) -> Arc<Self> {
        Self::with_capacity(in_flight, queue, None)
    }

    /// Returns an admission that also limits the tokens of all calls together, while their capacity is known.
    #[must_use]
    pub fn with_capacity(in_flight: usize, queue: usize, capacity: Option<Arc<TokenCapacity>>) -> Arc<Self> {
        let state = State { free: in_flight, ..State::default() };
        Arc::new(Self {
            in_flight_limit: in_flight,
            queue_limit: queue,
            capacity,
            state: Mutex::new(state),
            crowded: Notify::new(),
        })
    }

    /// Waits for a slot, at most until the deadline. A background call never waits.
    pub async fn acquire(
        self: &Arc<Self>,
        priority: &QueuePriority,
        deadline: Deadline,
    ) -> Result<Lease, AdmissionError> {
        self.acquire_for(0, priority, deadline).await
    }

    /// Waits for a slot and room for this many tokens, at most until the deadline. A background call never waits. A call
    /// with more tokens than the whole capacity runs alone.
    pub async fn acquire_for(
        self: &Arc<Self>,
        tokens: u64,
        priority: &QueuePriority,
        deadline: Deadline,
    ) -> Result<Lease, AdmissionError> {
        let capacity = self.token_capacity();
        if priority.background {
            return self.acquire_spare(tokens, capacity);
        }
        let (sender, receiver) = oneshot::channel();
        let (id, evicted) = {
            let mut state = self.state();
            if state.queue.len() == 0
                && let Some(counted) = state.room(tokens, capacity)
            {
                state.take(counted);
                state.given += 1;
                drop(state);
                return Ok(self.lease(counted, Some(Instant::now())));
            }
            // A call that would wait beyond its deadline is refused at once.
            let wait = self.wait(&state, state.queue.ahead(priority), Some(tokens), capacity);
            let too_late = state.mean.is_some() && wait > deadline.left();
            let waiter = Waiter { sender, tokens };
            let placed = if too_late { Placement::Full } else { state.queue.push(priority, waiter, self.queue_limit) };
            match placed {
                Placement::Waits(id) => (id, None),
                Placement::Instead(id, evicted) => {
                    state.refused += 1;
                    (id, Some(evicted))
                }
                Placement::Full => {
                    state.refused += 1;
                    return Err(AdmissionError::QueueFull);
                }
            }
        };
        self.crowded.notify_waiters();
        // Dropping the sender of the evicted waiter ends its wait with `QueueFull`.
        drop(evicted);
        let waiting = Waiting { admission: self, priority, id };
        // There may be a free slot, for which a call with another priority has too many tokens.
        self.serve_queue();
        let lease = deadline.bound(receiver).await;
        drop(waiting);
        match lease {
            Ok(Ok(mut lease)) => {
                self.state().given += 1;
                lease.began = Some(Instant::now());
                Ok(lease)
            }
            Ok(Err(_)) => Err(AdmissionError::QueueFull),
            Err(_) => Err(AdmissionError::DeadlineExceeded),
        }
    }

    /// Returns a slot for a background call, if more than half of the slots are free, half of the tokens stay free, and no
    /// call waits.
    fn acquire_spare(self: &Arc<Self>, tokens: u64, capacity: Option<u64>) -> Result<Lease, AdmissionError> {
        let mut state = self.state();
        if state.free <= self.in_flight_limit / 2 || state.queue.len() > 0 {
            return Err(AdmissionError::QueueFull);
        }
        let fits = |counted: &u64| capacity.is_none_or(|capacity| state.tokens + counted <= capacity / 2);
        let counted = state.room(tokens, capacity).filter(fits).ok_or(AdmissionError::QueueFull)?;
        state.take(counted);
        state.given += 1;
        drop(state);
        let mut lease = self.lease(counted, Some(Instant::now()));
        lease.background = true;
        Ok(lease)
    }

    /// Completes when a caller finds no free slot after this was called. Background calls must end then.
    pub fn crowded(&self) -> Notified<'_> {
        self.crowded.notified()
    }

    /// Returns the current numbers of calls, and the counters since the start.
    #[must_use]
    pub fn counts(&self) -> AdmissionCounts {
        let token_capacity = self.token_capacity();
        let state = self.state();
        AdmissionCounts {
            in_flight: self.in_flight_limit - state.free,
            queued: state.queue.len(),
            tokens: state.tokens,
            token_capacity,
            given: state.given,
            returned: state.returned,
            abandoned: state.abandoned,
            refused: state.refused,
        }
    }

    /// Returns the time after which a refused caller can try again, in whole seconds: the expected time until all
    /// current waiters have had a slot, from the mean time of a call.
    #[must_use]
    pub fn retry_after(&self) -> Duration {
        let capacity = self.token_capacity();
        let state = self.state();
        let wait = self.wait(&state, state.queue.len() + 1, None, capacity);
        drop(state);
        let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        Duration::from_secs(seconds).clamp(SHORTEST_WAIT, LONGEST_WAIT)
    }

    fn lease(self: &Arc<Self>, tokens: u64, began: Option<Instant>) -> Lease {
        Lease { admission: Arc::clone(self), tokens, began, background: false, ended: false }
    }

    fn token_capacity(&self) -> Option<u64> {
        self.capacity.as_ref().and_then(|capacity| capacity.tokens())
    }

    /// Returns the expected time until `turns` calls have got a slot. `tokens` are the tokens of the new call, if there
    /// is one.
    fn wait(&self, state: &State, turns: usize, tokens: Option<u64>, capacity: Option<u64>) -> Duration {
        let Some(mean) = state.mean else { return UNKNOWN_WAIT };
        let slots = self.slots_of_waiters(state, tokens, capacity);
        // Long calls that run now make room for several short ones only when they end, and a long call that waits needs the
        // room of several short ones.
        let running = if capacity.is_some() { self.in_flight_limit - state.free } else { slots };
        let share = |turns: usize, slots: usize| {
            mean.saturating_mul(u32::try_from(turns).unwrap_or(u32::MAX))
                / u32::try_from(slots.max(1)).unwrap_or(u32::MAX)
        };
        share(1, running.min(slots)) + share(turns.saturating_sub(1), slots)
    }

    /// Returns how many of the calls that wait will run at once: as many as there are slots, or fewer if their tokens do not
    /// fit. The calls that run now are not used for this estimate: one long call may fill a capacity that has room for
    /// many short ones.
    fn slots_of_waiters(&self, state: &State, tokens: Option<u64>, capacity: Option<u64>) -> usize {
        let Some(capacity) = capacity else { return self.in_flight_limit };
        let (mut calls, mut sum) = (0_u64, 0_u64);
        for tokens in state.queue.iter().map(|waiter| waiter.tokens).chain(tokens) {
            calls += 1;
            sum = sum.saturating_add(tokens.min(capacity));
        }
        let fit = capacity.saturating_mul(calls).checked_div(sum).unwrap_or(u64::MAX);
        usize::try_from(fit).unwrap_or(usize::MAX).clamp(1, self.in_flight_limit.max(1))
    }

    /// Gives free slots to the calls whose turn it is, as long as there is room for their tokens.
    fn serve_queue(self: &Arc<Self>) {
        let capacity = self.token_capacity();
        let mut served = Vec::new();
        let mut state = self.state();
        while let Some(counted) = state.queue.peek().and_then(|next| state.room(next.tokens, capacity)) {
            let Some(next) = state.queue.pop() else { break };
            state.take(counted);
            served.push((next.sender, counted));
        }
        drop(state);
        for (sender, counted) in served {
            // If the waiter has just disconnected, the lease is dropped, which serves the queue again.
            let _ = sender.send(self.lease(counted, None));
        }
    }

    fn release(self: &Arc<Self>, lease: &Lease) {
        let mut state = self.state();
        if let Some(began) = lease.began {
            state.returned += 1;
            // A background call is not counted, neither as abandoned nor in the mean time of a call, because it may
            // have been stopped to free its slot.
            if !lease.background {
                state.abandoned += u64::from(!lease.ended);
                state.update_mean(began.elapsed());
            }
        }
        state.free += 1;
        state.tokens -= lease.tokens;
        drop(state);
        self.serve_queue();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Returns the tokens to count for a call, if there is a slot and room for it. A call that is larger than the capacity
    /// counts as all of it.
    fn room(&self, tokens: u64, capacity: Option<u64>) -> Option<u64> {
        let counted = capacity.map_or(tokens, |capacity| tokens.min(capacity));
        let fits = capacity.is_none_or(|capacity| self.tokens.saturating_add(counted) <= capacity);
        (self.free > 0 && fits).then_some(counted)
    }

    fn take(&mut self, counted: u64) {
        self.free -= 1;
        self.tokens += counted;
    }

    fn update_mean(&mut self, time: Duration) {
        let mean = self.mean.map_or(time, |mean| mean.mul_f64(1.0 - MEAN_WEIGHT) + time.mul_f64(MEAN_WEIGHT));
        self.mean = Some(mean);
    }
}

impl Lease {
    /// Records that the call has ended, with success or an error. A lease that is dropped without this counts as one of
    /// a caller that disconnected.
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
