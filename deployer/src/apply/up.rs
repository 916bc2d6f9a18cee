//! Runs `up` and the other actions after which a release serves.

use std::time::Duration;

use super::{ApplyOutcome, StopOnFailure, boot, down, observe, script_result, ssm_document};
use crate::{
    cloud::AgentState,
    console::{duration, money},
    context::{DeployContext, Ports},
    exit::Exit,
    failure::Failure,
    interrupt::{self, Interrupt},
    recorded_releases::LastVerified,
    script::{Action, Deploy, ExpectedRelease, HostReport},
};

/// How long to wait for the operator's answer while the lock is held and the box costs money.
const ANSWER_LIMIT: Duration = Duration::from_mins(5);

/// Starts the box if needed and deploys.
pub(super) async fn up<P: Ports>(
    context: &DeployContext<'_, P>,
    deploy: &Deploy,
    expect: ExpectedRelease,
    stop: StopOnFailure,
) -> Result<ApplyOutcome, Failure> {
    let mut started = false;
    let done = deploy_release(context, deploy, expect, &mut started).await;
    handle_failure(context, done, started, stop).await
}

/// Goes back to an earlier release. Starts the box first if it is stopped.
pub(super) async fn rollback<P: Ports>(
    context: &DeployContext<'_, P>,
    action: &Action,
    expect: ExpectedRelease,
    stop: StopOnFailure,
) -> Result<ApplyOutcome, Failure> {
    let mut started = false;
    let done = roll_back(context, action, expect, &mut started).await;
    handle_failure(context, done, started, stop).await
}

async fn roll_back<P: Ports>(
    context: &DeployContext<'_, P>,
    action: &Action,
    expect: ExpectedRelease,
    started: &mut bool,
) -> Result<ApplyOutcome, Failure> {
    // Checked before the box starts: a started box costs money, and is useless if its document refuses this program.
    ssm_document::check(context).await?;
    boot::boot(context, started).await?;
    run_until_it_serves(context, "rollback", action, expect).await
}

/// If this run started the box and then failed: stops the box, or adds to the failure that the box still runs.
async fn handle_failure<P: Ports>(
    context: &DeployContext<'_, P>,
    done: Result<ApplyOutcome, Failure>,
    started: bool,
    stop: StopOnFailure,
) -> Result<ApplyOutcome, Failure> {
    match done {
        Err(failure) if started && failure.may_still_run => Err(left_running(context, failure)),
        Err(failure) if started && failure.exit != Exit::RolledBack => {
            Err(stop_box_after_failure(context, failure, stop).await)
        }
        done => done,
    }
}

async fn deploy_release<P: Ports>(
    context: &DeployContext<'_, P>,
    deploy: &Deploy,
    expect: ExpectedRelease,
    started: &mut bool,
) -> Result<ApplyOutcome, Failure> {
    // Checked before the box starts: a started box costs money, and is useless if its document refuses this program.
    ssm_document::check(context).await?;
    let instance = boot::boot(context, started).await?;
    context.console.step("deploying");
    let action = Action::Deploy(Box::new(deploy.clone()));
    let report = script_result::run(context, "deploy", &action, expect, context.settings.wait.deploy_seconds).await?;
    Ok(record(context, report, Some(&deploy.config_hash), instance.address.as_deref()).await)
}

async fn record<P: Ports>(
    context: &DeployContext<'_, P>,
    report: HostReport,
    config_hash: Option<&str>,
    address: Option<&str>,
) -> ApplyOutcome {
    LastVerified::write(context, &report, config_hash, address).await;
    ApplyOutcome {
        url: address.map(|address| context.settings.url(address)),
        autostop: report.autostop(),
        report: Some(report),
    }
}

/// Runs an action on a running box after which a release serves: a rollback or a restart.
pub(super) async fn run_until_it_serves<P: Ports>(
    context: &DeployContext<'_, P>,
    what: &str,
    action: &Action,
    expect: ExpectedRelease,
) -> Result<ApplyOutcome, Failure> {
    context.console.step(what);
    let report = script_result::run(context, what, action, expect, context.settings.wait.deploy_seconds).await?;
    // The action is done, so whatever cannot be read or recorded from here on is only a warning, and a late Ctrl-C must
    // not hide the result either.
    let (_end, no_interrupt) = interrupt::channel();
    // Only the host knows the configuration of that release.
    let status = observe::ask_status_with(context, &no_interrupt).await;
    let hash = status.as_ref().map(|(_, status)| status.config_hash.as_str());
    if let Err(failure) = &status {
        context
            .console
            .warn(&format!("the configuration of the release that serves could not be looked up: {}", failure.what));
    }
    let address = match boot::describe_instance_with(context, &no_interrupt).await {
        Ok(instance) => instance.address,
        Err(failure) => {
            context.console.warn(&format!("the address of the box could not be looked up: {}", failure.what));
            None
        }
    };
    Ok(record(context, report, hash.ok(), address.as_deref()).await)
}

/// Adds to the failure that the box was not stopped, because the work on it may not have ended.
fn left_running<P>(context: &DeployContext<'_, P>, failure: Failure) -> Failure {
    let price = money(context.settings.prices.instance_usd_per_hour);
    let next = format!(
        "{} The box was not stopped, because work may continue there; it costs {price} an hour until deployer down.",
        failure.next
    );
    Failure { next, ..failure }
}

/// What runs on a box that this run started before it failed. Containers start again when a box boots after an idle
/// stop.
#[derive(Clone, Debug, PartialEq, Eq)]
enum RunningRelease {
    /// A release serves. `release` names it; `until` names what would stop the box.
    Serves { release: String, until: &'static str },
    /// Containers run, but do not serve yet.
    Containers,
    /// Nothing runs, or the host could not be asked.
    Nothing,
}

async fn find_running<P: Ports>(context: &DeployContext<'_, P>, no_interrupt: &Interrupt) -> RunningRelease {
    if !matches!(context.ports.agent(&context.settings.instance_id).await, Ok(AgentState::Online)) {
        return RunningRelease::Nothing;
    }
    context.console.say("checking whether a release serves on the box");
    match observe::ask_status_with(context, no_interrupt).await {
        Ok((report, status)) if observe::healthy(&status) => RunningRelease::Serves {
            release: report.release.map_or_else(|| "a release".to_owned(), |number| format!("release {number}")),
            until: if status.autostop.on { "deployer down or the idle stop" } else { "deployer down" },
        },
        Ok((_, status)) if status.containers.iter().any(|one| one.state == "running") => RunningRelease::Containers,
        Ok(_) | Err(_) => RunningRelease::Nothing,
    }
}

/// Stops a box that this run started before it failed, or adds to the failure that it runs and costs money. A box that
/// serves is stopped only if the operator wants that, and after its running work.
async fn stop_box_after_failure<P: Ports>(
    context: &DeployContext<'_, P>,
    failure: Failure,
    stop: StopOnFailure,
) -> Failure {
    let price = money(context.settings.prices.instance_usd_per_hour);
    let running = |failure: Failure| {
        let next = format!("{} The box runs and costs {price} an hour; deployer down stops it.", failure.next);
        Failure { next, ..failure }
    };
    if stop == StopOnFailure::No {
        return running(failure);
    }
    // The Ctrl-C that ended the action must not end this too.
    let (_end, no_interrupt) = interrupt::channel();
    let found = find_running(context, &no_interrupt).await;
    let should_stop = match stop {
        StopOnFailure::Yes => true,
        StopOnFailure::No => false,
        StopOnFailure::Ask if context.console.can_ask() && context.interrupt.is_requested() => return running(failure),
        StopOnFailure::Ask if context.console.can_ask() => ask_to_stop(context, &failure, &found, &price).await,
        StopOnFailure::Ask => !matches!(found, RunningRelease::Serves { .. }),
    };
    if should_stop {
        return stop_box(context, failure, &found, &no_interrupt).await;
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

/// Asks the operator whether to stop the box. Without an answer, a box that does not serve is stopped.
async fn ask_to_stop<P: Ports>(
    context: &DeployContext<'_, P>,
    failure: &Failure,
    found: &RunningRelease,
    price: &str,
) -> bool {
    context.console.say(&failure.what);
    let (on_it, unanswered) = match found {
        RunningRelease::Serves { release, .. } => (format!("; {release} serves on it"), false),
        RunningRelease::Containers | RunningRelease::Nothing => (String::new(), true),
    };
    let question = format!("This run started the box, which costs {price} an hour{on_it}. Stop it again?");
    let answer = wait_for_answer(context.console.ask(&question), context.interrupt).await;
    if answer.is_none() {
        let then = if unanswered { "the box is stopped" } else { "the box is not stopped" };
        context.console.say(&format!("no answer in {}: {then}", duration(ANSWER_LIMIT.as_secs())));
    }
    answer.unwrap_or(unanswered)
}

/// Stops the box after its running work has ended.
async fn stop_box<P: Ports>(
    context: &DeployContext<'_, P>,
    failure: Failure,
    found: &RunningRelease,
    no_interrupt: &Interrupt,
) -> Failure {
    if *found != RunningRelease::Nothing
        && let Err(busy) = down::stop_services(context, no_interrupt, true).await
    {
        return Failure {
            what: format!("{} {} The box was not stopped.", with_full_stop(&failure.what), with_full_stop(&busy.what)),
            next: format!("{} Then run deployer down to stop the box; until then it costs money.", busy.next),
            ..failure
        };
    }
    context.console.step("stopping the box, which this run had started");
    match boot::stop_with(context, no_interrupt).await {
        Ok(()) => Failure {
            what: format!("{} The box was stopped again.", with_full_stop(&without_still_serves(&failure.what))),
            next: next_of_a_stopped_box(&failure),
            ..failure
        },
        Err(stop) => Failure {
            exit: Exit::NeedsAPerson,
            what: format!("{} Then {}.", with_full_stop(&without_still_serves(&failure.what)), stop.what),
            next: stop.next,
            ..failure
        },
    }
}

/// Removes from a failure's text the statement that the previous release still serves, which a stop makes untrue.
fn without_still_serves(what: &str) -> String {
    let Some((before, served)) = what.split_once("What served before still serves") else { return what.to_owned() };
    let after = served.split_once(". ").map_or("", |(_, after)| after);
    format!("{before}{after}").trim().to_owned()
}

/// Returns the next step for the operator once the box is stopped and the host cannot be asked.
fn next_of_a_stopped_box(failure: &Failure) -> String {
    match failure.exit {
        Exit::NeedsAPerson if failure.lines.is_empty() => "deployer up starts the box again and continues.".to_owned(),
        Exit::NeedsAPerson => {
            "The lines above are the last output of the host. Fix the cause, then run deployer up: it starts the box again."
                .to_owned()
        }
        Exit::Interrupted => "deployer up starts the box again and continues.".to_owned(),
        _ => failure.next.clone(),
    }
}

/// Waits for the operator's answer. Ctrl-C counts as no. Returns `None` if no answer comes in time.
async fn wait_for_answer(answer: impl Future<Output = bool>, interrupt: &Interrupt) -> Option<bool> {
    tokio::select! {
        answer = answer => Some(answer),
        () = interrupt.wait() => Some(false),
        () = tokio::time::sleep(ANSWER_LIMIT) => None,
    }
}

fn with_full_stop(text: &str) -> String {
    format!("{}.", text.trim_end_matches('.'))
}

#[cfg(test)]
mod tests {
    use std::{future, time::Duration};

    use super::{ANSWER_LIMIT, wait_for_answer, without_still_serves};
    use crate::interrupt;

    #[tokio::test(start_paused = true)]
    async fn a_missing_answer_ends_the_question() {
        let (interrupter, interrupt) = interrupt::channel();
        assert_eq!(wait_for_answer(future::ready(true), &interrupt).await, Some(true));
        assert_eq!(wait_for_answer(future::ready(false), &interrupt).await, Some(false));
        let asked = tokio::time::Instant::now();
        assert_eq!(wait_for_answer(future::pending(), &interrupt).await, None);
        assert!(asked.elapsed() >= ANSWER_LIMIT && asked.elapsed() < ANSWER_LIMIT + Duration::from_secs(1));
        interrupter.interrupt();
        assert_eq!(wait_for_answer(future::pending(), &interrupt).await, Some(false));
    }

    #[test]
    fn the_text_about_a_stopped_box_does_not_say_that_it_serves() {
        for (what, left) in [
            ("No such image. What served before still serves.", "No such image."),
            ("It was killed. What served before still serves: release 1 was verified.", "It was killed."),
            ("A. What served before still serves: release 1 was verified. B.", "A. B."),
            ("No such image. Nothing was changed.", "No such image. Nothing was changed."),
        ] {
            assert_eq!(without_still_serves(what), left);
        }
    }
}
