//! One model server: its last known state, its load and its context length.

use std::sync::{
    Arc, PoisonError, RwLock,
    atomic::{AtomicU8, AtomicU32, Ordering::Relaxed},
};

/// The last known state of a model server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplicaState {
    /// Not reached yet, refuses connections, or excluded after failures.
    Unreachable = 0,
    /// Reached; it lists the model.
    Ready = 1,
    /// Reached; it does not list the model, or refuses to list its models.
    ModelMissing = 2,
    /// Reached, but its certificate is not accepted, or it does not use TLS. Waiting does not help, so this never
    /// counts as loading.
    Untrusted = 3,
}

/// The load of a model server, as the server reports it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Load {
    /// Sequences that the server decodes.
    pub running: Option<f64>,
    /// Sequences that wait in the server.
    pub waiting: Option<f64>,
    /// The share of its KV cache in use, 0 to 1.
    pub kv_cache: Option<f64>,
    /// Sequences that the server has preempted since its start.
    pub preemptions: Option<f64>,
    /// Tokens that its KV cache holds.
    pub kv_tokens: Option<u64>,
}

/// One model server. Its name is its position in the settings, never its address.
#[derive(Debug)]
pub struct ReplicaStatus {
    name: String,
    state: AtomicU8,
    load: RwLock<Load>,
    /// The context length of the configured model in tokens; 0 if it is not known.
    context: AtomicU32,
}

/// The report about one model server.
#[derive(Clone, Debug, PartialEq)]
pub struct ReplicaReport {
    /// Its name, such as `vllm-1`.
    pub name: String,
    /// `ready`, `loading`, `model_missing`, `untrusted` or `unreachable`.
    pub state: &'static str,
    /// Its load, as far as the server reports it.
    pub load: Load,
}

impl ReplicaReport {
    /// Every state that a report may name.
    pub const STATES: [&str; 5] = ["ready", "loading", "model_missing", "untrusted", "unreachable"];
}

impl ReplicaStatus {
    /// Returns a server that was not reached yet.
    #[must_use]
    pub fn new(name: String) -> Arc<Self> {
        let (state, load, context) =
            (AtomicU8::new(ReplicaState::Unreachable as u8), RwLock::default(), AtomicU32::new(0));
        Arc::new(Self { name, state, load, context })
    }

    /// Returns its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns its last known state.
    pub fn state(&self) -> ReplicaState {
        match self.state.load(Relaxed) {
            1 => ReplicaState::Ready,
            2 => ReplicaState::ModelMissing,
            3 => ReplicaState::Untrusted,
            _ => ReplicaState::Unreachable,
        }
    }

    /// Sets the context length of the configured model on this server, in tokens.
    pub fn set_context(&self, tokens: Option<u32>) {
        self.context.store(tokens.unwrap_or(0), Relaxed);
    }

    pub(super) fn context(&self) -> Option<u32> {
        Some(self.context.load(Relaxed)).filter(|&tokens| tokens > 0)
    }

    /// Sets its load.
    pub fn set_load(&self, load: Load) {
        *self.load.write().unwrap_or_else(PoisonError::into_inner) = load;
    }

    /// Sets its last known state.
    pub(super) fn store(&self, upstream: ReplicaState) {
        self.state.store(upstream as u8, Relaxed);
    }

    /// Returns its load, as far as the server reports it.
    pub fn load(&self) -> Load {
        *self.load.read().unwrap_or_else(PoisonError::into_inner)
    }
}
