//! Whether notes can be read now, and if not, why. Written by the watchers of the model servers and by
//! shutdown, read by the health routes and the engine.

use std::{
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use serde::Serialize;

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

/// State of a model server, as last seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Upstream {
    /// Not seen yet, refused, or left out after failures.
    Unreachable = 0,
    /// Reached, and lists the model.
    Ready = 1,
    /// Reached, without the model, or refuses to say.
    ModelMissing = 2,
    /// Reached, and its certificate is not accepted, or it speaks no TLS. Time mends that no more than loading does.
    Untrusted = 3,
}

/// What a model server says of its load.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Load {
    /// Sequences that it decodes.
    pub running: Option<f64>,
    /// Sequences that wait in it.
    pub waiting: Option<f64>,
    /// Part of its KV cache in use, 0 to 1.
    pub kv_cache: Option<f64>,
}

/// One model server; named by its place in the settings, never by its address.
#[derive(Debug)]
pub struct Replica {
    name: String,
    state: AtomicU8,
    load: RwLock<Load>,
    /// Tokens of the configured model's context; 0 where that is not known.
    context: AtomicU32,
}

/// One model server as it is reported.
#[derive(Clone, Debug, PartialEq)]
pub struct ReplicaReport {
    /// Its name, such as `vllm-1`.
    pub name: String,
    /// `ready`, `loading`, `model_missing`, `untrusted` or `unreachable`.
    pub state: &'static str,
    /// Its load, as far as it tells.
    pub load: Load,
}

impl Replica {
    /// A server that was not seen yet.
    #[must_use]
    pub fn new(name: String) -> Arc<Self> {
        let (state, load, context) = (AtomicU8::new(Upstream::Unreachable as u8), RwLock::default(), AtomicU32::new(0));
        Arc::new(Self { name, state, load, context })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How it was last seen.
    pub fn state(&self) -> Upstream {
        match self.state.load(Relaxed) {
            1 => Upstream::Ready,
            2 => Upstream::ModelMissing,
            3 => Upstream::Untrusted,
            _ => Upstream::Unreachable,
        }
    }

    /// Notes the context of the configured model there, in tokens.
    pub fn learned_context(&self, tokens: Option<u32>) {
        self.context.store(tokens.unwrap_or(0), Relaxed);
    }

    fn context(&self) -> Option<u32> {
        Some(self.context.load(Relaxed)).filter(|&tokens| tokens > 0)
    }

    /// Notes what it says of its load.
    pub fn loaded(&self, load: Load) {
        *self.load.write().unwrap_or_else(PoisonError::into_inner) = load;
    }
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
        replica.state.store(upstream as u8, Relaxed);
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
            name: replica.name.clone(),
            state: state(replica),
            load: *replica.load.read().unwrap_or_else(PoisonError::into_inner),
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
