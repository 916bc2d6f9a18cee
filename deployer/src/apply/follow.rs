//! A command that was sent, followed by its id to its end: a look that fails is not a failed script, Ctrl-C cancels it,
//! and one that the host's agent lost is noticed.

use super::{
    command::NoReport,
    lost::{HostAnswer, Watch},
    pace::{Pause, PollSchedule},
    patience::{self, FailureCounter},
    said::HostOutput,
};
use crate::{
    cloud::{CloudError, CloudErrorKind, CommandId, Invocation, Progress},
    failure::Failure,
    interrupt::{self, Interrupt},
    report::duration,
    script::{HostReport, RunId, parse_report},
    site::{DeployContext, Ports},
};

/// A command that was sent.
pub(super) struct SentCommand<'a> {
    pub(super) what: &'a str,
    pub(super) id: CommandId,
    /// As the host calls it.
    pub(super) run: RunId,
    pub(super) limit_seconds: u32,
    /// It only looks, and its own lines are of no interest.
    pub(super) quiet: bool,
}

/// How following ended.
pub(super) enum End {
    /// With a report, or with the reason why there is none.
    Known(Box<Result<HostReport, NoReport>>),
    /// The host's agent took it and never ran it, and it was cancelled: it can be sent again.
    Lost,
}

impl From<NoReport> for End {
    fn from(none: NoReport) -> Self {
        Self::Known(Box::new(Err(none)))
    }
}

/// Waits for a command that was sent.
pub(super) async fn follow<P: Ports>(site: &DeployContext<'_, P>, interrupt: &Interrupt, sent: SentCommand<'_>) -> End {
    let SentCommand { what, ref id, ref run, limit_seconds, quiet } = sent;
    let wait = &site.settings.wait;
    let mut pace = PollSchedule::new(limit_seconds.saturating_add(wait.delivery_seconds).saturating_add(120));
    let mut watch = Watch::new(wait.start_seconds, quiet);
    let mut patience = FailureCounter::default();
    let mut said = HostOutput::new(site, quiet);
    let mut last: Option<CloudError> = None;
    loop {
        match site.ports.look(id).await {
            Ok(seen) => {
                last = None;
                if patience.answered() {
                    site.report.say("   AWS answers again; the command went on meanwhile");
                }
                said.show(&seen.stdout);
                if let Some(ended) = ended(&seen) {
                    return End::Known(Box::new(ended));
                }
                let state = match seen.progress {
                    Progress::Waiting => "on its way to the host",
                    Progress::Cancelling => "being cancelled by somebody",
                    _ => "running on the host",
                };
                said.progress(&format!("{what}: {state}"), &format!("({})", duration(pace.waited())));
                if seen.progress == Progress::Running && watch.is_due() {
                    match watch.ask(site, interrupt, id, run).await {
                        HostAnswer::AtWork => {}
                        HostAnswer::Ended(end) => return end,
                    }
                }
                if seen.progress == Progress::Running {
                    said.ask(interrupt).await;
                }
            }
            // Sent just now: not visible yet.
            Err(error) if error.kind == CloudErrorKind::Race && pace.waited() < 60 => {}
            Err(error) => {
                if !patience.bears(site, &error, "The host works on without us").await {
                    return out_of_sight(what, &error).into();
                }
                last = Some(error);
            }
        }
        match pace.pause(interrupt).await {
            Pause::Over => {}
            Pause::Interrupted => return End::Known(Box::new(cancel(site, id).await)),
            Pause::Late => {
                let what = last.map_or_else(
                    || format!("the command {} has not ended in {}", id.0, duration(pace.waited())),
                    |error| format!("AWS could not be asked any more about the command {}: {error}", id.0),
                );
                return NoReport::Unknown { what, lines: Vec::new(), running: true }.into();
            }
        }
    }
}

/// AWS refuses us for good: nothing more can be seen from here, and nothing may be stopped.
fn out_of_sight(what: &str, error: &CloudError) -> NoReport {
    if !patience::refused(error) {
        return NoReport::Unknown { what: error.to_string(), lines: Vec::new(), running: true };
    }
    let goes_on = format!("the {what} goes on on the host");
    NoReport::OutOfSight(patience::out_of_sight(error, &goes_on, "how it ended there"))
}

/// The end of a command; `None` while it goes on.
pub(super) fn ended(seen: &Invocation) -> Option<Result<HostReport, NoReport>> {
    let unknown = |what: &str| {
        let lines: Vec<String> = seen.stderr.lines().map(str::to_owned).collect();
        let lines = lines.iter().skip(lines.len().saturating_sub(12)).cloned().collect();
        Some(Err(NoReport::Unknown { what: what.to_owned(), lines, running: false }))
    };
    match &seen.progress {
        Progress::Waiting | Progress::Running | Progress::Cancelling => None,
        Progress::NotDelivered(why) => Some(Err(NoReport::NotSent(Failure::unchanged(
            format!("the command never reached the host ({why}); nothing was changed"),
            "Look whether the box runs and its agent answers: deployer doctor.",
        )))),
        Progress::Cancelled => unknown("somebody cancelled the command, so it was killed on the host"),
        Progress::TimedOut => unknown("the command took longer than it may, so it was killed on the host"),
        Progress::Ended(code) => match parse_report(&seen.stdout) {
            Some(report) => Some(Ok(report)),
            // The stack's own document refused the program before it ran.
            None if *code == 65 => Some(Err(NoReport::Refused)),
            None => unknown(&format!("the command ended with status {code} and left no report")),
        },
    }
}

/// Kills the command and waits until that is confirmed. One that had ended by itself is reported as it ended.
async fn cancel<P: Ports>(site: &DeployContext<'_, P>, id: &CommandId) -> Result<HostReport, NoReport> {
    site.report.say("interrupted: the command on the host is being cancelled; wait a moment");
    match cancelled(site, id, 60).await {
        Some((Progress::Ended(_), Ok(report))) => {
            site.report.say("the command had ended before it could be cancelled; this is how:");
            Ok(report)
        }
        Some(_) => Err(NoReport::Interrupted { sent: true, ended: true }),
        None => Err(NoReport::Interrupted { sent: true, ended: false }),
    }
}

/// Has a command killed; how it ended, or `None` where that is not confirmed in time.
pub(super) async fn cancelled<P: Ports>(
    site: &DeployContext<'_, P>,
    id: &CommandId,
    seconds: u32,
) -> Option<(Progress, Result<HostReport, NoReport>)> {
    let mut pace = PollSchedule::new(seconds);
    // A second Ctrl-C ends the program itself, so this one is not listened to any more.
    let (_end, quiet) = interrupt::channel();
    let mut asked = false;
    loop {
        if !asked {
            asked = site.ports.cancel(id).await.is_ok();
        }
        if let Ok(seen) = site.ports.look(id).await
            && let Some(end) = ended(&seen)
        {
            return Some((seen.progress, end));
        }
        if pace.pause(&quiet).await == Pause::Late {
            return None;
        }
    }
}
