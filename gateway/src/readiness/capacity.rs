//! How many tokens the model servers that are ready hold at once.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// A number of tokens that may change or be unknown.
#[derive(Debug, Default)]
pub struct TokenCapacity {
    /// 0 if it is not known.
    tokens: AtomicU64,
}

impl TokenCapacity {
    /// Returns a capacity of so many tokens.
    #[must_use]
    pub fn of(tokens: u64) -> Self {
        Self { tokens: AtomicU64::new(tokens) }
    }

    /// Returns the tokens; `None` if they are not known.
    pub fn tokens(&self) -> Option<u64> {
        Some(self.tokens.load(Relaxed)).filter(|&tokens| tokens > 0)
    }

    /// Sets the tokens; `None` if they are not known.
    pub fn set(&self, tokens: Option<u64>) {
        self.tokens.store(tokens.unwrap_or(0), Relaxed);
    }
}
