//! The name of one run on the host, unique, by which the laptop finds it again.

/// A name of 8 to 64 letters, digits and `-`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunId(String);

impl RunId {
    /// `None`: the text is too short, too long or has other characters.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let fits =
            (8..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        fits.then(|| Self(text.to_owned()))
    }

    /// As it stands in the host's facts.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
