//! Getting a script to the host, once. An answer that was lost leaves open whether the call was heard: the command is
//! looked for by its name, or, where AWS lists no commands to us (`ssm:ListCommands` shows those of everybody), the host
//! is asked. It is sent again only where it has not shown up for some seconds.

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

/// How long AWS may refuse a command before that counts as final.
const SEND_SECONDS: u32 = 60;
/// How long the network may be away while a command is looked for.
const FIND_SECONDS: u32 = 120;
/// The same after Ctrl-C.
const FIND_SECONDS_INTERRUPTED: u32 = 15;
/// A command that was heard is in AWS' list after so long at most.
const SHOWS_UP: Duration = Duration::from_secs(5);

/// The same on the host, where a command comes after a moment or two.
const COMES: Duration = Duration::from_secs(20);
/// Between two questions to the host.
const BETWEEN: Duration = Duration::from_secs(5);

/// Where a command whose answer was lost is.
enum CommandLookup {
    /// In AWS' list.
    Yes(CommandId),
    /// Nowhere.
    No,
    /// AWS lists no commands to us.
    Hidden,
}

/// Sends a script; `name` is unique. `run` is how the host calls it; `None`: it only looks, so that it may run twice.
pub(super) async fn send<P: Ports>(
    site: &DeployContext<'_, P>,
    interrupt: &Interrupt,
    what: &str,
    script: &Script,
    name: &str,
    run: Option<&RunId>,
    limit_seconds: u32,
) -> Result<CommandId, NoReport> {
    let mut pace = PollSchedule::new(SEND_SECONDS);
    let mut patience = FailureCounter::default();
    loop {
        if interrupt.came() {
            return Err(NoReport::Interrupted { sent: false, ended: true });
        }
        let error = match site.ports.send(script, name, limit_seconds).await {
            Ok(id) => return Ok(id),
            Err(error) => error,
        };
        if error.kind == CloudErrorKind::Network {
            site.report.warn(&format!("{error}. The command may have been heard; looking for it."));
            match (find(site, interrupt, name).await?, run) {
                (CommandLookup::Yes(id), _) => return Ok(id),
                (CommandLookup::No, _) | (CommandLookup::Hidden, None) => {}
                // Asking the host is sending a script, too.
                (CommandLookup::Hidden, Some(run)) => {
                    Box::pin(ask_the_host(site, interrupt, what, run, limit_seconds)).await?;
                }
            }
        } else if error.kind == CloudErrorKind::Credentials {
            if !patience.bears(site, &error, "Nothing was sent yet").await {
                return Err(NoReport::NotSent(error.into()));
            }
            // A person who was asked for a code may have taken longer than all of it.
            pace = PollSchedule::new(SEND_SECONDS);
        } else if !error.passes() && error.kind != CloudErrorKind::Offline {
            return Err(NoReport::NotSent(error.into()));
        }
        // The agent may be gone for a moment, after a start above all.
        site.report.progress(&format!("{what}: AWS does not take the command yet"), &error.code);
        if pace.pause(interrupt).await == Pause::Late {
            return Err(NoReport::NotSent(Failure::from(error)));
        }
    }
}

/// Waits for the end of a run whose command has no id that we know. Returns where the host never saw it.
async fn ask_the_host<P: Ports>(
    site: &DeployContext<'_, P>,
    interrupt: &Interrupt,
    what: &str,
    run: &RunId,
    limit_seconds: u32,
) -> Result<(), NoReport> {
    let began = Instant::now();
    let mut answered = began;
    let mut seen = false;
    let unknown = |what: &str, running| {
        let what = format!("the answer to SendCommand was lost; {what}");
        Err(NoReport::Unknown { what, lines: Vec::new(), running })
    };
    loop {
        let trace = trace(site, interrupt, run).await;
        if trace != Trace::Unknown {
            answered = Instant::now();
        }
        match trace {
            Trace::AtWork => seen = true,
            Trace::Ended => return unknown("the command ended on the host, and its report cannot be read", false),
            Trace::None if seen => return unknown("the command was killed on the host", false),
            Trace::None if began.elapsed() >= COMES => return Ok(()),
            Trace::Unknown if answered.elapsed() >= Duration::from_secs(FIND_SECONDS.into()) => {
                return unknown("whether the command runs could not be found out", true);
            }
            Trace::None | Trace::Unknown => {}
        }
        let waited = began.elapsed().as_secs();
        if waited > u64::from(limit_seconds) + 120 {
            return unknown("the command has not ended on the host", true);
        }
        let state = if seen { "running on the host" } else { "asking the host whether it came" };
        site.report.progress(&format!("{what}: {state}"), &format!("({})", duration(waited)));
        if wait(BETWEEN, interrupt).await == Pause::Interrupted {
            return Err(NoReport::Interrupted { sent: true, ended: false });
        }
    }
}

/// Looks for a command whose answer was lost. After Ctrl-C it looks on for a moment, so that
/// a command that is there can be cancelled.
async fn find<P: Ports>(
    site: &DeployContext<'_, P>,
    interrupt: &Interrupt,
    name: &str,
) -> Result<CommandLookup, NoReport> {
    let (_end, quiet) = interrupt::channel();
    let (mut ear, mut pace) = (interrupt, PollSchedule::new(FIND_SECONDS));
    let mut absent: Option<Instant> = None;
    let mut lost: Option<CloudError> = None;
    loop {
        match site.ports.find(name).await {
            Ok(Some(id)) => return Ok(CommandLookup::Yes(id)),
            Ok(None) if absent.get_or_insert_with(Instant::now).elapsed() >= SHOWS_UP => return Ok(CommandLookup::No),
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
        match pace.pause(ear).await {
            Pause::Over => {}
            Pause::Interrupted => {
                site.report.say("interrupted: looking whether the command reached the host; wait a moment");
                (ear, pace) = (&quiet, PollSchedule::new(FIND_SECONDS_INTERRUPTED));
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
