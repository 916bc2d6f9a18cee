//! Sends a script to the host exactly once. If the answer to the call is lost, AWS may have received the call: the
//! command is looked up by its name. Where this operator may not list commands (`ssm:ListCommands` shows the
//! commands of all operators), the host is asked. The script is sent again only if AWS' list does not have it after
//! some seconds.

use std::time::Duration;

use tokio::time::Instant;

use super::{
    command_error::CommandError,
    polling::{PauseEnd, PollSchedule},
    retries::CallRecovery,
};
use crate::{
    cloud::{CloudError, CloudErrorKind, CommandId},
    context::{DeployContext, Ports},
    failure::Failure,
    interrupt::{self, Interrupt},
    script::Script,
};

/// How long AWS may refuse a command before that counts as final, in seconds.
const SEND_SECONDS: u32 = 60;
/// How long the network may fail while a command is looked up, in seconds.
pub(super) const FIND_SECONDS: u32 = 120;
/// The same limit after Ctrl-C, in seconds.
const FIND_SECONDS_INTERRUPTED: u32 = 15;
/// A command that AWS received is in AWS' list after this time at most.
const LIST_LIMIT: Duration = Duration::from_secs(5);

/// The result of looking up a command whose answer was lost.
enum CommandLookup {
    /// The command is in AWS' list.
    Found(CommandId),
    /// The command is not in AWS' list.
    NotFound,
    /// This operator may not list commands.
    NotPermitted,
}

/// Sends a script. `name` is unique. If it is not known whether AWS received the script, `wait_until_gone` is called
/// before the script is sent again: it returns `Ok` if the host never received the script, or may run it twice.
pub(super) async fn send<P: Ports>(
    context: &DeployContext<'_, P>,
    interrupt: &Interrupt,
    what: &str,
    script: &Script,
    name: &str,
    limit_seconds: u32,
    wait_until_gone: impl AsyncFn() -> Result<(), CommandError>,
) -> Result<CommandId, CommandError> {
    let mut schedule = PollSchedule::new(SEND_SECONDS);
    let mut recovery = CallRecovery::default();
    loop {
        if interrupt.is_requested() {
            return Err(CommandError::Interrupted { sent: false, ended: true });
        }
        let error = match context.ports.send(script, name, limit_seconds).await {
            Ok(id) => return Ok(id),
            Err(error) => error,
        };
        if error.kind == CloudErrorKind::Network {
            context.console.warn(&format!("{error}. AWS may have received the command; looking it up."));
            match find_command(context, interrupt, name).await? {
                CommandLookup::Found(id) => return Ok(id),
                CommandLookup::NotFound => {}
                CommandLookup::NotPermitted => wait_until_gone().await?,
            }
        } else if error.kind == CloudErrorKind::Credentials {
            if !recovery.recover(context, &error, "Nothing was sent yet").await {
                return Err(CommandError::NeverRan(error.into()));
            }
            // An operator who was asked for a code may have used up the whole time.
            schedule = PollSchedule::new(SEND_SECONDS);
        } else if !error.is_transient() && error.kind != CloudErrorKind::Offline {
            return Err(CommandError::NeverRan(error.into()));
        }
        // The agent may be unavailable for a moment, most often after a start.
        context.console.progress(&format!("{what}: AWS does not take the command yet"), &error.code);
        if schedule.pause(interrupt).await == PauseEnd::DeadlinePassed {
            return Err(CommandError::NeverRan(Failure::from(error)));
        }
    }
}

/// Looks up a command whose answer was lost. After Ctrl-C it continues for a moment, so that a command that was
/// received can be cancelled.
async fn find_command<P: Ports>(
    context: &DeployContext<'_, P>,
    interrupt: &Interrupt,
    name: &str,
) -> Result<CommandLookup, CommandError> {
    let (_end, no_interrupt) = interrupt::channel();
    let (mut source, mut schedule) = (interrupt, PollSchedule::new(FIND_SECONDS));
    let mut absent: Option<Instant> = None;
    let mut lost: Option<CloudError> = None;
    loop {
        match context.ports.find(name).await {
            Ok(Some(id)) => return Ok(CommandLookup::Found(id)),
            Ok(None) if absent.get_or_insert_with(Instant::now).elapsed() >= LIST_LIMIT => {
                return Ok(CommandLookup::NotFound);
            }
            Ok(None) => {}
            Err(error) if error.kind == CloudErrorKind::Denied => return Ok(CommandLookup::NotPermitted),
            Err(error) => {
                let is_transient = error.is_transient();
                lost = Some(error);
                if !is_transient {
                    return Err(unknown(interrupt, lost));
                }
            }
        }
        match schedule.pause(source).await {
            PauseEnd::Over => {}
            PauseEnd::Interrupted => {
                context.console.say("interrupted: checking whether the command reached the host; wait a moment");
                (source, schedule) = (&no_interrupt, PollSchedule::new(FIND_SECONDS_INTERRUPTED));
            }
            PauseEnd::DeadlinePassed => return Err(unknown(interrupt, lost)),
        }
    }
}

fn unknown(interrupt: &Interrupt, error: Option<CloudError>) -> CommandError {
    if interrupt.is_requested() {
        return CommandError::Interrupted { sent: true, ended: false };
    }
    let why = error.map_or_else(String::new, |error| format!(": {error}"));
    CommandError::Unknown {
        what: format!("the answer to SendCommand was lost, and it is not known whether the command runs{why}"),
        lines: Vec::new(),
        running: true,
    }
}
