//! The error of a command, in sentences for the operator. It holds no raw response and no secret.

use crate::{cloud::CloudError, exit::Exit, script::Step};

/// What to do after an interruption that changed nothing.
pub(crate) const RUN_AGAIN: &str = "Run it again when you are ready.";

/// Why a command failed, what the operator can do next, and the exit code.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub struct Failure {
    /// The exit code.
    pub exit: Exit,
    /// What happened, and what it means.
    pub what: String,
    /// What to do next.
    pub next: String,
    /// The last output lines of the program that failed: on the host, or on the operator's machine.
    pub lines: Vec<String>,
    /// Whether the host may still be working. If so, the deployer must not stop the box.
    pub may_still_run: bool,
    /// The step that failed, if it failed on the host.
    pub step: Option<Step>,
}

impl Failure {
    /// Returns a failure without output lines.
    pub fn new(exit: Exit, what: impl Into<String>, next: impl Into<String>) -> Self {
        Self { exit, what: what.into(), next: next.into(), lines: Vec::new(), may_still_run: false, step: None }
    }

    /// Returns a failure because of wrong arguments or a wrong configuration.
    pub fn usage(what: impl Into<String>, next: impl Into<String>) -> Self {
        Self::new(Exit::Usage, what, next)
    }

    /// Returns a failure that left everything unchanged.
    pub fn unchanged(what: impl Into<String>, next: impl Into<String>) -> Self {
        Self::new(Exit::FailedUnchanged, what, next)
    }

    /// Returns a failure after which an operator must check the host.
    pub fn person(what: impl Into<String>, next: impl Into<String>) -> Self {
        Self::new(Exit::NeedsAPerson, what, next)
    }

    /// Returns the failure of a command that Ctrl-C ended.
    pub fn interrupted(what: impl Into<String>, next: impl Into<String>) -> Self {
        Self::new(Exit::Interrupted, what, next)
    }
}

impl From<CloudError> for Failure {
    fn from(error: CloudError) -> Self {
        Self::unchanged(error.to_string(), error.hint())
    }
}
