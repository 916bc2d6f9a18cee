//! Looking at what is there, before a plan and after a surprise. Changes nothing.

use super::{
    boot,
    command::{self, LOOK_SECONDS},
};
use crate::{
    cloud::{Agent, Instance, State},
    failure::Failure,
    interrupt::Interrupt,
    ledger::LastVerified,
    plan::{CurrentState, HostState, Serving},
    script::{
        Action, HostReport, Images,
        facts::{Container, Status},
    },
    site::{DeployContext, Ports},
};

/// What is there.
#[derive(Clone, Debug)]
pub struct Observed {
    /// The instance.
    pub instance: Instance,
    /// What the host says; `None`: it does not run, or its agent does not answer.
    pub host: Option<(HostReport, Status)>,
    /// What was recorded of the last release.
    pub last: Option<LastVerified>,
}

/// Looks at the instance, the host and the record.
pub async fn observe<P: Ports>(site: &DeployContext<'_, P>) -> Result<Observed, Failure> {
    let instance = boot::look(site).await?;
    let last = LastVerified::read(site).await?;
    let online = instance.state == State::Running && site.ports.agent(&instance.id).await? == Agent::Online;
    let host = if online { Some(ask(site).await?) } else { None };
    Ok(Observed { instance, host, last })
}

/// Asks the host alone.
pub async fn ask<P: Ports>(site: &DeployContext<'_, P>) -> Result<(HostReport, Status), Failure> {
    ask_with(site, site.interrupt).await
}

/// The same with another ear for Ctrl-C.
pub(super) async fn ask_with<P: Ports>(
    site: &DeployContext<'_, P>,
    interrupt: &Interrupt,
) -> Result<(HostReport, Status), Failure> {
    let report = command::run_with(site, interrupt, "look", &Action::Status, LOOK_SECONDS).await?;
    let status = report.status().ok_or_else(|| Failure {
        lines: report.last_log_lines.clone(),
        ..Failure::unchanged(format!("the host could not be looked at: {}", report.message), "Run deployer doctor.")
    })?;
    Ok((report, status))
}

impl Observed {
    /// What a plan starts from.
    #[must_use]
    pub fn now(&self) -> CurrentState {
        let known = match &self.host {
            None => HostState::Unseen(self.last.clone().map(Serving::from)),
            Some((report, status)) => match report.release {
                None => HostState::Empty { half_done: status.half_done },
                Some(release) => HostState::Release(serving(release, &report.images, status)),
            },
        };
        CurrentState { state: self.instance.state.clone(), known }
    }

    /// By digest, as far as it is known.
    #[must_use]
    pub fn images(&self) -> Images {
        match self.now().known {
            HostState::Unseen(Some(serving)) | HostState::Release(serving) => serving.images,
            _ => Images::default(),
        }
    }
}

fn serving(release: u32, images: &Images, status: &Status) -> Serving {
    Serving {
        release,
        images: images.clone(),
        hash: status.config_hash.clone(),
        healthy: healthy(status),
        model_healthy: status.containers.iter().any(|one| one.service == "vllm" && is_healthy(one)),
        half_done: status.half_done,
    }
}

/// All containers of the release run and are healthy, and the gateway says that it is ready.
#[must_use]
pub fn healthy(status: &Status) -> bool {
    let all = status.containers.len() >= 2 && status.containers.iter().all(is_healthy);
    all && gateway_says(status, "ready").as_bool() == Some(true)
}

fn is_healthy(container: &Container) -> bool {
    container.state == "running" && container.health == "healthy"
}

/// A value of what the gateway says of itself; null where it does not answer.
#[must_use]
pub fn gateway_says(status: &Status, name: &str) -> serde_json::Value {
    status.gateway.get(name).cloned().unwrap_or_default()
}
