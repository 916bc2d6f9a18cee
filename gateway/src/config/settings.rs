//! The settings of the operator, without the details of the sections.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};

use clap::ValueEnum;
use ipnet::IpNet;
use serde::Deserialize;

use super::{
    ask::AskSettings,
    host_name::HostName,
    listen_address::listen,
    routing::RoutingSettings,
    scan::ScanSettings,
    sections::{
        AdmissionSettings, AuditSettings, CacheSettings, ChunkSettings, CodesSettings, Cors, Generation, JobSettings,
        Limits, MetricsSettings, RateSettings, SpoolSettings, UsageSettings,
    },
    transcribe::Transcribe,
    vllm::Vllm,
    words::{self, choice, list, networks, optional_choice},
};

/// The settings of the operator. With unknown keys or values the gateway does not start.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Address to listen on.
    #[serde(deserialize_with = "listen")]
    pub listen: SocketAddr,
    /// The engine that reads notes.
    #[serde(deserialize_with = "choice")]
    pub engine: EngineChoice,
    /// What answers while no model server is available.
    #[serde(deserialize_with = "choice")]
    pub fallback: Fallback,
    /// Which clients may call. If it is not set: `keys` with a key file, else `off`, and then only on loopback.
    #[serde(deserialize_with = "optional_choice")]
    pub auth: Option<Auth>,
    /// File with the names and SHA-256 digests of the API keys, one per line; see `gateway hash-key`.
    pub auth_keys_file: Option<PathBuf>,
    /// The model servers.
    pub vllm: Vllm,
    /// The models behind the public name, and the shadow model.
    pub routing: RoutingSettings,
    /// The limits of requests and answers.
    pub limits: Limits,
    /// Defaults of decoding.
    pub generation: Generation,
    /// How long notes are read.
    pub chunk: ChunkSettings,
    /// Codes of terminologies that the gateway may not ship.
    pub codes: CodesSettings,
    /// Whether the rules engine reads each note too, so that the answer compares its record with the model's.
    pub cross_check: bool,
    /// The calls to the engine and their time limits.
    pub admission: AdmissionSettings,
    /// Cross-origin requests.
    pub cors: Cors,
    /// The rate limits of notes.
    pub rate: RateSettings,
    /// Networks of proxies whose `X-Forwarded-For` is trusted.
    #[serde(deserialize_with = "networks")]
    pub trusted_proxies: Vec<IpNet>,
    /// Host names that requests may name if there are no keys, besides addresses, `localhost` and names without a dot.
    #[serde(deserialize_with = "list")]
    pub allowed_hosts: Vec<HostName>,
    /// A separate port for metrics and verbose health.
    pub metrics: MetricsSettings,
    /// A record of each extraction, without the text of the note.
    pub audit: AuditSettings,
    /// The usage reports of the keys.
    pub usage: UsageSettings,
    /// Answers that are kept for equal requests.
    pub cache: CacheSettings,
    /// The temporary files for notes of batches that wait.
    pub spool: SpoolSettings,
    /// Notes that are read without a connection.
    pub jobs: JobSettings,
    /// Questions about a note.
    pub ask: AskSettings,
    /// The server that turns speech into text.
    pub transcribe: Transcribe,
    /// The server that turns pictures of pages into text.
    pub scan: ScanSettings,
}

/// The engine that reads notes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum EngineChoice {
    /// `vllm` if a URL is set, else `rules`.
    #[default]
    Auto,
    /// The model server; without a URL the gateway does not start.
    Vllm,
    /// The embedded rules.
    Rules,
}

/// What answers while no model server is available.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Fallback {
    /// An error, because the client did not ask for the lower quality of the rules.
    #[default]
    Off,
    /// The embedded rules. The answer, a header, a metric and the log report it.
    Rules,
}

/// Which clients may call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Auth {
    /// Every client that reaches the port.
    Off,
    /// Clients with a key from the key file.
    Keys,
}

impl Settings {
    /// Returns the engine that results from `engine` and `vllm.url`; never `Auto`.
    #[must_use]
    pub fn effective_engine(&self) -> EngineChoice {
        match self.engine {
            EngineChoice::Auto if self.vllm.url.is_some() => EngineChoice::Vllm,
            EngineChoice::Auto => EngineChoice::Rules,
            explicit => explicit,
        }
    }

    /// Returns a summary of the settings in one line.
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

    /// Returns the key file; `None` if clients need no key.
    #[must_use]
    pub fn keys_file(&self) -> Option<&Path> {
        self.auth_keys_file.as_deref().filter(|_| self.auth != Some(Auth::Off))
    }
}
