//! What can be asked of the host, and what every script needs to know.

use std::{collections::BTreeMap, fmt};

use super::{Diagnostic, ImageWanted, Schedule};

/// A service of the compose file that can be named.
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

/// Why a file or a setting cannot travel.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CarryError {
    /// A path that leaves the release's folder, or has odd characters.
    #[error("`{0}` is no path for a release: relative, without `..`, of letters, digits and . _ - /")]
    Path(String),
    /// A name that no environment variable has.
    #[error("`{0}` is no name of a setting: capital letters, digits and _ only")]
    Name(String),
    /// The host writes these itself, or they would make compose or docker another one.
    #[error("`{0}` is no setting of a release: the host sets it, or leaves it alone")]
    Reserved(String),
    /// Compose reads quotes, backslashes and line ends in its own way.
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
    /// `docker-compose.yml`, `config/gateway.toml`, `keys.txt` (digests only): relative to the release's folder.
    /// A file that a container reads as another user needs mode 0644.
    pub fn new(path: &str, mode: u32, content: Vec<u8>) -> Result<Self, CarryError> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-' | b'/');
        let fits = path.bytes().all(allowed) && path.split('/').all(|part| !matches!(part, "" | "." | ".."));
        // The deployer's own files in that folder. The host looks once more: bash/values.sh.
        let first = path.split('/').next().unwrap_or_default();
        if !fits || matches!(first, ".env" | ".env.new" | "release.json" | "state" | "state.new") {
            return Err(CarryError::Path(path.to_owned()));
        }
        Ok(Self { path: path.to_owned(), mode: mode & 0o777, content })
    }

    /// Where it lies in the release's folder.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }
}

/// The settings of the compose file, as they go to `.env`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ComposeEnv(pub(super) BTreeMap<String, String>);

impl ComposeEnv {
    /// Checks that compose reads every value as it is written. `GATEWAY_IMAGE`, `VLLM_IMAGE` and `HF_TOKEN_FILE`
    /// are the host's.
    pub fn new(values: BTreeMap<String, String>) -> Result<Self, CarryError> {
        for (name, value) in &values {
            let of_a_tool = (name.starts_with("COMPOSE_") && name != "COMPOSE_PROFILES") || name.starts_with("DOCKER_");
            if of_a_tool || matches!(name.as_str(), "GATEWAY_IMAGE" | "VLLM_IMAGE" | "HF_TOKEN_FILE") {
                return Err(CarryError::Reserved(name.clone()));
            }
            let capital = |byte: u8| byte.is_ascii_uppercase() || byte == b'_';
            if !name.bytes().next().is_some_and(capital)
                || !name.bytes().all(|byte| capital(byte) || byte.is_ascii_digit())
            {
                return Err(CarryError::Name(name.clone()));
            }
            if value.chars().any(|c| c.is_control() || matches!(c, '\'' | '\\')) {
                return Err(CarryError::Value(name.clone()));
            }
        }
        Ok(Self(values))
    }
}

impl ComposeEnv {
    /// All of them, by name.
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
    /// The commit the files are from, for the ledger.
    pub commit: String,
    /// Says whether files or settings changed: the host compares it with the current release's.
    pub config_hash: String,
    /// Start vLLM again even if compose sees no change of it.
    pub restart_vllm: bool,
}

/// The release that was current when a plan was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// Not known, because the box did not run.
    Anything,
    /// There was none.
    Nothing,
    /// This one.
    Release(u32),
}

impl Expect {
    /// From what the host said: its current release, or none.
    #[must_use]
    pub fn of(release: Option<u32>) -> Self {
        release.map_or(Self::Nothing, Self::Release)
    }
}

impl fmt::Display for Expect {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Anything => Ok(()),
            Self::Nothing => out.write_str("none"),
            Self::Release(number) => write!(out, "{number}"),
        }
    }
}

/// The idle stop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Autostop {
    /// Install it, or change its limits.
    On {
        /// Stop after so many minutes without a request.
        idle_minutes: u32,
        /// Stop after so many hours since boot, whatever runs.
        max_uptime_hours: Option<u32>,
        /// Stop at an hour, once running work has ended.
        schedule: Option<Schedule>,
    },
    /// Remove it.
    Off,
    /// What it is set to and what it saw last.
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

/// API keys on the host, by their digests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Keys {
    /// Which there are. Changes nothing.
    List,
    /// One more, or one less.
    Change(KeyChange),
}

/// A key that comes or goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyChange {
    /// Its name.
    pub name: String,
    /// Its line in the key file; `None`: it goes.
    pub line: Option<String>,
    /// SHA-256 of the host's key file when this was planned.
    pub before: String,
    /// The configuration hash after it; empty where it cannot be known.
    pub config_hash: String,
}

/// What the host is asked to do.
#[derive(Clone, Debug)]
pub enum Action {
    /// API keys.
    Keys(Keys),
    /// How far the run is that works on the host now.
    Progress,
    /// A look from the closed list.
    Diagnose {
        /// Which.
        diagnostic: Diagnostic,
        /// In whose container, for the one that can be asked of either ([`Diagnostic::takes_service`]).
        service: Option<Service>,
    },
    /// Images and models that no kept release needs ([`super::facts::PruneCandidates`]).
    Prune {
        /// Models as well.
        models: bool,
        /// Remove what a list of this name had ([`super::facts::PruneCandidates::list`]); `None`: only list it.
        approved: Option<String>,
    },
    /// Pull, switch, verify, record; back to the release before if that fails.
    Deploy(Box<Deploy>),
    /// Back to an earlier release (`None`: the last good one before the current).
    Rollback {
        /// Its number.
        to: Option<u32>,
    },
    /// Stop both services.
    Down {
        /// Let running work end first.
        drain: bool,
    },
    /// What is there ([`super::facts::Status`]).
    Status,
    /// Is what serves healthy, ready and answering from the model? Changes nothing, needs no lock.
    Verify,
    /// Lines of the services' logs.
    Logs {
        /// `None`: both.
        service: Option<Service>,
        /// At most so many, the newest.
        lines: u32,
        /// Only lines after this cursor (`facts.cursor` of the call before).
        since: Option<String>,
    },
    /// Start a service again and verify.
    Restart {
        /// `None`: both.
        service: Option<Service>,
    },
    /// The ledger ([`super::facts::Release`]).
    Releases,
    /// What the host lacks ([`super::facts::Finding`]).
    Doctor {
        /// The images that the next deploy takes, as far as the configuration names them; without any, those of the
        /// current release are looked up.
        images: Vec<ImageWanted>,
    },
    /// The idle stop.
    Autostop(Autostop),
    /// Clear what a killed run left; says who is at work if somebody is.
    Unlock,
}

/// How much room things take, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DiskNeed {
    /// The gateway's image, unpacked.
    pub gateway_image: u64,
    /// The model server's image, unpacked.
    pub vllm_image: u64,
    /// Base model and adapter.
    pub model: u64,
}

/// How long the gateway, or Caddy, may take once the model server is healthy: they need seconds, and Caddy is first
/// asked for its health after 30.
pub const READY_WAIT_SECONDS: u32 = 90;

/// What every script needs to know.
#[derive(Clone, Debug)]
pub struct HostSettings {
    /// The AWS region.
    pub region: String,
    /// The registry to log in to: `ACCOUNT.dkr.ecr.REGION.amazonaws.com`.
    pub registry: String,
    /// The secret that holds the Hugging Face token.
    pub secret_id: String,
    /// Who acts, for the lock and the audit.
    pub operator: String,
    /// Refuse a host without a GPU.
    pub gpu: bool,
    /// Room that a deploy needs.
    pub disk: DiskNeed,
    /// How long `docker compose up --wait` may take: a cold model load.
    pub up_wait_seconds: u32,
    /// How long the gateway, or Caddy, may take to become healthy once the model server is.
    pub ready_wait_seconds: u32,
    /// How long running work may take to end.
    pub drain_seconds: u32,
}
