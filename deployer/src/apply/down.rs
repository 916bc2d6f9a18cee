//! Stopping the services in good order, then the box.

use super::{
    Applied, after, boot,
    command::{self, LOOK_SECONDS, NoReport},
};
use crate::{
    cloud::{Agent, State},
    exit::Exit,
    failure::Failure,
    interrupt::Interrupt,
    script::{Action, Expect, HostReport},
    site::{DeployContext, Ports},
};

const DRAINING: &str = "draining running work and stopping the services";

/// Drains, stops the services, stops the box. Without `drain` the box is stopped whatever becomes of the host's
/// answer: a box that costs must not depend on Systems Manager.
pub(super) async fn down<P: Ports>(site: &DeployContext<'_, P>, drain: bool) -> Result<Applied, Failure> {
    let instance = boot::look(site).await?;
    let mut report = None;
    if instance.state == State::Running {
        let done = if drain { drained(site, &instance.id).await.map(Some) } else { at_once(site, &instance.id).await };
        // Who is at work there must not lose the box under it, unless that is said.
        report = done.map_err(|failure| Failure {
            what: format!("{} The box still runs.", failure.what),
            next: format!("{} deployer down --now stops it without draining.", failure.next),
            ..failure
        })?;
    }
    if instance.state != State::Stopped {
        site.report.step("stopping the box");
        boot::stop(site).await?;
    }
    Ok(Applied { report, url: None, autostop: None })
}

fn limit<P>(site: &DeployContext<'_, P>) -> u32 {
    LOOK_SECONDS.saturating_add(site.settings.wait.drain_seconds.saturating_mul(2))
}

async fn drained<P: Ports>(site: &DeployContext<'_, P>, id: &str) -> Result<HostReport, Failure> {
    if site.ports.agent(id).await? != Agent::Online {
        return Err(Failure::unchanged(
            "the box runs, but its SSM agent does not answer, so running work cannot be drained; it was not stopped.",
            "Run deployer doctor.",
        ));
    }
    site.report.step(DRAINING);
    after::run(site, "down", &Action::Down { drain: true }, Expect::Anything, limit(site)).await
}

async fn at_once<P: Ports>(site: &DeployContext<'_, P>, id: &str) -> Result<Option<HostReport>, Failure> {
    let unseen = |why: &str| {
        site.report.warn(&format!("the services could not be stopped first: {why}. The box is stopped all the same."));
    };
    match site.ports.agent(id).await {
        Ok(Agent::Online) => {}
        Ok(_) => return Ok(None),
        Err(error) => {
            unseen(&error.to_string());
            return Ok(None);
        }
    }
    services(site, site.interrupt, false).await
}

/// Stops the services of a box that is to be stopped whatever becomes of this; only somebody at work there, or Ctrl-C,
/// is a reason not to.
pub(super) async fn services<P: Ports>(
    site: &DeployContext<'_, P>,
    interrupt: &Interrupt,
    drain: bool,
) -> Result<Option<HostReport>, Failure> {
    let unseen = |why: &str| {
        site.report.warn(&format!("the services could not be stopped first: {why}. The box is stopped all the same."));
    };
    site.report.step(if drain { DRAINING } else { "stopping the services" });
    match command::run_with(site, interrupt, "down", &Action::Down { drain }, limit(site)).await {
        Ok(report) => match after::judged(site, report) {
            Ok(report) => Ok(Some(report)),
            Err(failure) if failure.exit == Exit::Locked => Err(failure),
            Err(failure) => {
                unseen(failure.what.trim_end_matches('.'));
                Ok(None)
            }
        },
        Err(NoReport::Interrupted { .. }) => Err(Failure::interrupted(
            "interrupted; the services may be stopped, or on their way to it.",
            "Run it again when it fits.",
        )),
        Err(none) => {
            unseen(Failure::from(none).what.trim_end_matches('.'));
            Ok(None)
        }
    }
}
