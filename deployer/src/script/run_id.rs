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

    /// One that no other run has: a process and a moment.
    #[must_use]
    pub fn from_numbers(process: u32, moment: u128) -> Self {
        Self(format!("run-{process}-{moment}"))
    }

    /// As it stands in the host's facts.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
