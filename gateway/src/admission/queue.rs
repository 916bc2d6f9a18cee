//! Who waits for a slot, and whose turn is next: fair between callers, and single notes before bulk.
//!
//! Pure data: no clock, no locks.

use std::collections::{HashMap, VecDeque};

use super::QueuePriority;
use crate::access::Principal;

/// While both wait, every so manieth turn is a bulk note's: bulk must not starve the page, nor the page
/// bulk.
const BULK_EVERY: u32 = 4;

/// A number that names one waiter.
pub(super) type WaiterId = u64;

/// All who wait.
#[derive(Debug)]
pub(super) struct Queue<T> {
    single: Lanes<T>,
    bulk: Lanes<T>,
    turns: u32,
    tickets: WaiterId,
}

/// Waiters of one kind: a lane for each caller, served in turn, and in order of arrival within a lane.
#[derive(Debug)]
struct Lanes<T> {
    of_callers: HashMap<Option<Principal>, VecDeque<(WaiterId, T)>>,
    /// Callers with waiters, the next first.
    order: VecDeque<Option<Principal>>,
    waiting: usize,
}

/// What became of a waiter that came to a full queue.
#[derive(Debug)]
pub(super) enum Placement<T> {
    /// There was room.
    Waits(WaiterId),
    /// There is room, because another who had more than his share lost his place.
    Instead(WaiterId, T),
    /// There is none.
    Full,
}

impl<T> Default for Queue<T> {
    fn default() -> Self {
        Self { single: Lanes::default(), bulk: Lanes::default(), turns: 0, tickets: 0 }
    }
}

impl<T> Default for Lanes<T> {
    fn default() -> Self {
        Self { of_callers: HashMap::new(), order: VecDeque::new(), waiting: 0 }
    }
}

impl<T> Queue<T> {
    pub(super) fn len(&self) -> usize {
        self.single.waiting + self.bulk.waiting
    }

    /// How many turns come before one more waiter of this turn has his, at most: callers take turns, so a
    /// caller with few waiters does not wait for one who has many.
    pub(super) fn ahead(&self, priority: &QueuePriority) -> usize {
        let (own, other) = if priority.bulk { (&self.bulk, &self.single) } else { (&self.single, &self.bulk) };
        let mine = own.of(priority.principal.as_ref());
        let callers = own.order.len() + usize::from(mine == 0);
        let of_my_kind = ((mine + 1) * callers).min(own.waiting + 1);
        let of_the_other = if priority.bulk { other.waiting } else { other.waiting.min(of_my_kind / 3 + 1) };
        of_my_kind + of_the_other
    }

    /// Takes a waiter in. In a full queue the newest waiter of whoever has most loses his place: of bulk to
    /// a single note, and else only to a caller who has fewer.
    pub(super) fn push(&mut self, priority: &QueuePriority, waiter: T, limit: usize) -> Placement<T> {
        self.tickets += 1;
        let ticket = self.tickets;
        if self.len() < limit {
            self.lanes(priority).push(priority.principal.clone(), ticket, waiter);
            return Placement::Waits(ticket);
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
        let Some(out) = lanes.pop_newest_of_longest() else { return Placement::Full };
        self.lanes(priority).push(priority.principal.clone(), ticket, waiter);
        Placement::Instead(ticket, out)
    }

    /// Whose turn it is.
    pub(super) fn pop(&mut self) -> Option<T> {
        self.turns = self.turns.wrapping_add(1);
        let bulk_first = self.single.waiting == 0 || self.turns.is_multiple_of(BULK_EVERY);
        if bulk_first { self.bulk.pop().or_else(|| self.single.pop()) } else { self.single.pop() }
    }

    /// Takes a waiter out who no longer wants his turn, if he still waits.
    pub(super) fn remove(&mut self, priority: &QueuePriority, ticket: WaiterId) -> Option<T> {
        self.lanes(priority).remove(priority.principal.as_ref(), ticket)
    }

    fn lanes(&mut self, priority: &QueuePriority) -> &mut Lanes<T> {
        if priority.bulk { &mut self.bulk } else { &mut self.single }
    }
}

impl<T> Lanes<T> {
    fn push(&mut self, principal: Option<Principal>, ticket: WaiterId, waiter: T) {
        let lane = self.of_callers.entry(principal.clone()).or_default();
        if lane.is_empty() {
            self.order.push_back(principal);
        }
        lane.push_back((ticket, waiter));
        self.waiting += 1;
    }

    fn pop(&mut self) -> Option<T> {
        let principal = self.order.pop_front()?;
        let lane = self.of_callers.get_mut(&principal)?;
        let (_, waiter) = lane.pop_front()?;
        if lane.is_empty() {
            self.of_callers.remove(&principal);
        } else {
            self.order.push_back(principal);
        }
        self.waiting -= 1;
        Some(waiter)
    }

    fn remove(&mut self, principal: Option<&Principal>, ticket: WaiterId) -> Option<T> {
        let key = principal.cloned();
        let lane = self.of_callers.get_mut(&key)?;
        let at = lane.iter().position(|(of, _)| *of == ticket)?;
        let (_, waiter) = lane.remove(at)?;
        self.shortened(key.as_ref());
        Some(waiter)
    }

    fn pop_newest_of_longest(&mut self) -> Option<T> {
        let (key, _) = self.of_callers.iter().max_by_key(|(_, lane)| lane.len())?;
        let key = key.clone();
        let (_, waiter) = self.of_callers.get_mut(&key)?.pop_back()?;
        self.shortened(key.as_ref());
        Some(waiter)
    }

    fn shortened(&mut self, principal: Option<&Principal>) {
        self.waiting -= 1;
        if self.of(principal) == 0 {
            self.of_callers.remove(&principal.cloned());
            self.order.retain(|waiting| waiting.as_ref() != principal);
        }
    }

    fn of(&self, principal: Option<&Principal>) -> usize {
        self.of_callers.get(&principal.cloned()).map_or(0, VecDeque::len)
    }

    fn longest(&self) -> usize {
        self.of_callers.values().map(VecDeque::len).max().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn priority(name: &str, bulk: bool) -> QueuePriority {
        QueuePriority { principal: (!name.is_empty()).then(|| Principal::named(name)), bulk }
    }

    /// Puts in `name` or `name*` (bulk), each waiter called like its turn with a number.
    fn queue(waiters: &[&str], limit: usize) -> (Queue<String>, Vec<String>) {
        let (mut queue, mut out) = (Queue::default(), Vec::new());
        for (at, who) in waiters.iter().enumerate() {
            let priority = priority(who.trim_end_matches('*'), who.ends_with('*'));
            match queue.push(&priority, format!("{who}{at}"), limit) {
                Placement::Waits(_) => {}
                Placement::Instead(_, lost) => out.push(lost),
                Placement::Full => out.push(format!("{who}{at}")),
            }
        }
        (queue, out)
    }

    #[test]
    fn turns() {
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
            assert!(queue.len() == 0 && queue.single.of_callers.is_empty() && queue.bulk.order.is_empty());
        }
    }

    #[test]
    fn who_loses_his_place_in_a_full_queue() {
        for (waiters, limit, lost) in [
            ("a a a", 2, "a2"),
            ("a a a b", 3, "a2"),
            ("a a b b", 3, "b3"),
            ("a b c d", 3, "d3"),
            ("x* x* a", 2, "x*1"),
            ("a a x*", 2, "x*2"),
            ("x* x* x* y*", 3, "x*2"),
        ] {
            let (queue, out) = queue(&waiters.split(' ').collect::<Vec<_>>(), limit);
            assert_eq!((out.join(" ").as_str(), queue.len()), (lost, limit), "{waiters}");
        }
    }

    #[test]
    fn turns_ahead_of_one_more() {
        for (waiters, who, ahead) in [
            ("a a a a a a", "b", 2),
            ("a a a a a a", "a", 7),
            ("a a b c", "b", 5),
            ("a a b c", "d", 4),
            ("x* x* x* x*", "a", 2),
            ("a a x*", "y*", 4),
        ] {
            let (queue, _) = queue(&waiters.split(' ').collect::<Vec<_>>(), 99);
            let priority = priority(who.trim_end_matches('*'), who.ends_with('*'));
            assert_eq!(queue.ahead(&priority), ahead, "{waiters}: {who}");
        }
    }

    #[test]
    fn whoever_goes_leaves_no_trace() {
        let mut queue = Queue::default();
        let (a, b) = (priority("a", false), priority("", true));
        let Placement::Waits(first) = queue.push(&a, 1, 9) else { panic!() };
        let Placement::Waits(second) = queue.push(&b, 2, 9) else { panic!() };
        assert_eq!((queue.remove(&b, first), queue.remove(&a, second)), (None, None));
        assert_eq!((queue.remove(&a, first), queue.remove(&a, first)), (Some(1), None));
        assert_eq!((queue.pop(), queue.pop(), queue.len()), (Some(2), None, 0));
    }
}
