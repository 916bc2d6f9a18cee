//! Reads the settings: flags override the environment, which overrides the file, which overrides the defaults. Only
//! this file reads the environment.

use std::{
    collections::HashMap,
    ffi::OsString,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use config::{Config, Environment};

use super::{
    error::SettingsError,
    file::SettingsText,
    settings::{EngineChoice, Settings},
};
use crate::files;

/// The settings file without `--config`; it may be missing.
const DEFAULT_FILE: &str = "config/gateway.toml";

/// The prefix of the gateway's environment variables.
const PREFIX: &str = "GATEWAY_";
/// Older environment variables that the gateway also reads.
const OLD_NAMES: [&str; 2] = ["VLLM_BASE_URL", "CORS_ORIGINS"];

/// The flags of the command line, which override all other sources.
#[derive(Clone, Debug, Default)]
pub struct Flags {
    /// `--config`.
    pub config: Option<PathBuf>,
    /// `--listen`.
    pub listen: Option<SocketAddr>,
    /// `--engine`.
    pub engine: Option<EngineChoice>,
    /// `--vllm-url`.
    pub vllm_url: Option<String>,
}

impl Settings {
    /// Reads the file, the environment and the flags, and checks the result.
    pub fn load(flags: &Flags) -> Result<Self, SettingsError> {
        Self::from_sources(flags, own_variables(std::env::vars_os())?)
    }

    pub(super) fn from_sources(flags: &Flags, environment: HashMap<String, String>) -> Result<Self, SettingsError> {
        let file = flags.config.as_deref().unwrap_or(Path::new(DEFAULT_FILE));
        let text = SettingsText::read(file, flags.config.is_some(), files::READ_WITHIN)?;
        let non_empty = |name: &str| environment.get(name).filter(|value| !value.is_empty()).cloned();
        let (old_url, old_origins) = (non_empty("VLLM_BASE_URL"), non_empty("CORS_ORIGINS"));
        let prefixed = environment.into_iter().filter(|(name, _)| name.starts_with(PREFIX)).collect();
        let variables =
            Environment::with_prefix("GATEWAY").prefix_separator("_").separator("__").source(Some(prefixed));
        let mut settings: Self = Config::builder()
            .add_source(text.into_iter().collect::<Vec<_>>())
            .add_source(variables)
            .set_override_option("vllm.url", old_url)?
            .set_override_option("cors.origins", old_origins)?
            .build()?
            .try_deserialize()?;
        settings.listen = flags.listen.unwrap_or(settings.listen);
        settings.engine = flags.engine.unwrap_or(settings.engine);
        settings.vllm.url = flags.vllm_url.clone().or(settings.vllm.url);
        settings.check()?;
        Ok(settings)
    }
}

/// Returns a variable that a scheduler sets for the task of an array job; `None` if it is not set. Bytes that are not
/// UTF-8 become U+FFFD.
#[must_use]
pub fn scheduler_variable(name: &str) -> Option<String> {
    std::env::var_os(name).map(|value| value.to_string_lossy().into_owned())
}

/// Returns the gateway's environment variables. Variables of other programs need not be UTF-8.
pub(super) fn own_variables(
    variables: impl Iterator<Item = (OsString, OsString)>,
) -> Result<HashMap<String, String>, SettingsError> {
    variables
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value)))
        .filter(|(name, _)| name.starts_with(PREFIX) || OLD_NAMES.contains(&name.as_str()))
        .map(|(name, value)| match value.into_string() {
            Ok(value) => Ok((name, value)),
            Err(_) => Err(SettingsError::NotText(name)),
        })
        .collect()
}
