//! Checks a model server in the background: whether it answers, whether its engine runs and whether it lists the model;
//! its context length and its load. No request of a caller waits for these checks.

use std::{
    future::Future,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use reqwest::StatusCode;
use tokio::task::AbortHandle;

use super::{
    body::{self, LARGEST_LIST, LARGEST_METRICS},
    models::ModelList,
    paths::Path,
    probe::Probe,
    trial::Trial,
};
use crate::readiness::{Load, Readiness, ReplicaState};

/// Time between two checks of a server that is not ready.
const INTERVAL_NOT_READY: Duration = Duration::from_millis(500);
/// Time between two checks of a ready server.
const INTERVAL_READY: Duration = Duration::from_secs(5);
/// Time until the next trial note after a server has failed one; it doubles with each failure.
const FIRST_TRIAL_BACKOFF: Duration = Duration::from_secs(1);
const LONGEST_TRIAL_BACKOFF: Duration = Duration::from_mins(2);

/// A background task that is aborted when this is dropped.
#[derive(Debug)]
pub(super) struct AbortOnDrop(AbortHandle);

impl AbortOnDrop {
    pub(super) fn spawn(work: impl Future<Output = ()> + Send + 'static) -> Self {
        Self(tokio::spawn(work).abort_handle())
    }
}

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Starts the watcher of a server. The server must pass the trial, if there is one, before it is ready.
pub(super) fn spawn(probe: Arc<Probe>, trial: Option<Arc<Trial>>, readiness: Arc<Readiness>) -> AbortOnDrop {
    AbortOnDrop::spawn(async move {
        let (mut last_state, mut last_fault, mut last_unlisted) = (None, None, Vec::new());
        let mut trial_state = TrialState::default();
        loop {
            let ProbeResult { state, models, fault, unlisted } = trial_state.check(&probe, trial.as_deref()).await;
            // The list is stored before the state, so that the list of a ready server is always known.
            probe.update_models(models);
            readiness.set_state(&probe.status, state);
            if matches!(state, ReplicaState::Unreachable | ReplicaState::Untrusted) {
                // The load that the server reported last is out of date.
                probe.status.set_load(Load::default());
            }
            if last_state != Some(state) {
                probe.other_model_logged.store(false, Relaxed);
                tracing::info!(replica = probe.status.name(), ?state, "model server");
            }
            if last_unlisted != unlisted && !unlisted.is_empty() {
                tracing::warn!(
                    replica = probe.status.name(),
                    models = unlisted.join(", "),
                    "a model server does not list these models, and gets no notes until it does: see vllm.model and \
                     routing.models"
                );
            }
            if let Some(fault) = fault.filter(|_| fault != last_fault) {
                tracing::error!(
                    replica = probe.status.name(),
                    fault,
                    "TLS with a model server fails, and no note is sent to it"
                );
            }
            (last_state, last_fault, last_unlisted) = (Some(state), fault, unlisted);
            let pause = if state == ReplicaState::Ready {
                INTERVAL_READY
            } else {
                trial_state.backoff.unwrap_or(INTERVAL_NOT_READY)
            };
            if tokio::time::timeout(pause, probe.wake.notified()).await.is_ok() {
                tokio::time::sleep(Duration::from_millis(probe.backoff.swap(0, Relaxed))).await;
            }
        }
    })
}

/// The result of a server's trial notes since it last became ready.
#[derive(Default)]
struct TrialState {
    passed: bool,
    /// After a failed trial, the time until the next one.
    backoff: Option<Duration>,
}

impl TrialState {
    /// Checks a server. A server that seems ready must also pass its trial, if there is one.
    async fn check(&mut self, probe: &Probe, trial: Option<&Trial>) -> ProbeResult {
        let result = check_server(probe).await;
        if result.state != ReplicaState::Ready {
            *self = Self::default();
            return result;
        }
        let Some(trial) = trial.filter(|_| !self.passed) else { return result };
        // The trial compares the names of a model by this list.
        probe.update_models(result.models.clone());
        let Some(why) = trial.failure(probe).await else {
            *self = Self { passed: true, backoff: None };
            return result;
        };
        tracing::warn!(
            replica = probe.status.name(),
            why,
            "a model server fails its trial note, and gets no other notes until it passes"
        );
        self.backoff =
            Some(self.backoff.map_or(FIRST_TRIAL_BACKOFF, |backoff| (backoff * 2).min(LONGEST_TRIAL_BACKOFF)));
        ProbeResult::model_missing()
    }
}

/// The result of one check of a server.
struct ProbeResult {
    state: ReplicaState,
    /// The models that the server lists; `None` if they are unknown.
    models: Option<Arc<ModelList>>,
    /// The fault in the server's TLS.
    fault: Option<&'static str>,
    /// The models that answer for the public name and that the server does not list.
    unlisted: Vec<Arc<str>>,
}

impl ProbeResult {
    const UNREACHABLE: Self =
        Self { state: ReplicaState::Unreachable, models: None, fault: None, unlisted: Vec::new() };

    /// Returns the result of a server to which no note may be sent, regardless of its list.
    fn model_missing() -> Self {
        Self { state: ReplicaState::ModelMissing, models: Some(Arc::default()), ..Self::UNREACHABLE }
    }

    fn failed(fault: Option<&'static str>) -> Self {
        let state = if fault.is_some() { ReplicaState::Untrusted } else { ReplicaState::Unreachable };
        Self { state, fault, ..Self::UNREACHABLE }
    }
}

/// Asks a server for its health, its models and its load.
async fn check_server(probe: &Probe) -> ProbeResult {
    let health = match probe.get(Path::Health).await {
        Ok(health) => health,
        Err(fault) => return ProbeResult::failed(fault),
    };
    // A server whose engine has died reports it here. Servers other than vLLM may not have this path.
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
            replica = probe.status.name(),
            upstream_status = status.as_u16(),
            "a model server does not list its models"
        );
        if status.is_client_error() {
            return ProbeResult::model_missing();
        }
        return ProbeResult::UNREACHABLE;
    }
    let Ok(body) = body::read(response, LARGEST_LIST).await else { return ProbeResult::UNREACHABLE };
    let Some(models) = ModelList::parse(&body) else { return ProbeResult::UNREACHABLE };
    // The last known size of the cache stays valid if the figures are missing once.
    let kv_tokens = probe.status.load().kv_tokens;
    probe.status.set_load(load(probe).await.unwrap_or(Load { kv_tokens, ..Load::default() }));
    let unlisted = probe.unlisted(&models);
    let state = if unlisted.is_empty() { ReplicaState::Ready } else { ReplicaState::ModelMissing };
    ProbeResult { state, models: Some(Arc::new(models)), fault: None, unlisted }
}

async fn load(probe: &Probe) -> Option<Load> {
    let response = probe.get(Path::Metrics).await.ok().filter(|response| response.status() == StatusCode::OK)?;
    let body = body::read(response, LARGEST_METRICS).await.ok()?;
    std::str::from_utf8(&body).ok().map(parse_load)
}

/// Returns vLLM's own figures, each summed over its labels.
fn parse_load(metrics: &str) -> Load {
    let mut load = Load::default();
    // The inner value is `None` if an engine does not report it.
    let mut kv_tokens_of_engines: Option<Option<u64>> = None;
    for line in metrics.lines().filter(|line| line.starts_with("vllm:")) {
        let Some((name, value)) = line.rsplit_once(' ') else { continue };
        if let Some(labels) = name.strip_prefix("vllm:cache_config_info{") {
            let others = kv_tokens_of_engines.unwrap_or(Some(0));
            kv_tokens_of_engines =
                Some(others.zip(kv_tokens(labels)).and_then(|(sum, tokens)| sum.checked_add(tokens)));
            continue;
        }
        let figure = match name.split('{').next().unwrap_or_default() {
            "vllm:num_requests_running" => &mut load.running,
            "vllm:num_requests_waiting" => &mut load.waiting,
            "vllm:kv_cache_usage_perc" => &mut load.kv_cache,
            "vllm:num_preemptions_total" => &mut load.preemptions,
            _ => continue,
        };
        if let Ok(value) = value.parse::<f64>() {
            *figure = Some(figure.unwrap_or(0.0) + value);
        }
    }
    load.kv_tokens = kv_tokens_of_engines.flatten();
    load
}

/// Returns the tokens that the KV cache of one engine holds, from the labels of `vllm:cache_config_info`. Versions
/// before `kv_cache_size_tokens` report only the blocks.
fn kv_tokens(labels: &str) -> Option<u64> {
    let number = |name: &str| -> Option<u64> {
        let start = format!("{name}=\"");
        let value = labels.split(',').find_map(|label| label.trim_start().strip_prefix(&start))?;
        value.split('"').next()?.parse().ok().filter(|&number| number > 0)
    };
    number("kv_cache_size_tokens").or_else(|| number("num_gpu_blocks")?.checked_mul(number("block_size")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gauges_are_summed_over_their_labels() {
        let text = "# HELP vllm:num_requests_running Number\n# TYPE vllm:num_requests_running gauge\n\
                    vllm:num_requests_running{engine=\"0\",model_name=\"m\"} 3.0\n\
                    vllm:num_requests_running{engine=\"1\",model_name=\"m\"} 2.0\n\
                    vllm:kv_cache_usage_perc{engine=\"0\"} 0.25\nvllm:num_requests_waiting_by_reason{x=\"y\"} 7\n\
                    vllm:num_requests_waiting{engine=\"0\"} nonsense\n\
                    vllm:num_preemptions_total{engine=\"0\"} 7.0\nvllm:num_preemptions_created{engine=\"0\"} 1.7e+09\n";
        assert_eq!(
            parse_load(text),
            Load { running: Some(5.0), waiting: None, kv_cache: Some(0.25), preemptions: Some(7.0), kv_tokens: None }
        );
        assert_eq!(parse_load(""), Load::default());
    }

    #[test]
    fn the_tokens_of_the_cache_are_those_of_all_engines() {
        for (labels, tokens) in [
            (&["block_size=\"16\",kv_cache_size_tokens=\"30512\",num_gpu_blocks=\"1907\""][..], Some(30_512)),
            (&["block_size=\"16\",num_gpu_blocks=\"1907\",num_gpu_blocks_override=\"None\""], Some(30_512)),
            (
                &["num_gpu_blocks_override=\"7\",mamba_block_size=\"32\",num_gpu_blocks=\"10\", block_size=\"16\""],
                Some(160),
            ),
            (&["engine=\"0\",kv_cache_size_tokens=\"100\"", "engine=\"1\",kv_cache_size_tokens=\"200\""], Some(300)),
            (&["engine=\"0\",kv_cache_size_tokens=\"100\"", "engine=\"1\""], None),
            (&["block_size=\"16\",num_gpu_blocks=\"None\""], None),
            (&["block_size=\"16\",num_gpu_blocks=\"0\""], None),
            (&["enable_prefix_caching=\"True\""], None),
            (&["kv_cache_size_tokens=\"99999999999999999999999\""], None),
        ] {
            let text: String =
                labels.iter().flat_map(|&labels| ["vllm:cache_config_info{", labels, "} 1.0\n"]).collect();
            assert_eq!(parse_load(&text).kv_tokens, tokens, "{labels:?}");
        }
    }
}
