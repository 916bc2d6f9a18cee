//! Counts the extractions in flight, and ends them at shutdown.

use std::sync::Arc;

use tokio_util::{
    sync::{CancellationToken, WaitForCancellationFuture},
    task::{TaskTracker, task_tracker::TaskTrackerToken},
};

/// Counts the extractions in flight, and can end them all.
#[derive(Clone, Debug, Default)]
pub struct InFlightTracker {
    running: TaskTracker,
    closing: Arc<CancellationToken>,
    cut: Arc<CancellationToken>,
}

/// One extraction in flight, until this is dropped.
#[derive(Debug)]
#[must_use = "dropping it ends the extraction"]
pub struct InFlightGuard(#[expect(dead_code, reason = "held for its drop")] TaskTrackerToken);

impl InFlightTracker {
    /// An extraction begins.
    pub fn begin(&self) -> InFlightGuard {
        InFlightGuard(self.running.token())
    }

    /// How many run.
    #[must_use]
    pub fn running(&self) -> usize {
        self.running.len()
    }

    /// Ends once none runs.
    pub async fn ended(&self) {
        self.running.close();
        self.running.wait().await;
    }

    /// From now on no note is taken, nor the rest of one that is still on its way.
    pub fn close(&self) {
        self.closing.cancel();
    }

    /// Ends once no note is taken any more.
    pub fn is_closing(&self) -> WaitForCancellationFuture<'_> {
        self.closing.cancelled()
    }

    /// Tells all that run to answer at once that the service is shutting down.
    pub fn cut_off(&self) {
        self.cut.cancel();
    }

    /// Ends once the rest is cut off.
    pub fn is_cut_off(&self) -> WaitForCancellationFuture<'_> {
        self.cut.cancelled()
    }
}
