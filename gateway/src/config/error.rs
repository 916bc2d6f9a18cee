//! The errors of the settings.

use std::path::PathBuf;

use super::routing::RoutingFault;

/// Why the settings cannot be used. The text names the setting and its source.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// A file, a key or a value cannot be used.
    #[error("{0}")]
    Unusable(#[from] config::ConfigError),
    /// The settings file exists but cannot be read.
    #[error(
        "{}: {error}. The gateway does not start without settings that are meant for it: let its user read the file, or name \
         another with --config",
        file.display()
    )]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// The cause.
        #[source]
        error: std::io::Error,
    },
    /// Two settings contradict each other.
    #[error("{0}")]
    Contradiction(&'static str),
    /// The models of the section `routing` cannot be used.
    #[error("{0}")]
    Routing(#[from] RoutingFault),
    /// An environment variable of the gateway is not UTF-8.
    #[error("the environment variable {0} is not UTF-8")]
    NotText(String),
}
