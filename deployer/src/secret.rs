//! A secret in memory, such as the Hugging Face token or an API key: wiped when dropped, never printed.

use zeroize::Zeroizing;

/// A secret text. It has no `Debug`, no `Display`, no `Clone` and no `Serialize`, so that it cannot be printed by
/// mistake.
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes ownership of a secret and removes the white space at its ends.
    #[must_use]
    pub fn new(text: Zeroizing<String>) -> Self {
        if text.trim().len() == text.len() {
            return Self(text);
        }
        Self(Zeroizing::new(text.trim().to_owned()))
    }

    /// Returns the text, for the call that sends it, hashes it or shows it once.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}
