//! Watches a model server in the background: is it there, does its engine live, does it list the model, how
//! long is its context, how busy is it. No request of a caller waits for this.

use std::{
    future::Future,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use reqwest::{Client, RequestBuilder, StatusCode};
use tokio::{sync::Notify, task::AbortHandle};
use url::Url;

use super::{
    body::{self, LARGEST_LIST, LARGEST_METRICS},
    key::ServerKey,
    models::ModelList,
    paths::{Path, Urls},
    trial::Trial,
};
use crate::readiness::{Load, Readiness, Replica, Upstream};

/// Between looks: short while the server is not ready, long once it is.
const EAGER: Duration = Duration::from_millis(500);
const CALM: Duration = Duration::from_secs(5);
/// Between trial notes that a server fails: twice as long each time.
const FIRST_TRIAL_REST: Duration = Duration::from_secs(1);
const LONGEST_TRIAL_REST: Duration = Duration::from_mins(2);
/// Longest look.
const PATIENCE: Duration = Duration::from_secs(5);

/// A task that ends when this is dropped.
#[derive(Debug)]
pub(super) struct Task(AbortHandle);

impl Task {
    pub(super) fn spawn(work: impl Future<Output = ()> + Send + 'static) -> Self {
        Self(tokio::spawn(work).abort_handle())
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// What a watcher needs to know of its server.
#[derive(Debug)]
pub(super) struct Probe {
    client: Client,
    urls: Urls,
    model: String,
    /// What it must answer well before it is ready.
    trial: Option<Arc<Trial>>,
    /// What every request is authorised with.
    key: Option<Arc<ServerKey>>,
    /// Where its state is kept.
    pub(super) seat: Arc<Replica>,
    /// What it lists, as last seen; nothing where that is not known.
    models: RwLock<Option<Arc<ModelList>>>,
    /// Whether it was said that its completions name another model than the one asked for.
    said_other_model: AtomicBool,
    wake: Notify,
    rest: AtomicU64,
}

impl Probe {
    pub(super) fn new(
        client: Client,
        url: &Url,
        model: String,
        trial: Option<Arc<Trial>>,
        key: Option<Arc<ServerKey>>,
        seat: Arc<Replica>,
    ) -> Self {
        Self {
            client,
            urls: Urls::below(url),
            model,
            trial,
            key,
            seat,
            models: RwLock::default(),
            said_other_model: AtomicBool::new(false),
            wake: Notify::new(),
            rest: AtomicU64::new(0),
        }
    }

    /// What it lists, as last seen; nothing where that is not known.
    pub(super) fn models(&self) -> Option<Arc<ModelList>> {
        self.models.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn saw_models(&self, models: Option<Arc<ModelList>>) {
        self.seat.learned_context(models.as_ref().and_then(|models| models.context(&self.model)));
        *self.models.write().unwrap_or_else(PoisonError::into_inner) = models;
    }

    /// A completion names another model than the one asked for. Said once, until the server changes.
    pub(super) fn other_model(&self) {
        if !self.said_other_model.swap(true, Relaxed) {
            tracing::warn!(
                replica = self.seat.name(),
                "a model server answers in the name of another model than the one asked for: see that the adapter is \
                 loaded; until then an empty record of it is not believed"
            );
        }
    }

    /// A request to a path, with the server's key.
    pub(super) fn post(&self, path: Path) -> RequestBuilder {
        self.authorised(self.client.post(self.urls.of(path)))
    }

    fn authorised(&self, request: RequestBuilder) -> RequestBuilder {
        match &self.key {
            Some(key) => key.authorise(request),
            None => request,
        }
    }

    /// The watcher is to look once so much time has passed.
    pub(super) fn look_after(&self, rest: Duration) {
        self.rest.store(u64::try_from(rest.as_millis()).unwrap_or(u64::MAX), Relaxed);
        self.wake.notify_one();
    }

    /// A response, or what is wrong with the server's TLS, where that is why there is none.
    async fn get(&self, path: Path) -> Result<reqwest::Response, Option<&'static str>> {
        let sent = self.authorised(self.client.get(self.urls.of(path))).timeout(PATIENCE).send().await;
        sent.map_err(|error| crate::tls::fault(&error))
    }
}

pub(super) fn spawn(probe: Arc<Probe>, readiness: Arc<Readiness>) -> Task {
    Task::spawn(async move {
        let (mut before, mut fault_before, mut tried) = (None, None, TrialState::default());
        loop {
            let ProbeResult { seen, models, fault } = tried.look(&probe).await;
            // Before the state: a server that is ready is one whose list is known.
            probe.saw_models(models);
            readiness.saw(&probe.seat, seen);
            if matches!(seen, Upstream::Unreachable | Upstream::Untrusted) {
                // What it said of its load is no longer true.
                probe.seat.loaded(Load::default());
            }
            if before != Some(seen) {
                probe.said_other_model.store(false, Relaxed);
                tracing::info!(replica = probe.seat.name(), state = ?seen, "model server");
            }
            if let Some(fault) = fault.filter(|_| fault != fault_before) {
                tracing::error!(
                    replica = probe.seat.name(),
                    fault,
                    "TLS with a model server fails, and no note is sent to it"
                );
            }
            (before, fault_before) = (Some(seen), fault);
            let pause = if seen == Upstream::Ready { CALM } else { tried.rest.unwrap_or(EAGER) };
            if tokio::time::timeout(pause, probe.wake.notified()).await.is_ok() {
                tokio::time::sleep(Duration::from_millis(probe.rest.swap(0, Relaxed))).await;
            }
        }
    })
}

/// How a server did with its trial note since it came up.
#[derive(Default)]
struct TrialState {
    passed: bool,
    /// Until the next trial, after one that was not passed.
    rest: Option<Duration>,
}

impl TrialState {
    /// Looks at a server. One that seems ready is so once it has passed its trial.
    async fn look(&mut self, probe: &Probe) -> ProbeResult {
        let look = look(probe).await;
        if look.seen != Upstream::Ready {
            *self = Self::default();
            return look;
        }
        let Some(trial) = probe.trial.as_ref().filter(|_| !self.passed) else { return look };
        // The names of one model are compared by it.
        probe.saw_models(look.models.clone());
        let Some(why) = trial.fails(probe).await else {
            *self = Self { passed: true, rest: None };
            return look;
        };
        tracing::warn!(replica = probe.seat.name(), why, "a model server fails its trial note, and is sent no other");
        self.rest = Some(self.rest.map_or(FIRST_TRIAL_REST, |rest| (rest * 2).min(LONGEST_TRIAL_REST)));
        ProbeResult { seen: Upstream::ModelMissing, models: Some(Arc::default()), fault: None }
    }
}

/// What one look at a server gave.
struct ProbeResult {
    seen: Upstream,
    /// What it lists; nothing where that is not known.
    models: Option<Arc<ModelList>>,
    /// What is wrong with its TLS.
    fault: Option<&'static str>,
}

impl ProbeResult {
    const UNREACHABLE: Self = Self { seen: Upstream::Unreachable, models: None, fault: None };

    fn failed(fault: Option<&'static str>) -> Self {
        let seen = if fault.is_some() { Upstream::Untrusted } else { Upstream::Unreachable };
        Self { seen, models: None, fault }
    }
}

async fn look(probe: &Probe) -> ProbeResult {
    let health = match probe.get(Path::Health).await {
        Ok(health) => health,
        Err(fault) => return ProbeResult::failed(fault),
    };
    // A server that is there but whose engine died says so here; other servers may lack the path.
    if health.status().is_server_error() {
        return ProbeResult::UNREACHABLE;
    }
    let response = match probe.get(Path::Models).await {
        Ok(response) => response,
        Err(fault) => return ProbeResult::failed(fault),
    };
    let status = response.status();
    if status != StatusCode::OK {
        tracing::warn!(
            replica = probe.seat.name(),
            upstream_status = status.as_u16(),
            "a model server does not list its models"
        );
        if status.is_client_error() {
            return ProbeResult { seen: Upstream::ModelMissing, models: Some(Arc::default()), fault: None };
        }
        return ProbeResult::UNREACHABLE;
    }
    let Ok(body) = body::read(response, LARGEST_LIST).await else { return ProbeResult::UNREACHABLE };
    let Some(models) = ModelList::parse(&body) else { return ProbeResult::UNREACHABLE };
    probe.seat.loaded(load(probe).await.unwrap_or_default());
    let seen = if models.lists(&probe.model) { Upstream::Ready } else { Upstream::ModelMissing };
    ProbeResult { seen, models: Some(Arc::new(models)), fault: None }
}

async fn load(probe: &Probe) -> Option<Load> {
    let response = probe.get(Path::Metrics).await.ok().filter(|response| response.status() == StatusCode::OK)?;
    let body = body::read(response, LARGEST_METRICS).await.ok()?;
    std::str::from_utf8(&body).ok().map(loads)
}

/// vLLM's own gauges, summed over their labels.
fn loads(metrics: &str) -> Load {
    let mut load = Load::default();
    for line in metrics.lines().filter(|line| line.starts_with("vllm:")) {
        let Some((name, value)) = line.rsplit_once(' ') else { continue };
        let gauge = match name.split('{').next().unwrap_or_default() {
            "vllm:num_requests_running" => &mut load.running,
            "vllm:num_requests_waiting" => &mut load.waiting,
            "vllm:kv_cache_usage_perc" => &mut load.kv_cache,
            _ => continue,
        };
        if let Ok(value) = value.parse::<f64>() {
            *gauge = Some(gauge.unwrap_or(0.0) + value);
        }
    }
    load
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gauges_of_vllm() {
        let text = "# HELP vllm:num_requests_running Number\n# TYPE vllm:num_requests_running gauge\n\
                    vllm:num_requests_running{engine=\"0\",model_name=\"m\"} 3.0\n\
                    vllm:num_requests_running{engine=\"1\",model_name=\"m\"} 2.0\n\
                    vllm:kv_cache_usage_perc{engine=\"0\"} 0.25\nvllm:num_requests_waiting_by_reason{x=\"y\"} 7\n\
                    vllm:num_requests_waiting{engine=\"0\"} nonsense\n";
        assert_eq!(loads(text), Load { running: Some(5.0), waiting: None, kv_cache: Some(0.25) });
        assert_eq!(loads(""), Load::default());
    }
}
