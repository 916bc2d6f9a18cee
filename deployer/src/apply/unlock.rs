//! Taking the operators' lock from a run that is dead. The host says first whether somebody works there.

use super::{
    Applied,
    command::{self, LOOK_SECONDS, NoReport},
    lock::{self, LockHolder},
};
use crate::{
    cloud::{Agent, State},
    exit::Exit,
    failure::Failure,
    script::{Action, HostReport, Outcome},
    site::{DeployContext, Ports},
};

/// Takes the lock from the holder that was approved, and from nobody else.
pub(super) async fn unlock<P: Ports>(
    site: &DeployContext<'_, P>,
    approved: Option<&LockHolder>,
) -> Result<Applied, Failure> {
    let name = site.settings.lock_parameter();
    still(approved, lock::holder(&site.ports, &name).await?.as_ref())?;
    let report = host(site).await?;
    let held = lock::holder(&site.ports, &name).await?;
    still(approved, held.as_ref())?;
    if held.is_some() {
        site.ports.delete_parameter(&name).await?;
    }
    Ok(Applied { report, url: None, autostop: None })
}

/// Parameter Store cannot compare and delete; a look just before is the most there is.
fn still(approved: Option<&LockHolder>, held: Option<&LockHolder>) -> Result<(), Failure> {
    match held {
        Some(holder) if Some(holder) != approved => Err(Failure::new(
            Exit::Locked,
            format!(
                "{} holds the lock now, who is not the one it was to be taken from; it was not taken",
                holder.shown()
            ),
            "Look who that is; if that run is dead, too, run deployer unlock again.",
        )),
        _ => Ok(()),
    }
}

/// Only somebody at work on the host is a reason to leave the lock: a host that cannot answer, or has another trouble,
/// needs the next `up`, and that needs the lock.
async fn host<P: Ports>(site: &DeployContext<'_, P>) -> Result<Option<HostReport>, Failure> {
    let instance = super::boot::look(site).await?;
    if instance.state != State::Running {
        return Ok(None);
    }
    let unseen = |why: &str| site.report.warn(&format!("the host was not cleared, only the lock is taken: {why}"));
    match site.ports.agent(&instance.id).await {
        Ok(Agent::Online) => {}
        Ok(_) => {
            unseen("its SSM agent does not answer");
            return Ok(None);
        }
        Err(error) => {
            unseen(&error.to_string());
            return Ok(None);
        }
    }
    match command::run(site, "unlock", &Action::Unlock, LOOK_SECONDS).await {
        Ok(report) if report.outcome == Outcome::Locked => {
            Err(Failure::new(Exit::Locked, report.message, "Wait for them; deployer status shows when they are done."))
        }
        Ok(report) if matches!(report.outcome, Outcome::Done | Outcome::NothingToDo) => Ok(Some(report)),
        Ok(report) => {
            unseen(&report.message);
            Ok(None)
        }
        Err(none @ NoReport::Interrupted { .. }) => {
            Err(Failure { what: "interrupted; the lock was not taken".to_owned(), ..Failure::from(none) })
        }
        Err(none) => {
            unseen(&Failure::from(none).what);
            Ok(None)
        }
    }
}
