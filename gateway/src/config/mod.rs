//! Settings: defaults < file < environment < flags. This file alone reads the environment.

use std::{
    collections::HashMap,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use bytesize::ByteSize;
use clap::ValueEnum;
use config::{Config, Environment, File, FileFormat};
use serde::{Deserialize, Deserializer};

use crate::http::cors::OriginPattern;

#[cfg(test)]
mod tests;

/// The file that is read where `--config` names no other, if it is there.
const DEFAULT_FILE: &str = "config/gateway.toml";
/// A shorter part of a note would be hardly more than the context that is sent with it.
const LEAST_CHUNK: usize = 1_000;

/// Everything an operator can set. Unknown keys and values refuse to start.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Address to listen on.
    pub listen: SocketAddr,
    /// Which engine reads notes.
    pub engine: EngineChoice,
    /// What answers while the model server is away.
    pub fallback: Fallback,
    /// Who may call. Without it: `keys` where a key file is set, else `off`, and then only on loopback.
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
}

/// Which engine reads notes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Fallback {
    /// An error: a lesser reading is not what was asked for.
    #[default]
    Off,
    /// The embedded rules; the answer, a header, a metric and the log say so.
    Rules,
}

/// Who may call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
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
    /// Base URL, for example `http://vllm:8000` (`VLLM_BASE_URL`).
    pub url: Option<String>,
    /// The model asked for where the caller names none.
    pub model: String,
    /// Further models that callers may name.
    #[serde(deserialize_with = "list")]
    pub models: Vec<String>,
    /// Which prompt is sent.
    pub prompt: PromptChoice,
    /// Token ids that end an answer; vLLM refuses ids outside the model's vocabulary.
    #[serde(deserialize_with = "list")]
    pub stop_token_ids: Vec<u32>,
    /// Minutes from start during which a server that refuses connections counts as loading.
    pub startup_minutes: u64,
}

/// Which prompt is sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
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
    /// Largest request body.
    pub body_bytes: ByteSize,
}

/// Defaults of decoding.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Generation {
    /// Most tokens of an answer, 1 to 8192.
    pub max_tokens: u32,
    /// 0.0 to 2.0.
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

impl Default for Settings {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            engine: EngineChoice::Auto,
            fallback: Fallback::Off,
            auth: None,
            auth_keys_file: None,
            vllm: Vllm::default(),
            limits: Limits::default(),
            generation: Generation::default(),
            chunk: ChunkSettings::default(),
            cross_check: false,
            admission: AdmissionSettings::default(),
            cors: Cors::default(),
        }
    }
}

impl Default for Vllm {
    fn default() -> Self {
        Self {
            url: None,
            model: "medical-ie".to_owned(),
            models: Vec::new(),
            prompt: PromptChoice::Training,
            stop_token_ids: vec![128_001, 128_009],
            startup_minutes: 15,
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self { max_note_chars: 100_000, body_bytes: ByteSize::mib(2) }
    }
}

impl Default for Generation {
    fn default() -> Self {
        Self { max_tokens: 1_024, temperature: 0.0 }
    }
}

impl Default for ChunkSettings {
    fn default() -> Self {
        Self { max_chars: 6_000 }
    }
}

impl Default for AdmissionSettings {
    fn default() -> Self {
        Self { in_flight: 32, queue: 512, deadline: Duration::from_secs(55), drain: Duration::from_secs(30) }
    }
}

/// Why the settings are no good. The text names the setting and where it came from.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// A file, a key or a value cannot be used.
    #[error("{0}")]
    Unusable(#[from] config::ConfigError),
    /// Settings that do not go together.
    #[error("{0}")]
    Contradiction(&'static str),
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
        Self::from_sources(flags, std::env::vars().collect())
    }

    fn from_sources(flags: &Flags, environment: HashMap<String, String>) -> Result<Self, SettingsError> {
        let file = flags.config.as_deref().unwrap_or(Path::new(DEFAULT_FILE));
        let required = flags.config.is_some();
        let alias = |name: &str| environment.get(name).filter(|value| !value.is_empty()).cloned();
        let (old_url, old_origins) = (alias("VLLM_BASE_URL"), alias("CORS_ORIGINS"));
        let ours = environment.into_iter().filter(|(name, _)| name.starts_with("GATEWAY_")).collect();
        let variables = Environment::with_prefix("GATEWAY").prefix_separator("_").separator("__").source(Some(ours));
        let mut settings: Self = Config::builder()
            .add_source(File::from(file).format(FileFormat::Toml).required(required))
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

    /// The key file, where keys are asked for.
    #[must_use]
    pub fn keys_file(&self) -> Option<&Path> {
        self.auth_keys_file.as_deref().filter(|_| self.auth != Some(Auth::Off))
    }

    fn check(&self) -> Result<(), SettingsError> {
        let wrong = |message| Err(SettingsError::Contradiction(message));
        if self.engine == EngineChoice::Vllm && self.vllm.url.is_none() {
            return wrong("engine is `vllm` but no URL is set: set VLLM_BASE_URL or --vllm-url, or choose `rules`");
        }
        if let Some(url) = &self.vllm.url {
            if url.contains(',') {
                return wrong("vllm.url names several servers: only one is supported so far");
            }
            if !url::Url::parse(url).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host()) {
                return wrong("vllm.url is no http or https URL, such as http://127.0.0.1:8000");
            }
        }
        if self.auth == Some(Auth::Keys) && self.auth_keys_file.is_none() {
            return wrong("auth is `keys` but no key file is set: set auth_keys_file (GATEWAY_AUTH_KEYS_FILE)");
        }
        if !self.listen.ip().is_loopback() && self.auth != Some(Auth::Off) && self.auth_keys_file.is_none() {
            return wrong(
                "listening beyond loopback without keys lets everybody who reaches the port call: set auth_keys_file \
                 (see `gateway hash-key`), or write auth = \"off\" (GATEWAY_AUTH=off) to say that this is meant, or \
                 listen on 127.0.0.1",
            );
        }
        if !(1..=8_192).contains(&self.generation.max_tokens) {
            return wrong("generation.max_tokens must be 1 to 8192");
        }
        if !(0.0..=2.0).contains(&self.generation.temperature) {
            return wrong("generation.temperature must be 0.0 to 2.0");
        }
        if self.chunk.max_chars < LEAST_CHUNK {
            return wrong("chunk.max_chars must be at least 1000");
        }
        if self.admission.in_flight == 0 || self.limits.max_note_chars == 0 || self.admission.deadline.is_zero() {
            return wrong("admission.in_flight, admission.deadline and limits.max_note_chars must be above zero");
        }
        Ok(())
    }
}

/// A list: an array in the file, or words with commas between in the environment.
fn list<'de, D: Deserializer<'de>, T: Deserialize<'de> + std::str::FromStr<Err: std::fmt::Display>>(
    from: D,
) -> Result<Vec<T>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Word {
        Number(u64),
        Text(String),
    }
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Either {
        Many(Vec<Word>),
        One(Word),
    }
    let written = |word: Word| match word {
        Word::Number(number) => number.to_string(),
        Word::Text(text) => text,
    };
    let words: Vec<String> = match Either::deserialize(from)? {
        Either::Many(words) => words.into_iter().map(written).collect(),
        Either::One(words) => written(words).split(',').map(|word| word.trim().to_owned()).collect(),
    };
    words.iter().filter(|word| !word.is_empty()).map(|word| word.parse().map_err(serde::de::Error::custom)).collect()
}
