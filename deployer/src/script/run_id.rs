//! The unique id of a run on the host, by which the deployer finds it again.

/// An id of 8 to 64 letters, digits and `-`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunId(String);

impl RunId {
    /// Checks an id. Returns `None` if the text is too short, too long or has other characters.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let fits =
            (8..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        fits.then(|| Self(text.to_owned()))
    }

    /// Makes a unique id from a process id and a time.
    #[must_use]
    pub fn from_numbers(process: u32, moment: u128) -> Self {
        Self(format!("run-{process}-{moment}"))
    }

    /// The id's text, as in the host's facts.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
