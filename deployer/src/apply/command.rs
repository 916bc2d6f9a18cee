//! One script on the host: sent, waited for by its id, cancelled at Ctrl-C. A look that fails is not a failed script.

use std::time::{SystemTime, UNIX_EPOCH};

use super::{
    pace::{Pace, Pause},
    said::Said,
    send,
};
use crate::{
    cloud::{CloudError, CommandId, Invocation, Progress, Trouble},
    failure::Failure,
    interrupt::{self, Interrupt},
    report::duration,
    script::{Action, Expect, HostReport, Keys, Script, parse_report, script},
    site::{Ports, Site},
};

/// What a script may take that only looks.
pub const LOOK_SECONDS: u32 = 300;

/// Why there is no report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoReport {
    /// The script never ran.
    NotSent(Failure),
    /// It may have done part of its work: killed, over its time, its output lost, or out of sight.
    Unknown {
        /// What happened.
        what: String,
        /// What the host's agent said.
        lines: Vec<String>,
        /// It may still be running.
        running: bool,
    },
    /// Ctrl-C; `true`: it was on its way to the host, or there.
    Interrupted {
        /// It had been sent.
        sent: bool,
        /// The host confirmed that it ended.
        ended: bool,
    },
}

/// How a script is called in the account's list of commands. Unique, so that one can be found again.
fn name<P>(site: &Site<'_, P>, action: &str) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    let operator: String =
        site.settings.operator.chars().filter(|c| c.is_ascii_alphanumeric() || "@._-".contains(*c)).take(40).collect();
    format!("deployer {action} {operator} {now}")
}

/// Runs an action on the host; Ctrl-C cancels it.
pub async fn run<P: Ports>(
    site: &Site<'_, P>,
    what: &str,
    action: &Action,
    limit_seconds: u32,
) -> Result<HostReport, NoReport> {
    run_with(site, site.interrupt, what, action, limit_seconds).await
}

/// The same with another ear for Ctrl-C: what looks after one must not hear it again.
pub(super) async fn run_with<P: Ports>(
    site: &Site<'_, P>,
    interrupt: &Interrupt,
    what: &str,
    action: &Action,
    limit_seconds: u32,
) -> Result<HostReport, NoReport> {
    let script = script(action, &site.settings.host());
    run_script(site, interrupt, what, &script, limit_seconds, only_looks(action)).await
}

/// The same for an action that was planned on what the host was then.
pub(super) async fn run_expecting<P: Ports>(
    site: &Site<'_, P>,
    what: &str,
    action: &Action,
    expect: Expect,
    limit_seconds: u32,
) -> Result<HostReport, NoReport> {
    let script = script(action, &site.settings.host()).expecting(expect);
    run_script(site, site.interrupt, what, &script, limit_seconds, only_looks(action)).await
}

async fn run_script<P: Ports>(
    site: &Site<'_, P>,
    interrupt: &Interrupt,
    what: &str,
    script: &Script,
    limit_seconds: u32,
    quiet: bool,
) -> Result<HostReport, NoReport> {
    script.fits().map_err(|large| {
        NoReport::NotSent(Failure::usage(large.to_string(), "The SSM command has no more room; nothing was changed."))
    })?;
    let id = send::send(site, interrupt, what, script, &name(site, what), limit_seconds).await?;
    follow(site, interrupt, Sent { what, id, limit_seconds, quiet }).await
}

/// A command that was sent.
struct Sent<'a> {
    what: &'a str,
    id: CommandId,
    limit_seconds: u32,
    /// Its own lines are of no interest.
    quiet: bool,
}

const fn only_looks(action: &Action) -> bool {
    matches!(
        action,
        Action::Status
            | Action::Verify
            | Action::Releases
            | Action::Doctor { .. }
            | Action::Logs { .. }
            | Action::Keys(Keys::List)
            | Action::Progress
    )
}

/// Waits for a command that was sent.
async fn follow<P: Ports>(site: &Site<'_, P>, interrupt: &Interrupt, sent: Sent<'_>) -> Result<HostReport, NoReport> {
    let Sent { what, id, limit_seconds, quiet } = sent;
    let mut pace = Pace::new(limit_seconds.saturating_add(site.settings.wait.delivery_seconds).saturating_add(120));
    let mut said = Said::new(site, quiet);
    let mut lost: Option<CloudError> = None;
    loop {
        match site.ports.look(&id).await {
            Ok(seen) => {
                if lost.take().is_some() {
                    site.report.say("   AWS answers again; the command went on meanwhile");
                }
                said.show(&seen.stdout);
                if let Some(ended) = ended(&seen) {
                    return ended;
                }
                if seen.progress == Progress::Running {
                    said.ask(interrupt).await;
                }
                let state = match seen.progress {
                    Progress::Waiting => "on its way to the host",
                    Progress::Cancelling => "being cancelled by somebody",
                    _ => "running on the host",
                };
                said.progress(&format!("{what}: {state}"), &format!("({})", duration(pace.waited())));
            }
            // Sent just now: not visible yet.
            Err(error) if error.trouble == Trouble::Race && pace.waited() < 60 => {}
            Err(error) if error.passes() => {
                if lost.replace(error.clone()).is_none() {
                    site.report.warn(&format!("{error}. The host works on without us; looking again."));
                }
            }
            Err(error) => {
                return Err(NoReport::Unknown { what: error.to_string(), lines: Vec::new(), running: true });
            }
        }
        match pace.pause(interrupt).await {
            Pause::Over => {}
            Pause::Interrupted => return cancel(site, &id).await,
            Pause::Late => {
                let what = lost.map_or_else(
                    || format!("the command {} has not ended in {}", id.0, duration(pace.waited())),
                    |error| format!("AWS could not be asked any more about the command {}: {error}", id.0),
                );
                return Err(NoReport::Unknown { what, lines: Vec::new(), running: true });
            }
        }
    }
}

/// The end of a command; `None` while it goes on.
fn ended(seen: &Invocation) -> Option<Result<HostReport, NoReport>> {
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
            // 65: the stack's own document refused the program before it ran.
            None if *code == 65 => Some(Err(NoReport::NotSent(Failure::unchanged(
                "the stack's SSM document does not know this version of the deployer's program; nothing was changed",
                "Update the CloudFormation stack with ProgramSha256 of this version: deployer policy program prints it.",
            )))),
            None => unknown(&format!("the command ended with status {code} and left no report")),
        },
    }
}

/// Kills the command and waits until that is confirmed. One that had ended by itself is reported as it ended.
async fn cancel<P: Ports>(site: &Site<'_, P>, id: &CommandId) -> Result<HostReport, NoReport> {
    site.report.say("interrupted: the command on the host is being cancelled; wait a moment");
    let mut pace = Pace::new(60);
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
            if let (Progress::Ended(_), Ok(report)) = (&seen.progress, end) {
                site.report.say("the command had ended before it could be cancelled; this is how:");
                return Ok(report);
            }
            return Err(NoReport::Interrupted { sent: true, ended: true });
        }
        if pace.pause(&quiet).await == Pause::Late {
            return Err(NoReport::Interrupted { sent: true, ended: false });
        }
    }
}

impl From<NoReport> for Failure {
    /// For actions that only look.
    fn from(none: NoReport) -> Self {
        match none {
            NoReport::NotSent(failure) => failure,
            NoReport::Interrupted { .. } => {
                Self::interrupted("interrupted; nothing was changed", "Run it again when it fits.")
            }
            NoReport::Unknown { what, lines, .. } => {
                Self { lines, ..Self::unchanged(what, "Run it again; deployer doctor looks at what it needs.") }
            }
        }
    }
}
