//! Stopping the services in good order, then the box.

use super::{Applied, after, boot, command::LOOK_SECONDS};
use crate::{
    cloud::{Agent, State},
    exit::Exit,
    failure::Failure,
    script::Action,
    site::{Ports, Site},
};

/// Drains, stops the services, stops the box. Without `drain` the box is stopped whatever the host says.
pub(super) async fn down<P: Ports>(site: &Site<'_, P>, drain: bool) -> Result<Applied, Failure> {
    let instance = boot::look(site).await?;
    let mut report = None;
    if instance.state == State::Running {
        report = services(site, &instance.id, drain).await?;
    }
    if instance.state != State::Stopped {
        site.report.step("stopping the box");
        boot::stop(site).await?;
    }
    Ok(Applied { report, url: None })
}

async fn services<P: Ports>(
    site: &Site<'_, P>,
    id: &str,
    drain: bool,
) -> Result<Option<crate::script::HostReport>, Failure> {
    let online = site.ports.agent(id).await? == Agent::Online;
    if !online {
        if drain {
            return Err(Failure::unchanged(
                "the box runs, but its SSM agent does not answer, so running work cannot be drained; it was not stopped",
                "deployer down --now stops it without draining.",
            ));
        }
        return Ok(None);
    }
    site.report.step(if drain { "draining running work and stopping the services" } else { "stopping the services" });
    let limit = LOOK_SECONDS + 2 * site.settings.wait.drain_seconds;
    match after::run(site, "down", &Action::Down { drain }, limit).await {
        Ok(report) => Ok(Some(report)),
        // Who is at work there must not lose the box under it, unless that is said.
        Err(failure) if drain || matches!(failure.exit, Exit::Interrupted | Exit::Locked) => Err(Failure {
            what: format!("{} The box still runs.", failure.what),
            next: format!("{} deployer down --now stops it without draining.", failure.next),
            ..failure
        }),
        Err(failure) => {
            site.report.warn(&format!("{} The box is stopped all the same.", failure.what));
            Ok(None)
        }
    }
}
