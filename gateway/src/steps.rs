//! Counts the cost of reading a text in steps: characters read and spans compared. Steps are equal on every machine.
//!
//! Tests and fuzz targets check that steps grow no faster than the length of a text. Seconds could show this only on a
//! quiet machine. In the program itself, counting does nothing.

#[cfg(any(test, fuzzing))]
use std::cell::Cell;

#[cfg(any(test, fuzzing))]
thread_local! {
    static STEPS: Cell<u64> = const { Cell::new(0) };
}

/// Adds steps to the count of this thread.
#[inline]
pub(crate) fn count(steps: usize) {
    #[cfg(any(test, fuzzing))]
    STEPS.set(STEPS.get() + steps as u64);
    #[cfg(not(any(test, fuzzing)))]
    let _ = steps;
}

/// Most steps per byte of any text.
#[cfg(any(test, fuzzing))]
const PER_BYTE: u64 = 1_500;

/// Most steps for the values of a record, whose number is bounded. It does not depend on the text's length.
#[cfg(any(test, fuzzing))]
pub const FOR_VALUES: u64 = 4_000_000;

/// Returns the most steps that reading a text of `bytes` bytes may take.
#[cfg(any(test, fuzzing))]
#[must_use]
pub fn budget(bytes: usize) -> u64 {
    PER_BYTE * bytes as u64 + FOR_VALUES
}

/// Runs `work` and returns the steps that it takes on this thread.
#[cfg(any(test, fuzzing))]
pub fn steps_of<T>(work: impl FnOnce() -> T) -> u64 {
    let before = STEPS.get();
    std::hint::black_box(work());
    STEPS.get() - before
}
