//! What a script tells the operator's machine: one line of JSON behind a marker, the last of its output.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Begins the line that carries the report.
pub const MARKER: &str = "EXTRACTION-GATEWAY-REPORT ";

/// How an action ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Done, and verified where there is something to verify.
    Done,
    /// The host was already as wanted.
    NothingToDo,
    /// Failed before anything that serves was touched.
    FailedUnchanged,
    /// Failed after the switch; the release before it serves again and was verified.
    RolledBack,
    /// Failed, and what serves now, if anything, is not verified.
    NeedsAPerson,
    /// Somebody else is at work on the host; nothing was touched.
    Locked,
}

impl Outcome {
    /// The exit code of the script and of the `deployer`.
    #[must_use]
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Done | Self::NothingToDo => 0,
            Self::FailedUnchanged => 1,
            Self::RolledBack => 3,
            Self::NeedsAPerson => 4,
            Self::Locked => 5,
        }
    }
}

/// The steps of the scripts, in the order of a deploy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// The commands the script needs are there.
    Tools,
    /// The lock on the host.
    Lock,
    /// Room for the images and the model.
    Disk,
    /// A GPU that answers.
    Gpu,
    /// Login to the registry.
    Login,
    /// From a tag to a digest.
    Resolve,
    /// Images, while the old stack serves.
    Pull,
    /// Compose file, settings and keys.
    Files,
    /// The Hugging Face token, by the host's own role.
    Token,
    /// The model, where it is not in the cache.
    Download,
    /// `docker compose up`.
    Switch,
    /// Healthy, ready, one note answered by the model.
    Verify,
    /// The ledger.
    Record,
    /// Old images away.
    Prune,
    /// Draining and stopping.
    Stop,
    /// Looking, without changing anything.
    Observe,
    /// Installing or removing the idle stop.
    Autostop,
    /// Changing API keys.
    Keys,
    /// A step of a newer or older script.
    #[serde(other)]
    Unknown,
}

impl fmt::Display for Step {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(out)
    }
}

/// Who is at work on the host.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Holder {
    /// The operator's name.
    pub operator: String,
    /// What they do.
    pub action: String,
    /// Since when, in seconds since 1970.
    pub since: u64,
    /// The step they are at.
    pub step: String,
    /// What the laptop called the run ([`super::RunId`]); empty where it was not named.
    pub run: String,
    /// The last line of progress: `STEP DONE_BYTES TOTAL_BYTES SECONDS_LEFT`, `-` for what is not known.
    pub progress: String,
}

/// Both images that serve, by digest; empty where nothing does.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Images {
    /// The gateway's.
    pub gateway: String,
    /// The model server's.
    pub vllm: String,
}

/// A script's report.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct HostReport {
    /// How it ended.
    pub outcome: Outcome,
    /// What was asked for.
    pub action: String,
    /// Where it failed.
    #[serde(default)]
    pub failed_step: Option<Step>,
    /// For a person: what happened, what it means, what to do next.
    pub message: String,
    /// The release that is current now.
    #[serde(default)]
    pub release: Option<u32>,
    /// The release that serves again after a failure.
    #[serde(default)]
    pub rolled_back_to: Option<u32>,
    /// Who holds the lock, for [`Outcome::Locked`].
    #[serde(default)]
    pub holder: Option<Holder>,
    /// What the current release runs.
    #[serde(default)]
    pub images: Images,
    /// What did not stop the action but should be known.
    #[serde(default)]
    pub warnings: Vec<String>,
    /// The last lines of what failed, or the lines asked for by `logs`.
    #[serde(default)]
    pub last_log_lines: Vec<String>,
    /// What the action found; see [`super::facts`].
    #[serde(default)]
    pub facts: Value,
}

/// Finds the report in a script's output. `None`: the script was killed, or its output was cut.
#[must_use]
pub fn parse_report(stdout: &str) -> Option<HostReport> {
    let line = stdout.lines().rev().find_map(|line| line.strip_prefix(MARKER))?;
    serde_json::from_str(line).ok()
}
