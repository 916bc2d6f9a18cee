//! Computes the changes of `up`: per service, and what each change means for its users.

use serde::Serialize;

use crate::{
    cloud::InstanceState,
    config::ConfigHash,
    script::{HostSettings, ImageWanted, RunningImages},
};

/// Typical duration of a model load on one L4: the outage of a vLLM restart, because one L4 cannot hold two copies.
const MODEL_LOAD_SECONDS: u64 = 360;
/// Typical duration of a gateway start.
const GATEWAY_SECONDS: u64 = 5;

/// The desired state.
#[derive(Clone, Debug)]
pub struct DesiredState {
    /// The gateway's image.
    pub gateway: ImageWanted,
    /// The model server's image.
    pub vllm: ImageWanted,
    /// The configuration.
    pub hash: ConfigHash,
    /// Whether to restart vLLM in any case.
    pub restart_vllm: bool,
    /// The time limits of the host.
    pub limits: TimeLimits,
}

/// How long the host waits at most, in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeLimits {
    /// Limit for a cold model load.
    pub load: u64,
    /// Limit for the gateway to become ready, with a loaded model.
    pub ready: u64,
    /// Limit for running work to end.
    pub drain: u64,
}

impl From<&HostSettings> for TimeLimits {
    fn from(host: &HostSettings) -> Self {
        Self {
            load: host.up_wait_seconds.into(),
            ready: host.ready_wait_seconds.into(),
            drain: host.drain_seconds.into(),
        }
    }
}

/// The current release of the host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CurrentRelease {
    /// The release's number.
    pub release: u32,
    /// Its images, by digest.
    pub images: RunningImages,
    /// Its configuration hash.
    pub hash: String,
    /// Whether both containers run and are healthy, and the gateway reports that it is ready.
    pub healthy: bool,
    /// Whether the model server's container runs and is healthy.
    pub model_healthy: bool,
    /// Whether a switch, or a change of models, was interrupted.
    pub half_done: bool,
}

/// What is known about the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HostState {
    /// It does not run or does not answer: only the record of the last release is known.
    Unreachable(Option<CurrentRelease>),
    /// It runs and has no release.
    Empty {
        /// Whether a switch was interrupted.
        half_done: bool,
    },
    /// It runs and has this release.
    Release(CurrentRelease),
}

/// The current state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CurrentState {
    /// The instance's state.
    pub state: InstanceState,
    /// The host's state.
    pub host: HostState,
}

/// What happens to a service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "change", rename_all = "snake_case")]
pub enum ServiceChange {
    /// It keeps running unchanged.
    Unchanged,
    /// It starts, because nothing runs.
    Start {
        /// The image.
        image: String,
    },
    /// It is restarted with another image.
    Image {
        /// The image now.
        from: String,
        /// The image afterwards.
        to: String,
    },
    /// The host finds out whether the tag now refers to another image.
    #[serde(rename = "lookup")]
    UnresolvedTag {
        /// The image now.
        from: String,
        /// The image afterwards.
        to: String,
    },
    /// It is restarted with other settings.
    Settings,
    /// docker-compose.yml changed. Docker Compose decides whether this service's part of it changed.
    Compose,
    /// It is restarted because it is not healthy, or because the operator asked for it.
    #[serde(rename = "again")]
    Restart,
}

/// How long the service does not answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outage {
    /// There is no outage.
    None,
    /// While the gateway restarts.
    Gateway,
    /// While the gateway restarts, or during a whole model load: only the host knows which.
    PerhapsModel,
    /// During a model load.
    Model,
    /// Nothing serves now, and a model load passes until something does.
    NothingServes,
}

impl Outage {
    /// Returns the typical duration in seconds; the longer one where two are possible.
    #[must_use]
    pub const fn seconds(self) -> u64 {
        match self {
            Self::None => 0,
            Self::Gateway => GATEWAY_SECONDS,
            Self::PerhapsModel | Self::Model | Self::NothingServes => MODEL_LOAD_SECONDS,
        }
    }

    /// Returns the longest duration in seconds: the wait for the new release fails, and the previous release takes as
    /// long again.
    #[must_use]
    pub const fn worst_seconds(self, limits: TimeLimits) -> u64 {
        let TimeLimits { load, ready, drain } = limits;
        match self {
            Self::None => 0,
            Self::Gateway => 2 * (drain + ready),
            Self::PerhapsModel | Self::Model | Self::NothingServes => 2 * (drain + load + ready),
        }
    }
}

/// What `up` would change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct UpDiff {
    /// Whether anything would change.
    pub changes: bool,
    /// The instance's state now.
    pub instance: String,
    /// Whether the instance would be started.
    pub start: bool,
    /// The current release, as far as it is known.
    pub release: Option<u32>,
    /// Whether an interrupted switch would be repaired.
    #[serde(rename = "mend")]
    pub repair: bool,
    /// The gateway.
    pub gateway: ServiceChange,
    /// The model server.
    pub vllm: ServiceChange,
    /// How long the service does not answer.
    pub outage: Outage,
    /// The typical duration of the outage, in seconds.
    pub outage_seconds: u64,
    /// The longest duration of the outage, in seconds: the new release fails, and the host goes back.
    pub worst_outage_seconds: u64,
}

/// Compares the wanted state with the current one and returns what `up` would change.
#[must_use]
pub fn up_diff(wanted: &DesiredState, now: &CurrentState) -> UpDiff {
    let running = matches!(now.host, HostState::Empty { .. } | HostState::Release(_));
    let (serving, half_done) = match &now.host {
        HostState::Unreachable(last) => (last.as_ref(), false),
        HostState::Empty { half_done } => (None, *half_done),
        HostState::Release(serving) => (Some(serving), serving.half_done),
    };
    let (gateway, vllm) = match serving {
        None => (
            ServiceChange::Start { image: wanted.gateway.to_string() },
            ServiceChange::Start { image: wanted.vllm.to_string() },
        ),
        Some(serving) => (gateway_change(wanted, serving, running), vllm_change(wanted, serving, running)),
    };
    // While the model stays loaded, the outage is only that of the gateway, whether the gateway serves now or not.
    let loaded = running && serving.is_some_and(|serving| serving.healthy || serving.model_healthy);
    let outage = match outage(&gateway, &vllm) {
        outage @ (Outage::None | Outage::Gateway) if loaded => outage,
        outage if running && serving.is_some_and(|serving| serving.healthy) => outage,
        _ => Outage::NothingServes,
    };
    let changes = !running || half_done || gateway != ServiceChange::Unchanged || vllm != ServiceChange::Unchanged;
    UpDiff {
        changes,
        instance: now.state.to_string(),
        start: matches!(now.state, InstanceState::Stopped | InstanceState::Stopping),
        release: serving.map(|serving| serving.release),
        repair: half_done,
        gateway,
        vllm,
        outage: if changes { outage } else { Outage::None },
        outage_seconds: if changes { outage.seconds() } else { 0 },
        worst_outage_seconds: if changes { outage.worst_seconds(wanted.limits) } else { 0 },
    }
}

fn image_change(wanted: &ImageWanted, from: &str) -> Option<ServiceChange> {
    let (from, to) = (from.to_owned(), wanted.to_string());
    match wanted {
        ImageWanted::Digest(_) if from == to => None,
        ImageWanted::Digest(_) => Some(ServiceChange::Image { from, to }),
        ImageWanted::Tag(_) => Some(ServiceChange::UnresolvedTag { from, to }),
    }
}

fn gateway_change(wanted: &DesiredState, serving: &CurrentRelease, running: bool) -> ServiceChange {
    let hash = ConfigHash::parse(&serving.hash);
    let settings = hash.as_ref().is_none_or(|hash| {
        (&hash.gateway, &hash.compose, &hash.vllm) != (&wanted.hash.gateway, &wanted.hash.compose, &wanted.hash.vllm)
    });
    let image = image_change(&wanted.gateway, &serving.images.gateway);
    match image {
        Some(part @ ServiceChange::Image { .. }) => part,
        // A service that does not run starts in any case; its configuration is not always known.
        None if !running && hash.is_none() => ServiceChange::Start { image: wanted.gateway.to_string() },
        // Every release has its own files, so a new release restarts the gateway whatever changed.
        _ if settings => ServiceChange::Settings,
        Some(part) => part,
        None if !running => ServiceChange::Start { image: wanted.gateway.to_string() },
        // A new model server image makes a new release, which restarts the gateway.
        None if image_change(&wanted.vllm, &serving.images.vllm)
            .is_some_and(|part| matches!(part, ServiceChange::Image { .. })) =>
        {
            ServiceChange::Restart
        }
        // An interrupted switch is repaired by a restart of the gateway.
        None if !serving.healthy || serving.half_done => ServiceChange::Restart,
        None => ServiceChange::Unchanged,
    }
}

fn vllm_change(wanted: &DesiredState, serving: &CurrentRelease, running: bool) -> ServiceChange {
    let hash = ConfigHash::parse(&serving.hash);
    match image_change(&wanted.vllm, &serving.images.vllm) {
        Some(part @ ServiceChange::Image { .. }) => part,
        None if !running && hash.is_none() => ServiceChange::Start { image: wanted.vllm.to_string() },
        _ if hash.as_ref().is_none_or(|hash| hash.vllm != wanted.hash.vllm) => ServiceChange::Settings,
        Some(part) => part,
        None if !running => ServiceChange::Start { image: wanted.vllm.to_string() },
        None if wanted.restart_vllm || !serving.model_healthy => ServiceChange::Restart,
        None if hash.is_some_and(|hash| hash.compose != wanted.hash.compose) => ServiceChange::Compose,
        None => ServiceChange::Unchanged,
    }
}

fn outage(gateway: &ServiceChange, vllm: &ServiceChange) -> Outage {
    match (gateway, vllm) {
        (
            _,
            ServiceChange::Image { .. }
            | ServiceChange::Settings
            | ServiceChange::Restart
            | ServiceChange::Start { .. },
        ) => Outage::Model,
        (_, ServiceChange::UnresolvedTag { .. } | ServiceChange::Compose) => Outage::PerhapsModel,
        (ServiceChange::Unchanged, ServiceChange::Unchanged) => Outage::None,
        (_, ServiceChange::Unchanged) => Outage::Gateway,
    }
}
