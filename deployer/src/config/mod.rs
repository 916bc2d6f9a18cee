//! The configuration: reads config/deployment.toml, resolves its references and checks it. Only this module reads the
//! environment. It never prints, and writes no file except through [`keys`].

mod adapters;
mod attestation;
mod autostop;
mod boxes;
mod check;
pub mod file;
pub mod fill;
mod gateway_file;
pub mod keys;
mod names;
mod operator;
mod payload;
mod reference;
mod resolve;
mod settings;
mod values;
mod webhook;

use std::{
    fs,
    path::{Path, PathBuf},
};

pub use adapters::Adapter;
pub use attestation::{Attestation, Trust};
pub use autostop::AutostopLimits;
pub use boxes::{BoxRole, ModelBox};
pub use file::File;
pub use names::{own_parameters, parameters_of_box};
pub use operator::{commit, dumb_terminal, gateway_variables, no_color, operator, wall_clock};
pub use payload::{ConfigHash, DeployPayload};
pub use reference::ValueOrReference;
pub use resolve::resolve;
pub use settings::{ImageSettings, Settings};
pub use webhook::{SECRET_VARIABLES, WEBHOOK_VARIABLE, webhook};

pub(crate) use boxes::is_instance;
pub(crate) use check::IDLE_MINUTES;

use crate::failure::Failure;

/// The path of the configuration, unless `--config` names another.
pub const DEFAULT_PATH: &str = "config/deployment.toml";

/// The configuration file, with its references unresolved, and its path.
#[derive(Clone, Debug)]
pub struct ConfigFile {
    /// The content.
    pub file: File,
    /// The path of the file.
    pub path: PathBuf,
}

impl ConfigFile {
    /// Reads and checks the file.
    pub fn read(path: &Path) -> Result<Self, Failure> {
        let shown = path.display();
        let text = fs::read_to_string(path).map_err(|error| {
            Failure::usage(
                format!("{shown} cannot be read: {error}"),
                "Run this in the repository, or name the file with --config.",
            )
        })?;
        Ok(Self { file: parse(&text, &shown.to_string())?, path: path.to_owned() })
    }

    /// Returns the folder of the file.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
    }

    /// Returns the root of the repository, which contains docker-compose.yml: the parent of the file's folder.
    #[must_use]
    pub fn root(&self) -> PathBuf {
        self.folder().join("..")
    }
}

/// Parses and checks the text of a configuration. `shown` is the path that errors name.
pub fn parse(text: &str, shown: &str) -> Result<File, Failure> {
    let file: File = toml::from_str(text).map_err(|error| {
        Failure::usage(
            format!("{shown} is not understood: {}", error.to_string().trim_end()),
            "Correct it; deployer/docs/settings.md has the table of settings.",
        )
    })?;
    check::check(&file, shown)?;
    Ok(file)
}

#[cfg(test)]
mod tests;
