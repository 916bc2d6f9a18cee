//! One deadline per request, shared by the queue, the retries and the upstream.

use std::time::Duration;

use tokio::time::{Instant, error::Elapsed, timeout_at};

/// The moment after which no answer is wanted.
#[derive(Clone, Copy, Debug)]
pub struct Deadline(Instant);

impl Deadline {
    /// A deadline this long from now.
    #[must_use]
    pub fn after(time: Duration) -> Self {
        Self(Instant::now() + time)
    }

    /// A deadline this long after a moment that has passed.
    #[must_use]
    pub fn after_since(moment: std::time::Instant, time: Duration) -> Self {
        Self(Instant::now() + time.saturating_sub(moment.elapsed()))
    }

    /// Runs a future until it ends or the deadline passes.
    pub async fn bound<F: Future>(self, work: F) -> Result<F::Output, Elapsed> {
        timeout_at(self.0, work).await
    }

    /// Time left; zero once the deadline has passed.
    #[must_use]
    pub fn left(self) -> Duration {
        self.0.saturating_duration_since(Instant::now())
    }
}
