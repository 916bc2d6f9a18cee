//! The settings of questions about a note.

use std::{path::PathBuf, time::Duration};

use serde::Deserialize;
use url::Url;

use super::{networks, words::list};

/// The section `ask`: questions about a note. Without `url` they are answered from the record alone.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AskSettings {
    /// Base URL of an OpenAI-compatible server with an instruct model, for example `http://127.0.0.1:8001`.
    pub url: Option<String>,
    /// The model, as that server lists it. It may not be one of `vllm.model` and `vllm.models`.
    pub model: String,
    /// File with the key of that server, which is sent as `Authorization: Bearer`.
    pub api_key_file: Option<PathBuf>,
    /// Maximum time of one call to the model.
    #[serde(with = "humantime_serde")]
    pub timeout: Duration,
    /// Maximum tokens of what the model writes.
    pub max_tokens: u32,
    /// Maximum calls to the model at once. As many calls as `admission.queue` may wait.
    pub in_flight: usize,
    /// Phrases of a question that this site treats as a possible emergency.
    #[serde(deserialize_with = "list")]
    pub red_flags: Vec<String>,
}

impl Default for AskSettings {
    fn default() -> Self {
        Self {
            url: None,
            model: String::new(),
            api_key_file: None,
            timeout: Duration::from_secs(30),
            max_tokens: 512,
            in_flight: 8,
            red_flags: Vec::new(),
        }
    }
}

impl AskSettings {
    /// Returns the URL of the server; `None` if there is none. `Settings::check` refuses an invalid one.
    #[must_use]
    pub fn server(&self) -> Option<Url> {
        Url::parse(self.url.as_deref()?.trim()).ok()
    }

    /// Returns whether notes and questions go to the server in plain HTTP over the public internet.
    #[must_use]
    pub fn is_readable_on_the_way(&self) -> bool {
        self.server().is_some_and(|url| networks::is_readable_on_the_way(&url))
    }
}
