//! A command that left no report.

use crate::{exit::Exit, failure::Failure};

/// A command that ended, or may have ended, without a report.
pub(super) struct UnreportedCommand {
    /// The exit code, unless the state of the host allows a better one.
    pub(super) exit: Exit,
    /// What happened to the command.
    pub(super) what: String,
    pub(super) lines: Vec<String>,
    /// Whether the command may still run, or may still reach the host.
    pub(super) running: bool,
}

impl UnreportedCommand {
    pub(super) fn interrupted(what: &str, running: bool) -> Self {
        Self { exit: Exit::Interrupted, what: what.to_owned(), lines: Vec::new(), running }
    }

    /// Returns the failure, completed by what was found on the host.
    pub(super) fn into_failure(self, found: &str, next: impl Into<String>) -> Failure {
        let what = format!("{}. {found}", self.what);
        Failure { lines: self.lines, may_still_run: self.running, ..Failure::new(self.exit, what, next) }
    }
}
