//! Getting a script to the host, once. An answer that was lost leaves open whether the call was heard: the command is
//! looked for by its name, and sent again only where it has not shown up for some seconds.

use std::time::Duration;

use tokio::time::Instant;

use super::{
    command::NoReport,
    pace::{Pace, Pause},
    patience::Patience,
};
use crate::{
    cloud::{CloudError, CommandId, Trouble},
    failure::Failure,
    interrupt::{self, Interrupt},
    script::Script,
    site::{Ports, Site},
};

/// How long AWS may refuse a command before that counts as final.
const SEND_SECONDS: u32 = 60;
/// How long the network may be away while a command is looked for.
const FIND_SECONDS: u32 = 120;
/// The same after Ctrl-C.
const FIND_SECONDS_INTERRUPTED: u32 = 15;
/// A command that was heard is in AWS' list after so long at most.
const SHOWS_UP: Duration = Duration::from_secs(5);

/// Sends a script; `name` is unique.
pub(super) async fn send<P: Ports>(
    site: &Site<'_, P>,
    interrupt: &Interrupt,
    what: &str,
    script: &Script,
    name: &str,
    limit_seconds: u32,
) -> Result<CommandId, NoReport> {
    let mut pace = Pace::new(SEND_SECONDS);
    let mut patience = Patience::default();
    loop {
        if interrupt.came() {
            return Err(NoReport::Interrupted { sent: false, ended: true });
        }
        let error = match site.ports.send(script, name, limit_seconds).await {
            Ok(id) => return Ok(id),
            Err(error) => error,
        };
        if error.trouble == Trouble::Network {
            site.report.warn(&format!("{error}. The command may have been heard; looking for it."));
            if let Some(id) = find(site, interrupt, name).await? {
                return Ok(id);
            }
        } else if error.trouble == Trouble::Credentials {
            if !patience.bears(site, &error, "Nothing was sent yet").await {
                return Err(NoReport::NotSent(error.into()));
            }
        } else if !error.passes() && error.trouble != Trouble::Offline {
            return Err(NoReport::NotSent(error.into()));
        }
        // The agent may be gone for a moment, after a start above all.
        site.report.progress(&format!("{what}: AWS does not take the command yet"), &error.code);
        if pace.pause(interrupt).await == Pause::Late {
            return Err(NoReport::NotSent(Failure::from(error)));
        }
    }
}

/// Looks for a command whose answer was lost; `None`: it was not heard. After Ctrl-C it looks on for a moment, so that
/// a command that is there can be cancelled.
async fn find<P: Ports>(site: &Site<'_, P>, interrupt: &Interrupt, name: &str) -> Result<Option<CommandId>, NoReport> {
    let (_end, quiet) = interrupt::channel();
    let (mut ear, mut pace) = (interrupt, Pace::new(FIND_SECONDS));
    let mut absent: Option<Instant> = None;
    let mut lost: Option<CloudError> = None;
    loop {
        match site.ports.find(name).await {
            Ok(Some(id)) => return Ok(Some(id)),
            Ok(None) if absent.get_or_insert_with(Instant::now).elapsed() >= SHOWS_UP => return Ok(None),
            Ok(None) => {}
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
                (ear, pace) = (&quiet, Pace::new(FIND_SECONDS_INTERRUPTED));
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
