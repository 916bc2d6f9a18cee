//! The settings of the model servers.

use std::path::PathBuf;

use clap::ValueEnum;
use serde::Deserialize;
use url::Url;

use super::{
    networks,
    words::{choice, list},
};

/// The section `vllm`: the model servers.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Vllm {
    /// Base URL, for example `http://vllm:8000` (older name: `VLLM_BASE_URL`). Commas separate several URLs.
    pub url: Option<String>,
    /// File with the key of the servers, which is sent as `Authorization: Bearer`.
    pub api_key_file: Option<PathBuf>,
    /// The public name: the model for requests that name none. With `routing.models` it stands for the models listed
    /// there.
    pub model: String,
    /// Other models that callers may name.
    #[serde(deserialize_with = "list")]
    pub models: Vec<String>,
    /// The prompt that is sent.
    #[serde(deserialize_with = "choice")]
    pub prompt: PromptChoice,
    /// Token ids that end an answer; vLLM refuses ids outside the model's vocabulary.
    #[serde(deserialize_with = "list")]
    pub stop_token_ids: Vec<u32>,
    /// Whether a server is ready only after it has read a synthetic note and answered with a record, without
    /// constrained decoding.
    pub trial_note: bool,
    /// Minutes from start during which a server that refuses connections counts as loading.
    pub startup_minutes: u64,
}

/// The prompt that is sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum PromptChoice {
    /// The prompt that the adapter was trained on, over `/v1/chat/completions`.
    #[default]
    Training,
    /// The prompt of the service that this one replaces, over `/v1/completions`; for comparison.
    Legacy,
}

impl Vllm {
    /// Returns the URLs of the model servers, in the order of the setting. `Settings::check` refuses invalid URLs.
    #[must_use]
    pub fn urls(&self) -> Vec<Url> {
        let urls = self.url.as_deref().unwrap_or_default().split(',');
        urls.filter_map(|url| Url::parse(url.trim()).ok()).collect()
    }

    /// Returns the positions, from 1 on, of the model servers that get notes in plain HTTP over the public internet,
    /// where others can read them.
    #[must_use]
    pub fn plain_http_over_public_network(&self) -> Vec<usize> {
        let urls = self.urls();
        let positions = urls.iter().zip(1..).filter(|(url, _)| networks::is_readable_on_the_way(url));
        positions.map(|(_, position)| position).collect()
    }
}
