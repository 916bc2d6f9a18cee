//! One deadline per request, shared by the queue, the retries and the upstream.

use std::time::Duration;

use tokio::time::{Instant, error::Elapsed, timeout_at};

/// The time by which a request has an answer, an error included.
#[derive(Clone, Copy, Debug)]
pub struct Deadline(Instant);

impl Deadline {
    /// Returns the deadline that lies `time` after now.
    #[must_use]
    pub fn after(time: Duration) -> Self {
        Self(Instant::now() + time)
    }

    /// Returns the deadline that lies `time` after `moment`, or now if that is already in the past.
    #[must_use]
    pub fn after_since(moment: std::time::Instant, time: Duration) -> Self {
        Self(Instant::now() + time.saturating_sub(moment.elapsed()))
    }

    /// Runs a future to its end; returns an error if the deadline passes first.
    pub async fn bound<F: Future>(self, work: F) -> Result<F::Output, Elapsed> {
        timeout_at(self.0, work).await
    }

    /// Returns the time left, which is zero once the deadline has passed.
    #[must_use]
    pub fn left(self) -> Duration {
        self.0.saturating_duration_since(Instant::now())
    }
}
