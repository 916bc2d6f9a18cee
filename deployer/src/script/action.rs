//! The actions that the host can run, and the settings that every script needs.

use std::{collections::BTreeMap, fmt};

use super::{Diagnostic, ImageWanted, Models, Schedule};

/// A service of the compose file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// The gateway.
    Gateway,
    /// The model server.
    Vllm,
    /// The reverse proxy of the profile `tls`.
    Caddy,
}

impl Service {
    /// Its name in docker-compose.yml.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Gateway => "gateway",
            Self::Vllm => "vllm",
            Self::Caddy => "caddy",
        }
    }
}

/// Why a file or a setting cannot be sent to the host.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PayloadError {
    /// The path leaves the release's folder, or has characters that are not allowed.
    #[error("`{0}` is not a path for a release: relative, without `..`, of letters, digits and . _ - /")]
    Path(String),
    /// The name is not a valid name of an environment variable.
    #[error("`{0}` is not the name of a setting: capital letters, digits and _ only")]
    Name(String),
    /// The host sets this setting itself, or it would change how compose or docker work.
    #[error("`{0}` is not a setting of a release: the host sets it, or it must not be set")]
    Reserved(String),
    /// The value has a quote, a backslash or a line end, which compose would interpret.
    #[error("the value of `{0}` has a quote, a backslash or a control character")]
    Value(String),
}

/// A file of the release.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostFile {
    pub(super) path: String,
    pub(super) mode: u32,
    pub(super) content: Vec<u8>,
}

impl HostFile {
    /// Checks the path: `docker-compose.yml`, `config/gateway.toml`, `keys.txt` (digests only), relative to the
    /// release's folder. A file that a container reads as another user needs mode 0644.
    pub fn new(path: &str, mode: u32, content: Vec<u8>) -> Result<Self, PayloadError> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-' | b'/');
        let fits = path.bytes().all(allowed) && path.split('/').all(|part| !matches!(part, "" | "." | ".."));
        // The deployer's own files in that folder are refused. The host checks this again: bash/values.sh.
        let first = path.split('/').next().unwrap_or_default();
        if !fits || matches!(first, ".env" | ".env.new" | "release.json" | "state" | "state.new") {
            return Err(PayloadError::Path(path.to_owned()));
        }
        Ok(Self { path: path.to_owned(), mode: mode & 0o777, content })
    }

    /// The file's path in the release's folder.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }
}

/// The settings of the compose file, which the host writes to `.env`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ComposeEnv(pub(super) BTreeMap<String, String>);

impl ComposeEnv {
    /// Checks that compose reads every value unchanged. The host sets `GATEWAY_IMAGE`, `VLLM_IMAGE` and `HF_TOKEN_FILE`
    /// itself, so they are refused.
    pub fn new(values: BTreeMap<String, String>) -> Result<Self, PayloadError> {
        for (name, value) in &values {
            let of_a_tool = (name.starts_with("COMPOSE_") && name != "COMPOSE_PROFILES") || name.starts_with("DOCKER_");
            if of_a_tool || matches!(name.as_str(), "GATEWAY_IMAGE" | "VLLM_IMAGE" | "HF_TOKEN_FILE") {
                return Err(PayloadError::Reserved(name.clone()));
            }
            let capital = |byte: u8| byte.is_ascii_uppercase() || byte == b'_';
            if !name.bytes().next().is_some_and(capital)
                || !name.bytes().all(|byte| capital(byte) || byte.is_ascii_digit())
            {
                return Err(PayloadError::Name(name.clone()));
            }
            if value.chars().any(|c| c.is_control() || matches!(c, '\'' | '\\')) {
                return Err(PayloadError::Value(name.clone()));
            }
        }
        Ok(Self(values))
    }
}

impl ComposeEnv {
    /// Iterates over names and values, in order of the names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

/// A release to bring up.
#[derive(Clone, Debug)]
pub struct Deploy {
    /// The gateway's image.
    pub gateway: ImageWanted,
    /// The model server's image.
    pub vllm: ImageWanted,
    /// `docker-compose.yml`, `config/`, `keys.txt`.
    pub files: Vec<HostFile>,
    /// Settings for the compose file.
    pub env: ComposeEnv,
    /// The commit that the files are from, for the ledger.
    pub commit: String,
    /// The hash of files and settings. The host compares it with that of the current release.
    pub config_hash: String,
    /// Whether to restart vLLM even if compose sees no change in it.
    pub restart_vllm: bool,
    /// Whether to end once the images and models are on the host, before anything is switched.
    pub download_only: bool,
}

/// The release that was current when a plan was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExpectedRelease {
    /// Not known, because the box did not run: any release is accepted.
    Any,
    /// There was no release.
    NoRelease,
    /// This release.
    Release(u32),
}

impl ExpectedRelease {
    /// Converts the current release that the host reported, if any.
    #[must_use]
    pub fn of(release: Option<u32>) -> Self {
        release.map_or(Self::NoRelease, Self::Release)
    }
}

impl fmt::Display for ExpectedRelease {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => Ok(()),
            Self::NoRelease => out.write_str("none"),
            Self::Release(number) => write!(out, "{number}"),
        }
    }
}

/// The idle stop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Autostop {
    /// Install it, or change its limits.
    On {
        /// Stop after this many minutes without a request.
        idle_minutes: u32,
        /// Stop this many hours after boot, even if work runs.
        max_uptime_hours: Option<u32>,
        /// Stop at an hour of the day, once running work has ended.
        schedule: Option<Schedule>,
    },
    /// Remove it.
    Off,
    /// Report its settings and its last decision.
    Status,
}

impl fmt::Display for Autostop {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::On { idle_minutes, max_uptime_hours, schedule } = self else { return out.write_str("off") };
        write!(out, "after {idle_minutes} min idle")?;
        if let Some(hours) = max_uptime_hours {
            write!(out, ", after {hours} h whatever runs")?;
        }
        schedule.as_ref().map_or(Ok(()), |schedule| write!(out, ", {schedule}"))
    }
}

/// An action on the API keys of the host, which stores their digests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Keys {
    /// List the keys. Changes nothing.
    List,
    /// Add or revoke a key.
    Change(KeyChange),
}

/// A key to add or to revoke.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyChange {
    /// The key's name.
    pub name: String,
    /// The key's line in the key file; `None`: the key is revoked.
    pub line: Option<String>,
    /// The SHA-256 of the host's key file when the change was planned.
    pub before: String,
    /// The configuration hash after the change; empty if it cannot be known.
    pub config_hash: String,
}

/// An action that the host runs.
#[derive(Clone, Debug)]
pub enum Action {
    /// List the models, or let others answer.
    Models(Models),
    /// List or change API keys.
    Keys(Keys),
    /// Report the progress of the run on the host.
    Progress,
    /// Run a diagnostic of the closed list.
    Diagnose {
        /// The diagnostic.
        diagnostic: Diagnostic,
        /// The service whose container is examined, if the diagnostic takes one ([`Diagnostic::takes_service`]).
        service: Option<Service>,
    },
    /// List or remove images and models that no kept release needs ([`super::facts::PruneCandidates`]).
    Prune {
        /// Whether to include models.
        models: bool,
        /// Remove what the list of this name contains ([`super::facts::PruneCandidates::list`]); `None`: only list.
        approved: Option<String>,
    },
    /// Pull, switch, verify and record a release; go back to the previous one if that fails.
    Deploy(Box<Deploy>),
    /// Go back to an earlier release (`None`: the last good one before the current).
    Rollback {
        /// Its number.
        to: Option<u32>,
    },
    /// Stop both services.
    Down {
        /// Let running work end first.
        drain: bool,
    },
    /// Report the state of the host ([`super::facts::Status`]).
    Status,
    /// Check that the service is healthy, ready and answers from the model. Changes nothing, needs no lock.
    Verify,
    /// Return lines of the services' logs.
    Logs {
        /// `None`: both.
        service: Option<Service>,
        /// The most lines to return, the newest ones.
        lines: u32,
        /// Return only lines after this cursor (`facts.cursor` of the previous call).
        since: Option<String>,
    },
    /// Restart a service and verify.
    Restart {
        /// `None`: both.
        service: Option<Service>,
    },
    /// Return the ledger ([`super::facts::Release`]).
    Releases,
    /// Check what the host lacks ([`super::facts::HostFinding`]).
    Doctor {
        /// The images of the next deploy, as far as the configuration names them. If it names none, the images of the
        /// current release are checked.
        images: Vec<ImageWanted>,
    },
    /// The idle stop.
    Autostop(Autostop),
    /// Clear what a killed run left; report the holder if another run is at work.
    Unlock,
}

/// Disk space that images and models need, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DiskNeed {
    /// The gateway's image, unpacked.
    pub gateway_image: u64,
    /// The model server's image, unpacked.
    pub vllm_image: u64,
    /// Base model and adapter.
    pub model: u64,
}

/// How many seconds the gateway, or Caddy, may take once the model server is healthy: both need only seconds, but
/// Caddy's first health check comes after 30.
pub const READY_WAIT_SECONDS: u32 = 90;

/// The settings that every script needs.
#[derive(Clone, Debug)]
pub struct HostSettings {
    /// The AWS region.
    pub region: String,
    /// The registry to log in to: `ACCOUNT.dkr.ecr.REGION.amazonaws.com`.
    pub registry: String,
    /// The secret that holds the Hugging Face token.
    pub secret_id: String,
    /// The operator's name, for the lock and the audit.
    pub operator: String,
    /// Whether to refuse a host without a GPU.
    pub gpu: bool,
    /// Disk space that a deploy needs.
    pub disk: DiskNeed,
    /// How many seconds `docker compose up --wait` may take: a cold model load.
    pub up_wait_seconds: u32,
    /// How many seconds the gateway, or Caddy, may take to become healthy once the model server is.
    pub ready_wait_seconds: u32,
    /// How many seconds running work may take to end.
    pub drain_seconds: u32,
}
