//! A change of keys or models that ended without a report: asks the host how the change ended. `after_keys` and
//! `after_models` say what the answer means.

use super::{
    command::{self, READ_ONLY_TIMEOUT_SECONDS},
    unreported_command::UnreportedCommand,
};
use crate::{
    context::{DeployContext, Ports},
    exit::Exit,
    failure::Failure,
    interrupt::Interrupt,
    script::{Action, ActionOutcome, HostReport},
};

/// How much of a change is on the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ChangeOnHost {
    /// The whole change.
    Whole,
    /// Nothing of the change.
    Nothing,
    /// A part of it: the change was interrupted.
    Part,
}

/// The state of the host after a change that left no report.
pub(super) struct ChangeFound {
    pub(super) on_host: ChangeOnHost,
    /// The report of the query, returned if the change is complete.
    pub(super) report: HostReport,
    /// The message of a change that is done.
    pub(super) done: String,
    /// What a failure says about the host.
    pub(super) message: String,
    /// What the operator does next after a failure.
    pub(super) next: String,
    /// The command that shows the state of the host.
    pub(super) look: &'static str,
}

/// Runs a script on the host that lists something, and reads the list in its report. Returns why there is none.
pub(super) async fn list_on_host<P: Ports, T>(
    context: &DeployContext<'_, P>,
    no_interrupt: &Interrupt,
    what: &str,
    question: &Action,
    read: impl FnOnce(&HostReport) -> Option<T>,
) -> Result<(HostReport, T), String> {
    match command::run_with(context, no_interrupt, what, question, READ_ONLY_TIMEOUT_SECONDS).await {
        Ok(report) => match read(&report) {
            Some(list) => Ok((report, list)),
            None => Err(report.message),
        },
        Err(error) => Err(Failure::from(error).what),
    }
}

impl ChangeFound {
    /// Returns the report of a change that is done, or the failure that says what is on the host.
    pub(super) fn into_result<P>(
        self,
        context: &DeployContext<'_, P>,
        mut unreported: UnreportedCommand,
    ) -> Result<HostReport, Failure> {
        let Self { on_host, report, done, mut message, mut next, look } = self;
        if on_host == ChangeOnHost::Whole && unreported.exit != Exit::Interrupted && !unreported.running {
            context.console.warn(&format!("{}. The host was asked instead.", unreported.what));
            return Ok(HostReport { outcome: ActionOutcome::Done, message: done, ..report });
        }
        if unreported.running {
            message.push_str(" The command may still reach the host.");
            next = format!("Check with {look} in some minutes. {next}");
        } else if on_host == ChangeOnHost::Nothing && unreported.exit == Exit::NeedsAPerson {
            unreported.exit = Exit::FailedUnchanged;
        }
        Err(unreported.into_failure(&message, next))
    }
}
