//! Follows a sent command, by its id, to its end. A status request that fails is not a failed script, Ctrl-C cancels
//! the command, and a command that the host's agent lost is noticed.

use super::{
    command_end::{CommandEnd, cancel_and_wait, read_end},
    command_error::CommandError,
    host_output::HostOutput,
    lost_command::{HostAnswer, LostCommandWatch},
    polling::{PauseEnd, PollSchedule},
    retries::{self, CallRecovery},
};
use crate::{
    cloud::{CloudError, CloudErrorKind, CommandId, CommandProgress},
    console::duration,
    context::{DeployContext, Ports},
    interrupt::Interrupt,
    script::{HostReport, RunId, facts::RunProgress},
};

/// A command that was sent.
pub(super) struct SentCommand<'a> {
    pub(super) what: &'a str,
    pub(super) id: CommandId,
    /// The run's id on the host.
    pub(super) run: RunId,
    pub(super) limit_seconds: u32,
    /// Whether the command changes nothing, so that its output lines are not shown.
    pub(super) read_only: bool,
}

/// Waits for the end of a sent command. `progress` asks the host how far the command is.
pub(super) async fn follow<P: Ports>(
    context: &DeployContext<'_, P>,
    interrupt: &Interrupt,
    sent: SentCommand<'_>,
    progress: impl AsyncFn() -> Option<RunProgress>,
) -> CommandEnd {
    let SentCommand { what, ref id, ref run, limit_seconds, read_only } = sent;
    let wait = &context.settings.wait;
    let mut schedule = PollSchedule::new(limit_seconds.saturating_add(wait.delivery_seconds).saturating_add(120));
    let mut watch = LostCommandWatch::new(wait.start_seconds, read_only);
    let mut recovery = CallRecovery::default();
    let mut output = HostOutput::new(context, read_only);
    let mut last: Option<CloudError> = None;
    loop {
        match context.ports.get_invocation(id).await {
            Ok(invocation) => {
                last = None;
                if recovery.succeeded() {
                    context.console.say("   AWS answers again; the command continued in the meantime");
                }
                output.show(&invocation.stdout);
                if let Some(ended) = read_end(&invocation) {
                    return CommandEnd::Known(Box::new(ended));
                }
                let state = match invocation.progress {
                    CommandProgress::Waiting => "being delivered to the host",
                    CommandProgress::Cancelling => "being cancelled",
                    _ => "running on the host",
                };
                output.progress(&format!("{what}: {state}"), &format!("({})", duration(schedule.waited_seconds())));
                if invocation.progress == CommandProgress::Running && watch.is_due() {
                    match watch.ask(context, interrupt, id, run).await {
                        HostAnswer::AtWork => {}
                        HostAnswer::Ended(end) => return end,
                    }
                }
                if invocation.progress == CommandProgress::Running {
                    output.ask(interrupt, &progress).await;
                }
            }
            // The command was sent just now and may not be visible yet.
            Err(error) if error.kind == CloudErrorKind::Race && schedule.waited_seconds() < 60 => {}
            Err(error) => {
                if !recovery.recover(context, &error, "The work on the host continues").await {
                    return access_lost(what, &error).into();
                }
                last = Some(error);
            }
        }
        match schedule.pause(interrupt).await {
            PauseEnd::Over => {}
            PauseEnd::Interrupted => return CommandEnd::Known(Box::new(cancel(context, id).await)),
            PauseEnd::DeadlinePassed => {
                let what = last.map_or_else(
                    || format!("the command {} has not ended in {}", id.0, duration(schedule.waited_seconds())),
                    |error| format!("AWS no longer answered requests about the command {}: {error}", id.0),
                );
                return CommandError::Unknown { what, lines: Vec::new(), running: true }.into();
            }
        }
    }
}

/// Returns the failure for requests that AWS refuses permanently. The state of the command is unknown, so the deployer
/// stops nothing.
fn access_lost(what: &str, error: &CloudError) -> CommandError {
    if !retries::is_caller_refused(error) {
        return CommandError::Unknown { what: error.to_string(), lines: Vec::new(), running: true };
    }
    let may_still_run = format!("the {what} continues on the host");
    CommandError::AccessLost(retries::access_lost(error, &may_still_run, "how it ended there"))
}

/// Cancels the command and waits until AWS confirms that. Returns the report of a command that had ended by itself.
async fn cancel<P: Ports>(context: &DeployContext<'_, P>, id: &CommandId) -> Result<HostReport, CommandError> {
    context.console.say("interrupted: the command on the host is being cancelled; wait a moment");
    match cancel_and_wait(context, id, 60).await {
        Some((CommandProgress::Ended(_), Ok(report))) => {
            context.console.say("the command ended before it could be cancelled; its result:");
            Ok(report)
        }
        Some(_) => Err(CommandError::Interrupted { sent: true, ended: true }),
        None => Err(CommandError::Interrupted { sent: true, ended: false }),
    }
}
