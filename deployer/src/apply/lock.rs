//! The operators' lock: one SSM parameter, written only if it does not exist. Only the lock on the host prevents
//! concurrent changes. The lock in SSM tells other operators early who works on the stack, and since when. No command waits for this lock, and only `unlock` takes it from its holder, because Parameter
//! Store has no "delete if equal".

use std::time::{SystemTime, UNIX_EPOCH};

use crate::{
    cloud::Cloud,
    context::{DeployContext, Ports},
    exit::Exit,
    failure::Failure,
    plan::LockHolder,
};

/// A lock that this run holds. [`Lock::release`] must give it back: a drop cannot call AWS.
#[must_use = "a lock that is not released stays until deployer unlock releases it"]
pub struct Lock {
    name: String,
    text: String,
}

/// Returns who holds the lock, or `None` if it is free.
pub async fn holder(cloud: &impl Cloud, name: &str) -> Result<Option<LockHolder>, Failure> {
    let Some(text) = cloud.parameter(name).await? else { return Ok(None) };
    Ok(Some(serde_json::from_str(&text).unwrap_or_else(|_| LockHolder {
        operator: "unknown (this program did not write the lock)".to_owned(),
        action: "unknown".to_owned(),
        since: 0,
        run: String::new(),
    })))
}

/// Returns the failure of a run that finds the lock held.
pub fn held<P>(context: &DeployContext<'_, P>, holder: &LockHolder) -> Failure {
    let you = if holder.operator == context.settings.operator { " (you, in another run)" } else { "" };
    Failure::new(
        Exit::Locked,
        format!("{}{you} is at work on {}; nothing was changed", holder.shown(), context.settings.name),
        "Wait for that run to end. If you are certain that it has died, release the lock with deployer unlock, then run this again.",
    )
}

impl Lock {
    /// Takes the lock, or returns a failure that names its holder.
    pub async fn take<P: Ports>(context: &DeployContext<'_, P>, action: &str) -> Result<Self, Failure> {
        let name = context.settings.lock_parameter();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let this_run = LockHolder {
            operator: context.settings.operator.clone(),
            action: action.to_owned(),
            since: now.as_secs(),
            run: format!("{}-{}", std::process::id(), now.as_nanos()),
        };
        let text =
            serde_json::to_string(&this_run).map_err(|error| Failure::unchanged(error.to_string(), "Report this."))?;
        let lock = Self { name: name.clone(), text };
        let taken = match context.ports.put_new_parameter(&name, &lock.text).await {
            Ok(taken) => taken,
            // Only the answer may be lost: the call may have written the parameter.
            Err(error) if error.is_transient() && lock.is_held_by_this_run(context).await.unwrap_or(false) => true,
            Err(error) => return Err(error.into()),
        };
        // A call that the SDK repeated finds the parameter that the first call, whose answer was lost, wrote.
        if taken || lock.is_held_by_this_run(context).await? {
            return Ok(lock);
        }
        match holder(&context.ports, &name).await? {
            Some(holder) => Err(held(context, &holder)),
            None => Err(Failure::new(Exit::Locked, "another run held the lock a moment ago", "Run this again.")),
        }
    }

    async fn is_held_by_this_run<P: Ports>(&self, context: &DeployContext<'_, P>) -> Result<bool, Failure> {
        Ok(context.ports.parameter(&self.name).await?.is_some_and(|text| text == self.text))
    }

    /// Gives the lock back. Returns `false`, after a warning, if another run has taken it over or AWS does not answer.
    pub async fn release<P: Ports>(self, context: &DeployContext<'_, P>) -> bool {
        // A lock that another run took over belongs to that run.
        match self.is_held_by_this_run(context).await {
            Ok(true) => {}
            Ok(false) => {
                context.console.warn("another run has taken over the lock in the meantime");
                return false;
            }
            Err(failure) => {
                context
                    .console
                    .warn(&format!("the lock could not be given back: {}. Run deployer unlock.", failure.what));
                return false;
            }
        }
        match context.ports.delete_parameter(&self.name).await {
            Ok(()) => true,
            Err(error) => {
                context.console.warn(&format!("the lock could not be given back: {error}. Run deployer unlock."));
                false
            }
        }
    }
}
