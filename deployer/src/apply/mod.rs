//! Applies an approved plan: takes the lock, does the work, verifies, records and releases the lock. It uses only the
//! ports, nothing of AWS, and accepts nothing but an [`ApprovedPlan`].

mod after;
mod after_keys;
mod autostop;
pub mod boot;
pub mod command;
pub mod document;
mod down;
mod end;
mod follow;
pub mod lock;
mod lost;
mod missing_report;
mod names;
mod no_report;
pub mod observe;
mod other_zone;
mod pace;
mod patience;
mod said;
mod send;
mod unlock;
mod up;

pub use pace::{persistently, wait};

use crate::{
    approval::ApprovedPlan,
    failure::Failure,
    plan::{AutostopStep, Operation},
    script::{Action, Autostop, AutostopState, Deploy, Expect, HostReport, KeyChange, Keys},
    site::{DeployContext, Ports},
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
pub struct Applied {
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
) -> Result<Applied, Failure> {
    let work = match plan.work() {
        // `unlock` takes the lock from its holder and does not hold it itself.
        Operation::Unlock { holder } => return unlock::unlock(context, holder.as_ref()).await,
        Operation::Up { deploy, expect, autostop } => Locked::Up(deploy, *expect, autostop, stop),
        Operation::Rollback { to, expect } => Locked::Rollback(Action::Rollback { to: *to }, *expect, stop),
        Operation::Restart { service, expect } => {
            Locked::Serve("restart", Action::Restart { service: *service }, *expect)
        }
        Operation::Down { drain } => Locked::Down { drain: *drain },
        Operation::Autostop(autostop) => Locked::Autostop(autostop),
        Operation::Keys { change, expect } => Locked::Keys(change.as_ref(), *expect),
        Operation::Prune { models, list, expect } => {
            Locked::Prune(Action::Prune { models: *models, approved: Some(list.clone()) }, *expect)
        }
    };
    let lock = lock::Lock::take(context, plan.work().name()).await?;
    let done = Box::pin(locked(context, work)).await;
    lock.release(context).await;
    done
}

/// The operations that need the lock.
enum Locked<'a> {
    Up(&'a Deploy, Expect, &'a AutostopStep, StopOnFailure),
    Rollback(Action, Expect, StopOnFailure),
    Serve(&'static str, Action, Expect),
    Down { drain: bool },
    Autostop(&'a Autostop),
    Keys(Option<&'a KeyChange>, Expect),
    Prune(Action, Expect),
}

async fn locked<P: Ports>(context: &DeployContext<'_, P>, work: Locked<'_>) -> Result<Applied, Failure> {
    match work {
        Locked::Up(deploy, expect, autostop, on_failure) => {
            autostop::follow(context, autostop, up::up(context, deploy, expect, on_failure).await?).await
        }
        Locked::Rollback(action, expect, stop) => up::rollback(context, &action, expect, stop).await,
        Locked::Serve(what, action, expect) => up::serve(context, what, &action, expect).await,
        Locked::Down { drain } => down::down(context, drain).await,
        Locked::Autostop(autostop) => autostop::set(context, autostop).await,
        Locked::Keys(Some(change), expect) => keys_change(context, change, expect).await,
        Locked::Prune(action, expect) => at_work(context, "prune", &action, expect, PRUNE_SECONDS).await,
        Locked::Keys(None, _) => Ok(Applied { report: None, url: None, autostop: None }),
    }
}

/// Time limit in seconds: a disk needs a while to remove tens of gigabytes.
const PRUNE_SECONDS: u32 = 1800;

/// Runs an action that does not touch the running services.
async fn at_work<P: Ports>(
    context: &DeployContext<'_, P>,
    what: &str,
    action: &Action,
    expect: Expect,
    limit_seconds: u32,
) -> Result<Applied, Failure> {
    let limit = limit_seconds.min(context.settings.wait.deploy_seconds);
    let report = after::run(context, what, action, expect, limit).await?;
    Ok(Applied { report: Some(report), url: None, autostop: None })
}

async fn keys_change<P: Ports>(
    context: &DeployContext<'_, P>,
    change: &KeyChange,
    expect: Expect,
) -> Result<Applied, Failure> {
    let limit = command::LOOK_SECONDS.saturating_add(context.settings.wait.drain_seconds);
    at_work(context, "keys", &Action::Keys(Keys::Change(change.clone())), expect, limit).await
}

#[cfg(test)]
mod tests;
