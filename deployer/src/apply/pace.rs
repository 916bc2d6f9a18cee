//! Waiting: how long until the next look, and when to give up. Every wait ends at Ctrl-C.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::{cloud::CloudError, interrupt::Interrupt, report::Report};

/// Looks that come less and less often, until a deadline.
pub(super) struct PollSchedule {
    started: Instant,
    limit: Duration,
    pause: Duration,
    longest: Duration,
}

/// What ended a pause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pause {
    /// Its time.
    Over,
    /// There is no time left.
    Late,
    /// Ctrl-C.
    Interrupted,
}

impl PollSchedule {
    /// Looks for so many seconds.
    #[must_use]
    pub(super) fn new(limit_seconds: u32) -> Self {
        Self {
            started: Instant::now(),
            limit: Duration::from_secs(limit_seconds.into()),
            pause: Duration::from_millis(100),
            longest: Duration::from_secs(2),
        }
    }

    /// So long it has been.
    #[must_use]
    pub(super) fn waited(&self) -> u64 {
        self.started.elapsed().as_secs()
    }

    /// Waits until the next look.
    pub(super) async fn pause(&mut self, interrupt: &Interrupt) -> Pause {
        if self.started.elapsed() >= self.limit {
            return Pause::Late;
        }
        let pause = self.pause;
        self.pause = (pause * 3 / 2).min(self.longest);
        wait(pause, interrupt).await
    }
}

/// For how long a question to AWS outlives throttling and a lost network.
const ASKED_SECONDS: u32 = 60;

/// Asks AWS something, again and again while that may help; `None`: Ctrl-C.
pub async fn persistently<T>(
    report: &Report,
    interrupt: &Interrupt,
    question: impl AsyncFn() -> Result<T, CloudError>,
) -> Result<Option<T>, CloudError> {
    let mut pace = PollSchedule::new(ASKED_SECONDS);
    loop {
        let error = match question().await {
            Ok(answer) => return Ok(Some(answer)),
            Err(error) => error,
        };
        if !error.passes() {
            return Err(error);
        }
        match pace.pause(interrupt).await {
            Pause::Over => report.progress("AWS does not answer; looking again", &error.code),
            Pause::Interrupted => return Ok(None),
            Pause::Late => return Err(error),
        }
    }
}

/// Waits so long.
pub async fn wait(pause: Duration, interrupt: &Interrupt) -> Pause {
    tokio::select! {
        () = sleep(pause) => Pause::Over,
        () = interrupt.wait() => Pause::Interrupted,
    }
}
