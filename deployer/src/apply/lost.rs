//! Commands that the host's agent takes and never runs, as one does that updates itself after a long stop: AWS says
//! `InProgress` for hours. The host is asked whether anybody is at work there.

use std::time::Duration;

use tokio::time::Instant;

use super::{
    command::NoReport,
    follow::{End, cancelled, ended},
    pace::{Pace, Pause, wait},
    send,
};
use crate::{
    cloud::{CommandId, Progress},
    interrupt::Interrupt,
    script::{Action, facts::Status, script},
    site::{Ports, Site},
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
pub(super) enum Found {
    /// The command is at work, or nobody can tell.
    AtWork,
    /// It is not, and this is how it ended.
    Ended(Box<End>),
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
    pub(super) async fn ask<P: Ports>(&mut self, site: &Site<'_, P>, interrupt: &Interrupt, id: &CommandId) -> Found {
        (self.due, self.running_since) = (BETWEEN, None);
        if !self.looks {
            match look(site, interrupt).await {
                Some(status) if status.holder.is_some() => {
                    self.seen_at_work = true;
                    return Found::AtWork;
                }
                Some(_) => {}
                None if interrupt.came() => return Found::AtWork,
                None => {
                    site.report.warn(
                        "the host's agent says that the command runs, but does not answer a look beside it; waiting on",
                    );
                    return Found::AtWork;
                }
            }
            // It may have begun, or ended, a moment ago.
            wait(BEGINS, interrupt).await;
            if let Ok(seen) = site.ports.look(id).await
                && let Some(end) = ended(&seen)
            {
                return Found::Ended(Box::new(End::Known(end)));
            }
            if look(site, interrupt).await.is_none_or(|status| status.holder.is_some()) {
                return Found::AtWork;
            }
        }
        if interrupt.came() {
            return Found::AtWork;
        }
        Found::Ended(Box::new(self.end(site, id).await))
    }

    /// Nobody is at work on the host, and AWS says that the command runs.
    async fn end<P: Ports>(&self, site: &Site<'_, P>, id: &CommandId) -> End {
        let end = cancelled(site, id, CANCEL_SECONDS).await;
        let unknown =
            |what: &str, running| NoReport::Unknown { what: what.to_owned(), lines: Vec::new(), running }.into();
        match end {
            Some((Progress::Ended(_), end)) => End::Known(end),
            _ if self.seen_at_work => unknown("the command ended on the host, but its report never came", false),
            // A look does no harm, however often it runs.
            Some(_) => End::Lost,
            None if self.looks => End::Lost,
            None => unknown(
                "the host's agent took the command and does not run it, and AWS has not confirmed that it is cancelled",
                true,
            ),
        }
    }
}

/// Asks the host who is at work; `None`: no answer in time.
async fn look<P: Ports>(site: &Site<'_, P>, interrupt: &Interrupt) -> Option<Status> {
    let script = script(&Action::Status, &site.settings.host());
    let name = super::command::name(site, "look");
    let id = send::send(site, interrupt, "look", &script, &name, ANSWER_SECONDS).await.ok()?;
    let mut pace = Pace::new(ANSWER_SECONDS);
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
