//! Ctrl-C and SIGTERM: the first has what runs end, the second ends at once.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering::Relaxed},
};

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::{INTERRUPTED, progress::say};

/// Whether the run is to stop, and whether a person said so.
#[derive(Clone, Debug, Default)]
pub(super) struct Stop {
    pub(super) token: CancellationToken,
    interrupted: Arc<AtomicBool>,
}

impl Stop {
    /// Listens for the signals from now on.
    pub(super) fn on_signals() -> std::io::Result<Self> {
        let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        let stop = Self::default();
        let told = stop.clone();
        tokio::spawn(async move {
            let mut next = async || {
                tokio::select! { _ = interrupt.recv() => {}, _ = terminate.recv() => {} }
            };
            next().await;
            told.interrupted.store(true, Relaxed);
            told.token.cancel();
            say("\nstopping: notes under way are finished (Ctrl-C again stops at once)");
            next().await;
            // The line being written is at most torn, and --resume repairs it.
            std::process::exit(i32::from(INTERRUPTED));
        });
        Ok(stop)
    }

    /// Whether a person stopped it.
    pub(super) fn was_interrupted(&self) -> bool {
        self.interrupted.load(Relaxed)
    }
}
