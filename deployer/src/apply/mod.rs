//! Doing what was approved: lock, work, verify, record, unlock. It knows the ports and nothing of AWS, and it takes
//! nothing but an [`ApprovedPlan`].

mod after;
pub mod boot;
pub mod command;
mod down;
pub mod lock;
pub mod observe;
mod pace;
mod unlock;
mod up;

pub use pace::wait;

use crate::{
    approval::ApprovedPlan,
    failure::Failure,
    plan::Work,
    script::{Action, Autostop, HostReport},
    site::{Ports, Site},
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
}

/// Applies an approved plan under the lock.
pub async fn apply<P: Ports>(site: &Site<'_, P>, plan: &ApprovedPlan, stop: StopOnFailure) -> Result<Applied, Failure> {
    if let Work::Unlock = plan.work() {
        return unlock::unlock(site).await;
    }
    let lock = lock::Lock::take(site, plan.work().name()).await?;
    let done = work(site, plan.work(), stop).await;
    lock.release(site).await;
    done
}

async fn work<P: Ports>(site: &Site<'_, P>, work: &Work, stop: StopOnFailure) -> Result<Applied, Failure> {
    let settings = &site.settings;
    let long = settings.wait.deploy_seconds;
    match work {
        Work::Up(deploy) => up::up(site, deploy, stop).await,
        Work::Rollback { to } => up::serve(site, "rollback", &Action::Rollback { to: *to }).await,
        Work::Restart { service } => up::serve(site, "restart", &Action::Restart { service: *service }).await,
        Work::Down { drain } => down::down(site, *drain).await,
        Work::Autostop(autostop) => autostop_set(site, *autostop, long).await,
        Work::Unlock => unlock::unlock(site).await,
    }
}

async fn autostop_set<P: Ports>(site: &Site<'_, P>, autostop: Autostop, long: u32) -> Result<Applied, Failure> {
    let report = after::run(site, "autostop", &Action::Autostop(autostop), command::LOOK_SECONDS.min(long)).await?;
    Ok(Applied { report: Some(report), url: None })
}

#[cfg(test)]
mod tests;
