//! Whether notes can be read now, and if not, the reason. The watchers of the model servers and the shutdown set this
//! state; the health routes and the engine read it.

mod capacity;
mod replica;

use std::{
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use serde::Serialize;

pub use self::{
    capacity::TokenCapacity,
    replica::{Load, ReplicaReport, ReplicaState, ReplicaStatus},
};

/// Why notes cannot be read now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// No model server was reached since the start, and one may still be loading.
    Loading,
    /// The model server does not list the configured model, or refuses to list its models.
    ModelMissing,
    /// No model server can be reached.
    Unreachable,
    /// This process is shutting down.
    Draining,
}

impl Reason {
    /// Every reason.
    pub const ALL: [Self; 4] = [Self::Loading, Self::ModelMissing, Self::Unreachable, Self::Draining];

    /// Returns the name in JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Loading => "loading",
            Self::ModelMissing => "model_missing",
            Self::Unreachable => "unreachable",
            Self::Draining => "draining",
        }
    }
}

/// The readiness of the process; every part shares one instance.
#[derive(Debug)]
pub struct Readiness {
    started: Instant,
    startup: Duration,
    /// `None` with the rules engine, which is always ready.
    replicas: Option<RwLock<Arc<[Arc<ReplicaStatus>]>>>,
    token_capacity: Arc<TokenCapacity>,
    ever_ready: AtomicBool,
    draining: AtomicBool,
    /// Milliseconds from the start to the end of the last note.
    last_active: AtomicU64,
    /// The number of notes that are being read.
    reading: AtomicUsize,
}

impl Readiness {
    /// Returns the readiness of the rules engine, which is always ready.
    #[must_use]
    pub fn of_rules() -> Self {
        Self { replicas: None, ..Self::of_vllm(Duration::ZERO) }
    }

    /// Returns the readiness of model servers, which may take up to `startup` to load.
    #[must_use]
    pub fn of_vllm(startup: Duration) -> Self {
        Self {
            started: Instant::now(),
            startup,
            replicas: Some(RwLock::new(Arc::from([]))),
            token_capacity: Arc::default(),
            ever_ready: AtomicBool::new(false),
            draining: AtomicBool::new(false),
            last_active: AtomicU64::new(0),
            reading: AtomicUsize::new(0),
        }
    }

    /// Sets the model servers.
    pub fn watch(&self, replicas: Arc<[Arc<ReplicaStatus>]>) {
        if let Some(current) = &self.replicas {
            *current.write().unwrap_or_else(PoisonError::into_inner) = replicas;
        }
    }

    /// Sets the state of a model server.
    pub fn set_state(&self, replica: &ReplicaStatus, upstream: ReplicaState) {
        replica.store(upstream);
        if upstream == ReplicaState::Ready {
            self.ever_ready.store(true, Relaxed);
        }
        self.token_capacity.set(self.kv_tokens());
    }

    /// Returns how many tokens the servers that are ready hold at once. It follows their states.
    pub fn token_capacity(&self) -> Arc<TokenCapacity> {
        Arc::clone(&self.token_capacity)
    }

    /// Returns the tokens of the KV caches of all servers that are ready; `None` if one of them does not report it.
    fn kv_tokens(&self) -> Option<u64> {
        let replicas = self.replicas()?;
        let ready = replicas.iter().filter(|replica| replica.state() == ReplicaState::Ready);
        ready.map(|replica| replica.load().kv_tokens).try_fold(0u64, |sum, tokens| Some(sum.saturating_add(tokens?)))
    }

    /// Returns the context length of the configured model in tokens: the minimum of the servers that are ready, `None`
    /// until it is known.
    pub fn max_model_len(&self) -> Option<u32> {
        let replicas = self.replicas()?;
        let ready = replicas.iter().filter(|replica| replica.state() == ReplicaState::Ready);
        ready.filter_map(|replica| replica.context()).min()
    }

    /// Marks the start of the shutdown.
    pub fn drain(&self) {
        self.draining.store(true, Relaxed);
    }

    /// Returns whether the shutdown has begun.
    pub fn is_draining(&self) -> bool {
        self.draining.load(Relaxed)
    }

    /// Returns whether a server that refuses connections may still be loading.
    pub fn may_be_loading(&self) -> bool {
        !self.ever_ready.load(Relaxed) && self.uptime() < self.startup
    }

    /// Returns why notes cannot be read; `None` if they can.
    pub fn reason(&self) -> Option<Reason> {
        if self.is_draining() {
            return Some(Reason::Draining);
        }
        let replicas = self.replicas()?;
        let any = |state| replicas.iter().any(|replica| replica.state() == state);
        let all_untrusted =
            !replicas.is_empty() && replicas.iter().all(|replica| replica.state() == ReplicaState::Untrusted);
        match () {
            () if any(ReplicaState::Ready) => None,
            () if any(ReplicaState::ModelMissing) => Some(Reason::ModelMissing),
            () if self.may_be_loading() && !all_untrusted => Some(Reason::Loading),
            () => Some(Reason::Unreachable),
        }
    }

    /// Waits until notes can be read, at most for `limit`. Returns whether they can.
    pub async fn wait(&self, limit: Duration) -> bool {
        let until_ready = async {
            while self.reason().is_some() {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(limit, until_ready).await.is_ok()
    }

    /// Returns the status that `/health` reports.
    pub fn status(&self) -> &'static str {
        match self.reason() {
            None => "healthy",
            Some(Reason::Loading) => "starting",
            Some(Reason::Draining) => "draining",
            Some(_) => "degraded",
        }
    }

    /// Returns the model servers and their states; empty with the rules engine.
    pub fn report(&self) -> Vec<ReplicaReport> {
        let replicas = self.replicas().unwrap_or_default();
        let state = |replica: &ReplicaStatus| match replica.state() {
            ReplicaState::Ready => "ready",
            ReplicaState::ModelMissing => "model_missing",
            ReplicaState::Untrusted => "untrusted",
            ReplicaState::Unreachable if self.may_be_loading() => "loading",
            ReplicaState::Unreachable => "unreachable",
        };
        let report = |replica: &Arc<ReplicaStatus>| ReplicaReport {
            name: replica.name().to_owned(),
            state: state(replica),
            load: replica.load(),
        };
        replicas.iter().map(report).collect()
    }

    fn replicas(&self) -> Option<Arc<[Arc<ReplicaStatus>]>> {
        let replicas = self.replicas.as_ref()?;
        Some(Arc::clone(&replicas.read().unwrap_or_else(PoisonError::into_inner)))
    }

    /// Counts a complete and valid note as being read, until [`Self::note_ended`].
    pub fn note_began(&self) {
        self.reading.fetch_add(1, Relaxed);
    }

    /// Ends a note that began, whether it was read or abandoned.
    pub fn note_ended(&self) {
        self.last_active.store(u64::try_from(self.uptime().as_millis()).unwrap_or(u64::MAX), Relaxed);
        self.reading.fetch_sub(1, Relaxed);
    }

    /// Returns the time since the last note was read, or since the start; zero while a note is being read. Requests
    /// without a note do not count: monitoring must not keep a host running.
    pub fn idle(&self) -> Duration {
        if self.reading.load(Relaxed) > 0 {
            return Duration::ZERO;
        }
        self.uptime().saturating_sub(Duration::from_millis(self.last_active.load(Relaxed)))
    }

    /// Returns the time since the start.
    pub fn uptime(&self) -> Duration {
        self.started.elapsed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_follows_the_states_of_the_servers() {
        assert_eq!(Readiness::of_rules().reason(), None);
        let readiness = Readiness::of_vllm(Duration::from_mins(15));
        assert_eq!((readiness.reason(), readiness.status()), (Some(Reason::Loading), "starting"));
        let (first, second) = (ReplicaStatus::new("vllm-1".to_owned()), ReplicaStatus::new("vllm-2".to_owned()));
        readiness.watch(Arc::from([Arc::clone(&first), Arc::clone(&second)]));
        readiness.set_state(&first, ReplicaState::ModelMissing);
        assert_eq!(readiness.reason(), Some(Reason::ModelMissing));
        readiness.set_state(&second, ReplicaState::Ready);
        assert_eq!((readiness.reason(), readiness.status()), (None, "healthy"));
        let states: Vec<_> = readiness.report().into_iter().map(|replica| (replica.name, replica.state)).collect();
        assert_eq!(states, [("vllm-1".to_owned(), "model_missing"), ("vllm-2".to_owned(), "ready")]);
        readiness.set_state(&first, ReplicaState::Unreachable);
        readiness.set_state(&second, ReplicaState::Unreachable);
        assert_eq!((readiness.reason(), readiness.status()), (Some(Reason::Unreachable), "degraded"));
        let loading = Readiness::of_vllm(Duration::from_mins(15));
        loading.watch(Arc::from([Arc::clone(&first), Arc::clone(&second)]));
        loading.set_state(&first, ReplicaState::Untrusted);
        assert_eq!(loading.reason(), Some(Reason::Loading), "the second server may be loading");
        loading.set_state(&second, ReplicaState::Untrusted);
        assert_eq!(loading.reason(), Some(Reason::Unreachable));
        assert_eq!(loading.report()[0].state, "untrusted");
        readiness.drain();
        assert_eq!((readiness.reason(), readiness.status()), (Some(Reason::Draining), "draining"));
        assert_eq!(Readiness::of_vllm(Duration::ZERO).reason(), Some(Reason::Unreachable));
    }
}
