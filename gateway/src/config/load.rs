//! Reads the settings: defaults < file < environment < flags. Only this file reads the environment.

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

/// The file that is read where `--config` names no other, if it is there.
const DEFAULT_FILE: &str = "config/gateway.toml";

/// The prefix of the gateway's variables, and the older names that it reads too.
const PREFIX: &str = "GATEWAY_";
const OLD_NAMES: [&str; 2] = ["VLLM_BASE_URL", "CORS_ORIGINS"];

/// What flags say, over everything else.
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
    /// Reads file, environment and flags.
    pub fn load(flags: &Flags) -> Result<Self, SettingsError> {
        Self::from_sources(flags, own_variables(std::env::vars_os())?)
    }

    pub(super) fn from_sources(flags: &Flags, environment: HashMap<String, String>) -> Result<Self, SettingsError> {
        let file = flags.config.as_deref().unwrap_or(Path::new(DEFAULT_FILE));
        let text = SettingsText::read(file, flags.config.is_some(), files::READ_WITHIN)?;
        let alias = |name: &str| environment.get(name).filter(|value| !value.is_empty()).cloned();
        let (old_url, old_origins) = (alias("VLLM_BASE_URL"), alias("CORS_ORIGINS"));
        let ours = environment.into_iter().filter(|(name, _)| name.starts_with(PREFIX)).collect();
        let variables = Environment::with_prefix("GATEWAY").prefix_separator("_").separator("__").source(Some(ours));
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

/// The variables that are ours. Another's may hold what it likes.
pub(super) fn own_variables(
    all: impl Iterator<Item = (OsString, OsString)>,
) -> Result<HashMap<String, String>, SettingsError> {
    all.filter_map(|(name, value)| Some((name.into_string().ok()?, value)))
        .filter(|(name, _)| name.starts_with(PREFIX) || OLD_NAMES.contains(&name.as_str()))
        .map(|(name, value)| match value.into_string() {
            Ok(value) => Ok((name, value)),
            Err(_) => Err(SettingsError::NotText(name)),
        })
        .collect()
}
