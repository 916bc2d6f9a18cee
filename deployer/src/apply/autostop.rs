//! The idle stop on the host: set by its own command, and by `up` after the release serves.

use super::{Applied, after, command};
use crate::{
    failure::Failure,
    plan::{AutostopStep, of_autostop},
    script::{Action, Autostop, AutostopState, Expect, HostReport},
    site::{DeployContext, Ports},
};

/// Installs it, changes its limits, or removes it.
pub(super) async fn set<P: Ports>(site: &DeployContext<'_, P>, autostop: &Autostop) -> Result<Applied, Failure> {
    let report = run(site, autostop).await?;
    Ok(Applied { autostop: report.autostop(), report: Some(report), url: None })
}

async fn run<P: Ports>(site: &DeployContext<'_, P>, autostop: &Autostop) -> Result<HostReport, Failure> {
    let limit = command::LOOK_SECONDS.min(site.settings.wait.deploy_seconds);
    after::run(site, "autostop", &Action::Autostop(autostop.clone()), Expect::Anything, limit).await
}

/// What `up` does after the release serves. That stands whatever becomes of this, so a failure here is a warning.
pub(super) async fn follow<P: Ports>(
    site: &DeployContext<'_, P>,
    step: &AutostopStep,
    done: Applied,
) -> Result<Applied, Failure> {
    match brought(site, step, done.autostop.as_ref()).await {
        Ok(Some(autostop)) => Ok(Applied { autostop: Some(autostop), ..done }),
        Ok(None) => Ok(done),
        Err(failure) => {
            site.report.warn(&format!(
                "the release serves, but the idle stop was not brought to what the configuration says: {} {} Then run deployer autostop on.",
                failure.what, failure.next
            ));
            Ok(done)
        }
    }
}

/// `there`: as the host said it at the end of the deploy.
async fn brought<P: Ports>(
    site: &DeployContext<'_, P>,
    step: &AutostopStep,
    there: Option<&AutostopState>,
) -> Result<Option<AutostopState>, Failure> {
    let step = match step {
        AutostopStep::Look => of_autostop(&site.settings.autostop, site.settings.wait.drain_seconds, there),
        step => step.clone(),
    };
    let AutostopStep::Set { from, to } = step else { return Ok(None) };
    site.report.step(&format!("idle stop: {from} -> {to}"));
    Ok(run(site, &to).await?.autostop())
}
