//! Quotes values for the shell. No value enters a script in another way.

use std::fmt;

/// A value as one word of bash, in single quotes, so that bash never expands, splits or runs any of it.
///
/// A shell word cannot contain a NUL byte, so it is left out. Every other character stays unchanged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShellWord(String);

impl ShellWord {
    /// Quotes a value.
    #[must_use]
    pub fn new(value: &str) -> Self {
        let inner = value.replace('\0', "").replace('\'', r"'\''");
        Self(format!("'{inner}'"))
    }

    /// The word with its quotes, as it appears in a script.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ShellWord {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}
