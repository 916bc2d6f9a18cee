//! Everything that an operator can set.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};

use clap::ValueEnum;
use ipnet::IpNet;
use serde::Deserialize;

use super::{
    host_name::HostName,
    sections::{
        AdmissionSettings, AuditSettings, CacheSettings, ChunkSettings, Cors, Generation, Limits, MetricsSettings,
        RateSettings,
    },
    vllm::Vllm,
    words::{self, choice, list, networks, optional_choice},
};

/// Everything an operator can set. Unknown keys and values refuse to start.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Address to listen on.
    pub listen: SocketAddr,
    /// Which engine reads notes.
    #[serde(deserialize_with = "choice")]
    pub engine: EngineChoice,
    /// What answers while the model server is away.
    #[serde(deserialize_with = "choice")]
    pub fallback: Fallback,
    /// Who may call. Without it: `keys` where a key file is set, else `off`, and then only on loopback.
    #[serde(deserialize_with = "optional_choice")]
    pub auth: Option<Auth>,
    /// Names and SHA-256 digests of the API keys, a line each; see `gateway hash-key`.
    pub auth_keys_file: Option<PathBuf>,
    /// The model server.
    pub vllm: Vllm,
    /// Sizes.
    pub limits: Limits,
    /// Defaults of decoding.
    pub generation: Generation,
    /// Long notes.
    pub chunk: ChunkSettings,
    /// Whether the rules engine reads beside the model and the answer says how the two compare.
    pub cross_check: bool,
    /// Slots at the GPU and time.
    pub admission: AdmissionSettings,
    /// Cross-origin requests.
    pub cors: Cors,
    /// Notes in so much time.
    pub rate: RateSettings,
    /// Networks of proxies whose `X-Forwarded-For` is believed.
    #[serde(deserialize_with = "networks")]
    pub trusted_proxies: Vec<IpNet>,
    /// Host names that requests may name where there are no keys, beside addresses, `localhost` and names without a dot.
    #[serde(deserialize_with = "list")]
    pub allowed_hosts: Vec<HostName>,
    /// A port of their own for metrics and verbose health.
    pub metrics: MetricsSettings,
    /// Who asked what when, without the notes.
    pub audit: AuditSettings,
    /// Answers that are given again.
    pub cache: CacheSettings,
}

/// Which engine reads notes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum EngineChoice {
    /// `vllm` where a URL is set, else `rules`.
    #[default]
    Auto,
    /// The model server; a missing one is an error.
    Vllm,
    /// The embedded rules.
    Rules,
}

/// What answers while the model server is away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Fallback {
    /// An error: a lesser reading is not what was asked for.
    #[default]
    Off,
    /// The embedded rules; the answer, a header, a metric and the log say so.
    Rules,
}

/// Who may call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Auth {
    /// Everybody who reaches the port.
    Off,
    /// Who has a key of the key file.
    Keys,
}

impl Settings {
    /// The engine that `engine` and `vllm.url` together mean.
    #[must_use]
    pub fn effective_engine(&self) -> EngineChoice {
        match self.engine {
            EngineChoice::Auto if self.vllm.url.is_some() => EngineChoice::Vllm,
            EngineChoice::Auto => EngineChoice::Rules,
            chosen => chosen,
        }
    }

    /// What they come to, in a line.
    #[must_use]
    pub fn summary(&self) -> String {
        let engine = words::word(&self.effective_engine());
        let servers = match self.vllm.urls().len() {
            0 => String::new(),
            1 => ", 1 model server".to_owned(),
            many => format!(", {many} model servers"),
        };
        let auth = if self.keys_file().is_some() { "keys" } else { "off" };
        format!("engine {engine}{servers}, auth {auth}")
    }

    /// The key file, where keys are asked for.
    #[must_use]
    pub fn keys_file(&self) -> Option<&Path> {
        self.auth_keys_file.as_deref().filter(|_| self.auth != Some(Auth::Off))
    }
}
