//! The queue of calls that wait for a slot. It is fair between callers, and prefers single notes to notes of batches
//! (bulk).
//!
//! It is a plain data structure, without clock or locks.

use std::collections::{HashMap, VecDeque};

use super::QueuePriority;
use crate::access::Principal;

/// While single and bulk notes wait, every fourth slot goes to a bulk note, so that neither kind starves the other.
const BULK_EVERY: u32 = 4;

/// Identifies one waiter.
pub(super) type WaiterId = u64;

/// All waiters.
#[derive(Debug)]
pub(super) struct Queue<T> {
    single: Lanes<T>,
    bulk: Lanes<T>,
    turns: u32,
    last_id: WaiterId,
}

/// Waiters of one kind, single or bulk. Each caller has a lane; callers take turns, and a lane is first in, first out.
#[derive(Debug)]
struct Lanes<T> {
    by_caller: HashMap<Option<Principal>, VecDeque<(WaiterId, T)>>,
    /// Callers with waiters; the first one is next.
    order: VecDeque<Option<Principal>>,
    waiting: usize,
}

/// What [`Queue::push`] did with a waiter.
#[derive(Debug)]
pub(super) enum Placement<T> {
    /// The queue had room.
    Waits(WaiterId),
    /// The waiter took the place of another, of a caller with more waiters or of a bulk note. The other waiter is
    /// returned.
    Instead(WaiterId, T),
    /// The queue is full, and the waiter was not accepted.
    Full,
}

impl<T> Default for Queue<T> {
    fn default() -> Self {
        Self { single: Lanes::default(), bulk: Lanes::default(), turns: 0, last_id: 0 }
    }
}

impl<T> Default for Lanes<T> {
    fn default() -> Self {
        Self { by_caller: HashMap::new(), order: VecDeque::new(), waiting: 0 }
    }
}

impl<T> Queue<T> {
    pub(super) fn len(&self) -> usize {
        self.single.waiting + self.bulk.waiting
    }

    /// Returns all waiters, in no order.
    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        let lanes = self.single.by_caller.values().chain(self.bulk.by_caller.values());
        lanes.flatten().map(|(_, waiter)| waiter)
    }

    /// Returns how many slots are given at most until a new waiter with this priority gets one, its own included.
    /// Callers take turns, so a caller with few waiters does not wait for all those of another.
    pub(super) fn ahead(&self, priority: &QueuePriority) -> usize {
        let (same_kind, other_kind) =
            if priority.bulk { (&self.bulk, &self.single) } else { (&self.single, &self.bulk) };
        let waiting_of_caller = same_kind.of(priority.principal.as_ref());
        let callers = same_kind.order.len() + usize::from(waiting_of_caller == 0);
        let same_kind_turns = ((waiting_of_caller + 1) * callers).min(same_kind.waiting + 1);
        let other_kind_turns =
            if priority.bulk { other_kind.waiting } else { other_kind.waiting.min(same_kind_turns / 3 + 1) };
        same_kind_turns + other_kind_turns
    }

    /// Adds a waiter. In a full queue it can take the place of the newest waiter of the caller with most waiters: a
    /// single note takes that of a bulk note; otherwise the caller of the new waiter must have at least two waiters
    /// fewer.
    pub(super) fn push(&mut self, priority: &QueuePriority, waiter: T, limit: usize) -> Placement<T> {
        self.last_id += 1;
        let id = self.last_id;
        if self.len() < limit {
            self.lanes(priority).push(priority.principal.clone(), id, waiter);
            return Placement::Waits(id);
        }
        let lanes = if !priority.bulk && self.bulk.waiting > 0 {
            &mut self.bulk
        } else {
            let lanes = self.lanes(priority);
            if lanes.longest() <= lanes.of(priority.principal.as_ref()) + 1 {
                return Placement::Full;
            }
            lanes
        };
        let Some(evicted) = lanes.pop_newest_of_longest() else { return Placement::Full };
        self.lanes(priority).push(priority.principal.clone(), id, waiter);
        Placement::Instead(id, evicted)
    }

    /// Returns the waiter that gets the next slot. It stays the same until a slot is given, unless it disconnects, or a
    /// single note arrives while it is not the turn of a bulk note.
    pub(super) fn peek(&self) -> Option<&T> {
        if self.is_turn_of_bulk() { self.bulk.peek().or_else(|| self.single.peek()) } else { self.single.peek() }
    }

    /// Removes and returns the waiter that gets the next slot.
    pub(super) fn pop(&mut self) -> Option<T> {
        let bulk_first = self.is_turn_of_bulk();
        self.turns = self.turns.wrapping_add(1);
        if bulk_first { self.bulk.pop().or_else(|| self.single.pop()) } else { self.single.pop() }
    }

    fn is_turn_of_bulk(&self) -> bool {
        self.single.waiting == 0 || self.turns.wrapping_add(1).is_multiple_of(BULK_EVERY)
    }

    /// Removes a waiter that no longer waits for a slot, if it is still in the queue.
    pub(super) fn remove(&mut self, priority: &QueuePriority, id: WaiterId) -> Option<T> {
        self.lanes(priority).remove(priority.principal.as_ref(), id)
    }

    fn lanes(&mut self, priority: &QueuePriority) -> &mut Lanes<T> {
        if priority.bulk { &mut self.bulk } else { &mut self.single }
    }
}

impl<T> Lanes<T> {
    fn push(&mut self, principal: Option<Principal>, id: WaiterId, waiter: T) {
        let lane = self.by_caller.entry(principal.clone()).or_default();
        if lane.is_empty() {
            self.order.push_back(principal);
        }
        lane.push_back((id, waiter));
        self.waiting += 1;
    }

    fn peek(&self) -> Option<&T> {
        self.by_caller.get(self.order.front()?)?.front().map(|(_, waiter)| waiter)
    }

    fn pop(&mut self) -> Option<T> {
        let principal = self.order.pop_front()?;
        let lane = self.by_caller.get_mut(&principal)?;
        let (_, waiter) = lane.pop_front()?;
        if lane.is_empty() {
            self.by_caller.remove(&principal);
        } else {
            self.order.push_back(principal);
        }
        self.waiting -= 1;
        Some(waiter)
    }

    fn remove(&mut self, principal: Option<&Principal>, id: WaiterId) -> Option<T> {
        let key = principal.cloned();
        let lane = self.by_caller.get_mut(&key)?;
        let index = lane.iter().position(|(waiter_id, _)| *waiter_id == id)?;
        let (_, waiter) = lane.remove(index)?;
        self.after_removal(key.as_ref());
        Some(waiter)
    }

    fn pop_newest_of_longest(&mut self) -> Option<T> {
        let (key, _) = self.by_caller.iter().max_by_key(|(_, lane)| lane.len())?;
        let key = key.clone();
        let (_, waiter) = self.by_caller.get_mut(&key)?.pop_back()?;
        self.after_removal(key.as_ref());
        Some(waiter)
    }

    fn after_removal(&mut self, principal: Option<&Principal>) {
        self.waiting -= 1;
        if self.of(principal) == 0 {
            self.by_caller.remove(&principal.cloned());
            self.order.retain(|waiting| waiting.as_ref() != principal);
        }
    }

    fn of(&self, principal: Option<&Principal>) -> usize {
        self.by_caller.get(&principal.cloned()).map_or(0, VecDeque::len)
    }

    fn longest(&self) -> usize {
        self.by_caller.values().map(VecDeque::len).max().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn priority(name: &str, bulk: bool) -> QueuePriority {
        QueuePriority { principal: (!name.is_empty()).then(|| Principal::named(name)), bulk, background: false }
    }

    /// Returns a queue with waiters of callers `name` (single) or `name*` (bulk), and those that lost or got no place.
    /// Each waiter is named by its caller and its index.
    fn queue(waiters: &[&str], limit: usize) -> (Queue<String>, Vec<String>) {
        let (mut queue, mut evicted) = (Queue::default(), Vec::new());
        for (index, caller) in waiters.iter().enumerate() {
            let priority = priority(caller.trim_end_matches('*'), caller.ends_with('*'));
            match queue.push(&priority, format!("{caller}{index}"), limit) {
                Placement::Waits(_) => {}
                Placement::Instead(_, waiter) => evicted.push(waiter),
                Placement::Full => evicted.push(format!("{caller}{index}")),
            }
        }
        (queue, evicted)
    }

    #[test]
    fn callers_take_turns_and_single_notes_go_first() {
        for (waiters, order) in [
            ("a a a", "a0 a1 a2"),
            ("a a a b", "a0 b3 a1 a2"),
            ("a a b c b", "a0 b2 c3 a1 b4"),
            ("x* x* x* x* a a a a", "a4 a5 a6 x*0 a7 x*1 x*2 x*3"),
            ("x* y* x* a", "a3 x*0 y*1 x*2"),
        ] {
            let (mut queue, _) = queue(&waiters.split(' ').collect::<Vec<_>>(), 99);
            let mut popped = Vec::new();
            while let Some(waiter) = queue.pop() {
                popped.push(waiter);
            }
            assert_eq!(popped.join(" "), order, "{waiters}");
            assert!(queue.len() == 0 && queue.single.by_caller.is_empty() && queue.bulk.order.is_empty());
        }
    }

    #[test]
    fn a_full_queue_evicts_the_newest_waiter_of_the_longest_lane() {
        for (waiters, limit, expected) in [
            ("a a a", 2, "a2"),
            ("a a a b", 3, "a2"),
            ("a a b b", 3, "b3"),
            ("a b c d", 3, "d3"),
            ("x* x* a", 2, "x*1"),
            ("a a x*", 2, "x*2"),
            ("x* x* x* y*", 3, "x*2"),
        ] {
            let (queue, evicted) = queue(&waiters.split(' ').collect::<Vec<_>>(), limit);
            assert_eq!((evicted.join(" ").as_str(), queue.len()), (expected, limit), "{waiters}");
        }
    }

    #[test]
    fn ahead_counts_the_slots_until_a_new_waiter_gets_one() {
        for (waiters, caller, ahead) in [
            ("a a a a a a", "b", 2),
            ("a a a a a a", "a", 7),
            ("a a b c", "b", 5),
            ("a a b c", "d", 4),
            ("x* x* x* x*", "a", 2),
            ("a a x*", "y*", 4),
        ] {
            let (queue, _) = queue(&waiters.split(' ').collect::<Vec<_>>(), 99);
            let priority = priority(caller.trim_end_matches('*'), caller.ends_with('*'));
            assert_eq!(queue.ahead(&priority), ahead, "{waiters}: {caller}");
        }
    }

    #[test]
    fn a_removed_waiter_leaves_no_trace() {
        let mut queue = Queue::default();
        let (a, b) = (priority("a", false), priority("", true));
        let Placement::Waits(first) = queue.push(&a, 1, 9) else { panic!() };
        let Placement::Waits(second) = queue.push(&b, 2, 9) else { panic!() };
        assert_eq!((queue.remove(&b, first), queue.remove(&a, second)), (None, None));
        assert_eq!((queue.remove(&a, first), queue.remove(&a, first)), (Some(1), None));
        assert_eq!((queue.pop(), queue.pop(), queue.len()), (Some(2), None, 0));
    }
}
