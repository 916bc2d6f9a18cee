//! Runs one script on the host: sends it, follows it to its end, and sends it once more if the host's agent lost it.

use std::time::{SystemTime, UNIX_EPOCH};

use super::{
    document,
    follow::{self, End, SentCommand},
    send,
};
use crate::{
    failure::Failure,
    interrupt::Interrupt,
    script::{Action, Expect, HostReport, Keys, RunId, Script, script},
    site::{DeployContext, Ports},
};

/// Time limit, in seconds, of a script that changes nothing.
pub const LOOK_SECONDS: u32 = 300;

/// Why a script left no report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoReport {
    /// The script never ran.
    NotSent(Failure),
    /// The script may have done part of its work: it was killed, ran out of time, or its output was lost.
    Unknown {
        /// What happened.
        what: String,
        /// The last lines that the host's agent returned.
        lines: Vec<String>,
        /// Whether the script may still be running.
        running: bool,
    },
    /// The stack's SSM document does not name this program, so the script was not run.
    Refused,
    /// AWS refuses to report on the command any more, while the host works on.
    OutOfSight(Failure),
    /// The operator pressed Ctrl-C.
    Interrupted {
        /// Whether the script was already on its way to the host, or on it.
        sent: bool,
        /// Whether AWS has confirmed that the script ended, or it never began.
        ended: bool,
    },
}

/// Returns the script's name in the account's list of commands. It is unique, so that a command can be found again.
pub(super) fn name<P>(context: &DeployContext<'_, P>, action: &str) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    let operator: String = context
        .settings
        .operator
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || "@._-".contains(*c))
        .take(40)
        .collect();
    format!("deployer {action} {operator} {now}")
}

/// Returns the id of a run in the host's facts. It is unique, so that a run can be told from any other.
fn run_id() -> RunId {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
    RunId::from_numbers(std::process::id(), now)
}

/// Runs an action on the host. Ctrl-C cancels it.
pub async fn run<P: Ports>(
    context: &DeployContext<'_, P>,
    what: &str,
    action: &Action,
    limit_seconds: u32,
) -> Result<HostReport, NoReport> {
    run_with(context, context.interrupt, what, action, limit_seconds).await
}

/// Does the same with another source of Ctrl-C: a check after a Ctrl-C must not react to that Ctrl-C again.
pub(super) async fn run_with<P: Ports>(
    context: &DeployContext<'_, P>,
    interrupt: &Interrupt,
    what: &str,
    action: &Action,
    limit_seconds: u32,
) -> Result<HostReport, NoReport> {
    let script = script(action, &context.settings.host());
    Box::pin(run_script(context, interrupt, what, &script, limit_seconds, only_looks(action))).await
}

/// Does the same for an action whose plan assumes `expect` as the state of the host.
pub(super) async fn run_expecting<P: Ports>(
    context: &DeployContext<'_, P>,
    what: &str,
    action: &Action,
    expect: Expect,
    limit_seconds: u32,
) -> Result<HostReport, NoReport> {
    let script = script(action, &context.settings.host()).expecting(expect);
    Box::pin(run_script(context, context.interrupt, what, &script, limit_seconds, only_looks(action))).await
}

async fn run_script<P: Ports>(
    context: &DeployContext<'_, P>,
    interrupt: &Interrupt,
    what: &str,
    script: &Script,
    limit_seconds: u32,
    quiet: bool,
) -> Result<HostReport, NoReport> {
    script.clone().named(&run_id()).fits().map_err(|large| {
        NoReport::NotSent(Failure::usage(large.to_string(), "The SSM command has no more room; nothing was changed."))
    })?;
    let mut second = false;
    loop {
        let run = run_id();
        let named = script.clone().named(&run);
        let changes = (!quiet).then_some(&run);
        let id = send::send(context, interrupt, what, &named, &name(context, what), changes, limit_seconds).await?;
        match follow::follow(context, interrupt, SentCommand { what, id, run, limit_seconds, quiet }).await {
            End::Known(end) => match *end {
                Err(NoReport::Refused) => return Err(NoReport::NotSent(document::refusal(context).await)),
                end => return end,
            },
            End::Lost if second => {
                return Err(NoReport::NotSent(Failure::unchanged(
                    "the host's agent took the command twice and never ran it; nothing was changed",
                    "Start the agent again by a restart of the box (deployer down --now, then deployer up); deployer doctor looks at it.",
                )));
            }
            End::Lost => {
                context.report.warn("the host's agent took the command and never ran it; it is sent once more");
                second = true;
            }
        }
    }
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
            | Action::Prune { approved: None, .. }
            | Action::Diagnose { .. }
            | Action::Progress
    )
}

impl From<NoReport> for Failure {
    /// Describes the failure of an action that changes nothing.
    fn from(no_report: NoReport) -> Self {
        match no_report {
            NoReport::NotSent(failure) | NoReport::OutOfSight(failure) => failure,
            NoReport::Refused => Self::unchanged(
                "the SSM document does not know this version of the deployer's program; nothing was changed",
                "deployer doctor has the command that names it.",
            ),
            NoReport::Interrupted { .. } => {
                Self::interrupted("interrupted; nothing was changed", "Run it again when it fits.")
            }
            NoReport::Unknown { what, lines, .. } => {
                Self { lines, ..Self::unchanged(what, "Run it again; deployer doctor looks at what it needs.") }
            }
        }
    }
}
