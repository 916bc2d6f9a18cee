//! Values that this program makes of its own text. One that cannot be made is a mistake of the program, which must not pass as "nothing
//! found": it panics, the request gets a 500, and the test of the file that holds it fails.

use regex::Regex;

/// The pattern of this text, which a test has compiled.
///
/// # Panics
///
/// Where the text is no pattern.
pub(crate) fn pattern(text: &str) -> Regex {
    made(Regex::new(text), "a pattern")
}

/// A value that a test has made.
///
/// # Panics
///
/// Where it could not be made.
#[expect(clippy::expect_used, reason = "the text is the program's own, and a test makes each value")]
pub(crate) fn made<T, E: std::fmt::Debug>(value: Result<T, E>, what: &str) -> T {
    value.expect(what)
}
