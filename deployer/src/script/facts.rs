//! The facts that the host's reports contain besides the outcome.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    Autostop, ModelsFound, Schedule,
    report::{Holder, HostReport},
};

/// One container.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Container {
    /// Its service: `gateway`, `vllm` or `caddy`.
    pub service: String,
    /// Docker's state: `running`, `exited`, ...; `absent` if there is no container.
    pub state: String,
    /// The result of its health check: `healthy`, `unhealthy`, `starting`, or empty.
    pub health: String,
    /// Its image: `repository@sha256:...`
    pub image: String,
    /// When it started (RFC 3339).
    pub started_at: String,
    /// How often Docker restarted it.
    pub restarts: u32,
    /// Whether the kernel killed it because memory ran out.
    pub out_of_memory: bool,
}

/// One GPU.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Gpu {
    /// Its name.
    pub name: String,
    /// Its memory in MiB.
    pub memory_total_mib: u64,
    /// The memory in use, in MiB.
    pub memory_used_mib: u64,
    /// Its load in per cent.
    pub utilization: u64,
}

/// The facts of `Status`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Status {
    /// In this order: gateway, vllm and, if the release has it, caddy.
    pub containers: Vec<Container>,
    /// The GPU; `None` if no GPU answers.
    pub gpu: Option<Gpu>,
    /// Free bytes of the file system with Docker's data.
    pub disk_free: u64,
    /// Total bytes of the file system with Docker's data.
    pub disk_total: u64,
    /// Seconds since boot.
    pub uptime_seconds: u64,
    /// The output of `gateway healthcheck --format json`; null if the gateway does not answer.
    #[serde(deserialize_with = "json_in_text")]
    pub gateway: Value,
    /// The configuration hash of the current release.
    pub config_hash: String,
    /// The commit of the current release.
    pub commit: String,
    /// The holder of the host's lock.
    pub holder: Option<Holder>,
    /// The current runs, except the one that made this report.
    pub runs: Vec<Run>,
    /// The ids of the last runs that ended by themselves, oldest first. A run that is in neither list never reached the
    /// host, or was killed.
    pub ended: Vec<String>,
    /// Whether a switch was interrupted; the next `up` or `rollback` repairs it.
    pub half_done: bool,
    /// Whether a change of models runs or was interrupted; the next `up` returns to what answered before.
    pub models_cut_off: bool,
    /// Whether the model of the current release is in the cache.
    pub model_cached: bool,
    /// The idle stop.
    pub autostop: AutostopState,
}

/// A current run of the host program.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Run {
    /// Its action.
    pub action: String,
    /// Its process id on the host.
    pub pid: u32,
    /// The id that the deployer gave it ([`super::RunId`]); empty if it has none.
    pub run: String,
    /// When it began, in seconds since 1970.
    pub since: u64,
}

/// Parses the gateway's output, which the host passes on as a string. Returns null if it is not JSON.
fn json_in_text<'de, D: serde::Deserializer<'de>>(input: D) -> Result<Value, D::Error> {
    let text = String::deserialize(input)?;
    Ok(serde_json::from_str(&text).unwrap_or_default())
}

/// The facts of `Autostop`: the settings and the state of the idle stop.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct AutostopState {
    /// Whether its timer is installed and runs.
    pub on: bool,
    /// The limit in minutes without a request.
    pub idle_minutes: u32,
    /// The limit in hours since boot; 0: none.
    pub max_uptime_hours: u32,
    /// The hour at which it stops the box; empty: none, and the next six fields have no meaning.
    pub stop_at: String,
    /// Before this hour, and after `stop_at`, the box should be off; empty: not set.
    pub open_at: String,
    /// The days of the schedule: `Mon,Tue`.
    pub days: String,
    /// The time zone of the schedule.
    pub time_zone: String,
    /// How many seconds running work may take to end at that hour.
    pub drain_seconds: u32,
    /// The next stop, in seconds since 1970.
    pub next_stop: Option<u64>,
    /// The next stop in the local time of the zone.
    pub next_stop_local: String,
    /// Whether the box should be off now; `None`: no opening hour is set.
    pub closed: Option<bool>,
    /// Whether the hour has passed while work on the host continues: the stop follows its end.
    pub due: bool,
    /// Its last decision: `active`, `idle`, `unknown`, `stopping`, `failed`; empty before its first check.
    pub decision: String,
    /// The reason of the decision, for the operator.
    pub reason: String,
    /// When it last checked, in seconds since 1970.
    pub at: u64,
    /// Seconds left before it stops the box, if nothing happens.
    pub stops_in: Option<u64>,
}

impl AutostopState {
    /// Returns the schedule that the host reported, or `None` if it has none.
    #[must_use]
    pub fn schedule(&self) -> Option<Schedule> {
        Schedule::on_host(&self.stop_at, &self.open_at, &self.days, &self.time_zone)
    }

    /// Returns the settings of the idle stop.
    #[must_use]
    pub fn set_to(&self) -> Autostop {
        if !self.on {
            return Autostop::Off;
        }
        Autostop::On {
            idle_minutes: self.idle_minutes,
            max_uptime_hours: Some(self.max_uptime_hours).filter(|hours| *hours > 0),
            schedule: self.schedule(),
        }
    }
}

/// One line of the ledger.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Release {
    /// Its number.
    pub release: u32,
    /// When it was recorded, in seconds since 1970.
    pub at: u64,
    /// `deploy` or `rollback`.
    pub action: String,
    /// The operator.
    pub operator: String,
    /// The commit of its files.
    pub commit: String,
    /// The hash of files and settings.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub config_hash: String,
    /// The gateway's image, by digest.
    pub gateway: String,
    /// The model server's image, by digest.
    pub vllm: String,
    /// `good`; `failed`; `interrupted`: the run ended before a verdict.
    pub outcome: String,
}

/// The facts of `Keys`: names and fingerprints, nothing from which a key could be derived.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct KeysFound {
    /// The SHA-256 of the key file.
    pub sha256: String,
    /// The configuration hash of the current release.
    pub config_hash: String,
    /// `NAME FINGERPRINT WORD...`, one for each key.
    pub lines: Vec<String>,
    /// The name of a key whose change was interrupted; empty if there is none.
    pub changing: String,
}

/// The facts of `Prune`: what takes disk space on the host and no kept release needs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PruneCandidates {
    /// The list's identifier, with which the operator approves it.
    pub list: String,
    /// The kept releases: the current one, and the target of a rollback.
    pub kept: Vec<u32>,
    /// Images, by digest.
    pub images: Vec<DiskUse>,
    /// Models, as `OWNER/NAME/REVISION`.
    pub models: Vec<DiskUse>,
    /// Free bytes of the disk before anything was removed.
    pub free_before: u64,
    /// Free bytes of the disk after the removal; `None`: nothing was removed.
    pub free_after: Option<u64>,
}

/// An image or a model that takes disk space.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DiskUse {
    /// Its name.
    pub name: String,
    /// Its size. Images may share parts of it with other images.
    pub bytes: u64,
}

/// The progress of the run on the host.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct RunProgress {
    /// How many lines it has printed so far.
    pub said: usize,
    /// The last of these lines.
    pub lines: Vec<String>,
    /// Its current line `progress: ...`, if any.
    pub transfer: String,
}

/// A finding of `Doctor`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct HostFinding {
    /// `docker`, `compose`, `gpu`, `gpu_runtime`, `disk`, `identity`, `secret`, `registry`, `images`, `clock`,
    /// `half_done`, `autostop`.
    pub check: String,
    /// Whether the check passed.
    pub ok: bool,
    /// The finding, for the operator.
    pub detail: String,
}

impl HostReport {
    /// Returns the facts of [`super::Action::Status`].
    #[must_use]
    pub fn status(&self) -> Option<Status> {
        serde_json::from_value(self.facts.clone()).ok()
    }

    /// Returns the facts of [`super::Action::Autostop`].
    #[must_use]
    pub fn autostop(&self) -> Option<AutostopState> {
        self.fact("autostop")
    }

    /// Returns the facts of [`super::Action::Keys`].
    #[must_use]
    pub fn keys(&self) -> Option<KeysFound> {
        self.fact("keys")
    }

    /// Returns the facts of [`super::Action::Models`].
    #[must_use]
    pub fn models(&self) -> Option<ModelsFound> {
        self.fact("models")
    }

    /// Returns the facts of [`super::Action::Progress`], or `None` if no run is at work.
    #[must_use]
    pub fn progress(&self) -> Option<RunProgress> {
        self.fact("progress")
    }

    /// Returns the facts of [`super::Action::Prune`].
    #[must_use]
    pub fn unneeded(&self) -> Option<PruneCandidates> {
        let mut found = PruneCandidates {
            list: self.fact("list")?,
            kept: self.fact("kept")?,
            images: Vec::new(),
            models: Vec::new(),
            free_before: self.fact("free_before")?,
            free_after: self.fact("free_after"),
        };
        let lines: Vec<String> = self.fact("unneeded")?;
        for line in &lines {
            let mut words = line.split(' ');
            let (Some(kind), Some(bytes), Some(name)) = (words.next(), words.next(), words.next()) else { continue };
            let one = DiskUse { name: name.to_owned(), bytes: bytes.parse().unwrap_or_default() };
            if kind == "model" { found.models.push(one) } else { found.images.push(one) }
        }
        Some(found)
    }

    /// Returns the exit code of the tool of [`super::Action::Diagnose`].
    #[must_use]
    pub fn exit(&self) -> Option<u8> {
        self.fact("exit")
    }

    /// Returns the facts of [`super::Action::Doctor`].
    #[must_use]
    pub fn findings(&self) -> Vec<HostFinding> {
        self.fact("findings").unwrap_or_default()
    }

    /// Returns the ledger, oldest first, without lines that cannot be read.
    #[must_use]
    pub fn releases(&self) -> Vec<Release> {
        let lines: Vec<String> = self.fact("ledger").unwrap_or_default();
        lines.iter().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// Returns the target of a rollback without a number; `None` if there is none.
    #[must_use]
    pub fn rollback_target(&self) -> Option<u32> {
        self.fact("target")
    }

    /// Returns how many items did not fit into the report: log lines since the cursor, lines of a tool's output, or
    /// items that `Prune` would remove.
    #[must_use]
    pub fn left_out(&self) -> u64 {
        self.fact("left_out").unwrap_or_default()
    }

    /// Returns the cursor at which `logs` continues.
    #[must_use]
    pub fn cursor(&self) -> Option<String> {
        self.fact("cursor")
    }

    fn fact<T: serde::de::DeserializeOwned>(&self, name: &str) -> Option<T> {
        serde_json::from_value(self.facts.get(name)?.clone()).ok()
    }
}
