//! Whether notes can be read now, and if not, why. Written by the watcher of the model server and by
//! shutdown, read by the health routes and the engine.

use std::{
    sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering::Relaxed},
    time::{Duration, Instant},
};

use serde::Serialize;

/// Why notes cannot be read now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// The model server was never reached since start, and may still be loading.
    Loading,
    /// The model server does not list the configured model.
    ModelMissing,
    /// The model server cannot be reached.
    Unreachable,
    /// This process is shutting down.
    Draining,
}

/// State of the model server, as last seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Upstream {
    /// Not seen yet, or refused.
    Unreachable = 0,
    /// Reached, and lists the model.
    Ready = 1,
    /// Reached, without the model.
    ModelMissing = 2,
}

/// Shared state; one per process.
#[derive(Debug)]
pub struct Readiness {
    started: Instant,
    startup: Duration,
    upstream: AtomicU8,
    ever_ready: AtomicBool,
    draining: AtomicBool,
    max_model_len: AtomicU32,
    /// Milliseconds from start to the end of the last extraction.
    last_active: AtomicU64,
}

impl Readiness {
    /// Of the rules engine: always ready.
    #[must_use]
    pub fn of_rules() -> Self {
        let readiness = Self::of_vllm(Duration::ZERO);
        readiness.saw(Upstream::Ready);
        readiness
    }

    /// Of a model server that may take this long to load.
    #[must_use]
    pub fn of_vllm(startup: Duration) -> Self {
        Self {
            started: Instant::now(),
            startup,
            upstream: AtomicU8::new(Upstream::Unreachable as u8),
            ever_ready: AtomicBool::new(false),
            draining: AtomicBool::new(false),
            max_model_len: AtomicU32::new(0),
            last_active: AtomicU64::new(0),
        }
    }

    /// Notes what was seen of the model server.
    pub fn saw(&self, upstream: Upstream) {
        self.upstream.store(upstream as u8, Relaxed);
        if upstream == Upstream::Ready {
            self.ever_ready.store(true, Relaxed);
        }
    }

    /// Notes the model's context, in tokens.
    pub fn learned_context(&self, tokens: u32) {
        self.max_model_len.store(tokens, Relaxed);
    }

    /// The model's context in tokens, once known.
    pub fn max_model_len(&self) -> Option<u32> {
        Some(self.max_model_len.load(Relaxed)).filter(|&tokens| tokens > 0)
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
        match self.upstream.load(Relaxed) {
            1 => None,
            2 => Some(Reason::ModelMissing),
            _ if self.may_be_loading() => Some(Reason::Loading),
            _ => Some(Reason::Unreachable),
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

    /// State of the model server alone, shutdown aside.
    pub fn upstream_state(&self) -> &'static str {
        match self.upstream.load(Relaxed) {
            1 => "ready",
            2 => "model_missing",
            _ if self.may_be_loading() => "loading",
            _ => "unreachable",
        }
    }

    /// An extraction ended.
    pub fn was_active(&self) {
        self.last_active.store(u64::try_from(self.uptime().as_millis()).unwrap_or(u64::MAX), Relaxed);
    }

    /// Time since the last extraction ended, or since start.
    pub fn idle(&self) -> Duration {
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
        readiness.saw(Upstream::ModelMissing);
        assert_eq!(readiness.reason(), Some(Reason::ModelMissing));
        readiness.saw(Upstream::Ready);
        assert_eq!((readiness.reason(), readiness.status()), (None, "healthy"));
        readiness.saw(Upstream::Unreachable);
        assert_eq!((readiness.reason(), readiness.status()), (Some(Reason::Unreachable), "degraded"));
        readiness.drain();
        assert_eq!((readiness.reason(), readiness.status()), (Some(Reason::Draining), "draining"));
        assert_eq!(Readiness::of_vllm(Duration::ZERO).reason(), Some(Reason::Unreachable));
    }
}
