//! Builds the scripts that run on the host: one constant program in bash, and the values that it works on.
//!
//! Pure: this module uses no network, file or clock, and no value ever becomes code. The program is in `bash/`, a part
//! for each concern. `tests/scripts` runs it; `tests/mutants` checks that a test covers each safety measure.
//!
//! The host has these files under `/opt/extraction-gateway`: `releases/N/` (everything that release N runs from; its
//! verdict is in `state`), `current` (a link to one release), `releases.jsonl` (the ledger of the last ten),
//! `audit.jsonl`, `lock` and `lock.holder`, `switching` (exists while a switch runs or after an interrupted one),
//! `models/` (which models are in the volume), `models.jsonl` (which
//! models answer for the public name, and which did), `autostop/`. Under `/run/extraction-gateway`, in memory: a folder
//! for each run, the last output of each action, and the memory of the idle stop.

mod action;
mod assemble;
mod diagnostic;
pub mod facts;
mod image;
mod models;
mod report;
mod run_id;
mod schedule;
mod word;

pub use action::{
    Action, Autostop, ComposeEnv, Deploy, DiskNeed, ExpectedRelease, HostFile, HostSettings, KeyChange, Keys,
    PayloadError, READY_WAIT_SECONDS, Service,
};
pub use diagnostic::Diagnostic;
pub use facts::AutostopState;
pub use image::{ImageDigest, ImageError, ImageTag, ImageWanted};
pub use models::{ModelChange, ModelChangeKind, Models, ModelsEntry, ModelsFound, Route};
pub use report::{ActionOutcome, Holder, HostReport, MARKER, RunningImages, Step, parse_report};
pub use run_id::RunId;
pub use schedule::{Schedule, ScheduleError, WallClock};
pub use word::ShellWord;

use sha2::{Digest, Sha256};

use assemble::{HEAD, Values, pack};

/// The most bytes of a script: Systems Manager's limit for a command and its parameters, less a reserve for the rest.
pub const LIMIT: usize = 62_000;

/// A script exceeds Systems Manager's limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the command has {size} bytes and {LIMIT} fit: make the files of config/ smaller")]
pub struct TooLarge {
    /// The packed size in bytes.
    pub size: usize,
}

/// A script for the host: values and a program, which is the same for every action.
#[derive(Clone, Debug)]
pub struct Script {
    values: String,
    shown: String,
    program: String,
}

/// Builds the script for an action.
#[must_use]
pub fn script(action: &Action, host: &HostSettings) -> Script {
    let values = Values::of(action, host);
    Script { values: values.real, shown: values.shown, program: program() }
}

/// Returns only the program.
#[must_use]
pub fn program() -> String {
    assemble::program()
}

/// Returns the program's SHA-256 in hexadecimal. The SSM document of config/cloudformation.yaml runs only programs
/// whose SHA-256 it names.
#[must_use]
pub fn program_sha256() -> String {
    hex::encode(Sha256::digest(program().as_bytes()))
}

impl Script {
    /// Makes the script end before it changes anything if the host's current release is not `release`, on which the
    /// plan was made. `deploy`, `rollback`, `restart`, and the changes of `keys`, `models` and `prune` read this value.
    #[must_use]
    pub fn expecting(mut self, release: ExpectedRelease) -> Self {
        let line = format!("readonly EXPECT_RELEASE={}\n", ShellWord::new(&release.to_string()));
        self.values.push_str(&line);
        self.shown.push_str(&line);
        self
    }

    /// Gives the run an id, by which [`facts::Status`] shows whether it reached the host, runs or ended.
    #[must_use]
    pub fn named(mut self, run: &RunId) -> Self {
        let line = format!("readonly RUN={}\n", ShellWord::new(run.as_str()));
        self.values.push_str(&line);
        self.shown.push_str(&line);
        self
    }

    /// Returns the script as it runs.
    #[must_use]
    pub fn text(&self) -> String {
        format!("{HEAD}{}{}", self.values, self.program)
    }

    /// Returns the script for a person: with the size of carried files in place of their content.
    #[must_use]
    pub fn masked(&self) -> String {
        format!("{HEAD}{}{}", self.shown, self.program)
    }

    /// Returns the document's parameter `Values`.
    #[must_use]
    pub fn values(&self) -> String {
        pack(self.values.as_bytes())
    }

    /// Returns the document's parameter `Program`.
    #[must_use]
    pub fn program(&self) -> String {
        pack(self.program.as_bytes())
    }

    /// Returns one item of `commands` for `AWS-RunShellScript`, for an account without the stack's document. It is
    /// packed, so that it is small and has no double braces, which Systems Manager would interpret.
    #[must_use]
    pub fn command(&self) -> String {
        let packed = pack(self.text().as_bytes());
        format!(
            "{HEAD}folder=$(mktemp -d)\ntrap 'rm -rf \"$folder\"' EXIT\nbase64 -d <<<'{packed}' | gzip -d >\"$folder/script\"\nbash \"$folder/script\"\n"
        )
    }

    /// Returns an error if the script does not fit into one command.
    pub fn fits(&self) -> Result<(), TooLarge> {
        let size = self.command().len().max(self.values().len() + self.program().len());
        if size <= LIMIT { Ok(()) } else { Err(TooLarge { size }) }
    }
}
