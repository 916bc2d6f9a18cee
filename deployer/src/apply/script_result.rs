//! Finds out what the host serves after a script has run, from its report or, without one, by asking the host.

use super::{
    after_keys, after_models,
    command::{self, CommandError, READ_ONLY_TIMEOUT_SECONDS},
    observe,
    unreported_command::UnreportedCommand,
};
use crate::failure::RUN_AGAIN;
use crate::{
    cloud::InstanceState,
    context::{DeployContext, Ports},
    exit::Exit,
    failure::Failure,
    interrupt::{self, Interrupt},
    recorded_releases::Releases,
    script::{Action, ActionOutcome, ExpectedRelease, HostReport, ImageWanted, Keys, Models, facts::Status},
};

/// Runs an action that changes something. Returns the report if the action succeeds, and otherwise a failure that states
/// what serves now. `expect` is the state of the host when the action was approved.
pub(super) async fn run<P: Ports>(
    context: &DeployContext<'_, P>,
    what: &str,
    action: &Action,
    expect: ExpectedRelease,
    limit_seconds: u32,
) -> Result<HostReport, Failure> {
    let unreported = match command::run_expecting(context, what, action, expect, limit_seconds).await {
        Ok(report) => {
            Releases::write(context, &report).await;
            return check_report(context, report);
        }
        Err(error @ (CommandError::NeverRan(_) | CommandError::AccessLost(_) | CommandError::Refused)) => {
            return Err(error.into());
        }
        Err(CommandError::Interrupted { sent: false, .. }) => {
            return Err(Failure::interrupted(
                "interrupted before the host was asked; nothing was changed there",
                RUN_AGAIN,
            ));
        }
        Err(CommandError::Interrupted { ended: true, .. }) => {
            UnreportedCommand::interrupted("interrupted: the command on the host was killed", false)
        }
        Err(CommandError::Interrupted { ended: false, .. }) => UnreportedCommand::interrupted(
            "interrupted: the command on the host was cancelled, but AWS has not confirmed that it ended",
            true,
        ),
        Err(CommandError::Unknown { what, lines, running }) => {
            UnreportedCommand { exit: Exit::NeedsAPerson, what, lines, running }
        }
    };
    context.console.say("checking what runs on the host now");
    ask_what_serves(context, action, expect, unreported).await
}

pub(super) fn check_report<P>(context: &DeployContext<'_, P>, report: HostReport) -> Result<HostReport, Failure> {
    for warning in &report.warnings {
        context.console.warn(warning);
    }
    let next = match report.outcome {
        ActionOutcome::Done | ActionOutcome::NothingToDo => return Ok(report),
        ActionOutcome::FailedUnchanged => "Fix the cause, then run it again; deployer doctor checks what it needs.",
        ActionOutcome::RolledBack => "Find the cause in the lines above and in deployer logs, then deploy again.",
        ActionOutcome::NeedsAPerson if report.release.is_none() => {
            "There is no release to go back to. Fix the cause that the lines above show, then run deployer up again."
        }
        ActionOutcome::NeedsAPerson => {
            "Check deployer status and deployer logs; deployer releases lists the releases for deployer rollback --to."
        }
        ActionOutcome::Locked => "Wait for that run to end; deployer status shows when it has.",
    };
    let may_still_run = report.outcome == ActionOutcome::Locked;
    let step = report.failed_step;
    let failure = Failure::new(report.outcome.into(), report.message, next);
    Err(Failure { lines: report.last_log_lines, may_still_run, step, ..failure })
}

/// Asks the host for its state and returns the report or the failure that follows from it.
async fn ask_what_serves<P: Ports>(
    context: &DeployContext<'_, P>,
    action: &Action,
    expect: ExpectedRelease,
    mut unreported: UnreportedCommand,
) -> Result<HostReport, Failure> {
    // The Ctrl-C that interrupted the command must not interrupt this check too. A second Ctrl-C ends the program.
    let (_end, no_interrupt) = interrupt::channel();
    // A box that stopped while the command ran cannot be asked.
    if let Ok(instance) = context.ports.instance(&context.settings.instance_id).await
        && instance.state != InstanceState::Running
    {
        let found = format!("The box is {}, so nothing serves.", instance.state);
        unreported.running = false;
        return Err(unreported.into_failure(&found, "deployer up starts it again and repairs the interrupted work."));
    }
    if !unreported.running {
        clear_leftovers(context, &no_interrupt).await;
    }
    let (report, status) = match observe::ask_status_with(context, &no_interrupt).await {
        Ok(seen) => seen,
        Err(failure) => {
            let found = format!("The state of the host is not known: {}", failure.what);
            let next = "Run deployer status until it answers; then deployer up, which repairs the interrupted work.";
            return Err(unreported.into_failure(&found, next));
        }
    };
    let release = report.release.map_or_else(|| "no release".to_owned(), |number| format!("release {number}"));
    let healthy = observe::healthy(&status);
    if status.holder.is_some() && unreported.running {
        return Err(unreported.into_failure(
            "It still runs there.",
            "deployer status shows its end; then run this again. deployer unlock clears what it leaves if it was killed.",
        ));
    }
    if let Action::Keys(Keys::Change(change)) = action {
        return after_keys::ask_for_key(context, &no_interrupt, change, unreported).await;
    }
    if let Action::Models(Models::Change(change)) = action {
        return after_models::ask_which_models_answer(context, &no_interrupt, change, unreported).await;
    }
    if matches!(action, Action::Deploy(deploy) if deploy.download_only) {
        let kept = "The release that serves was not changed; downloaded images and models are kept.";
        return Err(unreported.into_failure(kept, "Run it again: it continues from here."));
    }
    if status.half_done {
        let serves = if healthy {
            verify_running(context, &no_interrupt).await.map_or_else(
                |why| format!("says that it is ready, but that could not be verified: {why}"),
                |_| "serves for now, and was verified".to_owned(),
            )
        } else {
            "does not serve".to_owned()
        };
        return Err(unreported.into_failure(
            &format!(
                "The switch to another release was interrupted: {release} is current and {}.",
                serves.trim_end_matches('.')
            ),
            if matches!(action, Action::Rollback { .. }) {
                "Run deployer rollback to continue, or deployer up for the configured release; either repairs it."
            } else {
                "Run deployer up to continue, or deployer rollback to go back; either repairs it."
            },
        ));
    }
    if !healthy {
        return Err(unreported.into_failure(&format!("Nothing serves on the host ({release})."), "Run deployer up."));
    }
    let verified = match verify_running(context, &no_interrupt).await {
        Ok(report) => report,
        Err(why) => {
            return Err(unreported.into_failure(
                &format!("On the host, {release} says that it is ready, but that could not be verified: {why}"),
                "deployer logs shows why; deployer restart starts it again.",
            ));
        }
    };
    let kept = match compare(action, expect, &report, &status) {
        HostComparison::AsWanted if unreported.exit == Exit::Interrupted => {
            format!("The work is complete: {release} is the wanted release, serves and was verified.")
        }
        HostComparison::AsWanted => {
            context.console.warn(&format!("{}. The host was asked instead.", unreported.what));
            return Ok(verified);
        }
        HostComparison::AsBefore => format!("What served before still serves: {release} was verified."),
        HostComparison::Unclear => format!("On the host, {release} serves and was verified."),
    };
    if unreported.running {
        let kept = format!("{kept} The command may still reach the host.");
        return Err(unreported.into_failure(&kept, "Check deployer status in some minutes, before you run this again."));
    }
    if unreported.exit == Exit::NeedsAPerson {
        unreported.exit = Exit::FailedUnchanged;
    }
    Err(unreported.into_failure(&kept, RUN_AGAIN))
}

/// Clears what a killed command leaves on the host: its token and login in memory, and a download that uses the token.
async fn clear_leftovers<P: Ports>(context: &DeployContext<'_, P>, no_interrupt: &Interrupt) {
    let why = match command::run_with(context, no_interrupt, "clear", &Action::Unlock, READ_ONLY_TIMEOUT_SECONDS).await
    {
        Ok(report) if report.outcome == ActionOutcome::Done => {
            report.warnings.iter().for_each(|warning| context.console.warn(warning));
            context.console.say("what the killed command left on the host (token, login, download) was cleared");
            return;
        }
        Ok(report) => report.message,
        Err(error) => Failure::from(error).what,
    };
    context.console.warn(&format!(
        "what the killed command left on the host (a token in memory, a login, a download) could not be cleared: {why}. \
         Run deployer unlock, which clears it."
    ));
}

/// Sends a made-up note to the service that runs now. Returns the report, or why the note was not answered.
async fn verify_running<P: Ports>(
    context: &DeployContext<'_, P>,
    no_interrupt: &Interrupt,
) -> Result<HostReport, String> {
    match command::run_with(context, no_interrupt, "verify", &Action::Verify, READ_ONLY_TIMEOUT_SECONDS).await {
        Ok(report) if report.outcome == ActionOutcome::Done => Ok(report),
        Ok(report) => Err(report.message),
        Err(error) => Err(Failure::from(error).what),
    }
}

/// The state of the host, compared with the state before the action and with the state that the action wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum HostComparison {
    AsWanted,
    AsBefore,
    /// The host does not show which of the two it is.
    Unclear,
}

fn compare(action: &Action, expect: ExpectedRelease, report: &HostReport, status: &Status) -> HostComparison {
    let wanted = match action {
        Action::Deploy(deploy) => {
            let is = |wanted: &ImageWanted, found: &str| match wanted {
                ImageWanted::Digest(digest) => digest.to_string() == found,
                // Only the host can resolve the tag, so any release other than the previous one may be the wanted one.
                ImageWanted::Tag(_) => !matches!(expect, ExpectedRelease::Any),
            };
            deploy.config_hash == status.config_hash
                && is(&deploy.gateway, &report.images.gateway)
                && is(&deploy.vllm, &report.images.vllm)
        }
        Action::Rollback { to: Some(to) } => report.release == Some(*to),
        Action::Rollback { to: None } => !matches!(expect, ExpectedRelease::Any),
        // These actions do not touch the running services.
        Action::Autostop(_) | Action::Unlock | Action::Prune { .. } => return HostComparison::AsBefore,
        _ => return HostComparison::Unclear,
    };
    let same = match expect {
        ExpectedRelease::Any => None,
        expect => Some(expect == ExpectedRelease::of(report.release)),
    };
    match (wanted, same) {
        (true, Some(false) | None) => HostComparison::AsWanted,
        (_, Some(true)) if matches!(action, Action::Rollback { to: None }) || !wanted => HostComparison::AsBefore,
        _ => HostComparison::Unclear,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Action, ExpectedRelease, HostComparison, HostReport, Status, compare};
    use crate::script::{ComposeEnv, Deploy, ImageDigest, ImageTag, ImageWanted};

    fn image(name: &str, n: u8) -> String {
        format!("r.example/{name}@sha256:{n:064x}")
    }

    fn deploy(gateway: ImageWanted, hash: &str) -> Action {
        Action::Deploy(Box::new(Deploy {
            gateway,
            vllm: ImageWanted::Digest(ImageDigest::parse(&image("vllm", 1)).unwrap()),
            files: Vec::new(),
            env: ComposeEnv::default(),
            commit: String::new(),
            config_hash: hash.to_owned(),
            restart_vllm: false,
            download_only: false,
        }))
    }

    /// Compares with a host that has release 2, with gateway image 2, vllm image 1 and configuration `h`.
    fn check(action: &Action, expect: ExpectedRelease, expected: HostComparison) {
        let report = json!({"outcome": "done", "action": "status", "message": "", "release": 2,
            "images": {"gateway": image("gateway", 2), "vllm": image("vllm", 1)}});
        let report: HostReport = serde_json::from_value(report).unwrap();
        let status = Status { config_hash: "h".to_owned(), ..Status::default() };
        assert_eq!(compare(action, expect, &report, &status), expected, "{action:?} {expect:?}");
    }

    #[test]
    fn the_host_is_compared_with_the_wanted_and_the_previous_release() {
        let digest = |n| ImageWanted::Digest(ImageDigest::parse(&image("gateway", n)).unwrap());
        let tag = ImageWanted::Tag(ImageTag::new("r.example/gateway", "v2").unwrap());
        let (before, other) = (ExpectedRelease::Release(2), ExpectedRelease::Release(1));
        for (wanted, hash, expect, expected) in [
            (digest(2), "h", other, HostComparison::AsWanted),
            (digest(2), "h", ExpectedRelease::NoRelease, HostComparison::AsWanted),
            (digest(2), "h", ExpectedRelease::Any, HostComparison::AsWanted),
            (tag.clone(), "h", other, HostComparison::AsWanted),
            (tag, "h", ExpectedRelease::Any, HostComparison::Unclear),
            (digest(2), "i", before, HostComparison::AsBefore),
            (digest(3), "h", before, HostComparison::AsBefore),
            // The wanted release equals the previous one, so a new start of it cannot be seen.
            (digest(2), "h", before, HostComparison::Unclear),
            // The host has neither the wanted nor the previous release.
            (digest(3), "h", other, HostComparison::Unclear),
            (digest(3), "h", ExpectedRelease::Any, HostComparison::Unclear),
        ] {
            check(&deploy(wanted, hash), expect, expected);
        }
        check(&Action::Rollback { to: Some(2) }, ExpectedRelease::Release(3), HostComparison::AsWanted);
        check(&Action::Rollback { to: Some(1) }, before, HostComparison::AsBefore);
        check(&Action::Rollback { to: None }, ExpectedRelease::Release(3), HostComparison::AsWanted);
        check(&Action::Rollback { to: None }, before, HostComparison::AsBefore);
        check(&Action::Restart { service: None }, before, HostComparison::Unclear);
        check(&Action::Unlock, ExpectedRelease::Any, HostComparison::AsBefore);
        check(&Action::Prune { models: true, approved: Some("0".repeat(64)) }, before, HostComparison::AsBefore);
    }
}
