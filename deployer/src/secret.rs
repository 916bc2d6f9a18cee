//! A secret on its short way from the keyboard to Secrets Manager: wiped when dropped, never printed.

use zeroize::Zeroizing;

/// Text that nobody may see. It has no `Debug`, no `Display`, no `Clone` and no `Serialize`.
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes a secret over; the ends lose their white space.
    #[must_use]
    pub fn new(text: Zeroizing<String>) -> Self {
        if text.trim().len() == text.len() {
            return Self(text);
        }
        Self(Zeroizing::new(text.trim().to_owned()))
    }

    /// The text, for the one call that hands it on.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}
