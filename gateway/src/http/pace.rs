//! How fast a body must come: who sends a byte now and then holds memory and a connection for nothing.

use std::time::Duration;

use tokio::time::Instant;

/// So long a sender may pause or be slow.
pub(super) const PAUSE: Duration = Duration::from_secs(10);
/// Bytes that must come in each second after that, on average.
const LEAST_RATE: u64 = 1 << 10;

/// The pace of a body, or of one line of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct MinimumRate {
    began: Instant,
    bytes: u64,
}

impl MinimumRate {
    pub(super) fn begin() -> Self {
        Self { began: Instant::now(), bytes: 0 }
    }

    pub(super) fn came(&mut self, bytes: usize) {
        self.bytes += bytes as u64;
    }

    /// When more must have come.
    pub(super) fn until(&self) -> Instant {
        self.began + PAUSE + Duration::from_millis(self.bytes.saturating_mul(1_000) / LEAST_RATE)
    }
}
