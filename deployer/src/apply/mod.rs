//! Applies an approved plan: takes the lock, does the work, verifies, records and releases the lock. It uses only the
//! ports, nothing of AWS, and accepts nothing but an [`ApprovedPlan`].

mod after_keys;
mod after_models;
mod autostop;
pub mod boot;
pub mod command;
mod command_end;
mod command_error;
mod down;
mod follow;
mod host_output;
pub mod lock;
mod lost_change;
mod lost_command;
pub mod observe;
mod other_zone;
mod polling;
mod retries;
mod run_names;
mod script_result;
mod send;
pub mod ssm_document;
mod unlock;
mod unreported_command;
mod up;

pub use polling::{wait, with_retries};

use crate::{
    approval::ApprovedPlan,
    context::{DeployContext, Ports},
    failure::Failure,
    plan::{AutostopStep, Operation},
    script::{
        Action, Autostop, AutostopState, Deploy, ExpectedRelease, HostReport, KeyChange, Keys, ModelChange, Models,
        READY_WAIT_SECONDS,
    },
};

/// Whether to stop a box that this run started and on which the run then fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopOnFailure {
    /// Stop it.
    Yes,
    /// Leave it running.
    No,
    /// Ask the operator. Without a terminal, stop it unless a release serves on it.
    Ask,
}

/// The result of an applied plan.
#[derive(Clone, Debug)]
pub struct ApplyOutcome {
    /// The host's report; `None` if the host was not asked.
    pub report: Option<HostReport>,
    /// The service's URL, if a release serves.
    pub url: Option<String>,
    /// The state of the idle stop, if the action read or changed it.
    pub autostop: Option<AutostopState>,
}

/// Applies an approved plan under the lock.
pub async fn apply<P: Ports>(
    context: &DeployContext<'_, P>,
    plan: &ApprovedPlan,
    stop: StopOnFailure,
) -> Result<ApplyOutcome, Failure> {
    let operation = match plan.operation() {
        // `unlock` takes the lock from its holder and does not hold it itself.
        Operation::Unlock { holder } => return unlock::unlock(context, holder.as_ref()).await,
        Operation::Up { deploy, expect, autostop } => LockedOperation::Up(deploy, *expect, autostop, stop),
        Operation::Rollback { to, expect } => LockedOperation::Rollback(Action::Rollback { to: *to }, *expect, stop),
        Operation::Restart { service, expect } => {
            LockedOperation::Restart(Action::Restart { service: *service }, *expect)
        }
        Operation::Down { drain } => LockedOperation::Down { drain: *drain },
        Operation::Autostop(autostop) => LockedOperation::Autostop(autostop),
        Operation::Keys { change, expect } => LockedOperation::Keys(change.as_ref(), *expect),
        Operation::Models { change, expect } => LockedOperation::Models(change, *expect),
        Operation::Download { deploy, expect } => LockedOperation::Download(Action::Deploy(deploy.clone()), *expect),
        Operation::Prune { models, list, expect } => {
            LockedOperation::Prune(Action::Prune { models: *models, approved: Some(list.clone()) }, *expect)
        }
    };
    let lock = lock::Lock::take(context, plan.operation().name()).await?;
    let done = Box::pin(locked(context, operation)).await;
    lock.release(context).await;
    done
}

/// The operations that need the lock.
enum LockedOperation<'a> {
    Up(&'a Deploy, ExpectedRelease, &'a AutostopStep, StopOnFailure),
    Rollback(Action, ExpectedRelease, StopOnFailure),
    Restart(Action, ExpectedRelease),
    Down { drain: bool },
    Autostop(&'a Autostop),
    Keys(Option<&'a KeyChange>, ExpectedRelease),
    Models(&'a ModelChange, ExpectedRelease),
    Download(Action, ExpectedRelease),
    Prune(Action, ExpectedRelease),
}

async fn locked<P: Ports>(
    context: &DeployContext<'_, P>,
    operation: LockedOperation<'_>,
) -> Result<ApplyOutcome, Failure> {
    match operation {
        LockedOperation::Up(deploy, expect, autostop, on_failure) => {
            autostop::set_after_up(context, autostop, up::up(context, deploy, expect, on_failure).await?).await
        }
        LockedOperation::Rollback(action, expect, stop) => up::rollback(context, &action, expect, stop).await,
        LockedOperation::Restart(action, expect) => up::run_until_it_serves(context, "restart", &action, expect).await,
        LockedOperation::Down { drain } => down::down(context, drain).await,
        LockedOperation::Autostop(autostop) => autostop::set(context, autostop).await,
        LockedOperation::Keys(Some(change), expect) => keys_change(context, change, expect).await,
        LockedOperation::Models(change, expect) => models_change(context, change, expect).await,
        LockedOperation::Download(action, expect) => {
            run_beside_services(context, "download", &action, expect, context.settings.wait.deploy_seconds).await
        }
        LockedOperation::Prune(action, expect) => {
            run_beside_services(context, "prune", &action, expect, PRUNE_SECONDS).await
        }
        LockedOperation::Keys(None, _) => Ok(ApplyOutcome { report: None, url: None, autostop: None }),
    }
}

/// Time limit in seconds: a disk needs a while to remove tens of gigabytes.
const PRUNE_SECONDS: u32 = 1800;

/// Runs an action that does not touch the running services.
async fn run_beside_services<P: Ports>(
    context: &DeployContext<'_, P>,
    what: &str,
    action: &Action,
    expect: ExpectedRelease,
    limit_seconds: u32,
) -> Result<ApplyOutcome, Failure> {
    let limit = limit_seconds.min(context.settings.wait.deploy_seconds);
    let report = script_result::run(context, what, action, expect, limit).await?;
    Ok(ApplyOutcome { report: Some(report), url: None, autostop: None })
}

async fn keys_change<P: Ports>(
    context: &DeployContext<'_, P>,
    change: &KeyChange,
    expect: ExpectedRelease,
) -> Result<ApplyOutcome, Failure> {
    let limit = command::READ_ONLY_TIMEOUT_SECONDS.saturating_add(context.settings.wait.drain_seconds);
    run_beside_services(context, "keys", &Action::Keys(Keys::Change(change.clone())), expect, limit).await
}

/// Runs a change of models. It may replace the gateway's container twice: for the change, and back after a failure.
async fn models_change<P: Ports>(
    context: &DeployContext<'_, P>,
    change: &ModelChange,
    expect: ExpectedRelease,
) -> Result<ApplyOutcome, Failure> {
    let seconds = context.settings.wait.drain_seconds.saturating_add(READY_WAIT_SECONDS).saturating_mul(2);
    let limit = command::READ_ONLY_TIMEOUT_SECONDS.saturating_mul(2).saturating_add(seconds);
    run_beside_services(context, "model", &Action::Models(Models::Change(change.clone())), expect, limit).await
}

#[cfg(test)]
mod tests;
