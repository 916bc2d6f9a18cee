//! Takes the operators' lock from a run that is dead. First asks the host whether a run is active there.

use super::{
    ApplyOutcome,
    command::{self, CommandError, READ_ONLY_TIMEOUT_SECONDS},
    lock,
};
use crate::{
    cloud::{AgentState, InstanceState},
    context::{DeployContext, Ports},
    exit::Exit,
    failure::Failure,
    plan::LockHolder,
    script::{Action, ActionOutcome, HostReport},
};

/// Takes the lock from the approved holder, and from no other.
pub(super) async fn unlock<P: Ports>(
    context: &DeployContext<'_, P>,
    approved: Option<&LockHolder>,
) -> Result<ApplyOutcome, Failure> {
    let name = context.settings.lock_parameter();
    check_holder(approved, lock::holder(&context.ports, &name).await?.as_ref())?;
    let report = clear_host(context).await?;
    let held = lock::holder(&context.ports, &name).await?;
    check_holder(approved, held.as_ref())?;
    if held.is_some() {
        context.ports.delete_parameter(&name).await?;
    }
    Ok(ApplyOutcome { report, url: None, autostop: None })
}

/// Fails if another run holds the lock now. Parameter Store has no "delete if equal", so a check just before the
/// deletion is the most that is possible.
fn check_holder(approved: Option<&LockHolder>, held: Option<&LockHolder>) -> Result<(), Failure> {
    match held {
        Some(holder) if Some(holder) != approved => Err(Failure::new(
            Exit::Locked,
            format!("{} holds the lock now, not the holder that was approved; the lock was not taken", holder.shown()),
            "Find out whether that run is dead too. If it is, run deployer unlock again.",
        )),
        _ => Ok(()),
    }
}

/// Clears the host. Fails if an operator is at work on it. A host that does not answer, or has another
/// fault, must not keep the lock, because the next `up`, which repairs it, needs the lock.
async fn clear_host<P: Ports>(context: &DeployContext<'_, P>) -> Result<Option<HostReport>, Failure> {
    let instance = super::boot::describe_instance(context).await?;
    if instance.state != InstanceState::Running {
        return Ok(None);
    }
    let unseen =
        |why: &str| context.console.warn(&format!("the host was not cleared, only the lock is released: {why}"));
    match context.ports.agent(&instance.id).await {
        Ok(AgentState::Online) => {}
        Ok(_) => {
            unseen("its SSM agent does not answer");
            return Ok(None);
        }
        Err(error) => {
            unseen(&error.to_string());
            return Ok(None);
        }
    }
    match command::run(context, "unlock", &Action::Unlock, READ_ONLY_TIMEOUT_SECONDS).await {
        Ok(report) if report.outcome == ActionOutcome::Locked => Err(Failure::new(
            Exit::Locked,
            report.message,
            "Wait for that run to end; deployer status shows when it has.",
        )),
        Ok(report) if matches!(report.outcome, ActionOutcome::Done | ActionOutcome::NothingToDo) => Ok(Some(report)),
        Ok(report) => {
            unseen(&report.message);
            Ok(None)
        }
        Err(error @ CommandError::Interrupted { .. }) => {
            Err(Failure { what: "interrupted; the lock was not taken".to_owned(), ..Failure::from(error) })
        }
        Err(error) => {
            unseen(&Failure::from(error).what);
            Ok(None)
        }
    }
}
