//! From any state of the box to one whose agent answers. It never changes the instance's type or makes another one.

use std::time::Duration;

use tokio::time::Instant;

use super::{
    other_zone,
    pace::{Pause, PollSchedule, persistently, wait},
    patience::{self, FailureCounter},
};
use crate::{
    cloud::{Agent, Checks, CloudError, CloudErrorKind, Instance, State},
    failure::Failure,
    interrupt::Interrupt,
    report::duration,
    site::{DeployContext, Ports},
};

/// EC2 renews its status checks once a minute: failed ones are believed when they stay so for this long.
const IMPAIRED: Duration = Duration::from_mins(4);
/// Between two looks that AWS refuses.
const BETWEEN: Duration = Duration::from_secs(2);
/// Whatever AWS refuses us.
const GOES_ON: &str = "The box goes on starting";

/// `started`: by this run.
fn interrupted(started: bool) -> Failure {
    if started {
        return Failure::interrupted(
            "interrupted while the box was starting",
            "deployer down stops it; deployer up goes on.",
        );
    }
    Failure::interrupted("interrupted while the box was waited for; nothing was changed", "Run it again when it fits.")
}

/// Starts the box where that is needed and waits until it takes commands. `started` becomes true once this run
/// has started it, failure or not.
pub async fn boot<P: Ports>(site: &DeployContext<'_, P>, started: &mut bool) -> Result<Instance, Failure> {
    let limit = site.settings.wait.instance_seconds;
    let mut pace = PollSchedule::new(limit);
    let mut tries = PollSchedule::new(site.settings.wait.capacity_seconds);
    // AWS said that it starts: unlike `started`, which a call that was perhaps never heard makes true as well.
    let mut heard = false;
    let mut patience = FailureCounter::default();
    loop {
        let instance = if *started { look_on(site, &mut patience).await? } else { look(site).await? };
        match &instance.state {
            State::Running => break,
            State::Stopped if heard && !no_capacity(&instance) && instance.reason.is_some() && pace.waited() > 0 => {
                return Err(stopped_again(&instance));
            }
            State::Stopped => {
                if heard && no_capacity(&instance) {
                    capacity_pause(site, &instance, &mut tries).await?;
                }
                heard = start(site, &instance, started, &mut tries).await?;
                if heard {
                    pace = PollSchedule::new(limit);
                }
            }
            State::ShuttingDown | State::Terminated => return Err(gone(site)),
            State::Pending | State::Stopping | State::Unknown(_) => {}
        }
        if instance.state != State::Stopped {
            site.report.progress(&format!("box: {}", instance.state), &format!("({})", duration(pace.waited())));
        }
        match pace.pause(site.interrupt).await {
            Pause::Over => {}
            Pause::Interrupted => return Err(interrupted(*started)),
            Pause::Late => {
                return Err(Failure::unchanged(
                    format!("the box is {} for {} and does not get on", instance.state, duration(pace.waited())),
                    "Look at it in the EC2 console, then run this again.",
                ));
            }
        }
    }
    agent(site, *started).await?;
    // Its address is known only now.
    if *started { look_on(site, &mut patience).await } else { look(site).await }
}

/// A look at a box that this run has started: it goes on starting without us, so that refusals are borne, too.
async fn look_on<P: Ports>(site: &DeployContext<'_, P>, patience: &mut FailureCounter) -> Result<Instance, Failure> {
    let mut pace = PollSchedule::new(site.settings.wait.instance_seconds);
    loop {
        let error = match site.ports.instance(&site.settings.instance_id).await {
            Ok(instance) => {
                if patience.answered() {
                    site.report.say("   AWS answers again; the box went on starting meanwhile");
                }
                return Ok(instance);
            }
            Err(error) => error,
        };
        if !patience.bears(site, &error, GOES_ON).await {
            return Err(unseen(error, true));
        }
        let pause = if error.passes() { pace.pause(site.interrupt).await } else { wait(BETWEEN, site.interrupt).await };
        match pause {
            Pause::Over => {}
            Pause::Interrupted => return Err(interrupted(true)),
            Pause::Late => return Err(error.into()),
        }
    }
}

/// A look that fails for good. Whoever has no credentials could not stop the box either, and may have them in a minute.
fn unseen(error: CloudError, started: bool) -> Failure {
    if started && matches!(error.kind, CloudErrorKind::Credentials | CloudErrorKind::Clock | CloudErrorKind::Proxy) {
        return patience::out_of_sight(&error, "the box goes on starting", "what became of the box");
    }
    error.into()
}

/// A look that outlives throttling and a lost network for a while.
pub async fn look<P: Ports>(site: &DeployContext<'_, P>) -> Result<Instance, Failure> {
    look_with(site, site.interrupt).await
}

/// The same with another ear for Ctrl-C.
pub(super) async fn look_with<P: Ports>(
    site: &DeployContext<'_, P>,
    interrupt: &Interrupt,
) -> Result<Instance, Failure> {
    let id = &site.settings.instance_id;
    match persistently(site.report, interrupt, async || site.ports.instance(id).await).await {
        Ok(Some(instance)) => Ok(instance),
        Ok(None) => {
            Err(Failure::interrupted("interrupted while AWS was asked about the box", "Run it again when it fits."))
        }
        Err(error) if error.kind == CloudErrorKind::NotFound => Err(Failure::usage(
            format!("there is no instance {id} in {}", site.settings.region),
            "Correct box.instance_id or region in config/deployment.toml.",
        )),
        Err(error) => Err(error.into()),
    }
}

/// Asks for a start; `false`: whether it was heard is for the next look to tell.
async fn start<P: Ports>(
    site: &DeployContext<'_, P>,
    instance: &Instance,
    started: &mut bool,
    tries: &mut PollSchedule,
) -> Result<bool, Failure> {
    loop {
        if site.interrupt.came() {
            return Err(Failure::interrupted("interrupted; the box was not started", "Run it again when it fits."));
        }
        site.report.step("starting the box");
        // A box whose start was heard costs, whether its answer comes or not.
        let before = std::mem::replace(started, true);
        let answer = site.ports.start(&site.settings.instance_id).await;
        if answer.as_ref().is_err_and(|error| error.kind != CloudErrorKind::Network) {
            *started = before;
        }
        match answer {
            Ok(()) => return Ok(true),
            Err(error) => match error.kind {
                CloudErrorKind::Capacity => capacity_pause(site, instance, tries).await?,
                CloudErrorKind::Quota => {
                    return Err(Failure::unchanged(
                        format!("the account's quota does not allow this instance: {}", error.message),
                        error.hint(),
                    ));
                }
                // The state changed between look and start: look again.
                CloudErrorKind::Race => return Ok(false),
                _ if error.passes() => match tries.pause(site.interrupt).await {
                    Pause::Over => return Ok(false),
                    Pause::Interrupted => return Err(interrupted(*started)),
                    Pause::Late => return Err(error.into()),
                },
                _ => return Err(error.into()),
            },
        }
    }
}

/// Waits before the next attempt, counting down; an error once the time for it is over.
async fn capacity_pause<P: Ports>(
    site: &DeployContext<'_, P>,
    instance: &Instance,
    tries: &mut PollSchedule,
) -> Result<(), Failure> {
    let wait_settings = &site.settings.wait;
    if tries.waited() + u64::from(wait_settings.capacity_pause_seconds) > u64::from(wait_settings.capacity_seconds) {
        let long = duration(tries.waited());
        other_zone::offer(site, instance).await;
        return Err(Failure::unchanged(
            format!(
                "AWS has no free capacity for this instance type in its zone (InsufficientInstanceCapacity), tried for {long}"
            ),
            "Try again later (nights and other hours differ). Otherwise bring the box up in another zone: the commands are \
             above. Or make one of another type with 24 GB of GPU memory (g6.4xlarge, g5.2xlarge), with \
             config/cloudformation.yaml. Neither is done for you.",
        ));
    }
    for left in (1..=wait_settings.capacity_pause_seconds).rev() {
        site.report
            .progress("no free capacity now (InsufficientInstanceCapacity); trying again", &format!("in {left} s"));
        if wait(Duration::from_secs(1), site.interrupt).await == Pause::Interrupted {
            return Err(Failure::interrupted("interrupted; the box was not started", "Run it again when it fits."));
        }
    }
    Ok(())
}

fn no_capacity(instance: &Instance) -> bool {
    instance.reason.as_deref().is_some_and(|reason| reason.contains("InsufficientInstanceCapacity"))
}

fn stopped_again(instance: &Instance) -> Failure {
    let reason = instance.reason.clone().unwrap_or_default();
    Failure::unchanged(
        format!("the box stopped again while it was starting ({reason})"),
        "Look at its state transition reason and its disk's key in the EC2 console, then run this again.",
    )
}

fn gone<P>(site: &DeployContext<'_, P>) -> Failure {
    Failure::unchanged(
        format!("the box {} is terminated: it and its disk are gone for good", site.settings.instance_id),
        "Make a new one with config/cloudformation.yaml and put its id where box.instance_id points.",
    )
}

/// Waits for the agent; status checks that go on failing end the wait early.
async fn agent<P: Ports>(site: &DeployContext<'_, P>, started: bool) -> Result<(), Failure> {
    let id = &site.settings.instance_id;
    let mut pace = PollSchedule::new(site.settings.wait.agent_seconds);
    let mut patience = FailureCounter::default();
    let mut impaired: Option<Instant> = None;
    loop {
        let mut refused = None;
        match site.ports.agent(id).await {
            Ok(Agent::Online) => return Ok(()),
            Ok(_) => {
                patience.answered();
            }
            Err(error) if patience.bears(site, &error, GOES_ON).await => refused = Some(error),
            Err(error) => return Err(unseen(error, started)),
        }
        // The right to see the checks may be missing; the agent decides.
        let checks = site.ports.checks(id).await.unwrap_or(Checks::Initializing);
        impaired = (checks == Checks::Impaired).then(|| impaired.unwrap_or_else(Instant::now));
        if impaired.is_some_and(|since| since.elapsed() >= IMPAIRED) {
            return Err(impaired_box());
        }
        let shown = if impaired.is_some() { "; its status checks fail for now" } else { "" };
        site.report.progress(
            &format!("box: running{shown}; waiting for its SSM agent"),
            &format!("({})", duration(pace.waited())),
        );
        match pace.pause(site.interrupt).await {
            Pause::Over => {}
            Pause::Interrupted => return Err(interrupted(started)),
            Pause::Late => {
                return Err(match refused {
                    Some(error) => unseen(error, started),
                    None if impaired.is_some() => impaired_box(),
                    None => Failure::unchanged(
                        format!("the box runs, but its SSM agent has not answered for {}", duration(pace.waited())),
                        "It needs the instance role of config/cloudformation.yaml and a way out to port 443: deployer doctor looks.",
                    ),
                });
            }
        }
    }
}

fn impaired_box() -> Failure {
    Failure::unchanged(
        "the box runs, but EC2's status checks go on failing: its hardware or its system does not answer",
        "Stop and start it, which moves it to other hardware: deployer down --now, then deployer up.",
    )
}

/// Stops the box and waits until it is stopped.
pub async fn stop<P: Ports>(site: &DeployContext<'_, P>) -> Result<(), Failure> {
    stop_with(site, site.interrupt).await
}

/// The same with another ear for Ctrl-C.
pub(super) async fn stop_with<P: Ports>(site: &DeployContext<'_, P>, interrupt: &Interrupt) -> Result<(), Failure> {
    let mut pace = PollSchedule::new(site.settings.wait.instance_seconds);
    let running = |what: String| {
        Failure::person(
            format!(
                "{what}. The box may still run and cost {} an hour",
                crate::report::money(site.settings.prices.instance_usd_per_hour)
            ),
            "Look with deployer status and stop it with deployer down --now, or in the EC2 console.",
        )
    };
    let mut asked = false;
    loop {
        if !asked {
            match site.ports.stop(&site.settings.instance_id).await {
                Ok(()) => asked = true,
                Err(error) if error.passes() || error.kind == CloudErrorKind::Race => {}
                Err(error) => return Err(running(error.to_string())),
            }
        }
        match site.ports.instance(&site.settings.instance_id).await {
            Ok(instance) if matches!(instance.state, State::Stopped | State::Terminated) => return Ok(()),
            Ok(instance) => {
                site.report.progress(&format!("box: {}", instance.state), &format!("({})", duration(pace.waited())));
            }
            Err(error) if error.passes() => {}
            Err(error) => return Err(running(error.to_string())),
        }
        match pace.pause(interrupt).await {
            Pause::Over => {}
            Pause::Interrupted if asked => {
                return Err(Failure::interrupted(
                    "interrupted; the box is on its way to stopped",
                    "deployer status shows when it is.",
                ));
            }
            Pause::Interrupted => {
                return Err(Failure::interrupted("interrupted; the box still runs", "deployer down stops it."));
            }
            Pause::Late => return Err(running(format!("the box is not stopped after {}", duration(pace.waited())))),
        }
    }
}
