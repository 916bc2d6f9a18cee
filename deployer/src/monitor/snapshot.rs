//! The snapshot: all that the monitor knows at one moment, for a person and as JSON. Its JSON Schema is
//! `deployer/docs/monitor.schema.json`. Pure.

use schemars::JsonSchema;
use serde::Serialize;

use super::{alerts::AlertStatus, channels::ChannelStatus, figures::Figures};

/// All that the monitor knows at one moment.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Snapshot {
    /// When it was made: RFC 3339, UTC.
    pub time: String,
    /// The gateway's address; `null` if the box has no address.
    pub url: Option<String>,
    /// The EC2 instance and its cost; `null` if only a gateway is watched.
    #[serde(rename = "box")]
    pub instance: Option<Reading<BoxState>>,
    /// The services, the GPU and the disk of the box; `null` if only a gateway is watched.
    pub host: Option<Reading<HostState>>,
    /// The gateway's own report at `/health`.
    pub gateway: Reading<GatewayHealth>,
    /// The gateway's figures, from `/metrics`.
    pub figures: Reading<Figures>,
    /// The alerts that are evaluated.
    pub watched: Vec<&'static str>,
    /// Alerts that fire, and those that will if their violation continues.
    pub alerts: Vec<AlertStatus>,
    /// The channels of `--headless`, with their failures.
    pub channels: Vec<ChannelStatus>,
}

/// Values of one source: the last good ones, their age, and whether they are still valid.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Reading<T> {
    /// The last good values; `null` before the first.
    pub value: Option<T>,
    /// The age of the values in seconds; `null` without values.
    pub age_seconds: Option<f64>,
    /// Whether the values are too old, or the last request failed.
    pub stale: bool,
    /// Why the last request failed; `null` if it succeeded.
    pub error: Option<String>,
}

impl<T> Reading<T> {
    /// Returns the values unless they are stale.
    #[must_use]
    pub const fn fresh(&self) -> Option<&T> {
        if self.stale { None } else { self.value.as_ref() }
    }

    /// Returns whether the source was asked and has answered or failed.
    #[must_use]
    pub const fn was_asked(&self) -> bool {
        self.value.is_some() || self.error.is_some() || self.stale
    }
}

/// The EC2 instance.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct BoxState {
    /// Its id.
    pub id: String,
    /// Its type.
    pub kind: String,
    /// `running`, `stopped`, `pending`...
    pub state: String,
    /// Seconds since its last start; `null` if it does not run.
    pub running_seconds: Option<u64>,
    /// The cost since its last start, in US dollars; `null` if it does not run.
    pub cost_so_far_usd: Option<f64>,
    /// The cost of an hour in its present state, in US dollars.
    pub usd_per_hour: f64,
}

/// What the host of the box reports.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct HostState {
    /// The number of the release that serves; `null`: none.
    pub release: Option<u32>,
    /// The containers.
    pub services: Vec<ServiceState>,
    /// The GPU; `null`: none answers.
    pub gpu: Option<GpuState>,
    /// Free bytes of the disk with Docker's data.
    pub disk_free: u64,
    /// Total bytes of this disk.
    pub disk_total: u64,
}

/// A container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ServiceState {
    /// `gateway`, `vllm` or `caddy`.
    pub name: String,
    /// Docker's state: `running`, `exited`, `absent`...
    pub state: String,
    /// `healthy`, `unhealthy`, `starting`, or empty.
    pub health: String,
    /// How often Docker restarted it.
    pub restarts: u32,
}

/// A GPU.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct GpuState {
    /// Its name.
    pub name: String,
    /// Memory in use, in MiB.
    pub memory_used_mib: u64,
    /// Its memory, in MiB.
    pub memory_total_mib: u64,
    /// Its load in percent.
    pub utilization: u64,
}

/// The answer of the gateway at `/health`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct GatewayHealth {
    /// `healthy`, `degraded`, `starting` or `draining`.
    pub status: String,
    /// Its version.
    pub version: String,
    /// The engine that answers: `vllm` or `rules`.
    pub engine: String,
}

/// Returns the JSON Schema of a snapshot.
#[must_use]
pub fn schema() -> serde_json::Value {
    schemars::generate::SchemaSettings::draft2020_12()
        // Serialized: fields with `null` are always present.
        .for_serialize()
        .into_generator()
        .into_root_schema_for::<Snapshot>()
        .to_value()
}
