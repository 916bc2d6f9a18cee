//! Taking the operators' lock from a run that is dead. The host says first whether somebody works there.

use super::{Applied, after, command::LOOK_SECONDS, lock};
use crate::{
    cloud::{Agent, State},
    failure::Failure,
    script::Action,
    site::{Ports, Site},
};

pub(super) async fn unlock<P: Ports>(site: &Site<'_, P>) -> Result<Applied, Failure> {
    let name = site.settings.lock_parameter();
    let held = lock::holder(&site.ports, &name).await?;
    let instance = super::boot::look(site).await?;
    let mut report = None;
    if instance.state == State::Running && site.ports.agent(&instance.id).await? == Agent::Online {
        report = Some(after::run(site, "unlock", &Action::Unlock, LOOK_SECONDS).await?);
    }
    if held.is_some() {
        if lock::holder(&site.ports, &name).await? != held {
            return Err(Failure::unchanged(
                "the lock changed hands meanwhile; it was not taken",
                "Look with deployer unlock who holds it now.",
            ));
        }
        site.ports.delete_parameter(&name).await?;
    }
    Ok(Applied { report, url: None })
}
