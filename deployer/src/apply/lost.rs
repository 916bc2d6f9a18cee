//! Commands that the host's agent takes and never runs, as one does that updates itself after a long stop: AWS says
//! `InProgress` for hours. The host is asked whether anybody is at work there.

use std::time::Duration;

use tokio::time::Instant;

use super::{
    command::NoReport,
    follow::{End, cancelled, ended},
    pace::{Pause, PollSchedule, wait},
    send,
};
use crate::{
    cloud::{CommandId, Progress},
    interrupt::Interrupt,
    script::{Action, RunId, facts::Status, script},
    site::{DeployContext, Ports},
};

/// Between two questions once the command was seen at work.
const BETWEEN: Duration = Duration::from_mins(2);
/// How long the host may take to answer such a question.
const ANSWER_SECONDS: u32 = 60;
/// How long a lost command may take to be cancelled.
const CANCEL_SECONDS: u32 = 15;
/// A script that has just begun has the host's lock after this time.
const BEGINS: Duration = Duration::from_secs(5);

/// When to ask the host next.
pub(super) struct Watch {
    due: Duration,
    running_since: Option<Instant>,
    seen_at_work: bool,
    /// It only looks, and so is never at work: after the time for two starts it counts as lost.
    looks: bool,
}

/// What the host said.
pub(super) enum HostAnswer {
    /// The command is at work, or nobody can tell.
    AtWork,
    /// It is not, and this is how it ended.
    Ended(End),
}

impl Watch {
    pub(super) fn new(start_seconds: u32, looks: bool) -> Self {
        let start = Duration::from_secs(start_seconds.into());
        Self { due: if looks { start * 2 } else { start }, running_since: None, seen_at_work: false, looks }
    }

    /// AWS says that it runs; has it said so for long enough?
    pub(super) fn is_due(&mut self) -> bool {
        self.running_since.get_or_insert_with(Instant::now).elapsed() >= self.due
    }

    /// Looks whether it really does.
    pub(super) async fn ask<P: Ports>(
        &mut self,
        site: &DeployContext<'_, P>,
        interrupt: &Interrupt,
        id: &CommandId,
        run: &RunId,
    ) -> HostAnswer {
        (self.due, self.running_since) = (BETWEEN, None);
        if self.looks {
            return HostAnswer::Ended(self.end(site, id, false).await);
        }
        let mut trace = trace(site, interrupt, run).await;
        if trace == Trace::None {
            // It may have begun a moment ago.
            wait(BEGINS, interrupt).await;
            trace = self::trace(site, interrupt, run).await;
        }
        // Its report may have come by now.
        if let Ok(seen) = site.ports.look(id).await
            && let Some(end) = ended(&seen)
        {
            return HostAnswer::Ended(End::Known(Box::new(end)));
        }
        match trace {
            _ if interrupt.came() => HostAnswer::AtWork,
            Trace::AtWork => {
                self.seen_at_work = true;
                HostAnswer::AtWork
            }
            Trace::Unknown => {
                site.report
                    .warn("AWS says that the command runs, but the host does not answer a look beside it; waiting on");
                HostAnswer::AtWork
            }
            Trace::Ended | Trace::None => HostAnswer::Ended(self.end(site, id, trace == Trace::Ended).await),
        }
    }

    /// The command is not at work on the host, and AWS says that it runs.
    async fn end<P: Ports>(&self, site: &DeployContext<'_, P>, id: &CommandId, ended: bool) -> End {
        let end = cancelled(site, id, CANCEL_SECONDS).await;
        let unknown =
            |what: &str, running| NoReport::Unknown { what: what.to_owned(), lines: Vec::new(), running }.into();
        match end {
            Some((Progress::Ended(_), end)) => End::Known(Box::new(end)),
            _ if ended => unknown("the command ended on the host, but its report never came", false),
            _ if self.seen_at_work => unknown("the command was killed on the host", false),
            Some(_) => End::Lost,
            // A look does no harm, however often it runs.
            None if self.looks => End::Lost,
            None => unknown(
                "the host's agent took the command and does not run it, and AWS has not confirmed that it is cancelled",
                true,
            ),
        }
    }
}

/// What the host knows of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trace {
    /// It goes on.
    AtWork,
    /// It ended by itself.
    Ended,
    /// It never came, or was killed.
    None,
    /// The host did not answer in time.
    Unknown,
}

/// Asks the host about a run.
pub(super) async fn trace<P: Ports>(site: &DeployContext<'_, P>, interrupt: &Interrupt, run: &RunId) -> Trace {
    match look(site, interrupt).await {
        None => Trace::Unknown,
        Some(status) if status.runs.iter().any(|one| one.run == run.as_str()) => Trace::AtWork,
        Some(status) if status.ended.iter().any(|name| name == run.as_str()) => Trace::Ended,
        Some(_) => Trace::None,
    }
}

/// Looks at the host; `None`: no answer in time.
async fn look<P: Ports>(site: &DeployContext<'_, P>, interrupt: &Interrupt) -> Option<Status> {
    let script = script(&Action::Status, &site.settings.host());
    let name = super::command::name(site, "look");
    let id = send::send(site, interrupt, "look", &script, &name, None, ANSWER_SECONDS).await.ok()?;
    let mut pace = PollSchedule::new(ANSWER_SECONDS);
    loop {
        if let Ok(seen) = site.ports.look(&id).await
            && let Some(end) = ended(&seen)
        {
            return end.ok()?.status();
        }
        if pace.pause(interrupt).await != Pause::Over {
            return None;
        }
    }
}
