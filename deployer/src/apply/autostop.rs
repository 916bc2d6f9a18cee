//! Sets the idle stop on the host: for `autostop`, and for `up` once the release serves.

use super::{ApplyOutcome, command, script_result};
use crate::{
    context::{DeployContext, Ports},
    failure::Failure,
    plan::{AutostopStep, plan_autostop},
    script::{Action, Autostop, AutostopState, ExpectedRelease, HostReport},
};

/// Installs the idle stop, changes its limits or removes it.
pub(super) async fn set<P: Ports>(
    context: &DeployContext<'_, P>,
    autostop: &Autostop,
) -> Result<ApplyOutcome, Failure> {
    let report = run(context, autostop).await?;
    Ok(ApplyOutcome { autostop: report.autostop(), report: Some(report), url: None })
}

async fn run<P: Ports>(context: &DeployContext<'_, P>, autostop: &Autostop) -> Result<HostReport, Failure> {
    let limit = command::READ_ONLY_TIMEOUT_SECONDS.min(context.settings.wait.deploy_seconds);
    script_result::run(context, "autostop", &Action::Autostop(autostop.clone()), ExpectedRelease::Any, limit).await
}

/// Sets the idle stop after `up`. A failure here is only a warning, because the release serves in any case.
pub(super) async fn set_after_up<P: Ports>(
    context: &DeployContext<'_, P>,
    step: &AutostopStep,
    done: ApplyOutcome,
) -> Result<ApplyOutcome, Failure> {
    match change_if_needed(context, step, done.autostop.as_ref()).await {
        Ok(Some(autostop)) => Ok(ApplyOutcome { autostop: Some(autostop), ..done }),
        Ok(None) => Ok(done),
        Err(failure) => {
            context.console.warn(&format!(
                "the release serves, but the idle stop was not set to the values of the configuration: {} {} Then run deployer autostop on.",
                failure.what, failure.next
            ));
            Ok(done)
        }
    }
}

/// Changes the idle stop where the step needs it. `on_host`: its state, as the host reported it after the deploy.
async fn change_if_needed<P: Ports>(
    context: &DeployContext<'_, P>,
    step: &AutostopStep,
    on_host: Option<&AutostopState>,
) -> Result<Option<AutostopState>, Failure> {
    let step = match step {
        AutostopStep::AskHost => {
            plan_autostop(&context.settings.autostop, context.settings.wait.drain_seconds, on_host)
        }
        step => step.clone(),
    };
    let AutostopStep::Set { from, to } = step else { return Ok(None) };
    context.console.step(&format!("idle stop: {from} -> {to}"));
    Ok(run(context, &to).await?.autostop())
}
