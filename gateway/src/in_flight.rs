//! Counts the extractions in flight, and ends them at shutdown.

use std::sync::Arc;

use tokio_util::{
    sync::{CancellationToken, WaitForCancellationFuture},
    task::{TaskTracker, task_tracker::TaskTrackerToken},
};

/// Counts the extractions in flight, and ends them at shutdown.
#[derive(Clone, Debug, Default)]
pub struct InFlightTracker {
    running: TaskTracker,
    closing: Arc<CancellationToken>,
    cut: Arc<CancellationToken>,
}

/// Counts as one extraction in flight until it is dropped.
#[derive(Debug)]
#[must_use = "dropping it ends the extraction"]
pub struct InFlightGuard(#[expect(dead_code, reason = "held for its drop")] TaskTrackerToken);

impl InFlightTracker {
    /// Counts a new extraction until the returned guard is dropped.
    pub fn begin(&self) -> InFlightGuard {
        InFlightGuard(self.running.token())
    }

    /// Returns the number of extractions in flight.
    #[must_use]
    pub fn running(&self) -> usize {
        self.running.len()
    }

    /// Completes once no extraction is in flight.
    pub async fn until_ended(&self) {
        self.running.close();
        self.running.wait().await;
    }

    /// Stops accepting notes, including notes whose bodies have only partly arrived.
    pub fn close(&self) {
        self.closing.cancel();
    }

    /// Completes once notes are no longer accepted.
    pub fn until_closed(&self) -> WaitForCancellationFuture<'_> {
        self.closing.cancelled()
    }

    /// Tells all extractions in flight to answer at once that the service is shutting down.
    pub fn cut_off(&self) {
        self.cut.cancel();
    }

    /// Completes once the extractions in flight must answer at once.
    pub fn until_cut_off(&self) -> WaitForCancellationFuture<'_> {
        self.cut.cancelled()
    }
}
