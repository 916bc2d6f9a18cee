//! Whether notes can be read now, and if not, why. Written by the watchers of the model servers and by
//! shutdown, read by the health routes and the engine.

mod replica;

use std::{
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use serde::Serialize;

pub use self::replica::{Load, Replica, ReplicaReport, Upstream};

/// Why notes cannot be read now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// No model server was reached since start, and one may still be loading.
    Loading,
    /// The model server does not list the configured model, or does not let us ask.
    ModelMissing,
    /// No model server can be reached.
    Unreachable,
    /// This process is shutting down.
    Draining,
}

/// Shared state; one per process.
#[derive(Debug)]
pub struct Readiness {
    started: Instant,
    startup: Duration,
    /// None where the rules engine reads: that is always ready.
    replicas: Option<RwLock<Arc<[Arc<Replica>]>>>,
    ever_ready: AtomicBool,
    draining: AtomicBool,
    /// Milliseconds from start to the end of the last note that was read.
    last_active: AtomicU64,
    /// Notes that are being read.
    reading: AtomicUsize,
}

impl Readiness {
    /// Of the rules engine: always ready.
    #[must_use]
    pub fn of_rules() -> Self {
        Self { replicas: None, ..Self::of_vllm(Duration::ZERO) }
    }

    /// Of model servers that may take this long to load.
    #[must_use]
    pub fn of_vllm(startup: Duration) -> Self {
        Self {
            started: Instant::now(),
            startup,
            replicas: Some(RwLock::new(Arc::from([]))),
            ever_ready: AtomicBool::new(false),
            draining: AtomicBool::new(false),
            last_active: AtomicU64::new(0),
            reading: AtomicUsize::new(0),
        }
    }

    /// These are the model servers from now on.
    pub fn watch(&self, replicas: Arc<[Arc<Replica>]>) {
        if let Some(known) = &self.replicas {
            *known.write().unwrap_or_else(PoisonError::into_inner) = replicas;
        }
    }

    /// Notes what was seen of a model server.
    pub fn saw(&self, replica: &Replica, upstream: Upstream) {
        replica.store(upstream);
        if upstream == Upstream::Ready {
            self.ever_ready.store(true, Relaxed);
        }
    }

    /// The configured model's context in tokens, once known; where servers differ, the least of those that are ready.
    pub fn max_model_len(&self) -> Option<u32> {
        let replicas = self.replicas()?;
        let ready = replicas.iter().filter(|replica| replica.state() == Upstream::Ready);
        ready.filter_map(|replica| replica.context()).min()
    }

    /// Shutdown has begun.
    pub fn drain(&self) {
        self.draining.store(true, Relaxed);
    }

    /// Whether shutdown has begun.
    pub fn is_draining(&self) -> bool {
        self.draining.load(Relaxed)
    }

    /// Whether a server that refuses connections may still be loading.
    pub fn may_be_loading(&self) -> bool {
        !self.ever_ready.load(Relaxed) && self.uptime() < self.startup
    }

    /// Why notes cannot be read; nothing when they can.
    pub fn reason(&self) -> Option<Reason> {
        if self.is_draining() {
            return Some(Reason::Draining);
        }
        let replicas = self.replicas()?;
        let any = |state| replicas.iter().any(|replica| replica.state() == state);
        let all_untrusted =
            !replicas.is_empty() && replicas.iter().all(|replica| replica.state() == Upstream::Untrusted);
        match () {
            () if any(Upstream::Ready) => None,
            () if any(Upstream::ModelMissing) => Some(Reason::ModelMissing),
            () if self.may_be_loading() && !all_untrusted => Some(Reason::Loading),
            () => Some(Reason::Unreachable),
        }
    }

    /// Waits until notes can be read, or so long at most. Says whether they can.
    pub async fn wait(&self, most: Duration) -> bool {
        let look = async {
            while self.reason().is_some() {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(most, look).await.is_ok()
    }

    /// The word that `/health` uses.
    pub fn status(&self) -> &'static str {
        match self.reason() {
            None => "healthy",
            Some(Reason::Loading) => "starting",
            Some(Reason::Draining) => "draining",
            Some(_) => "degraded",
        }
    }

    /// The model servers and their states; none where the rules engine reads.
    pub fn report(&self) -> Vec<ReplicaReport> {
        let replicas = self.replicas().unwrap_or_default();
        let state = |replica: &Replica| match replica.state() {
            Upstream::Ready => "ready",
            Upstream::ModelMissing => "model_missing",
            Upstream::Untrusted => "untrusted",
            Upstream::Unreachable if self.may_be_loading() => "loading",
            Upstream::Unreachable => "unreachable",
        };
        let report = |replica: &Arc<Replica>| ReplicaReport {
            name: replica.name().to_owned(),
            state: state(replica),
            load: replica.load(),
        };
        replicas.iter().map(report).collect()
    }

    fn replicas(&self) -> Option<Arc<[Arc<Replica>]>> {
        let replicas = self.replicas.as_ref()?;
        Some(Arc::clone(&replicas.read().unwrap_or_else(PoisonError::into_inner)))
    }

    /// A whole and valid note is there, and is being read until [`Self::note_ended`].
    pub fn note_began(&self) {
        self.reading.fetch_add(1, Relaxed);
    }

    /// A note that began is read, or given up.
    pub fn note_ended(&self) {
        self.last_active.store(u64::try_from(self.uptime().as_millis()).unwrap_or(u64::MAX), Relaxed);
        self.reading.fetch_sub(1, Relaxed);
    }

    /// Time since the last note was read, or since start; none while one is being read. Requests that bring no note do not
    /// count: a monitor must not keep a box running.
    pub fn idle(&self) -> Duration {
        if self.reading.load(Relaxed) > 0 {
            return Duration::ZERO;
        }
        self.uptime().saturating_sub(Duration::from_millis(self.last_active.load(Relaxed)))
    }

    /// Time since start.
    pub fn uptime(&self) -> Duration {
        self.started.elapsed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons() {
        assert_eq!(Readiness::of_rules().reason(), None);
        let readiness = Readiness::of_vllm(Duration::from_mins(15));
        assert_eq!((readiness.reason(), readiness.status()), (Some(Reason::Loading), "starting"));
        let (one, other) = (Replica::new("vllm-1".to_owned()), Replica::new("vllm-2".to_owned()));
        readiness.watch(Arc::from([Arc::clone(&one), Arc::clone(&other)]));
        readiness.saw(&one, Upstream::ModelMissing);
        assert_eq!(readiness.reason(), Some(Reason::ModelMissing));
        readiness.saw(&other, Upstream::Ready);
        assert_eq!((readiness.reason(), readiness.status()), (None, "healthy"));
        let states: Vec<_> = readiness.report().into_iter().map(|replica| (replica.name, replica.state)).collect();
        assert_eq!(states, [("vllm-1".to_owned(), "model_missing"), ("vllm-2".to_owned(), "ready")]);
        readiness.saw(&one, Upstream::Unreachable);
        readiness.saw(&other, Upstream::Unreachable);
        assert_eq!((readiness.reason(), readiness.status()), (Some(Reason::Unreachable), "degraded"));
        let loading = Readiness::of_vllm(Duration::from_mins(15));
        loading.watch(Arc::from([Arc::clone(&one), Arc::clone(&other)]));
        loading.saw(&one, Upstream::Untrusted);
        assert_eq!(loading.reason(), Some(Reason::Loading), "the other may be");
        loading.saw(&other, Upstream::Untrusted);
        assert_eq!(loading.reason(), Some(Reason::Unreachable));
        assert_eq!(loading.report()[0].state, "untrusted");
        readiness.drain();
        assert_eq!((readiness.reason(), readiness.status()), (Some(Reason::Draining), "draining"));
        assert_eq!(Readiness::of_vllm(Duration::ZERO).reason(), Some(Reason::Unreachable));
    }
}
