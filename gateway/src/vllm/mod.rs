//! The engine behind OpenAI-compatible vLLM servers.
//!
//! Knows vLLM's wire and nothing of HTTP answers of ours, nor of the rules.

mod answers;
mod body;
mod client;
mod constraint;
mod control;
mod envelope;
mod events;
mod finite;
mod fleet;
mod ids;
mod key;
mod logprobs;
mod models;
pub mod names;
mod paths;
pub mod prompt;
mod trial;
mod watch;
mod wire;

use std::sync::Arc;

pub use self::{
    client::VllmEngine,
    key::{ServerKey, ServerKeyError},
};
use self::{fleet::Fleet, names::ResolverSettings};
use crate::{config::Vllm, readiness::Readiness, telemetry::Metrics};

/// Why there can be no engine.
#[derive(Debug, thiserror::Error)]
pub enum VllmError {
    /// The client of the model server cannot be made.
    #[error("cannot make the client of the model server: {0}")]
    Client(#[from] reqwest::Error),
    /// The system gave no random bytes.
    #[error("the system gives no random bytes: {0}")]
    NoEntropy(#[from] getrandom::Error),
    /// The file with the model server's key cannot be used.
    #[error(transparent)]
    Key(#[from] ServerKeyError),
}

impl VllmEngine {
    /// An engine on the servers of the settings, and the watchers that keep their readiness; call it in a
    /// runtime.
    pub fn new(
        settings: &Vllm,
        resolving: &ResolverSettings,
        readiness: &Arc<Readiness>,
        metrics: &Arc<Metrics>,
    ) -> Result<Self, VllmError> {
        crate::tls::install();
        let urls = settings.urls();
        let key = settings.api_key_file.as_deref().map(ServerKey::read).transpose()?.map(Arc::new);
        for place in settings.readable_on_the_way() {
            tracing::warn!(
                replica = format!("vllm-{place}"),
                "notes go to a model server in plain HTTP over a public network, where others can read them: use https"
            );
        }
        let fleet = Fleet::new(&urls, settings, key, readiness, metrics)?;
        let resolvers = fleet.resolve(&urls, resolving);
        Ok(Self::wired(fleet, settings, ids::Ids::new()?, Arc::clone(readiness), resolvers))
    }
}
