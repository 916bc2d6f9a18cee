//! How many notes are sent ahead: fewer where the server refuses, slowly more again where it answers.

use std::sync::{Mutex, MutexGuard, PoisonError};

#[derive(Debug)]
pub(super) struct Window {
    most: usize,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    size: usize,
    unanswered: usize,
}

impl Window {
    pub(super) fn new(most: usize) -> Self {
        Self { most, state: Mutex::new(State { size: most, unanswered: 0 }) }
    }

    /// Notes that may be under way now.
    pub(super) fn size(&self) -> usize {
        self.state().size
    }

    /// Notes that may be sent.
    pub(super) fn room(&self) -> usize {
        let state = self.state();
        state.size.saturating_sub(state.unanswered)
    }

    /// So many were sent.
    pub(super) fn sent(&self, count: usize) {
        self.state().unanswered += count;
    }

    /// So many are no longer under way.
    pub(super) fn back(&self, count: usize) {
        let mut state = self.state();
        state.unanswered = state.unanswered.saturating_sub(count);
    }

    /// One was answered, and not refused.
    pub(super) fn grow(&self) {
        let mut state = self.state();
        state.size = (state.size + 1).min(self.most);
    }

    /// The server has too much to do.
    pub(super) fn shrink(&self) {
        let mut state = self.state();
        state.size = (state.size / 2).max(1);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_halves_when_refused_and_grows_with_answers() {
        let window = Window::new(8);
        window.sent(6);
        assert_eq!((window.size(), window.room()), (8, 2));
        window.shrink();
        assert_eq!((window.size(), window.room()), (4, 0));
        window.back(6);
        window.grow();
        assert_eq!((window.size(), window.room()), (5, 5));
        (0..9).for_each(|_| window.grow());
        assert_eq!(window.size(), 8);
        (0..9).for_each(|_| window.shrink());
        assert_eq!(window.size(), 1);
    }
}
