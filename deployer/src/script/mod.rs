//! The scripts that run on the host, as data: one constant program in bash and the values it works on.
//!
//! Pure: nothing here touches a network, a file or a clock, and no value ever becomes code. The program lies in
//! `bash/`, a part for each concern; `tests/scripts` runs it, `tests/mutants` takes it apart.
//!
//! On the host, under `/opt/extraction-gateway`: `releases/N/` (all that release N runs from, its verdict in `state`),
//! `current` (a link to one), `releases.jsonl` (the ledger of the last ten), `audit.jsonl`, `lock` and `lock.holder`,
//! `switching` (there while a switch is under way or was cut off), `models/` (which models are in the volume),
//! `autostop/`. Under `/run/extraction-gateway`, in memory: a folder for each run, the last output of each action, what
//! the idle stop remembers.

mod action;
mod assemble;
mod diagnostic;
pub mod facts;
mod image;
mod report;
mod run_id;
mod schedule;
mod word;

pub use action::{
    Action, Autostop, CarryError, ComposeEnv, Deploy, DiskNeed, Expect, HostFile, HostSettings, KeyChange, Keys,
    READY_WAIT_SECONDS, Service,
};
pub use diagnostic::Diagnostic;
pub use facts::AutostopState;
pub use image::{ImageDigest, ImageError, ImageTag, ImageWanted};
pub use report::{Holder, HostReport, Images, MARKER, Outcome, Step, parse_report};
pub use run_id::RunId;
pub use schedule::{Schedule, ScheduleError, WallClock};
pub use word::ShellWord;

use std::fmt::Write as _;

use sha2::{Digest, Sha256};

use assemble::{HEAD, Values, pack};

/// What Systems Manager takes in one command, parameters and all, less some for what stands around it.
pub const LIMIT: usize = 62_000;

/// A script is larger than Systems Manager takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the command has {size} bytes and {LIMIT} fit: make the files of config/ smaller")]
pub struct TooLarge {
    /// As it travels.
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

/// The program alone.
#[must_use]
pub fn program() -> String {
    assemble::program()
}

/// The program's SHA-256 in hexadecimal: the SSM document of config/cloudformation.yaml runs it only if it names this.
#[must_use]
pub fn program_sha256() -> String {
    Sha256::digest(program().as_bytes()).iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

impl Script {
    /// The same for a host whose current release is still the one that the plan was made on: another, and the script
    /// ends before it changes anything. Read by `deploy`, `rollback` and `restart`.
    #[must_use]
    pub fn expecting(mut self, release: Expect) -> Self {
        let line = format!("readonly EXPECT_RELEASE={}\n", ShellWord::new(&release.to_string()));
        self.values.push_str(&line);
        self.shown.push_str(&line);
        self
    }

    /// The same under a name of its own, by which [`facts::Status`] tells whether it came, goes on or ended.
    #[must_use]
    pub fn named(mut self, run: &RunId) -> Self {
        let line = format!("readonly RUN={}\n", ShellWord::new(run.as_str()));
        self.values.push_str(&line);
        self.shown.push_str(&line);
        self
    }

    /// As it runs.
    #[must_use]
    pub fn text(&self) -> String {
        format!("{HEAD}{}{}", self.values, self.program)
    }

    /// For a person: carried files as their size, not their content.
    #[must_use]
    pub fn masked(&self) -> String {
        format!("{HEAD}{}{}", self.shown, self.program)
    }

    /// The document's parameter `Values`.
    #[must_use]
    pub fn values(&self) -> String {
        pack(self.values.as_bytes())
    }

    /// The document's parameter `Program`.
    #[must_use]
    pub fn program(&self) -> String {
        pack(self.program.as_bytes())
    }

    /// For `AWS-RunShellScript`, where no document of our own is there: one item of `commands`. Packed, so that it is
    /// small and Systems Manager finds no double braces, which it would take for its own.
    #[must_use]
    pub fn command(&self) -> String {
        let packed = pack(self.text().as_bytes());
        format!(
            "{HEAD}folder=$(mktemp -d)\ntrap 'rm -rf \"$folder\"' EXIT\nbase64 -d <<<'{packed}' | gzip -d >\"$folder/script\"\nbash \"$folder/script\"\n"
        )
    }

    /// Does it fit into one command?
    pub fn fits(&self) -> Result<(), TooLarge> {
        let size = self.command().len().max(self.values().len() + self.program().len());
        if size <= LIMIT { Ok(()) } else { Err(TooLarge { size }) }
    }
}
