//! Finds commands that the host's agent takes and never runs, for example while it updates itself after a long stop.
//! AWS reports `InProgress` for such a command for hours, so the host is asked whether it runs.

use std::time::Duration;

use tokio::time::Instant;

use super::{
    command_end::{CommandEnd, cancel_and_wait, read_end},
    command_error::CommandError,
    polling::{PauseEnd, PollSchedule, wait},
    run_names, send,
};
use crate::{
    cloud::{CommandId, CommandProgress},
    console::duration,
    context::{DeployContext, Ports},
    interrupt::Interrupt,
    script::{Action, RunId, facts::Status, script},
};

/// Pause between two queries to the host whether a command still runs.
const QUESTION_PAUSE: Duration = Duration::from_mins(2);
/// How long the host may take to answer such a query, in seconds.
const ANSWER_SECONDS: u32 = 60;
/// How long the cancellation of a lost command may take, in seconds.
const CANCEL_SECONDS: u32 = 15;
/// The longest time from the start of a script until it holds the host's lock.
const BEGIN_GRACE: Duration = Duration::from_secs(5);

/// The longest time in which a command that AWS received reaches the host.
const DELIVERY_LIMIT: Duration = Duration::from_secs(20);
/// Pause between two queries to the host whether a run reached it.
const TRACE_PAUSE: Duration = Duration::from_secs(5);

/// Decides when to ask the host about a command.
pub(super) struct LostCommandWatch {
    due: Duration,
    running_since: Option<Instant>,
    seen_at_work: bool,
    /// Whether the command changes nothing. The host does not list such a command among its runs, so it counts as lost
    /// after twice the start time.
    read_only: bool,
}

/// What the host answered about a command.
pub(super) enum HostAnswer {
    /// The command runs, or its state is not known.
    AtWork,
    /// The command does not run. This is how it ended.
    Ended(CommandEnd),
}

impl LostCommandWatch {
    pub(super) fn new(start_seconds: u32, read_only: bool) -> Self {
        let start = Duration::from_secs(start_seconds.into());
        Self { due: if read_only { start * 2 } else { start }, running_since: None, seen_at_work: false, read_only }
    }

    /// Returns whether AWS has reported the command as running for so long that the host should be asked.
    pub(super) fn is_due(&mut self) -> bool {
        self.running_since.get_or_insert_with(Instant::now).elapsed() >= self.due
    }

    /// Asks the host whether the command really runs.
    pub(super) async fn ask<P: Ports>(
        &mut self,
        context: &DeployContext<'_, P>,
        interrupt: &Interrupt,
        id: &CommandId,
        run: &RunId,
    ) -> HostAnswer {
        (self.due, self.running_since) = (QUESTION_PAUSE, None);
        if self.read_only {
            return HostAnswer::Ended(self.end(context, id, false).await);
        }
        let mut trace = find_trace(context, interrupt, run).await;
        if trace == RunTrace::None {
            // The command may have begun a moment ago.
            wait(BEGIN_GRACE, interrupt).await;
            trace = find_trace(context, interrupt, run).await;
        }
        // The command's report may have come by now.
        if let Ok(invocation) = context.ports.get_invocation(id).await
            && let Some(end) = read_end(&invocation)
        {
            return HostAnswer::Ended(CommandEnd::Known(Box::new(end)));
        }
        match trace {
            _ if interrupt.is_requested() => HostAnswer::AtWork,
            RunTrace::AtWork => {
                self.seen_at_work = true;
                HostAnswer::AtWork
            }
            RunTrace::Unknown => {
                context
                    .console
                    .warn("AWS reports that the command runs, but the host did not answer a status query; the deployer keeps waiting");
                HostAnswer::AtWork
            }
            RunTrace::Ended | RunTrace::None => {
                HostAnswer::Ended(self.end(context, id, trace == RunTrace::Ended).await)
            }
        }
    }

    /// Cancels a command that does not run on the host although AWS reports it as running, and returns how it ended.
    async fn end<P: Ports>(&self, context: &DeployContext<'_, P>, id: &CommandId, ended: bool) -> CommandEnd {
        let end = cancel_and_wait(context, id, CANCEL_SECONDS).await;
        let unknown =
            |what: &str, running| CommandError::Unknown { what: what.to_owned(), lines: Vec::new(), running }.into();
        match end {
            Some((CommandProgress::Ended(_), end)) => CommandEnd::Known(Box::new(end)),
            _ if ended => unknown("the command ended on the host, but its report never came", false),
            _ if self.seen_at_work => unknown("the command was killed on the host", false),
            Some(_) => CommandEnd::Lost,
            // A command that changes nothing can run twice without harm.
            None if self.read_only => CommandEnd::Lost,
            None => unknown(
                "the host's agent took the command and does not run it, and AWS has not confirmed that it is cancelled",
                true,
            ),
        }
    }
}

/// Waits for the end of a run whose command id is unknown. Returns `Ok` if the host never received it.
pub(super) async fn wait_until_ended<P: Ports>(
    context: &DeployContext<'_, P>,
    interrupt: &Interrupt,
    what: &str,
    run: &RunId,
    limit_seconds: u32,
) -> Result<(), CommandError> {
    let began = Instant::now();
    let mut answered = began;
    let mut was_running = false;
    let unknown = |what: &str, running| {
        let what = format!("the answer to SendCommand was lost; {what}");
        Err(CommandError::Unknown { what, lines: Vec::new(), running })
    };
    loop {
        let trace = find_trace(context, interrupt, run).await;
        if trace != RunTrace::Unknown {
            answered = Instant::now();
        }
        match trace {
            RunTrace::AtWork => was_running = true,
            RunTrace::Ended => return unknown("the command ended on the host, and its report cannot be read", false),
            RunTrace::None if was_running => return unknown("the command was killed on the host", false),
            RunTrace::None if began.elapsed() >= DELIVERY_LIMIT => return Ok(()),
            RunTrace::Unknown if answered.elapsed() >= Duration::from_secs(send::FIND_SECONDS.into()) => {
                return unknown("it is not known whether the command runs", true);
            }
            RunTrace::None | RunTrace::Unknown => {}
        }
        let waited = began.elapsed().as_secs();
        if waited > u64::from(limit_seconds) + 120 {
            return unknown("the command has not ended on the host", true);
        }
        let state = if was_running { "running on the host" } else { "asking the host whether the command has arrived" };
        context.console.progress(&format!("{what}: {state}"), &format!("({})", duration(waited)));
        if wait(TRACE_PAUSE, interrupt).await == PauseEnd::Interrupted {
            return Err(CommandError::Interrupted { sent: true, ended: false });
        }
    }
}

/// What the host knows about a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RunTrace {
    /// It runs.
    AtWork,
    /// It ended by itself.
    Ended,
    /// It never reached the host, or was killed.
    None,
    /// The host did not answer in time.
    Unknown,
}

/// Asks the host about a run and returns what the host knows.
pub(super) async fn find_trace<P: Ports>(
    context: &DeployContext<'_, P>,
    interrupt: &Interrupt,
    run: &RunId,
) -> RunTrace {
    match host_status(context, interrupt).await {
        None => RunTrace::Unknown,
        Some(status) if status.runs.iter().any(|one| one.run == run.as_str()) => RunTrace::AtWork,
        Some(status) if status.ended.iter().any(|name| name == run.as_str()) => RunTrace::Ended,
        Some(_) => RunTrace::None,
    }
}

/// Asks the host for its status. Returns `None` if there is no answer in time.
async fn host_status<P: Ports>(context: &DeployContext<'_, P>, interrupt: &Interrupt) -> Option<Status> {
    let script = script(&Action::Status, &context.settings.host());
    let name = run_names::name(context, "look");
    let id = send::send(context, interrupt, "look", &script, &name, ANSWER_SECONDS, async || Ok(())).await.ok()?;
    let mut schedule = PollSchedule::new(ANSWER_SECONDS);
    loop {
        if let Ok(invocation) = context.ports.get_invocation(&id).await
            && let Some(end) = read_end(&invocation)
        {
            return end.ok()?.status();
        }
        if schedule.pause(interrupt).await != PauseEnd::Over {
            return None;
        }
    }
}
