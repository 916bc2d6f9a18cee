//! `up`, and the other actions at whose end something serves.

use std::time::Duration;

use super::{Applied, StopOnFailure, after, boot, document, down, observe};
use crate::{
    cloud::Agent,
    exit::Exit,
    failure::Failure,
    interrupt::{self, Interrupt},
    ledger::LastVerified,
    report::{duration, money},
    script::{Action, Deploy, Expect, HostReport},
    site::{DeployContext, Ports},
};

/// How long a person is waited for while the lock is held and the box costs.
const ANSWER: Duration = Duration::from_mins(5);

/// Starts the box where needed and deploys.
pub(super) async fn up<P: Ports>(
    site: &DeployContext<'_, P>,
    deploy: &Deploy,
    expect: Expect,
    stop: StopOnFailure,
) -> Result<Applied, Failure> {
    let mut started = false;
    let done = deployed(site, deploy, expect, &mut started).await;
    settled(site, done, started, stop).await
}

/// Goes back to an earlier release; a box that is stopped is started for it.
pub(super) async fn rollback<P: Ports>(
    site: &DeployContext<'_, P>,
    action: &Action,
    expect: Expect,
    stop: StopOnFailure,
) -> Result<Applied, Failure> {
    let mut started = false;
    let done = rolled_back(site, action, expect, &mut started).await;
    settled(site, done, started, stop).await
}

async fn rolled_back<P: Ports>(
    site: &DeployContext<'_, P>,
    action: &Action,
    expect: Expect,
    started: &mut bool,
) -> Result<Applied, Failure> {
    // A box is not started for a program that its document refuses.
    document::check(site).await?;
    boot::boot(site, started).await?;
    serve(site, "rollback", action, expect).await
}

/// What becomes of a box that this run started and that does not serve.
async fn settled<P: Ports>(
    site: &DeployContext<'_, P>,
    done: Result<Applied, Failure>,
    started: bool,
    stop: StopOnFailure,
) -> Result<Applied, Failure> {
    match done {
        Err(failure) if started && failure.goes_on => Err(left_running(site, failure)),
        Err(failure) if started && failure.exit != Exit::RolledBack => Err(started_in_vain(site, failure, stop).await),
        done => done,
    }
}

async fn deployed<P: Ports>(
    site: &DeployContext<'_, P>,
    deploy: &Deploy,
    expect: Expect,
    started: &mut bool,
) -> Result<Applied, Failure> {
    // A box is not started for a program that its document refuses.
    document::check(site).await?;
    let instance = boot::boot(site, started).await?;
    site.report.step("deploying");
    let action = Action::Deploy(Box::new(deploy.clone()));
    let report = after::run(site, "deploy", &action, expect, site.settings.wait.deploy_seconds).await?;
    Ok(recorded(site, report, Some(&deploy.config_hash), instance.address.as_deref()).await)
}

async fn recorded<P: Ports>(
    site: &DeployContext<'_, P>,
    report: HostReport,
    config_hash: Option<&str>,
    address: Option<&str>,
) -> Applied {
    LastVerified::write(site, &report, config_hash, address).await;
    Applied {
        url: address.map(|address| site.settings.url(address)),
        autostop: report.autostop(),
        report: Some(report),
    }
}

/// Runs an action on a running box at whose end a release serves: a rollback, a restart.
pub(super) async fn serve<P: Ports>(
    site: &DeployContext<'_, P>,
    what: &str,
    action: &Action,
    expect: Expect,
) -> Result<Applied, Failure> {
    site.report.step(what);
    let report = after::run(site, what, action, expect, site.settings.wait.deploy_seconds).await?;
    // It is done: what cannot be seen or recorded from here on is only worth a warning. A Ctrl-C that came too late
    // must not hide it either.
    let (_end, quiet) = interrupt::channel();
    // The configuration of that release is known to the host alone.
    let status = observe::ask_with(site, &quiet).await;
    let hash = status.as_ref().map(|(_, status)| status.config_hash.as_str());
    if let Err(failure) = &status {
        site.report.warn(&format!("the configuration of what serves could not be looked up: {}", failure.what));
    }
    let address = match boot::look_with(site, &quiet).await {
        Ok(instance) => instance.address,
        Err(failure) => {
            site.report.warn(&format!("the address of the box could not be looked up: {}", failure.what));
            None
        }
    };
    Ok(recorded(site, report, hash.ok(), address.as_deref()).await)
}

/// Nobody knows that the work on the box has ended, so it is not stopped under it.
fn left_running<P>(site: &DeployContext<'_, P>, failure: Failure) -> Failure {
    let price = money(site.settings.prices.instance_usd_per_hour);
    let next = format!(
        "{} The box was not stopped, because work may go on there; it costs {price} an hour until deployer down.",
        failure.next
    );
    Failure { next, ..failure }
}

/// What runs on a box whose start was for nothing: after an idle stop its containers come back when it boots.
#[derive(Clone, Debug, PartialEq, Eq)]
enum RunningRelease {
    /// A release serves: this is what, and what would stop the box.
    Serves { release: String, until: &'static str },
    /// Containers run and do not serve yet.
    Containers,
    /// Nothing, or nothing that could be seen.
    Nothing,
}

async fn found<P: Ports>(site: &DeployContext<'_, P>, quiet: &Interrupt) -> RunningRelease {
    if !matches!(site.ports.agent(&site.settings.instance_id).await, Ok(Agent::Online)) {
        return RunningRelease::Nothing;
    }
    site.report.say("looking whether anything serves on the box");
    match observe::ask_with(site, quiet).await {
        Ok((report, status)) if observe::healthy(&status) => RunningRelease::Serves {
            release: report.release.map_or_else(|| "something".to_owned(), |number| format!("release {number}")),
            until: if status.autostop.on { "deployer down or the idle stop" } else { "deployer down" },
        },
        Ok((_, status)) if status.containers.iter().any(|one| one.state == "running") => RunningRelease::Containers,
        Ok(_) | Err(_) => RunningRelease::Nothing,
    }
}

/// The box was started for nothing and costs: stop it, or say so. One that serves is not stopped unless somebody wants
/// it, and running work ends first.
async fn started_in_vain<P: Ports>(site: &DeployContext<'_, P>, failure: Failure, stop: StopOnFailure) -> Failure {
    let price = money(site.settings.prices.instance_usd_per_hour);
    let running = |failure: Failure| {
        let next = format!("{} The box runs and costs {price} an hour; deployer down stops it.", failure.next);
        Failure { next, ..failure }
    };
    if stop == StopOnFailure::No {
        return running(failure);
    }
    // The Ctrl-C that led here must not end this, too.
    let (_end, quiet) = interrupt::channel();
    let found = found(site, &quiet).await;
    let yes = match stop {
        StopOnFailure::Yes => true,
        StopOnFailure::No => false,
        StopOnFailure::Ask if site.report.can_ask() && site.interrupt.came() => return running(failure),
        StopOnFailure::Ask if site.report.can_ask() => asked(site, &failure, &found, &price).await,
        StopOnFailure::Ask => !matches!(found, RunningRelease::Serves { .. }),
    };
    if yes {
        return stopped(site, failure, &found, &quiet).await;
    }
    match found {
        RunningRelease::Serves { release, until } => {
            let next = format!(
                "{} The box was not stopped, because {release} serves on it; it costs {price} an hour until {until} stops it.",
                failure.next
            );
            Failure { next, ..failure }
        }
        RunningRelease::Containers | RunningRelease::Nothing => running(failure),
    }
}

/// Asks a person; where nobody answers, a box that does not serve is stopped.
async fn asked<P: Ports>(site: &DeployContext<'_, P>, failure: &Failure, found: &RunningRelease, price: &str) -> bool {
    site.report.say(&failure.what);
    let (on_it, unanswered) = match found {
        RunningRelease::Serves { release, .. } => (format!("; {release} serves on it"), false),
        RunningRelease::Containers | RunningRelease::Nothing => (String::new(), true),
    };
    let question = format!("This run started the box, which costs {price} an hour{on_it}. Stop it again?");
    let answer = answered(site.report.ask(&question), site.interrupt).await;
    if answer.is_none() {
        let then = if unanswered { "the box is stopped" } else { "the box is not stopped" };
        site.report.say(&format!("no answer in {}: {then}", duration(ANSWER.as_secs())));
    }
    answer.unwrap_or(unanswered)
}

/// Stops the box; running work on it ends first.
async fn stopped<P: Ports>(
    site: &DeployContext<'_, P>,
    failure: Failure,
    found: &RunningRelease,
    quiet: &Interrupt,
) -> Failure {
    if *found != RunningRelease::Nothing
        && let Err(busy) = down::services(site, quiet, true).await
    {
        return Failure {
            what: format!("{} {} The box was not stopped.", full_stop(&failure.what), full_stop(&busy.what)),
            next: format!("{} Then deployer down stops the box, which costs.", busy.next),
            ..failure
        };
    }
    site.report.step("stopping the box, which this run had started");
    match boot::stop_with(site, quiet).await {
        Ok(()) => Failure {
            what: format!("{} The box was stopped again.", full_stop(&until_the_stop(&failure.what))),
            next: next_of_a_stopped_box(&failure),
            ..failure
        },
        Err(stop) => Failure {
            exit: Exit::NeedsAPerson,
            what: format!("{} Then {}.", full_stop(&until_the_stop(&failure.what)), stop.what),
            next: stop.next,
            ..failure
        },
    }
}

/// A failure's text without what a stop makes untrue: that something still serves.
fn until_the_stop(what: &str) -> String {
    let Some((before, served)) = what.split_once("What served before still serves") else { return what.to_owned() };
    let after = served.split_once(". ").map_or("", |(_, after)| after);
    format!("{before}{after}").trim().to_owned()
}

/// What can be done next where there is no host to look at any more.
fn next_of_a_stopped_box(failure: &Failure) -> String {
    match failure.exit {
        Exit::NeedsAPerson if failure.lines.is_empty() => "deployer up starts the box again and goes on.".to_owned(),
        Exit::NeedsAPerson => {
            "The lines above are the last that the host said. Mend the cause, then run deployer up: it starts the box again."
                .to_owned()
        }
        Exit::Interrupted => "deployer up starts the box again and goes on.".to_owned(),
        _ => failure.next.clone(),
    }
}

/// A person's answer; Ctrl-C is a no. `None`: nobody is there.
async fn answered(answer: impl Future<Output = bool>, interrupt: &Interrupt) -> Option<bool> {
    tokio::select! {
        answer = answer => Some(answer),
        () = interrupt.wait() => Some(false),
        () = tokio::time::sleep(ANSWER) => None,
    }
}

fn full_stop(text: &str) -> String {
    format!("{}.", text.trim_end_matches('.'))
}

#[cfg(test)]
mod tests {
    use std::{future, time::Duration};

    use super::{ANSWER, answered, until_the_stop};
    use crate::interrupt;

    #[tokio::test(start_paused = true)]
    async fn a_person_who_went_away_is_not_waited_for() {
        let (interrupter, interrupt) = interrupt::channel();
        assert_eq!(answered(future::ready(true), &interrupt).await, Some(true));
        assert_eq!(answered(future::ready(false), &interrupt).await, Some(false));
        let asked = tokio::time::Instant::now();
        assert_eq!(answered(future::pending(), &interrupt).await, None);
        assert!(asked.elapsed() >= ANSWER && asked.elapsed() < ANSWER + Duration::from_secs(1));
        interrupter.interrupt();
        assert_eq!(answered(future::pending(), &interrupt).await, Some(false));
    }

    #[test]
    fn a_stopped_box_is_not_said_to_serve() {
        for (what, left) in [
            ("No such image. What served before still serves.", "No such image."),
            ("It was killed. What served before still serves: release 1 was verified.", "It was killed."),
            ("A. What served before still serves: release 1 was verified. B.", "A. B."),
            ("No such image. Nothing was changed.", "No such image. Nothing was changed."),
        ] {
            assert_eq!(until_the_stop(what), left);
        }
    }
}
