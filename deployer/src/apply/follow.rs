//! Follows a sent command, by its id, to its end. A status request that fails is not a failed script, Ctrl-C cancels
//! the command, and a command that the host's agent lost is noticed.

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
    /// The run's id on the host.
    pub(super) run: RunId,
    pub(super) limit_seconds: u32,
    /// Whether the command changes nothing, so that its output lines are not shown.
    pub(super) quiet: bool,
}

/// How the wait for a command ended.
pub(super) enum End {
    /// A report, or the reason why there is none.
    Known(Box<Result<HostReport, NoReport>>),
    /// The host's agent took the command and never ran it, and the command was cancelled: it can be sent again.
    Lost,
}

impl From<NoReport> for End {
    fn from(no_report: NoReport) -> Self {
        Self::Known(Box::new(Err(no_report)))
    }
}

/// Waits for the end of a sent command.
pub(super) async fn follow<P: Ports>(
    context: &DeployContext<'_, P>,
    interrupt: &Interrupt,
    sent: SentCommand<'_>,
) -> End {
    let SentCommand { what, ref id, ref run, limit_seconds, quiet } = sent;
    let wait = &context.settings.wait;
    let mut schedule = PollSchedule::new(limit_seconds.saturating_add(wait.delivery_seconds).saturating_add(120));
    let mut watch = Watch::new(wait.start_seconds, quiet);
    let mut failures = FailureCounter::default();
    let mut output = HostOutput::new(context, quiet);
    let mut last: Option<CloudError> = None;
    loop {
        match context.ports.look(id).await {
            Ok(invocation) => {
                last = None;
                if failures.answered() {
                    context.report.say("   AWS answers again; the command went on meanwhile");
                }
                output.show(&invocation.stdout);
                if let Some(ended) = ended(&invocation) {
                    return End::Known(Box::new(ended));
                }
                let state = match invocation.progress {
                    Progress::Waiting => "on its way to the host",
                    Progress::Cancelling => "being cancelled by somebody",
                    _ => "running on the host",
                };
                output.progress(&format!("{what}: {state}"), &format!("({})", duration(schedule.waited())));
                if invocation.progress == Progress::Running && watch.is_due() {
                    match watch.ask(context, interrupt, id, run).await {
                        HostAnswer::AtWork => {}
                        HostAnswer::Ended(end) => return end,
                    }
                }
                if invocation.progress == Progress::Running {
                    output.ask(interrupt).await;
                }
            }
            // The command was sent just now and may not be visible yet.
            Err(error) if error.kind == CloudErrorKind::Race && schedule.waited() < 60 => {}
            Err(error) => {
                if !failures.bears(context, &error, "The host works on without us").await {
                    return out_of_sight(what, &error).into();
                }
                last = Some(error);
            }
        }
        match schedule.pause(interrupt).await {
            Pause::Over => {}
            Pause::Interrupted => return End::Known(Box::new(cancel(context, id).await)),
            Pause::Late => {
                let what = last.map_or_else(
                    || format!("the command {} has not ended in {}", id.0, duration(schedule.waited())),
                    |error| format!("AWS could not be asked any more about the command {}: {error}", id.0),
                );
                return NoReport::Unknown { what, lines: Vec::new(), running: true }.into();
            }
        }
    }
}

/// Returns the failure for requests that AWS refuses for good: the command's state is unknown, so nothing is stopped.
fn out_of_sight(what: &str, error: &CloudError) -> NoReport {
    if !patience::refused(error) {
        return NoReport::Unknown { what: error.to_string(), lines: Vec::new(), running: true };
    }
    let goes_on = format!("the {what} goes on on the host");
    NoReport::OutOfSight(patience::out_of_sight(error, &goes_on, "how it ended there"))
}

/// Returns how a command ended, or `None` while it runs.
pub(super) fn ended(invocation: &Invocation) -> Option<Result<HostReport, NoReport>> {
    let unknown = |what: &str| {
        let lines: Vec<String> = invocation.stderr.lines().map(str::to_owned).collect();
        let lines = lines.iter().skip(lines.len().saturating_sub(12)).cloned().collect();
        Some(Err(NoReport::Unknown { what: what.to_owned(), lines, running: false }))
    };
    match &invocation.progress {
        Progress::Waiting | Progress::Running | Progress::Cancelling => None,
        Progress::NotDelivered(why) => Some(Err(NoReport::NotSent(Failure::unchanged(
            format!("the command never reached the host ({why}); nothing was changed"),
            "Look whether the box runs and its agent answers: deployer doctor.",
        )))),
        Progress::Cancelled => unknown("somebody cancelled the command, so it was killed on the host"),
        Progress::TimedOut => unknown("the command took longer than it may, so it was killed on the host"),
        Progress::Ended(code) => match parse_report(&invocation.stdout) {
            Some(report) => Some(Ok(report)),
            // The stack's own document refused the program before it ran.
            None if *code == 65 => Some(Err(NoReport::Refused)),
            None => unknown(&format!("the command ended with status {code} and left no report")),
        },
    }
}

/// Cancels the command and waits until AWS confirms that. Returns the report of a command that had ended by itself.
async fn cancel<P: Ports>(context: &DeployContext<'_, P>, id: &CommandId) -> Result<HostReport, NoReport> {
    context.report.say("interrupted: the command on the host is being cancelled; wait a moment");
    match cancelled(context, id, 60).await {
        Some((Progress::Ended(_), Ok(report))) => {
            context.report.say("the command had ended before it could be cancelled; this is how:");
            Ok(report)
        }
        Some(_) => Err(NoReport::Interrupted { sent: true, ended: true }),
        None => Err(NoReport::Interrupted { sent: true, ended: false }),
    }
}

/// Cancels a command. Returns how it ended, or `None` if AWS does not confirm its end in time.
pub(super) async fn cancelled<P: Ports>(
    context: &DeployContext<'_, P>,
    id: &CommandId,
    seconds: u32,
) -> Option<(Progress, Result<HostReport, NoReport>)> {
    let mut schedule = PollSchedule::new(seconds);
    // A second Ctrl-C ends the program itself, so this wait does not react to Ctrl-C.
    let (_end, no_interrupt) = interrupt::channel();
    let mut asked = false;
    loop {
        if !asked {
            asked = context.ports.cancel(id).await.is_ok();
        }
        if let Ok(invocation) = context.ports.look(id).await
            && let Some(end) = ended(&invocation)
        {
            return Some((invocation.progress, end));
        }
        if schedule.pause(&no_interrupt).await == Pause::Late {
            return None;
        }
    }
}
