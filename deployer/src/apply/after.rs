//! After a script: from its report, or from the lack of one, to the truth about what serves now.

use super::{command, command::NoReport, observe};
use crate::{
    cloud::State,
    exit::Exit,
    failure::Failure,
    interrupt,
    script::{Action, HostReport, Outcome},
    site::{Ports, Site},
};

/// Runs an action that changes something; any end but a good one is a failure that says what serves now.
pub(super) async fn run<P: Ports>(
    site: &Site<'_, P>,
    what: &str,
    action: &Action,
    limit_seconds: u32,
) -> Result<HostReport, Failure> {
    match command::run(site, what, action, limit_seconds).await {
        Ok(report) => judged(site, report),
        Err(NoReport::NotSent(failure)) => Err(failure),
        Err(NoReport::Interrupted { sent: false, .. }) => Err(Failure::interrupted(
            "interrupted before the host was asked; nothing was changed there",
            "Run it again when it fits.",
        )),
        Err(NoReport::Interrupted { ended, .. }) => {
            let what = if ended {
                "interrupted: the command on the host was killed"
            } else {
                "interrupted: the command on the host was cancelled, but AWS has not confirmed that it ended"
            };
            Err(aftermath(site, Exit::Interrupted, what, Vec::new(), !ended).await)
        }
        Err(NoReport::Unknown { what, lines, running }) => {
            Err(aftermath(site, Exit::NeedsAPerson, &what, lines, running).await)
        }
    }
}

fn judged<P>(site: &Site<'_, P>, report: HostReport) -> Result<HostReport, Failure> {
    for warning in &report.warnings {
        site.report.warn(warning);
    }
    let next = match report.outcome {
        Outcome::Done | Outcome::NothingToDo => return Ok(report),
        Outcome::FailedUnchanged => "Mend the cause, then run it again; deployer doctor looks at what it needs.",
        Outcome::RolledBack => "Find the cause in the lines above and in deployer logs, then deploy again.",
        Outcome::NeedsAPerson => {
            "Look with deployer status and deployer logs; deployer rollback goes back to the release before."
        }
        Outcome::Locked => "Wait for them; deployer status shows when they are done.",
    };
    Err(Failure { lines: report.last_log_lines, ..Failure::new(report.outcome.into(), report.message, next) })
}

/// Looks at the host after a command whose end nobody reported, and says what is there.
async fn aftermath<P: Ports>(site: &Site<'_, P>, exit: Exit, what: &str, lines: Vec<String>, running: bool) -> Failure {
    // The Ctrl-C that led here must not end this look, too. A second one ends the program.
    let (_end, quiet) = interrupt::channel();
    site.report.say("looking what is on the host now");
    // A box that stopped under the command cannot be asked.
    if let Ok(instance) = site.ports.instance(&site.settings.instance_id).await
        && instance.state != State::Running
    {
        let found = format!("the box is {}, so nothing serves", instance.state);
        return Failure {
            lines,
            ..Failure::new(exit, format!("{what}; {found}"), "deployer up starts it again and mends what was cut off.")
        };
    }
    let seen = observe::ask_with(site, &quiet).await;
    let (exit, found, next) = match seen {
        Err(failure) => (
            if exit == Exit::Interrupted { exit } else { Exit::NeedsAPerson },
            format!("What is on the host now could not be seen: {}", failure.what),
            "Run deployer status until it answers; then deployer up, which mends what was cut off.".to_owned(),
        ),
        Ok((report, status)) => {
            let serves = observe::healthy(&status);
            let release = report.release.map_or_else(|| "no release".to_owned(), |number| format!("release {number}"));
            if status.holder.is_some() && running {
                (exit, "It goes on there.".to_owned(), "deployer status shows its end; then run this again.".to_owned())
            } else if status.half_done {
                (
                    exit,
                    format!(
                        "The switch to another release was cut off: {release} is current and {}.",
                        if serves { "serves for now" } else { "does not serve" }
                    ),
                    "Run deployer up to go on, or deployer rollback to go back; either mends it.".to_owned(),
                )
            } else if serves {
                (
                    if exit == Exit::NeedsAPerson { Exit::FailedUnchanged } else { exit },
                    format!("What serves was not touched: {release} serves and says that it is ready."),
                    "Run it again when it fits.".to_owned(),
                )
            } else {
                (exit, format!("Nothing serves on the host ({release})."), "Run deployer up.".to_owned())
            }
        }
    };
    Failure { lines, ..Failure::new(exit, format!("{what}. {found}"), next) }
}
