//! Quoting for the shell: the only way a value enters a script.

use std::fmt;

/// A value as one word of bash, in single quotes: nothing in it is ever expanded, split or run.
///
/// A NUL byte cannot stand in a shell word and is left out; every other character arrives as it is. Two opening
/// braces never stand side by side, because Systems Manager takes them for a parameter of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShellWord(String);

impl ShellWord {
    /// Quotes a value.
    #[must_use]
    pub fn new(value: &str) -> Self {
        let mut word = String::with_capacity(value.len() + 2);
        word.push('\'');
        let mut before = ' ';
        for character in value.chars().filter(|character| *character != '\0') {
            match character {
                '\'' => word.push_str(r"'\''"),
                // The quotes end and begin again in between.
                '{' if before == '{' => word.push_str("''{"),
                _ => word.push(character),
            }
            before = character;
        }
        word.push('\'');
        Self(word)
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
