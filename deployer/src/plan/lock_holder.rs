//! The holder of the operators' lock.

use serde::{Deserialize, Serialize};

use crate::console::{duration, since};

/// The run of the program that holds the lock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LockHolder {
    /// The operator.
    pub operator: String,
    /// The action that the operator runs.
    pub action: String,
    /// When the action began, in seconds since 1970.
    pub since: u64,
    /// Identifies the run of the program: one operator may have two.
    pub run: String,
}

impl LockHolder {
    /// Returns the holder as text: `ada@laptop (up, for 3 min)`.
    #[must_use]
    pub fn shown(&self) -> String {
        format!("{} ({}, for {})", self.operator, self.action, duration(since(self.since)))
    }
}
