//! The engine behind an OpenAI-compatible vLLM server.
//!
//! Knows vLLM's wire and nothing of HTTP answers of ours, nor of the rules.

mod client;
mod constraint;
mod logprobs;
pub mod prompt;
mod watch;

use std::{sync::Arc, time::Duration};

pub use client::VllmEngine;

use crate::{config::Vllm, readiness::Readiness};

impl VllmEngine {
    /// An engine on one server, and the watcher that keeps its readiness; call it in a runtime.
    pub fn new(settings: &Vllm, readiness: &Arc<Readiness>) -> Result<Self, reqwest::Error> {
        install_tls();
        let client = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(Duration::from_secs(3))
            .pool_idle_timeout(Duration::from_secs(4))
            .tcp_nodelay(true)
            .build()?;
        let base = settings.url.as_deref().unwrap_or_default().trim_end_matches('/').to_owned();
        let watcher = watch::spawn(client.clone(), base.clone(), settings.model.clone(), Arc::clone(readiness));
        Ok(Self::wired(client, base, settings, Arc::clone(readiness), watcher))
    }
}

/// Chooses the TLS library, which reqwest wants to be told. A second call changes nothing.
pub fn install_tls() {
    let _ = rustls::crypto::ring::default_provider().install_default();
}
