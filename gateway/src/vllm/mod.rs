//! The engine that reads notes with OpenAI-compatible vLLM servers.
//!
//! This module knows vLLM's protocol. It knows neither the gateway's own HTTP answers nor the rules.

mod answers;
mod body;
mod client;
mod constraint;
mod control_tokens;
pub mod dns;
mod envelope;
mod events;
mod finite;
mod fleet;
mod ids;
mod instruct;
mod logprobs;
mod models;
mod paths;
mod probe;
pub mod prompt;
mod trial;
mod watch;
mod wire;

use std::sync::Arc;

pub use self::{client::VllmEngine, instruct::InstructModel};
use self::{dns::ResolverSettings, fleet::Fleet};
use crate::{
    config::Vllm,
    readiness::Readiness,
    routing::Routing,
    server_key::{ServerKey, ServerKeyError},
    telemetry::Metrics,
};

/// Errors that prevent the engine from starting.
#[derive(Debug, thiserror::Error)]
pub enum VllmError {
    /// The HTTP client of the model server cannot be made.
    #[error("cannot make the client of the model server: {0}")]
    Client(#[from] reqwest::Error),
    /// The system provided no random bytes.
    #[error("the system gives no random bytes: {0}")]
    NoEntropy(#[from] getrandom::Error),
    /// The file with the model server's key cannot be used.
    #[error(transparent)]
    Key(#[from] ServerKeyError),
}

impl VllmEngine {
    /// The setting that names the file with the key of the servers.
    pub const KEY_SETTING: &'static str = "vllm.api_key_file";

    /// Returns an engine on the servers of the settings, and starts the watchers that update their readiness. It must
    /// be called in a runtime.
    pub fn new(
        settings: &Vllm,
        routing: &Arc<Routing>,
        resolver: &ResolverSettings,
        readiness: &Arc<Readiness>,
        metrics: &Arc<Metrics>,
    ) -> Result<Self, VllmError> {
        crate::tls::install();
        let urls = settings.urls();
        let key = settings.api_key_file.as_deref().map(|path| ServerKey::read(Self::KEY_SETTING, path));
        let key = key.transpose()?.map(Arc::new);
        for number in settings.plain_http_over_public_network() {
            tracing::warn!(
                replica = format!("vllm-{number}"),
                "notes go to a model server in plain HTTP over a public network, where others can read them: use https"
            );
        }
        let fleet = Fleet::new(&urls, settings, key, routing, readiness, metrics)?;
        let resolvers = fleet.resolve(&urls, resolver);
        let (routing, ids) = (Arc::clone(routing), ids::CallIds::new()?);
        Ok(Self::with_fleet(fleet, settings, routing, ids, Arc::clone(readiness), resolvers))
    }
}
