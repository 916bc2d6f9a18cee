//! One script on the host: sent, followed to its end, sent once more if the host's agent lost it.

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
    /// The stack's document does not name this program: it was not run.
    Refused,
    /// AWS does not let us look any more; the host works on.
    OutOfSight(Failure),
    /// Ctrl-C; `true`: it was on its way to the host, or there.
    Interrupted {
        /// It had been sent.
        sent: bool,
        /// The host confirmed that it ended.
        ended: bool,
    },
}

/// How a script is called in the account's list of commands. Unique, so that one can be found again.
pub(super) fn name<P>(site: &DeployContext<'_, P>, action: &str) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    let operator: String =
        site.settings.operator.chars().filter(|c| c.is_ascii_alphanumeric() || "@._-".contains(*c)).take(40).collect();
    format!("deployer {action} {operator} {now}")
}

/// How the host calls a run in its facts. Unique, so that one can be told from any other.
fn run_id() -> RunId {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
    RunId::from_numbers(std::process::id(), now)
}

/// Runs an action on the host; Ctrl-C cancels it.
pub async fn run<P: Ports>(
    site: &DeployContext<'_, P>,
    what: &str,
    action: &Action,
    limit_seconds: u32,
) -> Result<HostReport, NoReport> {
    run_with(site, site.interrupt, what, action, limit_seconds).await
}

/// The same with another ear for Ctrl-C: what looks after one must not hear it again.
pub(super) async fn run_with<P: Ports>(
    site: &DeployContext<'_, P>,
    interrupt: &Interrupt,
    what: &str,
    action: &Action,
    limit_seconds: u32,
) -> Result<HostReport, NoReport> {
    let script = script(action, &site.settings.host());
    Box::pin(run_script(site, interrupt, what, &script, limit_seconds, only_looks(action))).await
}

/// The same for an action that was planned on what the host was then.
pub(super) async fn run_expecting<P: Ports>(
    site: &DeployContext<'_, P>,
    what: &str,
    action: &Action,
    expect: Expect,
    limit_seconds: u32,
) -> Result<HostReport, NoReport> {
    let script = script(action, &site.settings.host()).expecting(expect);
    Box::pin(run_script(site, site.interrupt, what, &script, limit_seconds, only_looks(action))).await
}

async fn run_script<P: Ports>(
    site: &DeployContext<'_, P>,
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
        let id = send::send(site, interrupt, what, &named, &name(site, what), changes, limit_seconds).await?;
        match follow::follow(site, interrupt, SentCommand { what, id, run, limit_seconds, quiet }).await {
            End::Known(end) => match *end {
                Err(NoReport::Refused) => return Err(NoReport::NotSent(document::refusal(site).await)),
                end => return end,
            },
            End::Lost if second => {
                return Err(NoReport::NotSent(Failure::unchanged(
                    "the host's agent took the command twice and never ran it; nothing was changed",
                    "Start the agent again by a restart of the box (deployer down --now, then deployer up); deployer doctor looks at it.",
                )));
            }
            End::Lost => {
                site.report.warn("the host's agent took the command and never ran it; it is sent once more");
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
    /// For actions that only look.
    fn from(none: NoReport) -> Self {
        match none {
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
