//! The settings of the model servers.

use std::path::PathBuf;

use clap::ValueEnum;
use serde::Deserialize;
use url::Url;

use super::{
    networks,
    words::{choice, list},
};

/// The model server.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Vllm {
    /// Base URL, for example `http://vllm:8000` (`VLLM_BASE_URL`); several with commas between.
    pub url: Option<String>,
    /// File with the key that the servers ask for; sent as `Authorization: Bearer`.
    pub api_key_file: Option<PathBuf>,
    /// The model asked for where the caller names none.
    pub model: String,
    /// Further models that callers may name.
    #[serde(deserialize_with = "list")]
    pub models: Vec<String>,
    /// Which prompt is sent.
    #[serde(deserialize_with = "choice")]
    pub prompt: PromptChoice,
    /// Token ids that end an answer; vLLM refuses ids outside the model's vocabulary.
    #[serde(deserialize_with = "list")]
    pub stop_token_ids: Vec<u32>,
    /// Whether a server must read one made-up note in the record's form, without the constraint, before it is ready.
    pub trial_note: bool,
    /// Minutes from start during which a server that refuses connections counts as loading.
    pub startup_minutes: u64,
}

/// Which prompt is sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum PromptChoice {
    /// What the adapter was trained on, over `/v1/chat/completions`.
    #[default]
    Training,
    /// What the service before this one sent, over `/v1/completions`; for comparison.
    Legacy,
}

impl Vllm {
    /// The model servers, in the order of the setting; only URLs that `Settings::check` let through.
    #[must_use]
    pub fn urls(&self) -> Vec<Url> {
        let written = self.url.as_deref().unwrap_or_default().split(',');
        written.filter_map(|url| Url::parse(url.trim()).ok()).collect()
    }

    /// Which of them, by their places from 1 on, are sent notes that others can read on the way: in plain HTTP, to a
    /// host of the public internet.
    #[must_use]
    pub fn readable_on_the_way(&self) -> Vec<usize> {
        let urls = self.urls();
        let places = urls.iter().zip(1..).filter(|(url, _)| networks::is_readable_on_the_way(url));
        places.map(|(_, place)| place).collect()
    }
}
