//! Finds out how a command ended, from what AWS reports or by cancelling it.

use super::{
    command_error::CommandError,
    polling::{PauseEnd, PollSchedule},
};
use crate::{
    cloud::{CommandId, CommandProgress, Invocation},
    context::{DeployContext, Ports},
    failure::Failure,
    interrupt,
    script::{HostReport, parse_report},
};

/// How the wait for a command ended.
pub(super) enum CommandEnd {
    /// The host left a report, or it is known why there is none.
    Known(Box<Result<HostReport, CommandError>>),
    /// The host's agent took the command and never ran it, and the command was cancelled: it can be sent again.
    Lost,
}

impl From<CommandError> for CommandEnd {
    fn from(error: CommandError) -> Self {
        Self::Known(Box::new(Err(error)))
    }
}

/// Returns how a command ended, or `None` while it runs.
pub(super) fn read_end(invocation: &Invocation) -> Option<Result<HostReport, CommandError>> {
    let unknown = |what: &str| {
        let lines: Vec<String> = invocation.stderr.lines().map(str::to_owned).collect();
        let lines = lines.iter().skip(lines.len().saturating_sub(12)).cloned().collect();
        Some(Err(CommandError::Unknown { what: what.to_owned(), lines, running: false }))
    };
    match &invocation.progress {
        CommandProgress::Waiting | CommandProgress::Running | CommandProgress::Cancelling => None,
        CommandProgress::NotDelivered(why) => Some(Err(CommandError::NeverRan(Failure::unchanged(
            format!("the command never reached the host ({why}); nothing was changed"),
            "Run deployer doctor: it checks whether the box runs and its agent answers.",
        )))),
        CommandProgress::Cancelled => unknown("the command was cancelled, so it was killed on the host"),
        CommandProgress::TimedOut => unknown("the command exceeded its time limit, so it was killed on the host"),
        CommandProgress::Ended(code) => match parse_report(&invocation.stdout) {
            Some(report) => Some(Ok(report)),
            // The stack's own document refused the program before it ran.
            None if *code == 65 => Some(Err(CommandError::Refused)),
            None => unknown(&format!("the command ended with status {code} and left no report")),
        },
    }
}

/// Cancels a command. Returns how it ended, or `None` if AWS does not confirm its end in time.
pub(super) async fn cancel_and_wait<P: Ports>(
    context: &DeployContext<'_, P>,
    id: &CommandId,
    seconds: u32,
) -> Option<(CommandProgress, Result<HostReport, CommandError>)> {
    let mut schedule = PollSchedule::new(seconds);
    // A second Ctrl-C ends the program itself, so this wait does not react to Ctrl-C.
    let (_end, no_interrupt) = interrupt::channel();
    let mut asked = false;
    loop {
        if !asked {
            asked = context.ports.cancel(id).await.is_ok();
        }
        if let Ok(invocation) = context.ports.get_invocation(id).await
            && let Some(end) = read_end(&invocation)
        {
            return Some((invocation.progress, end));
        }
        if schedule.pause(&no_interrupt).await == PauseEnd::DeadlinePassed {
            return None;
        }
    }
}
