//! How a command ended, for the shell that called it.

use std::process::ExitCode;

use serde::Serialize;

use crate::script::Outcome;

/// The exit codes of design section 5.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Exit {
    /// Done, or nothing to do.
    Done,
    /// Failed; what served before still serves.
    FailedUnchanged,
    /// Wrong usage or configuration; nothing was looked at.
    Usage,
    /// Failed; the release before serves again.
    RolledBack,
    /// Failed; a person must look at the host.
    NeedsAPerson,
    /// Somebody else is at work.
    Locked,
    /// Ended by Ctrl-C.
    Interrupted,
}

impl Exit {
    /// The number.
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
    /// Its word for a program.
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.serialize(out)
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

impl From<Outcome> for Exit {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Done | Outcome::NothingToDo => Self::Done,
            Outcome::FailedUnchanged => Self::FailedUnchanged,
            Outcome::RolledBack => Self::RolledBack,
            Outcome::NeedsAPerson => Self::NeedsAPerson,
            Outcome::Locked => Self::Locked,
        }
    }
}
