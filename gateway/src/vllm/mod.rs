//! The engine behind OpenAI-compatible vLLM servers.
//!
//! Knows vLLM's wire and nothing of HTTP answers of ours, nor of the rules.

mod answers;
mod body;
mod client;
mod constraint;
mod envelope;
mod events;
mod finite;
mod fleet;
mod logprobs;
mod models;
pub mod names;
mod paths;
pub mod prompt;
mod tls;
mod watch;
mod wire;

use std::sync::Arc;

pub use self::client::VllmEngine;
use self::{fleet::Fleet, names::Resolving};
use crate::{config::Vllm, readiness::Readiness, telemetry::Metrics};

impl VllmEngine {
    /// An engine on the servers of the settings, and the watchers that keep their readiness; call it in a
    /// runtime.
    pub fn new(
        settings: &Vllm,
        resolving: &Resolving,
        readiness: &Arc<Readiness>,
        metrics: &Arc<Metrics>,
    ) -> Result<Self, reqwest::Error> {
        install_tls();
        let urls = settings.urls();
        let fleet = Fleet::new(&urls, &settings.model, readiness, metrics)?;
        let resolvers = fleet.resolve(&urls, resolving);
        Ok(Self::wired(fleet, settings, Arc::clone(readiness), resolvers))
    }
}

/// Chooses the TLS library, which reqwest wants to be told. A second call changes nothing.
pub fn install_tls() {
    let _ = rustls::crypto::ring::default_provider().install_default();
}
