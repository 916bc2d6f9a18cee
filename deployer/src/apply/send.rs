//! Sends a script to the host exactly once. If the answer to the call is lost, AWS may have received the call: the
//! command is looked up by its name. Where this operator may not list commands (`ssm:ListCommands` shows everybody's),
//! the host is asked. The script is sent again only if it has not shown up for some seconds.

use std::time::Duration;

use tokio::time::Instant;

use super::{
    command::NoReport,
    lost::{Trace, trace},
    pace::{Pause, PollSchedule, wait},
    patience::FailureCounter,
};
use crate::{
    cloud::{CloudError, CloudErrorKind, CommandId},
    failure::Failure,
    interrupt::{self, Interrupt},
    report::duration,
    script::{RunId, Script},
    site::{DeployContext, Ports},
};

/// How long AWS may refuse a command before that counts as final, in seconds.
const SEND_SECONDS: u32 = 60;
/// How long the network may be away while a command is looked up, in seconds.
const FIND_SECONDS: u32 = 120;
/// The same limit after Ctrl-C, in seconds.
const FIND_SECONDS_INTERRUPTED: u32 = 15;
/// A command that AWS received is in AWS' list after this time at most.
const LIST_LIMIT: Duration = Duration::from_secs(5);

/// A command that AWS received reaches the host after this time at most.
const HOST_LIMIT: Duration = Duration::from_secs(20);
/// Pause between two questions to the host.
const BETWEEN: Duration = Duration::from_secs(5);

/// Where a command was found whose answer was lost.
enum CommandLookup {
    /// It is in AWS' list.
    Yes(CommandId),
    /// It is not in AWS' list.
    No,
    /// This operator may not list commands.
    Hidden,
}

/// Sends a script. `name` is unique. `run` is the run's id on the host; `None` if the script changes nothing and may
/// therefore run twice.
pub(super) async fn send<P: Ports>(
    context: &DeployContext<'_, P>,
    interrupt: &Interrupt,
    what: &str,
    script: &Script,
    name: &str,
    run: Option<&RunId>,
    limit_seconds: u32,
) -> Result<CommandId, NoReport> {
    let mut schedule = PollSchedule::new(SEND_SECONDS);
    let mut failures = FailureCounter::default();
    loop {
        if interrupt.came() {
            return Err(NoReport::Interrupted { sent: false, ended: true });
        }
        let error = match context.ports.send(script, name, limit_seconds).await {
            Ok(id) => return Ok(id),
            Err(error) => error,
        };
        if error.kind == CloudErrorKind::Network {
            context.report.warn(&format!("{error}. The command may have been heard; looking for it."));
            match (find(context, interrupt, name).await?, run) {
                (CommandLookup::Yes(id), _) => return Ok(id),
                (CommandLookup::No, _) | (CommandLookup::Hidden, None) => {}
                // A question to the host is a script too, so this call is recursive.
                (CommandLookup::Hidden, Some(run)) => {
                    Box::pin(ask_the_host(context, interrupt, what, run, limit_seconds)).await?;
                }
            }
        } else if error.kind == CloudErrorKind::Credentials {
            if !failures.bears(context, &error, "Nothing was sent yet").await {
                return Err(NoReport::NotSent(error.into()));
            }
            // An operator who was asked for a code may have used up the whole time.
            schedule = PollSchedule::new(SEND_SECONDS);
        } else if !error.passes() && error.kind != CloudErrorKind::Offline {
            return Err(NoReport::NotSent(error.into()));
        }
        // The agent may be away for a moment, most of all after a start.
        context.report.progress(&format!("{what}: AWS does not take the command yet"), &error.code);
        if schedule.pause(interrupt).await == Pause::Late {
            return Err(NoReport::NotSent(Failure::from(error)));
        }
    }
}

/// Waits for the end of a run whose command id is unknown. Returns `Ok` if the host never received it.
async fn ask_the_host<P: Ports>(
    context: &DeployContext<'_, P>,
    interrupt: &Interrupt,
    what: &str,
    run: &RunId,
    limit_seconds: u32,
) -> Result<(), NoReport> {
    let began = Instant::now();
    let mut answered = began;
    let mut was_running = false;
    let unknown = |what: &str, running| {
        let what = format!("the answer to SendCommand was lost; {what}");
        Err(NoReport::Unknown { what, lines: Vec::new(), running })
    };
    loop {
        let trace = trace(context, interrupt, run).await;
        if trace != Trace::Unknown {
            answered = Instant::now();
        }
        match trace {
            Trace::AtWork => was_running = true,
            Trace::Ended => return unknown("the command ended on the host, and its report cannot be read", false),
            Trace::None if was_running => return unknown("the command was killed on the host", false),
            Trace::None if began.elapsed() >= HOST_LIMIT => return Ok(()),
            Trace::Unknown if answered.elapsed() >= Duration::from_secs(FIND_SECONDS.into()) => {
                return unknown("whether the command runs could not be found out", true);
            }
            Trace::None | Trace::Unknown => {}
        }
        let waited = began.elapsed().as_secs();
        if waited > u64::from(limit_seconds) + 120 {
            return unknown("the command has not ended on the host", true);
        }
        let state = if was_running { "running on the host" } else { "asking the host whether it came" };
        context.report.progress(&format!("{what}: {state}"), &format!("({})", duration(waited)));
        if wait(BETWEEN, interrupt).await == Pause::Interrupted {
            return Err(NoReport::Interrupted { sent: true, ended: false });
        }
    }
}

/// Looks up a command whose answer was lost. After Ctrl-C it continues for a moment, so that a command that was
/// received can be cancelled.
async fn find<P: Ports>(
    context: &DeployContext<'_, P>,
    interrupt: &Interrupt,
    name: &str,
) -> Result<CommandLookup, NoReport> {
    let (_end, no_interrupt) = interrupt::channel();
    let (mut source, mut schedule) = (interrupt, PollSchedule::new(FIND_SECONDS));
    let mut absent: Option<Instant> = None;
    let mut lost: Option<CloudError> = None;
    loop {
        match context.ports.find(name).await {
            Ok(Some(id)) => return Ok(CommandLookup::Yes(id)),
            Ok(None) if absent.get_or_insert_with(Instant::now).elapsed() >= LIST_LIMIT => {
                return Ok(CommandLookup::No);
            }
            Ok(None) => {}
            Err(error) if error.kind == CloudErrorKind::Denied => return Ok(CommandLookup::Hidden),
            Err(error) => {
                let passes = error.passes();
                lost = Some(error);
                if !passes {
                    return Err(unknown(interrupt, lost));
                }
            }
        }
        match schedule.pause(source).await {
            Pause::Over => {}
            Pause::Interrupted => {
                context.report.say("interrupted: looking whether the command reached the host; wait a moment");
                (source, schedule) = (&no_interrupt, PollSchedule::new(FIND_SECONDS_INTERRUPTED));
            }
            Pause::Late => return Err(unknown(interrupt, lost)),
        }
    }
}

fn unknown(interrupt: &Interrupt, error: Option<CloudError>) -> NoReport {
    if interrupt.came() {
        return NoReport::Interrupted { sent: true, ended: false };
    }
    let why = error.map_or_else(String::new, |error| format!(": {error}"));
    NoReport::Unknown {
        what: format!("the answer to SendCommand was lost, and whether the command runs could not be found out{why}"),
        lines: Vec::new(),
        running: true,
    }
}
