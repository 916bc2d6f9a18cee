//! Reads the state of the box and the host, for a plan and after a failure. Changes nothing.

use super::{
    boot,
    command::{self, READ_ONLY_TIMEOUT_SECONDS},
};
use crate::{
    cloud::{AgentState, Instance, InstanceState},
    context::{DeployContext, Ports},
    failure::Failure,
    interrupt::Interrupt,
    plan::{CurrentRelease, CurrentState, HostState},
    recorded_releases::LastVerified,
    script::{
        Action, HostReport, RunningImages,
        facts::{Container, Status},
    },
};

/// The observed state of the box.
#[derive(Clone, Debug)]
pub struct Observation {
    /// The EC2 instance.
    pub instance: Instance,
    /// The host's report and status; `None` if the box does not run or its agent does not answer.
    pub host: Option<(HostReport, Status)>,
    /// The record of the last verified release.
    pub last: Option<LastVerified>,
}

/// Reads the instance, the host's status and the record.
pub async fn observe<P: Ports>(context: &DeployContext<'_, P>) -> Result<Observation, Failure> {
    let instance = boot::describe_instance(context).await?;
    let last = LastVerified::read(context).await?;
    let online =
        instance.state == InstanceState::Running && context.ports.agent(&instance.id).await? == AgentState::Online;
    let host = if online { Some(ask_status(context).await?) } else { None };
    Ok(Observation { instance, host, last })
}

/// Asks the host for its status.
pub async fn ask_status<P: Ports>(context: &DeployContext<'_, P>) -> Result<(HostReport, Status), Failure> {
    ask_status_with(context, context.interrupt).await
}

/// Asks the host for its status, with a given source of Ctrl-C.
pub(super) async fn ask_status_with<P: Ports>(
    context: &DeployContext<'_, P>,
    interrupt: &Interrupt,
) -> Result<(HostReport, Status), Failure> {
    let report = command::run_with(context, interrupt, "look", &Action::Status, READ_ONLY_TIMEOUT_SECONDS).await?;
    let status = report.status().ok_or_else(|| Failure {
        lines: report.last_log_lines.clone(),
        ..Failure::unchanged(format!("the host did not report its status: {}", report.message), "Run deployer doctor.")
    })?;
    Ok((report, status))
}

impl Observation {
    /// Returns the state that a plan starts from.
    #[must_use]
    pub fn current_state(&self) -> CurrentState {
        let host = match &self.host {
            None => HostState::Unreachable(self.last.clone().map(CurrentRelease::from)),
            Some((report, status)) => match report.release {
                None => HostState::Empty { half_done: status.half_done },
                Some(release) => HostState::Release(serving(release, &report.images, status)),
            },
        };
        CurrentState { state: self.instance.state.clone(), host }
    }

    /// Returns the images of the current release, by digest, as far as they are known.
    #[must_use]
    pub fn images(&self) -> RunningImages {
        match self.current_state().host {
            HostState::Unreachable(Some(serving)) | HostState::Release(serving) => serving.images,
            _ => RunningImages::default(),
        }
    }
}

fn serving(release: u32, images: &RunningImages, status: &Status) -> CurrentRelease {
    CurrentRelease {
        release,
        images: images.clone(),
        hash: status.config_hash.clone(),
        healthy: healthy(status),
        model_healthy: status.containers.iter().any(|one| one.service == "vllm" && is_healthy(one)),
        half_done: status.half_done || status.models_cut_off,
    }
}

/// Returns whether all containers of the release run and are healthy, and the gateway reports that it is ready.
#[must_use]
pub fn healthy(status: &Status) -> bool {
    let all = status.containers.len() >= 2 && status.containers.iter().all(is_healthy);
    all && gateway_value(status, "ready").as_bool() == Some(true)
}

fn is_healthy(container: &Container) -> bool {
    container.state == "running" && container.health == "healthy"
}

/// Returns one value of the gateway's status; null if the gateway does not answer.
#[must_use]
pub fn gateway_value(status: &Status, name: &str) -> serde_json::Value {
    status.gateway.get(name).cloned().unwrap_or_default()
}
