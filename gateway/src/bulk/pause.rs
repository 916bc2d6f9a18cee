//! Pauses between tries: longer each time, never all at the same moment, and as long as a server asks for.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

/// The first pause and the longest of our own.
const FIRST: Duration = Duration::from_millis(500);
const LONGEST: Duration = Duration::from_secs(30);
/// The longest that a server may ask for.
const MOST: Duration = Duration::from_mins(5);

/// Pauses of one note, or of one connection.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Backoff {
    tries: u32,
}

impl Backoff {
    /// How long the next is. What a server asked for is kept to, and up to a quarter more is added.
    pub(super) fn next(&mut self, asked: Option<Duration>) -> Duration {
        let own = FIRST.saturating_mul(1 << self.tries.min(16)).min(LONGEST);
        self.tries = self.tries.saturating_add(1);
        let least = asked.map_or(own, |asked| asked.min(MOST));
        least.mul_f64(1.0 + 0.25 * fastrand::f64())
    }

    /// Waits that long. False: the run is to stop, and nothing is tried again.
    pub(super) async fn wait(&mut self, asked: Option<Duration>, stop: &CancellationToken) -> bool {
        let time = self.next(asked);
        tokio::select! {
            biased;
            () = stop.cancelled() => false,
            () = tokio::time::sleep(time) => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_bound_and_keep_to_what_is_asked() {
        let mut pause = Backoff::default();
        for (asked, least) in [
            (None, 0.5),
            (None, 1.0),
            (None, 2.0),
            (Some(7.0), 7.0),
            (Some(0.0), 0.0),
            (Some(9_000.0), 300.0),
            (None, 30.0),
            (None, 30.0),
        ] {
            let time = pause.next(asked.map(Duration::from_secs_f64)).as_secs_f64();
            assert!((least..=least * 1.25).contains(&time), "{asked:?}: {time}");
        }
    }
}
