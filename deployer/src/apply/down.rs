//! Stops the services in order, then the box.

use super::{
    ApplyOutcome, boot,
    command::{self, CommandError, READ_ONLY_TIMEOUT_SECONDS},
    script_result,
};
use crate::failure::RUN_AGAIN;
use crate::{
    cloud::{AgentState, InstanceState},
    context::{DeployContext, Ports},
    exit::Exit,
    failure::Failure,
    interrupt::Interrupt,
    script::{Action, ExpectedRelease, HostReport},
};

const DRAINING: &str = "draining running work and stopping the services";

/// Drains, stops the services and stops the box. Without `drain` the box is stopped even if the host does not answer,
/// because a box that costs money must be stoppable without Systems Manager.
pub(super) async fn down<P: Ports>(context: &DeployContext<'_, P>, drain: bool) -> Result<ApplyOutcome, Failure> {
    let instance = boot::describe_instance(context).await?;
    let mut report = None;
    if instance.state == InstanceState::Running {
        let done = if drain {
            drain_and_stop_services(context, &instance.id).await.map(Some)
        } else {
            stop_services_if_possible(context, &instance.id).await
        };
        // While another operator works on the host, the box is stopped only if the command asks for it.
        report = done.map_err(|failure| Failure {
            what: format!("{} The box still runs.", failure.what),
            next: format!("{} deployer down --now stops it without draining.", failure.next),
            ..failure
        })?;
    }
    if instance.state != InstanceState::Stopped {
        context.console.step("stopping the box");
        boot::stop(context).await?;
    }
    Ok(ApplyOutcome { report, url: None, autostop: None })
}

fn limit<P>(context: &DeployContext<'_, P>) -> u32 {
    READ_ONLY_TIMEOUT_SECONDS.saturating_add(context.settings.wait.drain_seconds.saturating_mul(2))
}

async fn drain_and_stop_services<P: Ports>(context: &DeployContext<'_, P>, id: &str) -> Result<HostReport, Failure> {
    if context.ports.agent(id).await? != AgentState::Online {
        return Err(Failure::unchanged(
            "the box runs, but its SSM agent does not answer, so running work cannot be drained; it was not stopped.",
            "Run deployer doctor.",
        ));
    }
    context.console.step(DRAINING);
    script_result::run(context, "down", &Action::Down { drain: true }, ExpectedRelease::Any, limit(context)).await
}

async fn stop_services_if_possible<P: Ports>(
    context: &DeployContext<'_, P>,
    id: &str,
) -> Result<Option<HostReport>, Failure> {
    let warn_of_failure = |why: &str| {
        context.console.warn(&format!("the services could not be stopped first: {why}. The box is stopped anyway."));
    };
    match context.ports.agent(id).await {
        Ok(AgentState::Online) => {}
        Ok(_) => return Ok(None),
        Err(error) => {
            warn_of_failure(&error.to_string());
            return Ok(None);
        }
    }
    stop_services(context, context.interrupt, false).await
}

/// Stops the services before the box is stopped. Fails only if another operator is at work on the host, or after
/// Ctrl-C; any other failure is a warning, and the box is stopped anyway.
pub(super) async fn stop_services<P: Ports>(
    context: &DeployContext<'_, P>,
    interrupt: &Interrupt,
    drain: bool,
) -> Result<Option<HostReport>, Failure> {
    let warn_of_failure = |why: &str| {
        context.console.warn(&format!("the services could not be stopped first: {why}. The box is stopped anyway."));
    };
    context.console.step(if drain { DRAINING } else { "stopping the services" });
    match command::run_with(context, interrupt, "down", &Action::Down { drain }, limit(context)).await {
        Ok(report) => match script_result::check_report(context, report) {
            Ok(report) => Ok(Some(report)),
            Err(failure) if failure.exit == Exit::Locked => Err(failure),
            Err(failure) => {
                warn_of_failure(failure.what.trim_end_matches('.'));
                Ok(None)
            }
        },
        Err(CommandError::Interrupted { .. }) => {
            Err(Failure::interrupted("interrupted; the services may be stopped or stopping.", RUN_AGAIN))
        }
        Err(error) => {
            warn_of_failure(Failure::from(error).what.trim_end_matches('.'));
            Ok(None)
        }
    }
}
