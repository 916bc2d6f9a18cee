//! Backoff between retries: each pause is longer, a random part keeps retries apart, and the server may ask for a
//! pause.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

/// The first pause, and the longest pause if the server asked for none.
const FIRST: Duration = Duration::from_millis(500);
const MAX_PAUSE: Duration = Duration::from_secs(30);
/// The longest pause that a server may ask for.
const MAX_REQUESTED: Duration = Duration::from_mins(5);

/// The backoff of one note or of one connection.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Backoff {
    tries: u32,
}

impl Backoff {
    /// Returns the length of the next pause: the time that the server asked for, else 0.5 s doubled with each try up to
    /// 30 s. Up to a quarter of it is added at random.
    pub(super) fn next(&mut self, requested: Option<Duration>) -> Duration {
        let default_pause = FIRST.saturating_mul(1 << self.tries.min(16)).min(MAX_PAUSE);
        self.tries = self.tries.saturating_add(1);
        let least = requested.map_or(default_pause, |requested| requested.min(MAX_REQUESTED));
        least.mul_f64(1.0 + 0.25 * fastrand::f64())
    }

    /// Waits for the next pause. Returns false if the run stops meanwhile: nothing is retried then.
    pub(super) async fn wait(&mut self, requested: Option<Duration>, stop: &CancellationToken) -> bool {
        let time = self.next(requested);
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
    fn pauses_grow_to_a_limit_and_are_as_long_as_the_server_asks() {
        let mut backoff = Backoff::default();
        for (requested, least) in [
            (None, 0.5),
            (None, 1.0),
            (None, 2.0),
            (Some(7.0), 7.0),
            (Some(0.0), 0.0),
            (Some(9_000.0), 300.0),
            (None, 30.0),
            (None, 30.0),
        ] {
            let time = backoff.next(requested.map(Duration::from_secs_f64)).as_secs_f64();
            assert!((least..=least * 1.25).contains(&time), "{requested:?}: {time}");
        }
    }
}
