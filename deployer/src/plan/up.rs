//! The diff of `up`: per service, what it means for those who use it now.

use serde::Serialize;

use crate::{
    cloud::State,
    config::ConfigHash,
    script::{HostSettings, ImageWanted, Images},
};

/// About how long a model load takes on one L4: the outage of a vLLM restart, because one L4 cannot hold two copies.
const MODEL_LOAD_SECONDS: u64 = 360;
/// About how long the gateway needs.
const GATEWAY_SECONDS: u64 = 5;

/// What is wanted.
#[derive(Clone, Debug)]
pub struct DesiredState {
    /// The gateway's image.
    pub gateway: ImageWanted,
    /// The model server's image.
    pub vllm: ImageWanted,
    /// The configuration.
    pub hash: ConfigHash,
    /// Start vLLM again in any case.
    pub restart_vllm: bool,
    /// What the host waits for at most.
    pub limits: Limits,
}

/// How long the host waits, in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// For a cold model load.
    pub load: u64,
    /// For the gateway, beside a model that is loaded.
    pub ready: u64,
    /// For running work to end.
    pub drain: u64,
}

impl From<&HostSettings> for Limits {
    fn from(host: &HostSettings) -> Self {
        Self {
            load: host.up_wait_seconds.into(),
            ready: host.ready_wait_seconds.into(),
            drain: host.drain_seconds.into(),
        }
    }
}

/// A release that is current on the host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Serving {
    /// Its number.
    pub release: u32,
    /// By digest.
    pub images: Images,
    /// Its configuration hash.
    pub hash: String,
    /// Both containers run and are healthy, and the gateway says that it is ready.
    pub healthy: bool,
    /// The model server's container runs and is healthy.
    pub model_healthy: bool,
    /// A switch was cut off.
    pub half_done: bool,
}

/// What is known of the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HostState {
    /// It does not run or does not answer, so nothing but what was recorded of the last release.
    Unseen(Option<Serving>),
    /// It runs, and there is no release.
    Empty {
        /// A switch was cut off.
        half_done: bool,
    },
    /// It runs this.
    Release(Serving),
}

/// What is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CurrentState {
    /// The instance.
    pub state: State,
    /// The host.
    pub known: HostState,
}

/// What happens to a service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "change", rename_all = "snake_case")]
pub enum ServiceChange {
    /// It goes on as it is.
    Unchanged,
    /// It starts, because nothing runs.
    Start {
        /// The image.
        image: String,
    },
    /// It is started again with another image.
    Image {
        /// Now.
        from: String,
        /// Then.
        to: String,
    },
    /// The host finds out whether the tag means another image than now.
    Lookup {
        /// Now.
        from: String,
        /// Then.
        to: String,
    },
    /// It is started again with other settings.
    Settings,
    /// docker-compose.yml changed: compose finds out whether its part of it did.
    Compose,
    /// It is started again because it is not healthy, or because that was asked for.
    Again,
}

/// How long the service is away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outage {
    /// Not at all.
    None,
    /// While the gateway starts again.
    Gateway,
    /// While the gateway starts again, or a whole model load: that shows on the host.
    PerhapsModel,
    /// A model load.
    Model,
    /// Nothing serves now; a model load until something does.
    NothingServes,
}

impl Outage {
    /// About how long, in seconds; the longer of two.
    #[must_use]
    pub const fn seconds(self) -> u64 {
        match self {
            Self::None => 0,
            Self::Gateway => GATEWAY_SECONDS,
            Self::PerhapsModel | Self::Model | Self::NothingServes => MODEL_LOAD_SECONDS,
        }
    }

    /// At most so long, in seconds: the new release is waited for in vain, and the one before takes as long again.
    #[must_use]
    pub const fn worst_seconds(self, limits: Limits) -> u64 {
        let Limits { load, ready, drain } = limits;
        match self {
            Self::None => 0,
            Self::Gateway => 2 * (drain + ready),
            Self::PerhapsModel | Self::Model | Self::NothingServes => 2 * (drain + load + ready),
        }
    }
}

/// The plan of `up`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct UpPlan {
    /// Something would be done.
    pub changes: bool,
    /// The instance's state now.
    pub instance: String,
    /// The instance would be started.
    pub start: bool,
    /// The current release, as far as it is known.
    pub release: Option<u32>,
    /// A switch that was cut off would be mended.
    pub mend: bool,
    /// The gateway.
    pub gateway: ServiceChange,
    /// The model server.
    pub vllm: ServiceChange,
    /// How long the service is away.
    pub outage: Outage,
    /// About how long, in seconds.
    pub outage_seconds: u64,
    /// How long at worst: the new release does not come up, and the host goes back to the one before.
    pub worst_outage_seconds: u64,
}

/// The plan of `up`.
#[must_use]
pub fn of_up(wanted: &DesiredState, now: &CurrentState) -> UpPlan {
    let running = matches!(now.known, HostState::Empty { .. } | HostState::Release(_));
    let (serving, half_done) = match &now.known {
        HostState::Unseen(last) => (last.as_ref(), false),
        HostState::Empty { half_done } => (None, *half_done),
        HostState::Release(serving) => (Some(serving), serving.half_done),
    };
    let (gateway, vllm) = match serving {
        None => (
            ServiceChange::Start { image: wanted.gateway.to_string() },
            ServiceChange::Start { image: wanted.vllm.to_string() },
        ),
        Some(serving) => (gateway_part(wanted, serving, running), vllm_part(wanted, serving, running)),
    };
    // With a model that stays loaded it takes no longer than the gateway does, whether that serves now or not.
    let loaded = running && serving.is_some_and(|serving| serving.healthy || serving.model_healthy);
    let outage = match outage(&gateway, &vllm) {
        outage @ (Outage::None | Outage::Gateway) if loaded => outage,
        outage if running && serving.is_some_and(|serving| serving.healthy) => outage,
        _ => Outage::NothingServes,
    };
    let changes = !running || half_done || gateway != ServiceChange::Unchanged || vllm != ServiceChange::Unchanged;
    UpPlan {
        changes,
        instance: now.state.to_string(),
        start: matches!(now.state, State::Stopped | State::Stopping),
        release: serving.map(|serving| serving.release),
        mend: half_done,
        gateway,
        vllm,
        outage: if changes { outage } else { Outage::None },
        outage_seconds: if changes { outage.seconds() } else { 0 },
        worst_outage_seconds: if changes { outage.worst_seconds(wanted.limits) } else { 0 },
    }
}

fn image_part(wanted: &ImageWanted, from: &str) -> Option<ServiceChange> {
    let (from, to) = (from.to_owned(), wanted.to_string());
    match wanted {
        ImageWanted::Digest(_) if from == to => None,
        ImageWanted::Digest(_) => Some(ServiceChange::Image { from, to }),
        ImageWanted::Tag(_) => Some(ServiceChange::Lookup { from, to }),
    }
}

fn gateway_part(wanted: &DesiredState, serving: &Serving, running: bool) -> ServiceChange {
    let hash = ConfigHash::parse(&serving.hash);
    let settings = hash.as_ref().is_none_or(|hash| {
        (&hash.gateway, &hash.compose, &hash.vllm) != (&wanted.hash.gateway, &wanted.hash.compose, &wanted.hash.vllm)
    });
    let image = image_part(&wanted.gateway, &serving.images.gateway);
    match image {
        Some(part @ ServiceChange::Image { .. }) => part,
        // What does not run starts in any case; its configuration is not always known.
        None if !running && hash.is_none() => ServiceChange::Start { image: wanted.gateway.to_string() },
        // Every release has its own files, so a new one starts the gateway again whatever changed.
        _ if settings => ServiceChange::Settings,
        Some(part) => part,
        None if !running => ServiceChange::Start { image: wanted.gateway.to_string() },
        // A new model server is a new release.
        None if image_part(&wanted.vllm, &serving.images.vllm)
            .is_some_and(|part| matches!(part, ServiceChange::Image { .. })) =>
        {
            ServiceChange::Again
        }
        None if !serving.healthy => ServiceChange::Again,
        None => ServiceChange::Unchanged,
    }
}

fn vllm_part(wanted: &DesiredState, serving: &Serving, running: bool) -> ServiceChange {
    let hash = ConfigHash::parse(&serving.hash);
    match image_part(&wanted.vllm, &serving.images.vllm) {
        Some(part @ ServiceChange::Image { .. }) => part,
        None if !running && hash.is_none() => ServiceChange::Start { image: wanted.vllm.to_string() },
        _ if hash.as_ref().is_none_or(|hash| hash.vllm != wanted.hash.vllm) => ServiceChange::Settings,
        Some(part) => part,
        None if !running => ServiceChange::Start { image: wanted.vllm.to_string() },
        None if wanted.restart_vllm || !serving.model_healthy => ServiceChange::Again,
        None if hash.is_some_and(|hash| hash.compose != wanted.hash.compose) => ServiceChange::Compose,
        None => ServiceChange::Unchanged,
    }
}

fn outage(gateway: &ServiceChange, vllm: &ServiceChange) -> Outage {
    match (gateway, vllm) {
        (
            _,
            ServiceChange::Image { .. } | ServiceChange::Settings | ServiceChange::Again | ServiceChange::Start { .. },
        ) => Outage::Model,
        (_, ServiceChange::Lookup { .. } | ServiceChange::Compose) => Outage::PerhapsModel,
        (ServiceChange::Unchanged, ServiceChange::Unchanged) => Outage::None,
        (_, ServiceChange::Unchanged) => Outage::Gateway,
    }
}
