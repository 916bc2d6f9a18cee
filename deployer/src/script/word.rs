//! Quoting for the shell: the only way a value enters a script.

use std::fmt;

/// A value as one word of bash, in single quotes: nothing in it is ever expanded, split or run.
///
/// A NUL byte cannot stand in a shell word and is left out; every other character arrives as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShellWord(String);

impl ShellWord {
    /// Quotes a value.
    #[must_use]
    pub fn new(value: &str) -> Self {
        let inner = value.replace('\0', "").replace('\'', r"'\''");
        Self(format!("'{inner}'"))
    }

    /// The word with its quotes, as it stands in a script.
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
