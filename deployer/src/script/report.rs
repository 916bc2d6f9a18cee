//! A script's report to the operator's machine: one line of JSON after a marker, the last line of its output.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The beginning of the report's line.
pub const MARKER: &str = "EXTRACTION-GATEWAY-REPORT ";

/// How an action ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ActionOutcome {
    /// Done, and verified if there is something to verify.
    Done,
    /// The host already had the wanted state.
    NothingToDo,
    /// Failed before any running service was touched.
    FailedUnchanged,
    /// Failed after the switch; the previous release serves again and was verified.
    RolledBack,
    /// Failed, and the services that run now, if any, are not verified.
    NeedsAPerson,
    /// Another run is at work on the host; nothing was changed.
    Locked,
}

impl ActionOutcome {
    /// Returns the exit code of the script and of the `deployer`.
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

/// A step of a script: the current step of a run, and the step that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// Check that the commands that the script needs exist.
    Tools,
    /// Take the lock on the host.
    Lock,
    /// Check that the images and the model fit on the disk.
    Disk,
    /// Check that a GPU answers.
    Gpu,
    /// Log in to the registry.
    Login,
    /// Resolve a tag to a digest.
    Resolve,
    /// Pull the images, while the old release serves.
    Pull,
    /// Write the compose file, settings and keys.
    Files,
    /// Read the Hugging Face token with the host's own role.
    Token,
    /// Download the model, if it is not in the cache.
    Download,
    /// Run `docker compose up`.
    Switch,
    /// Verify that the services are healthy and ready and that the model answers one note.
    Verify,
    /// Add the result of the switch to the ledger of releases.
    Record,
    /// Remove old images.
    Prune,
    /// Drain and stop the services.
    Stop,
    /// Read the state, without changing anything.
    Observe,
    /// Install or remove the idle stop.
    Autostop,
    /// Change API keys.
    Keys,
    /// Let other models answer for the public name.
    Models,
    /// A step of a newer or older script.
    #[serde(other)]
    Unknown,
}

impl fmt::Display for Step {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(out)
    }
}

/// The run that holds the host's lock.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Holder {
    /// The operator's name.
    pub operator: String,
    /// The action that runs.
    pub action: String,
    /// When it began, in seconds since 1970.
    pub since: u64,
    /// The current step.
    pub step: String,
    /// The id that the deployer gave the run ([`super::RunId`]); empty if it has none.
    pub run: String,
    /// The last progress line: `STEP DONE_BYTES TOTAL_BYTES SECONDS_LEFT`, with `-` for unknown values.
    pub progress: String,
}

/// The images of both running services, by digest; empty if nothing serves.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct RunningImages {
    /// The gateway's image.
    pub gateway: String,
    /// The model server's image.
    pub vllm: String,
}

/// A script's report.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct HostReport {
    /// How it ended.
    pub outcome: ActionOutcome,
    /// The action that was run.
    pub action: String,
    /// The step that failed.
    #[serde(default)]
    pub failed_step: Option<Step>,
    /// The message for the operator: what happened, what it means, what to do next.
    pub message: String,
    /// The release that is current now.
    #[serde(default)]
    pub release: Option<u32>,
    /// The release that serves again after a failure.
    #[serde(default)]
    pub rolled_back_to: Option<u32>,
    /// Who holds the lock, for [`ActionOutcome::Locked`].
    #[serde(default)]
    pub holder: Option<Holder>,
    /// The images of the current release.
    #[serde(default)]
    pub images: RunningImages,
    /// Problems that did not stop the action.
    #[serde(default)]
    pub warnings: Vec<String>,
    /// The last output lines of the failed step, or the lines for `logs`.
    #[serde(default)]
    pub last_log_lines: Vec<String>,
    /// The facts that the action found; see [`super::facts`].
    #[serde(default)]
    pub facts: Value,
}

/// Finds the report in a script's output. Returns `None` if the script was killed or its output was cut.
#[must_use]
pub fn parse_report(stdout: &str) -> Option<HostReport> {
    let line = stdout.lines().rev().find_map(|line| line.strip_prefix(MARKER))?;
    serde_json::from_str(line).ok()
}
