//! Settings: defaults < file < environment < flags. This file alone reads the environment.

mod check;
mod defaults;
mod file;
mod host_name;
mod networks;
mod origin;
mod words;

use std::{
    collections::HashMap,
    ffi::OsString,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use bytesize::ByteSize;
use clap::ValueEnum;
use config::{Config, Environment};
use ipnet::IpNet;
use serde::Deserialize;
use url::Url;

pub use self::{check::MOST_NOTES, host_name::HostName, origin::OriginPattern};
use self::{
    file::SettingsText,
    words::{choice, list, networks, optional_choice},
};
use crate::{files, limiter::Rate};

#[cfg(test)]
mod tests;

/// The file that is read where `--config` names no other, if it is there.
const DEFAULT_FILE: &str = "config/gateway.toml";

/// How the variables begin that are ours, and the old names that are ours too.
const PREFIX: &str = "GATEWAY_";
const OLD_NAMES: [&str; 2] = ["VLLM_BASE_URL", "CORS_ORIGINS"];

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

/// The model server.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Vllm {
    /// Base URL, for example `http://vllm:8000` (`VLLM_BASE_URL`); several with commas between.
    pub url: Option<String>,
    /// File with the key that the servers ask for; sent as `Authorization: Bearer`.
    pub api_key_file: Option<PathBuf>,
    /// The model asked for where the caller names none.
    pub model: String,
    /// Further models that callers may name.
    #[serde(deserialize_with = "list")]
    pub models: Vec<String>,
    /// Which prompt is sent.
    #[serde(deserialize_with = "choice")]
    pub prompt: PromptChoice,
    /// Token ids that end an answer; vLLM refuses ids outside the model's vocabulary.
    #[serde(deserialize_with = "list")]
    pub stop_token_ids: Vec<u32>,
    /// Whether a server must read one made-up note in the record's form, without the constraint, before it is ready.
    pub trial_note: bool,
    /// Minutes from start during which a server that refuses connections counts as loading.
    pub startup_minutes: u64,
}

/// Which prompt is sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum PromptChoice {
    /// What the adapter was trained on, over `/v1/chat/completions`.
    #[default]
    Training,
    /// What the service before this one sent, over `/v1/completions`; for comparison.
    Legacy,
}

/// Sizes.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Longest note, in Unicode code points.
    pub max_note_chars: usize,
    /// Largest request body, and largest line of a batch.
    pub body_bytes: ByteSize,
    /// Most notes of a batch in one JSON body.
    pub batch_notes: usize,
    /// Largest batch; in one JSON body also a quarter of `memory` at most.
    pub batch_bytes: ByteSize,
    /// Longest time that a batch takes notes.
    #[serde(with = "humantime_serde")]
    pub batch_time: Duration,
    /// What bodies, notes under way, answers that wait to be read and the cache may take together. Without it, half of what the
    /// process's cgroup may use, or 512 MiB.
    pub memory: Option<ByteSize>,
    /// Most tokens of an answer that a caller may ask for, 1 to 8192; also of the second attempt at one that was cut off.
    pub max_tokens: u32,
    /// Highest temperature that a caller may ask for, 0.0 to 2.0.
    pub max_temperature: f32,
}

/// Defaults of decoding.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Generation {
    /// Most tokens of an answer, 1 to `limits.max_tokens`.
    pub max_tokens: u32,
    /// 0.0 to `limits.max_temperature`.
    pub temperature: f32,
}

/// Long notes.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ChunkSettings {
    /// Most code points of one upstream call; a longer note is read in parts.
    pub max_chars: usize,
}

/// Slots at the GPU and time.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AdmissionSettings {
    /// Upstream calls at once.
    pub in_flight: usize,
    /// Upstream calls that may wait.
    pub queue: usize,
    /// Time from arrival to answer.
    #[serde(with = "humantime_serde")]
    pub deadline: Duration,
    /// Time for running requests to end after SIGTERM.
    #[serde(with = "humantime_serde")]
    pub drain: Duration,
}

/// Cross-origin requests.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Cors {
    /// Origins that may call from a browser; `https://*.vercel.app` matches one label.
    #[serde(deserialize_with = "list")]
    pub origins: Vec<OriginPattern>,
}

/// Notes in so much time; none is a limit.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RateSettings {
    /// Of all callers together, such as `50/s`.
    pub global: Option<Rate>,
    /// Of each key whose line in the key file has no `rate=` of its own.
    pub per_key: Option<Rate>,
    /// Of each address; needs `trusted_proxies`, because behind a proxy all callers have its address.
    pub per_address: Option<Rate>,
}

/// A port of their own for metrics and verbose health.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MetricsSettings {
    /// Address that gives `/metrics` and `/health`, verbose too, without a key; none is opened without it.
    pub listen: Option<SocketAddr>,
}

/// Who asked what when, without the notes.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AuditSettings {
    /// File of JSON lines; none is written without it.
    pub path: Option<PathBuf>,
    /// File with the secret of the notes' HMACs. Without it they can be compared only within one run.
    pub key_file: Option<PathBuf>,
    /// Size at which a new file is begun.
    pub max_bytes: ByteSize,
    /// How many full files are kept.
    pub keep: usize,
}

/// Answers that are given again.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CacheSettings {
    /// Most answers that are kept, in memory; 0 keeps none.
    pub entries: u64,
    /// How long they are.
    #[serde(with = "humantime_serde")]
    pub ttl: Duration,
}

/// Why the settings are no good. The text names the setting and where it came from.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// A file, a key or a value cannot be used.
    #[error("{0}")]
    Unusable(#[from] config::ConfigError),
    /// The settings file is there and cannot be read.
    #[error(
        "{}: {error}. The gateway does not start without settings that are meant for it: let its user read the file, or name \
         another with --config",
        file.display()
    )]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// Why.
        #[source]
        error: std::io::Error,
    },
    /// Settings that do not go together.
    #[error("{0}")]
    Contradiction(&'static str),
    /// A variable of ours that is no text.
    #[error("the environment variable {0} is not UTF-8")]
    NotText(String),
}

/// What flags say, over everything else.
#[derive(Clone, Debug, Default)]
pub struct Flags {
    /// `--config`.
    pub config: Option<PathBuf>,
    /// `--listen`.
    pub listen: Option<SocketAddr>,
    /// `--engine`.
    pub engine: Option<EngineChoice>,
    /// `--vllm-url`.
    pub vllm_url: Option<String>,
}

impl Settings {
    /// Reads file, environment and flags.
    pub fn load(flags: &Flags) -> Result<Self, SettingsError> {
        Self::from_sources(flags, ours(std::env::vars_os())?)
    }

    fn from_sources(flags: &Flags, environment: HashMap<String, String>) -> Result<Self, SettingsError> {
        let file = flags.config.as_deref().unwrap_or(Path::new(DEFAULT_FILE));
        let text = SettingsText::read(file, flags.config.is_some(), files::READ_WITHIN)?;
        let alias = |name: &str| environment.get(name).filter(|value| !value.is_empty()).cloned();
        let (old_url, old_origins) = (alias("VLLM_BASE_URL"), alias("CORS_ORIGINS"));
        let ours = environment.into_iter().filter(|(name, _)| name.starts_with(PREFIX)).collect();
        let variables = Environment::with_prefix("GATEWAY").prefix_separator("_").separator("__").source(Some(ours));
        let mut settings: Self = Config::builder()
            .add_source(text.into_iter().collect::<Vec<_>>())
            .add_source(variables)
            .set_override_option("vllm.url", old_url)?
            .set_override_option("cors.origins", old_origins)?
            .build()?
            .try_deserialize()?;
        settings.listen = flags.listen.unwrap_or(settings.listen);
        settings.engine = flags.engine.unwrap_or(settings.engine);
        settings.vllm.url = flags.vllm_url.clone().or(settings.vllm.url);
        settings.check()?;
        Ok(settings)
    }

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

impl Vllm {
    /// The model servers, in the order of the setting; only URLs that `Settings::check` let through.
    #[must_use]
    pub fn urls(&self) -> Vec<Url> {
        let written = self.url.as_deref().unwrap_or_default().split(',');
        written.filter_map(|url| Url::parse(url.trim()).ok()).collect()
    }

    /// Which of them, by their places from 1 on, are sent notes that others can read on the way: in plain HTTP, to a
    /// host of the public internet.
    #[must_use]
    pub fn readable_on_the_way(&self) -> Vec<usize> {
        let urls = self.urls();
        let places = urls.iter().zip(1..).filter(|(url, _)| networks::is_readable_on_the_way(url));
        places.map(|(_, place)| place).collect()
    }
}

/// The variables that are ours. Another's may hold what it likes.
fn ours(all: impl Iterator<Item = (OsString, OsString)>) -> Result<HashMap<String, String>, SettingsError> {
    all.filter_map(|(name, value)| Some((name.into_string().ok()?, value)))
        .filter(|(name, _)| name.starts_with(PREFIX) || OLD_NAMES.contains(&name.as_str()))
        .map(|(name, value)| match value.into_string() {
            Ok(value) => Ok((name, value)),
            Err(_) => Err(SettingsError::NotText(name)),
        })
        .collect()
}
