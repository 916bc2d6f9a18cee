//! Why a command did not do what it was asked, in words for a person. Never a raw response, never a secret.

use crate::{cloud::CloudError, exit::Exit, script::Step};

/// What happened and what it means, what to do next, and the exit code.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub struct Failure {
    /// The exit code.
    pub exit: Exit,
    /// What happened, and what it means.
    pub what: String,
    /// What to do next.
    pub next: String,
    /// The last lines of what failed on the host.
    pub lines: Vec<String>,
    /// Work may go on on the host, so nothing may be stopped under it.
    pub goes_on: bool,
    /// The step of the host at which it failed, if it was there.
    pub step: Option<Step>,
}

impl Failure {
    /// A failure without log lines.
    pub fn new(exit: Exit, what: impl Into<String>, next: impl Into<String>) -> Self {
        Self { exit, what: what.into(), next: next.into(), lines: Vec::new(), goes_on: false, step: None }
    }

    /// Wrong usage or configuration.
    pub fn usage(what: impl Into<String>, next: impl Into<String>) -> Self {
        Self::new(Exit::Usage, what, next)
    }

    /// Nothing was changed.
    pub fn unchanged(what: impl Into<String>, next: impl Into<String>) -> Self {
        Self::new(Exit::FailedUnchanged, what, next)
    }

    /// The host needs a person.
    pub fn person(what: impl Into<String>, next: impl Into<String>) -> Self {
        Self::new(Exit::NeedsAPerson, what, next)
    }

    /// Ctrl-C.
    pub fn interrupted(what: impl Into<String>, next: impl Into<String>) -> Self {
        Self::new(Exit::Interrupted, what, next)
    }
}

impl From<CloudError> for Failure {
    fn from(error: CloudError) -> Self {
        Self::unchanged(error.to_string(), error.hint())
    }
}
