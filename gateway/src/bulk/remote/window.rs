//! The window of notes that may be unanswered at the same time: it halves when the server refuses, and grows by one
//! with each answer.

use std::sync::{Mutex, MutexGuard, PoisonError};

#[derive(Debug)]
pub(super) struct Window {
    max_size: usize,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    size: usize,
    /// Notes that are sent and have no answer yet.
    unanswered: usize,
}

impl Window {
    pub(super) fn new(max_size: usize) -> Self {
        Self { max_size, state: Mutex::new(State { size: max_size, unanswered: 0 }) }
    }

    /// Returns how many notes may be unanswered now.
    pub(super) fn size(&self) -> usize {
        self.state().size
    }

    /// Returns how many more notes may be sent now.
    pub(super) fn available(&self) -> usize {
        let state = self.state();
        state.size.saturating_sub(state.unanswered)
    }

    /// Records that `count` notes were sent.
    pub(super) fn sent(&self, count: usize) {
        self.state().unanswered += count;
    }

    /// Records that `count` notes were answered or will not be.
    pub(super) fn finished(&self, count: usize) {
        let mut state = self.state();
        state.unanswered = state.unanswered.saturating_sub(count);
    }

    /// Grows the window by one note, up to the maximum: the server read a note.
    pub(super) fn grow(&self) {
        let mut state = self.state();
        state.size = (state.size + 1).min(self.max_size);
    }

    /// Halves the window, down to one note: the server is busy.
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
    fn the_window_halves_when_refused_and_grows_with_answers() {
        let window = Window::new(8);
        window.sent(6);
        assert_eq!((window.size(), window.available()), (8, 2));
        window.shrink();
        assert_eq!((window.size(), window.available()), (4, 0));
        window.finished(6);
        window.grow();
        assert_eq!((window.size(), window.available()), (5, 5));
        (0..9).for_each(|_| window.grow());
        assert_eq!(window.size(), 8);
        (0..9).for_each(|_| window.shrink());
        assert_eq!(window.size(), 1);
    }
}
