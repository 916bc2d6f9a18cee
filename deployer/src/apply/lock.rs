//! The operators' lock: one SSM parameter, written only where none is. The host's own lock is the authority; this
//! one says early who is at work, and since when. It is never waited for, and taken over by `unlock` alone, because
//! Parameter Store cannot compare and delete.

use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::{
    cloud::Cloud,
    exit::Exit,
    failure::Failure,
    report::{duration, since},
    site::{DeployContext, Ports},
};

/// Who is at work.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LockHolder {
    /// The operator.
    pub operator: String,
    /// What they do.
    pub action: String,
    /// Since when, in seconds since 1970.
    pub since: u64,
    /// Which run of the program: the same operator may have two.
    pub run: String,
}

impl LockHolder {
    /// `ada@laptop (up, for 3 min)`.
    #[must_use]
    pub fn shown(&self) -> String {
        format!("{} ({}, for {})", self.operator, self.action, duration(since(self.since)))
    }
}

/// The lock is ours. It has to be given back by [`Lock::release`]: a drop cannot ask AWS.
#[must_use = "a lock that is not released stays until somebody takes it over"]
pub struct Lock {
    name: String,
    text: String,
}

/// Who holds the lock; `None`: nobody.
pub async fn holder(cloud: &impl Cloud, name: &str) -> Result<Option<LockHolder>, Failure> {
    let Some(text) = cloud.parameter(name).await? else { return Ok(None) };
    Ok(Some(serde_json::from_str(&text).unwrap_or_else(|_| LockHolder {
        operator: "somebody (the lock is not of this program's form)".to_owned(),
        action: "unknown".to_owned(),
        since: 0,
        run: String::new(),
    })))
}

/// The failure of whoever wanted the lock.
pub fn held<P>(site: &DeployContext<'_, P>, holder: &LockHolder) -> Failure {
    let you = if holder.operator == site.settings.operator { " (you, in another run)" } else { "" };
    Failure::new(
        Exit::Locked,
        format!("{}{you} is at work on {}; nothing was changed", holder.shown(), site.settings.name),
        "Wait for them. If that run is dead for certain, take the lock with deployer unlock, then run this again.",
    )
}

impl Lock {
    /// Takes the lock, or says who holds it.
    pub async fn take<P: Ports>(site: &DeployContext<'_, P>, action: &str) -> Result<Self, Failure> {
        let name = site.settings.lock_parameter();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let own = LockHolder {
            operator: site.settings.operator.clone(),
            action: action.to_owned(),
            since: now.as_secs(),
            run: format!("{}-{}", std::process::id(), now.as_nanos()),
        };
        let text =
            serde_json::to_string(&own).map_err(|error| Failure::unchanged(error.to_string(), "Report this."))?;
        let lock = Self { name: name.clone(), text };
        let taken = match site.ports.put_new_parameter(&name, &lock.text).await {
            Ok(taken) => taken,
            // The answer was lost, not the call perhaps.
            Err(error) if error.passes() && lock.is_ours(site).await.unwrap_or(false) => true,
            Err(error) => return Err(error.into()),
        };
        // A repeated call finds what the first one, whose answer was lost, had written.
        if taken || lock.is_ours(site).await? {
            return Ok(lock);
        }
        match holder(&site.ports, &name).await? {
            Some(holder) => Err(held(site, &holder)),
            None => Err(Failure::new(Exit::Locked, "somebody held the lock a moment ago", "Run this again.")),
        }
    }

    async fn is_ours<P: Ports>(&self, site: &DeployContext<'_, P>) -> Result<bool, Failure> {
        Ok(site.ports.parameter(&self.name).await?.is_some_and(|text| text == self.text))
    }

    /// Gives it back; `false`: it is somebody else's by now, or AWS could not be reached, which was said.
    pub async fn release<P: Ports>(self, site: &DeployContext<'_, P>) -> bool {
        // Whoever took it over has it now.
        match self.is_ours(site).await {
            Ok(true) => {}
            Ok(false) => {
                site.report.warn("the lock was taken over by somebody meanwhile");
                return false;
            }
            Err(failure) => {
                site.report.warn(&format!("the lock could not be given back: {}. Run deployer unlock.", failure.what));
                return false;
            }
        }
        match site.ports.delete_parameter(&self.name).await {
            Ok(()) => true,
            Err(error) => {
                site.report.warn(&format!("the lock could not be given back: {error}. Run deployer unlock."));
                false
            }
        }
    }
}
