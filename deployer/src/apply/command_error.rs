//! Why a script left no report.

use crate::failure::Failure;
use crate::failure::RUN_AGAIN;

/// Why a script left no report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CommandError {
    /// The script never ran.
    NeverRan(Failure),
    /// The script may have done part of its work: it was killed, ran out of time, or its output was lost.
    Unknown {
        /// What happened.
        what: String,
        /// The last lines that the host's agent returned.
        lines: Vec<String>,
        /// Whether the script may still be running.
        running: bool,
    },
    /// The stack's SSM document does not name this program, so the script was not run.
    Refused,
    /// AWS no longer reports on the command, while the host continues to work.
    AccessLost(Failure),
    /// The operator pressed Ctrl-C.
    Interrupted {
        /// Whether the script may already have been sent to the host.
        sent: bool,
        /// Whether AWS has confirmed that the script ended, or it never began.
        ended: bool,
    },
}

impl From<CommandError> for Failure {
    /// Describes the failure of an action that changes nothing.
    fn from(error: CommandError) -> Self {
        match error {
            CommandError::NeverRan(failure) | CommandError::AccessLost(failure) => failure,
            CommandError::Refused => Self::unchanged(
                "the SSM document does not know this version of the deployer's program; nothing was changed",
                "deployer doctor has the command that names it.",
            ),
            CommandError::Interrupted { .. } => Self::interrupted("interrupted; nothing was changed", RUN_AGAIN),
            CommandError::Unknown { what, lines, .. } => {
                Self { lines, ..Self::unchanged(what, "Run it again; deployer doctor checks what it needs.") }
            }
        }
    }
}
