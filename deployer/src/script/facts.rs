//! What the host's reports hold beside the outcome.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    Autostop, Schedule,
    report::{Holder, HostReport},
};

/// One container.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Container {
    /// `gateway`, `vllm` or `caddy`.
    pub service: String,
    /// Docker's word: `running`, `exited`, ...; `absent` where there is none.
    pub state: String,
    /// `healthy`, `unhealthy`, `starting`, or empty.
    pub health: String,
    /// `repository@sha256:...`
    pub image: String,
    /// When it started (RFC 3339).
    pub started_at: String,
    /// How often Docker started it again.
    pub restarts: u32,
    /// The kernel ended it for want of memory.
    pub out_of_memory: bool,
}

/// One GPU.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Gpu {
    /// Its name.
    pub name: String,
    /// Its memory, MiB.
    pub memory_total_mib: u64,
    /// In use, MiB.
    pub memory_used_mib: u64,
    /// Per cent.
    pub utilization: u64,
}

/// What `Status` finds.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Status {
    /// In this order: gateway, vllm, and where the release has it, caddy.
    pub containers: Vec<Container>,
    /// `None`: no GPU answers.
    pub gpu: Option<Gpu>,
    /// Where Docker keeps its data: free bytes.
    pub disk_free: u64,
    /// ... and all of them.
    pub disk_total: u64,
    /// Seconds since boot.
    pub uptime_seconds: u64,
    /// What `gateway healthcheck --format json` printed; null where it does not answer.
    #[serde(deserialize_with = "json_in_text")]
    pub gateway: Value,
    /// The configuration hash of the current release.
    pub config_hash: String,
    /// The commit of the current release.
    pub commit: String,
    /// Who is at work now.
    pub holder: Option<Holder>,
    /// The runs that go on, but for the one that looked.
    pub runs: Vec<Run>,
    /// The names of the last runs that ended by themselves, oldest first. A run that is in neither list never came, or
    /// was killed.
    pub ended: Vec<String>,
    /// A switch was cut off; the next `up` or `rollback` mends it.
    pub half_done: bool,
    /// The model of the current release is in the cache.
    pub model_cached: bool,
    /// The idle stop.
    pub autostop: AutostopState,
}

/// A run of the host program that goes on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Run {
    /// What it does.
    pub action: String,
    /// Its process on the host.
    pub pid: u32,
    /// What the laptop called it ([`super::RunId`]); empty where it was not named.
    pub run: String,
    /// When it came, in seconds since 1970.
    pub since: u64,
}

/// The host hands on what the gateway printed as it is, in a string.
fn json_in_text<'de, D: serde::Deserializer<'de>>(input: D) -> Result<Value, D::Error> {
    let text = String::deserialize(input)?;
    Ok(serde_json::from_str(&text).unwrap_or_default())
}

/// What `Autostop` finds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct AutostopState {
    /// Its timer is there and runs.
    pub on: bool,
    /// Its limit.
    pub idle_minutes: u32,
    /// Its hard limit; 0: none.
    pub max_uptime_hours: u32,
    /// The hour at which it stops the box; empty: none, and the six below say nothing.
    pub stop_at: String,
    /// Before this hour, and after the other, the box should be off; empty: not set.
    pub open_at: String,
    /// `Mon,Tue`.
    pub days: String,
    /// Whose clock counts.
    pub time_zone: String,
    /// How long running work may take to end, at that hour.
    pub drain_seconds: u32,
    /// The next stop, in seconds since 1970.
    pub next_stop: Option<u64>,
    /// The same as the zone's clock shows it.
    pub next_stop_local: String,
    /// The box should be off now; `None`: no hour of opening is set.
    pub closed: Option<bool>,
    /// The hour has come, and work on the host goes on: the stop follows its end.
    pub due: bool,
    /// What it decided last: `active`, `idle`, `unknown`, `stopping`, `failed`; empty before its first look.
    pub decision: String,
    /// Why, for a person.
    pub reason: String,
    /// When it looked, in seconds since 1970.
    pub at: u64,
    /// Seconds left before it stops the box, if nothing happens.
    pub stops_in: Option<u64>,
}

impl AutostopState {
    /// What it is set to.
    #[must_use]
    pub fn set_to(&self) -> Autostop {
        if !self.on {
            return Autostop::Off;
        }
        Autostop::On {
            idle_minutes: self.idle_minutes,
            max_uptime_hours: Some(self.max_uptime_hours).filter(|hours| *hours > 0),
            schedule: Schedule::on_host(self),
        }
    }
}

/// One line of the ledger.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Release {
    /// Its number.
    pub release: u32,
    /// Seconds since 1970.
    pub at: u64,
    /// `deploy` or `rollback`.
    pub action: String,
    /// Who.
    pub operator: String,
    /// From which commit.
    pub commit: String,
    /// Of files and settings.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub config_hash: String,
    /// By digest.
    pub gateway: String,
    /// By digest.
    pub vllm: String,
    /// `good`; `failed`; `interrupted`: cut off before its verdict.
    pub outcome: String,
}

/// What `Keys` finds: names, and nothing by which a key could be found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct KeysFound {
    /// SHA-256 of the key file.
    pub sha256: String,
    /// The configuration hash of the current release.
    pub config_hash: String,
    /// `NAME FINGERPRINT WORD...`, one for each key.
    pub lines: Vec<String>,
    /// The name of a key whose change was cut off; empty: none was.
    pub changing: String,
}

/// What `Prune` finds: what takes room on the host and no kept release needs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PruneCandidates {
    /// The list's name, by which it is approved.
    pub list: String,
    /// The releases that are kept: the current one, and the one that a rollback goes to.
    pub kept: Vec<u32>,
    /// Images, by digest.
    pub images: Vec<DiskUse>,
    /// Models, as `OWNER/NAME/REVISION`.
    pub models: Vec<DiskUse>,
    /// Free bytes of the disk before anything was removed.
    pub free_before: u64,
    /// ... and after it; `None`: nothing was to be removed.
    pub free_after: Option<u64>,
}

/// Something that takes room.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DiskUse {
    /// What.
    pub name: String,
    /// How much. Images may share parts of it with others.
    pub bytes: u64,
}

/// How far the run is that works on the host.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct RunProgress {
    /// How many lines it has said so far.
    pub said: usize,
    /// The last ones of them.
    pub lines: Vec<String>,
    /// Its line `progress: ...`, if there is one now.
    pub transfer: String,
}

/// One finding of `Doctor`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Finding {
    /// `docker`, `compose`, `gpu`, `gpu_runtime`, `disk`, `identity`, `secret`, `registry`, `images`, `clock`,
    /// `half_done`, `autostop`.
    pub check: String,
    /// Nothing to mend.
    pub ok: bool,
    /// What was found, for a person.
    pub detail: String,
}

impl HostReport {
    /// The facts of [`super::Action::Status`].
    #[must_use]
    pub fn status(&self) -> Option<Status> {
        serde_json::from_value(self.facts.clone()).ok()
    }

    /// The facts of [`super::Action::Autostop`].
    #[must_use]
    pub fn autostop(&self) -> Option<AutostopState> {
        self.part("autostop")
    }

    /// The facts of [`super::Action::Keys`].
    #[must_use]
    pub fn keys(&self) -> Option<KeysFound> {
        self.part("keys")
    }

    /// The facts of [`super::Action::Progress`]; `None`: nobody is at work.
    #[must_use]
    pub fn progress(&self) -> Option<RunProgress> {
        self.part("progress")
    }

    /// The facts of [`super::Action::Prune`].
    #[must_use]
    pub fn unneeded(&self) -> Option<PruneCandidates> {
        let mut found = PruneCandidates {
            list: self.part("list")?,
            kept: self.part("kept")?,
            images: Vec::new(),
            models: Vec::new(),
            free_before: self.part("free_before")?,
            free_after: self.part("free_after"),
        };
        let lines: Vec<String> = self.part("unneeded")?;
        for line in &lines {
            let mut words = line.split(' ');
            let (Some(kind), Some(bytes), Some(name)) = (words.next(), words.next(), words.next()) else { continue };
            let one = DiskUse { name: name.to_owned(), bytes: bytes.parse().unwrap_or_default() };
            if kind == "model" { found.models.push(one) } else { found.images.push(one) }
        }
        Some(found)
    }

    /// How the tool of [`super::Action::Diagnose`] ended.
    #[must_use]
    pub fn exit(&self) -> Option<u8> {
        self.part("exit")
    }

    /// The facts of [`super::Action::Doctor`].
    #[must_use]
    pub fn findings(&self) -> Vec<Finding> {
        self.part("findings").unwrap_or_default()
    }

    /// The ledger, oldest first; lines that cannot be read are left out.
    #[must_use]
    pub fn releases(&self) -> Vec<Release> {
        let lines: Vec<String> = self.part("ledger").unwrap_or_default();
        lines.iter().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// Where a rollback without a number would go; `None`: nowhere.
    #[must_use]
    pub fn rollback_target(&self) -> Option<u32> {
        self.part("target")
    }

    /// What was found and did not fit: lines of logs since the cursor, of what a tool printed, things that `Prune` would
    /// remove.
    #[must_use]
    pub fn left_out(&self) -> u64 {
        self.part("left_out").unwrap_or_default()
    }

    /// Where `logs` goes on.
    #[must_use]
    pub fn cursor(&self) -> Option<String> {
        self.part("cursor")
    }

    fn part<T: serde::de::DeserializeOwned>(&self, name: &str) -> Option<T> {
        serde_json::from_value(self.facts.get(name)?.clone()).ok()
    }
}
