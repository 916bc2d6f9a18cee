//! Doing what was approved: lock, work, verify, record, unlock. It knows the ports and nothing of AWS, and it takes
//! nothing but an [`ApprovedPlan`].

mod after;
mod after_keys;
mod autostop;
pub mod boot;
pub mod command;
pub mod document;
mod down;
mod follow;
pub mod lock;
mod lost;
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

/// What to do with a box that this run started when the run then fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopOnFailure {
    /// Stop it.
    Yes,
    /// Let it run.
    No,
    /// Ask; where nobody can be asked, stop it.
    Ask,
}

/// What was done.
#[derive(Clone, Debug)]
pub struct Applied {
    /// The host's report; `None`: the host was not asked.
    pub report: Option<HostReport>,
    /// Where the service is, if it serves.
    pub url: Option<String>,
    /// The idle stop, where `up` looked at it or changed it.
    pub autostop: Option<AutostopState>,
}

/// Applies an approved plan under the lock.
pub async fn apply<P: Ports>(
    site: &DeployContext<'_, P>,
    plan: &ApprovedPlan,
    stop: StopOnFailure,
) -> Result<Applied, Failure> {
    let work = match plan.work() {
        // It takes the lock from somebody, and does not hold it.
        Operation::Unlock { holder } => return unlock::unlock(site, holder.as_ref()).await,
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
    let lock = lock::Lock::take(site, plan.work().name()).await?;
    let done = Box::pin(locked(site, work)).await;
    lock.release(site).await;
    done
}

/// What is done under the lock.
enum Locked<'a> {
    Up(&'a Deploy, Expect, &'a AutostopStep, StopOnFailure),
    Rollback(Action, Expect, StopOnFailure),
    Serve(&'static str, Action, Expect),
    Down { drain: bool },
    Autostop(&'a Autostop),
    Keys(Option<&'a KeyChange>, Expect),
    Prune(Action, Expect),
}

async fn locked<P: Ports>(site: &DeployContext<'_, P>, work: Locked<'_>) -> Result<Applied, Failure> {
    match work {
        Locked::Up(deploy, expect, autostop, on_failure) => {
            autostop::follow(site, autostop, up::up(site, deploy, expect, on_failure).await?).await
        }
        Locked::Rollback(action, expect, stop) => up::rollback(site, &action, expect, stop).await,
        Locked::Serve(what, action, expect) => up::serve(site, what, &action, expect).await,
        Locked::Down { drain } => down::down(site, drain).await,
        Locked::Autostop(autostop) => autostop::set(site, autostop).await,
        Locked::Keys(Some(change), expect) => keys_change(site, change, expect).await,
        Locked::Prune(action, expect) => at_work(site, "prune", &action, expect, PRUNE_SECONDS).await,
        Locked::Keys(None, _) => Ok(Applied { report: None, url: None, autostop: None }),
    }
}

/// Removing tens of gigabytes takes a disk a while.
const PRUNE_SECONDS: u32 = 1800;

/// Runs an action that leaves what serves alone.
async fn at_work<P: Ports>(
    site: &DeployContext<'_, P>,
    what: &str,
    action: &Action,
    expect: Expect,
    limit_seconds: u32,
) -> Result<Applied, Failure> {
    let limit = limit_seconds.min(site.settings.wait.deploy_seconds);
    let report = after::run(site, what, action, expect, limit).await?;
    Ok(Applied { report: Some(report), url: None, autostop: None })
}

async fn keys_change<P: Ports>(
    site: &DeployContext<'_, P>,
    change: &KeyChange,
    expect: Expect,
) -> Result<Applied, Failure> {
    let limit = command::LOOK_SECONDS.saturating_add(site.settings.wait.drain_seconds);
    at_work(site, "keys", &Action::Keys(Keys::Change(change.clone())), expect, limit).await
}

#[cfg(test)]
mod tests;
