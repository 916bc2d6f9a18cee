//! The minimum rate of a request body. Without it, a client could occupy memory and a connection by sending a byte now
//! and then.

use std::time::Duration;

use tokio::time::Instant;

/// How long a client may send nothing, or send too slowly.
pub(super) const GRACE_PERIOD: Duration = Duration::from_secs(10);
/// Bytes per second that must arrive after [`GRACE_PERIOD`], on average.
const BYTES_PER_SECOND: u64 = 1 << 10;

/// Measures the rate of a body, or of one line of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct MinimumRate {
    began: Instant,
    bytes: u64,
}

impl MinimumRate {
    pub(super) fn begin() -> Self {
        Self { began: Instant::now(), bytes: 0 }
    }

    pub(super) fn add_bytes(&mut self, bytes: usize) {
        self.bytes += bytes as u64;
    }

    /// Returns the time by which more bytes must have arrived.
    pub(super) fn next_deadline(&self) -> Instant {
        self.began + GRACE_PERIOD + Duration::from_millis(self.bytes.saturating_mul(1_000) / BYTES_PER_SECOND)
    }
}
