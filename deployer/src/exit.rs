//! The exit codes of the `deployer` command.

use std::process::ExitCode;

use serde::Serialize;

use crate::script::ActionOutcome;

/// How a command ended, as an exit code; README.md has the table for operators.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Exit {
    /// The command succeeded, or there was nothing to do.
    Done,
    /// The command failed. The previous release still serves.
    FailedUnchanged,
    /// The arguments or the configuration are wrong; nothing was changed.
    Usage,
    /// The command failed, and the previous release serves again.
    RolledBack,
    /// The command failed, and an operator must check the host.
    NeedsAPerson,
    /// Another run holds the lock.
    Locked,
    /// Ctrl-C ended the command.
    Interrupted,
}

impl Exit {
    /// Returns the exit code as a number.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::FailedUnchanged => 1,
            Self::Usage => 2,
            Self::RolledBack => 3,
            Self::NeedsAPerson => 4,
            Self::Locked => 5,
            Self::Interrupted => 130,
        }
    }
}

impl std::fmt::Display for Exit {
    /// Writes the word that JSON output has for the exit code, such as `rolled_back`.
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.serialize(out)
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

impl From<ActionOutcome> for Exit {
    fn from(outcome: ActionOutcome) -> Self {
        match outcome {
            ActionOutcome::Done | ActionOutcome::NothingToDo => Self::Done,
            ActionOutcome::FailedUnchanged => Self::FailedUnchanged,
            ActionOutcome::RolledBack => Self::RolledBack,
            ActionOutcome::NeedsAPerson => Self::NeedsAPerson,
            ActionOutcome::Locked => Self::Locked,
        }
    }
}
