//! Ctrl-C and SIGTERM: the first signal lets the notes in progress finish, the second ends the process at once.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering::Relaxed},
};

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::{INTERRUPTED, status::print_status};

/// Tells the run to stop, and remembers whether a signal was the reason.
#[derive(Clone, Debug, Default)]
pub(super) struct StopSignal {
    pub(super) token: CancellationToken,
    interrupted: Arc<AtomicBool>,
}

impl StopSignal {
    /// Starts to listen for the signals.
    pub(super) fn on_signals() -> std::io::Result<Self> {
        let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        let stop = Self::default();
        let signalled = stop.clone();
        tokio::spawn(async move {
            let mut next = async || {
                tokio::select! { _ = interrupt.recv() => {}, _ = terminate.recv() => {} }
            };
            next().await;
            signalled.interrupted.store(true, Relaxed);
            signalled.token.cancel();
            print_status("\nstopping: notes in progress are finished (Ctrl-C again stops at once)");
            next().await;
            // At most one line of the output is incomplete, and --resume removes it.
            std::process::exit(i32::from(INTERRUPTED));
        });
        Ok(stop)
    }

    /// Returns whether a signal stopped the run.
    pub(super) fn was_interrupted(&self) -> bool {
        self.interrupted.load(Relaxed)
    }
}
