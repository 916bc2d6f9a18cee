//! The scripts that run on the host, as data: one constant program in bash and the values it works on.
//!
//! Pure: nothing here touches a network, a file or a clock, and no value ever becomes code.

mod action;
mod assemble;
pub mod facts;
mod image;
mod report;
mod word;

pub use action::{Action, Autostop, CarryError, ComposeEnv, Deploy, DiskNeed, HostFile, HostSettings, Service};
pub use image::{ImageDigest, ImageError, ImageTag, ImageWanted};
pub use report::{Holder, HostReport, Images, MARKER, Outcome, Step, parse_report};
pub use word::ShellWord;

/// What Systems Manager takes in one command, parameters and all, less some for what stands around it.
pub const LIMIT: usize = 62_000;

/// A script is larger than Systems Manager takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the command has {size} bytes and {LIMIT} fit: make the files of config/ smaller")]
pub struct TooLarge {
    /// As it travels, in JSON.
    pub size: usize,
}

/// A script for the host.
#[derive(Clone, Debug)]
pub struct Script {
    text: String,
    masked: String,
}

/// Builds the script for an action.
#[must_use]
pub fn script(action: &Action, host: &HostSettings) -> Script {
    assemble::assemble(action, host)
}

impl Script {
    /// As it runs.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// For a person: the contents of the carried files are named, not shown.
    #[must_use]
    pub fn masked(&self) -> String {
        self.masked.clone()
    }

    /// Does it fit into one command?
    pub fn fits(&self) -> Result<(), TooLarge> {
        let size = serde_json::to_string(&self.text).map_or(usize::MAX, |json| json.len());
        if size <= LIMIT { Ok(()) } else { Err(TooLarge { size }) }
    }
}
