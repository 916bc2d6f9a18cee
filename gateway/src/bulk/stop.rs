//! Ctrl-C and SIGTERM: the first signal lets the notes in progress finish, the second ends the process at once.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::{INTERRUPTED, status::print_status};

/// How long notes in progress may take after a signal. A spot instance has two minutes from the signal to its end.
const GRACE: Duration = Duration::from_secs(90);

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

    /// Waits for the work, but not longer than 90 s after the request to stop. Returns `None` if the work was
    /// abandoned.
    pub(super) async fn bounded<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        let overdue = async {
            self.token.cancelled().await;
            tokio::time::sleep(GRACE).await;
        };
        tokio::select! { biased; done = work => Some(done), () = overdue => None }
    }

    /// Returns whether a signal stopped the run.
    pub(super) fn was_interrupted(&self) -> bool {
        self.interrupted.load(Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn notes_in_progress_have_ninety_seconds_after_a_signal() {
        let stop = StopSignal::default();
        let after = async |seconds| tokio::time::sleep(Duration::from_secs(seconds)).await;
        // Without a signal there is no limit.
        assert_eq!(stop.bounded(after(100_000)).await, Some(()));
        stop.token.cancel();
        assert_eq!(stop.bounded(after(89)).await, Some(()));
        assert_eq!(stop.bounded(after(91)).await, None);
    }
}
