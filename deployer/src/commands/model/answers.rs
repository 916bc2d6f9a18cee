//! The folder of an evaluation: the labelled notes, the answers of both models, and the settings with which the program
//! `gateway` works there.

use std::{
    fs::{self, DirBuilder},
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{config, failure::Failure};

/// The name of the settings file. It is empty.
const SETTINGS: &str = "gateway.toml";

/// A folder that only this user can read. It is removed on drop.
pub(super) struct AnswersFolder(PathBuf);

impl AnswersFolder {
    pub(super) fn new() -> Result<Self, Failure> {
        let path = std::env::temp_dir().join(format!("deployer-eval-{}", std::process::id()));
        let unusable = |error: std::io::Error| {
            Failure::unchanged(
                format!("{} cannot be written: {error}; nothing was changed", path.display()),
                "Free disk space, or remove the file that has this name.",
            )
        };
        DirBuilder::new().mode(0o700).create(&path).map_err(unusable)?;
        let folder = Self(path.clone());
        fs::write(folder.0.join(SETTINGS), "").map_err(unusable)?;
        Ok(folder)
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    /// Keeps the box's settings from the program. They are in `config/gateway.toml` of the working folder, from which
    /// the program would read them, and some are wrong on this machine: the address to listen on, the model server.
    pub(super) fn isolate(&self, command: &mut Command) {
        command.arg("--config").arg(self.0.join(SETTINGS));
        for name in config::gateway_variables() {
            command.env_remove(name);
        }
    }
}

impl Drop for AnswersFolder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
