//! Counts what reading a text costs, in steps that are the same on every machine: characters looked at, places compared.
//!
//! Tests and fuzz targets hold that steps grow with the length of a text and no faster; seconds would say as much only
//! on a quiet machine. In the program itself counting does nothing.

#[cfg(any(test, fuzzing))]
use std::cell::Cell;

#[cfg(any(test, fuzzing))]
thread_local! {
    static STEPS: Cell<u64> = const { Cell::new(0) };
}

/// Adds steps to those of this thread.
#[inline]
pub(crate) fn count(steps: usize) {
    #[cfg(any(test, fuzzing))]
    STEPS.set(STEPS.get() + steps as u64);
    #[cfg(not(any(test, fuzzing)))]
    let _ = steps;
}

/// Most steps for each byte of a text, whatever the text.
#[cfg(any(test, fuzzing))]
const PER_BYTE: u64 = 1_500;

/// What may be spent on the values of a record, whose number is bounded, however short the text is.
#[cfg(any(test, fuzzing))]
pub const FOR_VALUES: u64 = 4_000_000;

/// Most steps that reading a text of so many bytes may take.
#[cfg(any(test, fuzzing))]
#[must_use]
pub fn budget(bytes: usize) -> u64 {
    PER_BYTE * bytes as u64 + FOR_VALUES
}

/// The steps that work takes on this thread.
#[cfg(any(test, fuzzing))]
pub fn of<T>(work: impl FnOnce() -> T) -> u64 {
    let before = STEPS.get();
    std::hint::black_box(work());
    STEPS.get() - before
}
