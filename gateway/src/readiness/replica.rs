//! One model server: how it was last seen, its load and its context.

use std::sync::{
    Arc, PoisonError, RwLock,
    atomic::{AtomicU8, AtomicU32, Ordering::Relaxed},
};

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

    pub(super) fn context(&self) -> Option<u32> {
        Some(self.context.load(Relaxed)).filter(|&tokens| tokens > 0)
    }

    /// Notes what it says of its load.
    pub fn loaded(&self, load: Load) {
        *self.load.write().unwrap_or_else(PoisonError::into_inner) = load;
    }

    /// Stores how it was last seen.
    pub(super) fn store(&self, upstream: Upstream) {
        self.state.store(upstream as u8, Relaxed);
    }

    /// Its load, as far as it tells.
    pub(super) fn load(&self) -> Load {
        *self.load.read().unwrap_or_else(PoisonError::into_inner)
    }
}
