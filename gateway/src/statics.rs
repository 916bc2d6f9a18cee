//! Builds values from text in this program's source, such as patterns.
//!
//! Text that cannot be used is a mistake in the program and must not look like "nothing found". So building panics: the
//! request gets a 500, and the test of the file that holds the text fails.

use regex::Regex;

/// Returns the compiled pattern. A test compiles each such text.
///
/// # Panics
///
/// If the text is not a valid pattern.
pub(crate) fn pattern(text: &str) -> Regex {
    checked(Regex::new(text), "a pattern")
}

/// Returns the built value. A test builds each such value.
///
/// # Panics
///
/// If `value` is an error.
#[expect(clippy::expect_used, reason = "the text is in the program's source, and a test builds each value")]
pub(crate) fn checked<T, E: std::fmt::Debug>(value: Result<T, E>, what: &str) -> T {
    value.expect(what)
}
