//! Schedules requests: how long to wait until the next one, and when to give up. Ctrl-C ends every wait.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::{cloud::CloudError, console::Console, interrupt::Interrupt};

/// Growing pauses between requests, each at most a limit, until a deadline.
pub(super) struct PollSchedule {
    started: Instant,
    limit: Duration,
    pause: Duration,
    longest: Duration,
}

/// What ended a pause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PauseEnd {
    /// The pause is over.
    Over,
    /// The deadline has passed.
    DeadlinePassed,
    /// The operator pressed Ctrl-C.
    Interrupted,
}

impl PollSchedule {
    /// Returns a schedule whose deadline is `limit_seconds` from now.
    #[must_use]
    pub(super) fn new(limit_seconds: u32) -> Self {
        Self {
            started: Instant::now(),
            limit: Duration::from_secs(limit_seconds.into()),
            pause: Duration::from_millis(100),
            longest: Duration::from_secs(2),
        }
    }

    /// Returns the time since the start, in seconds.
    #[must_use]
    pub(super) fn waited_seconds(&self) -> u64 {
        self.started.elapsed().as_secs()
    }

    /// Waits until the next request is due.
    pub(super) async fn pause(&mut self, interrupt: &Interrupt) -> PauseEnd {
        if self.started.elapsed() >= self.limit {
            return PauseEnd::DeadlinePassed;
        }
        let pause = self.pause;
        self.pause = (pause * 3 / 2).min(self.longest);
        wait(pause, interrupt).await
    }
}

/// How long a request is repeated when AWS throttles or the network fails, in seconds.
const REPEAT_SECONDS: u32 = 60;

/// Sends a request to AWS and repeats it while that may help. Returns `None` after Ctrl-C.
pub async fn with_retries<T>(
    console: &Console,
    interrupt: &Interrupt,
    question: impl AsyncFn() -> Result<T, CloudError>,
) -> Result<Option<T>, CloudError> {
    let mut schedule = PollSchedule::new(REPEAT_SECONDS);
    loop {
        let error = match question().await {
            Ok(answer) => return Ok(Some(answer)),
            Err(error) => error,
        };
        if !error.is_transient() {
            return Err(error);
        }
        match schedule.pause(interrupt).await {
            PauseEnd::Over => console.progress("AWS does not answer; asking again", &error.code),
            PauseEnd::Interrupted => return Ok(None),
            PauseEnd::DeadlinePassed => return Err(error),
        }
    }
}

/// Waits for `pause`, or until Ctrl-C.
pub async fn wait(pause: Duration, interrupt: &Interrupt) -> PauseEnd {
    tokio::select! {
        () = sleep(pause) => PauseEnd::Over,
        () = interrupt.wait() => PauseEnd::Interrupted,
    }
}
