//! What can be wrong with the settings.

use std::path::PathBuf;

/// Why the settings are no good. The text names the setting and where it came from.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// A file, a key or a value cannot be used.
    #[error("{0}")]
    Unusable(#[from] config::ConfigError),
    /// The settings file is there and cannot be read.
    #[error(
        "{}: {error}. The gateway does not start without settings that are meant for it: let its user read the file, or name \
         another with --config",
        file.display()
    )]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// Why.
        #[source]
        error: std::io::Error,
    },
    /// Settings that do not go together.
    #[error("{0}")]
    Contradiction(&'static str),
    /// A variable of ours that is no text.
    #[error("the environment variable {0} is not UTF-8")]
    NotText(String),
}
