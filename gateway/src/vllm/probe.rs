//! The client of one model server, with the server's state as last seen.

use std::{
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use reqwest::{Client, RequestBuilder};
use tokio::sync::Notify;
use url::Url;

use super::{
    models::ModelList,
    paths::{Path, Urls},
};
use crate::{
    server_key::ServerKey,
    {readiness::ReplicaStatus, routing::Routing},
};

/// Time limit of each request of a check.
const TIMEOUT: Duration = Duration::from_secs(5);

/// A watcher's client of one server, with the server's state as last seen.
#[derive(Debug)]
pub(super) struct Probe {
    client: Client,
    urls: Urls,
    routing: Arc<Routing>,
    /// The key that every request carries.
    key: Option<Arc<ServerKey>>,
    /// The server's entry in the readiness of the gateway.
    pub(super) status: Arc<ReplicaStatus>,
    /// The models that the server listed last; `None` if they are unknown.
    models: RwLock<Option<Arc<ModelList>>>,
    /// Whether the log already says that completions name a model other than the requested one.
    pub(super) other_model_logged: AtomicBool,
    /// Wakes the watcher before its interval is over.
    pub(super) wake: Notify,
    /// How long the watcher waits after it is woken, in milliseconds.
    pub(super) backoff: AtomicU64,
}

impl Probe {
    pub(super) fn new(
        client: Client,
        url: &Url,
        routing: Arc<Routing>,
        key: Option<Arc<ServerKey>>,
        status: Arc<ReplicaStatus>,
    ) -> Self {
        Self {
            client,
            urls: Urls::below(url),
            routing,
            key,
            status,
            models: RwLock::default(),
            other_model_logged: AtomicBool::new(false),
            wake: Notify::new(),
            backoff: AtomicU64::new(0),
        }
    }

    /// Returns the models that the server listed last; `None` if they are unknown.
    pub(super) fn models(&self) -> Option<Arc<ModelList>> {
        self.models.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn update_models(&self, models: Option<Arc<ModelList>>) {
        // A note must fit each of the models that may read it.
        let context = |models: &Arc<ModelList>| {
            let contexts = self.routing.targets().into_iter().map(|model| models.context(&model));
            contexts.min().flatten()
        };
        self.status.set_context(models.as_ref().and_then(context));
        *self.models.write().unwrap_or_else(PoisonError::into_inner) = models;
    }

    /// Returns the models that answer for the public name and that a server's list lacks.
    pub(super) fn unlisted(&self, models: &ModelList) -> Vec<Arc<str>> {
        self.routing.targets().into_iter().filter(|model| !models.lists(model)).collect()
    }

    /// Logs that a completion names a model other than the requested one: once, until the server's state changes.
    pub(super) fn log_other_model(&self) {
        if !self.other_model_logged.swap(true, Relaxed) {
            tracing::error!(
                replica = self.status.name(),
                "a model server's answers name another model than the requested one, so they are refused: check that \
                 the adapter is loaded, and that vllm.model has the name that the server gives it"
            );
        }
    }

    /// Returns a POST request to a path, with the server's key.
    pub(super) fn post(&self, path: Path) -> RequestBuilder {
        self.authorised(self.client.post(self.urls.of(path)))
    }

    fn authorised(&self, request: RequestBuilder) -> RequestBuilder {
        match &self.key {
            Some(key) => key.authorise(request),
            None => request,
        }
    }

    /// Makes the watcher check the server once `backoff` has passed.
    pub(super) fn check_after(&self, backoff: Duration) {
        self.backoff.store(u64::try_from(backoff.as_millis()).unwrap_or(u64::MAX), Relaxed);
        self.wake.notify_one();
    }

    /// Sends a GET request. The error is the fault in the server's TLS, or `None` if the request failed for another
    /// reason.
    pub(super) async fn get(&self, path: Path) -> Result<reqwest::Response, Option<&'static str>> {
        let sent = self.authorised(self.client.get(self.urls.of(path))).timeout(TIMEOUT).send().await;
        sent.map_err(|error| crate::tls::fault(&error))
    }
}
