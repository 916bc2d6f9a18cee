//! Starts the box, from any state, and waits until its agent answers. Never changes the instance's type, and never
//! makes another instance.

use std::time::Duration;

use tokio::time::Instant;

use super::{
    other_zone,
    polling::{PauseEnd, PollSchedule, wait, with_retries},
    retries::{self, CallRecovery},
};
use crate::failure::RUN_AGAIN;
use crate::{
    cloud::{AgentState, CloudError, CloudErrorKind, Instance, InstanceState, StatusChecks},
    console::duration,
    context::{DeployContext, Ports},
    failure::Failure,
    interrupt::Interrupt,
};

/// How long status checks must fail before the box counts as broken. EC2 renews the checks once a minute.
const IMPAIRED_LIMIT: Duration = Duration::from_mins(4);
/// Pause after a request that AWS refused.
const REFUSED_PAUSE: Duration = Duration::from_secs(2);
/// Text for the operator: what continues while AWS refuses requests.
const MEANWHILE: &str = "The box continues to start";

/// Returns the failure for Ctrl-C. `started`: this run has started the box.
fn interrupted_failure(started: bool) -> Failure {
    if started {
        return Failure::interrupted(
            "interrupted while the box was starting",
            "deployer down stops it; deployer up continues.",
        );
    }
    Failure::interrupted("interrupted while waiting for the box; nothing was changed", RUN_AGAIN)
}

/// Starts the box if it does not run, and waits until it takes commands. Sets `started` to true once this run has
/// started the box, even if the wait then fails.
pub async fn boot<P: Ports>(context: &DeployContext<'_, P>, started: &mut bool) -> Result<Instance, Failure> {
    let limit = context.settings.wait.instance_seconds;
    let mut schedule = PollSchedule::new(limit);
    let mut tries = PollSchedule::new(context.settings.wait.capacity_seconds);
    // AWS has confirmed the start. `started` is also true after a call that AWS may never have received.
    let mut confirmed = false;
    let mut recovery = CallRecovery::default();
    loop {
        let instance = if *started {
            describe_starting_instance(context, &mut recovery).await?
        } else {
            describe_instance(context).await?
        };
        match &instance.state {
            InstanceState::Running => break,
            InstanceState::Stopped
                if confirmed
                    && !no_capacity(&instance)
                    && instance.reason.is_some()
                    && schedule.waited_seconds() > 0 =>
            {
                return Err(stopped_again_failure(&instance));
            }
            InstanceState::Stopped => {
                if confirmed && no_capacity(&instance) {
                    capacity_pause(context, &instance, &mut tries).await?;
                }
                confirmed = start(context, &instance, started, &mut tries).await?;
                if confirmed {
                    schedule = PollSchedule::new(limit);
                }
            }
            InstanceState::ShuttingDown | InstanceState::Terminated => return Err(terminated_failure(context)),
            InstanceState::Pending | InstanceState::Stopping | InstanceState::Unknown(_) => {}
        }
        if instance.state != InstanceState::Stopped {
            context
                .console
                .progress(&format!("box: {}", instance.state), &format!("({})", duration(schedule.waited_seconds())));
        }
        match schedule.pause(context.interrupt).await {
            PauseEnd::Over => {}
            PauseEnd::Interrupted => return Err(interrupted_failure(*started)),
            PauseEnd::DeadlinePassed => {
                return Err(Failure::unchanged(
                    format!(
                        "the box has been in the state {} for {}: it neither starts nor stops",
                        instance.state,
                        duration(schedule.waited_seconds())
                    ),
                    "Find the cause in the EC2 console, then run this again.",
                ));
            }
        }
    }
    wait_for_agent(context, *started).await?;
    // The box has its address only now.
    if *started { describe_starting_instance(context, &mut recovery).await } else { describe_instance(context).await }
}

/// Looks up a box that this run has started. The box continues to start by itself, so refused requests are repeated
/// too.
async fn describe_starting_instance<P: Ports>(
    context: &DeployContext<'_, P>,
    recovery: &mut CallRecovery,
) -> Result<Instance, Failure> {
    let mut schedule = PollSchedule::new(context.settings.wait.instance_seconds);
    loop {
        let error = match context.ports.instance(&context.settings.instance_id).await {
            Ok(instance) => {
                if recovery.succeeded() {
                    context.console.say("   AWS answers again; the box continued to start in the meantime");
                }
                return Ok(instance);
            }
            Err(error) => error,
        };
        if !recovery.recover(context, &error, MEANWHILE).await {
            return Err(lookup_failure(error, true));
        }
        let pause = if error.is_transient() {
            schedule.pause(context.interrupt).await
        } else {
            wait(REFUSED_PAUSE, context.interrupt).await
        };
        match pause {
            PauseEnd::Over => {}
            PauseEnd::Interrupted => return Err(interrupted_failure(true)),
            PauseEnd::DeadlinePassed => return Err(error.into()),
        }
    }
}

/// Returns the failure for a request that AWS refuses permanently. Without credentials, this run could not stop the box
/// either, and the operator may have new ones in a minute.
fn lookup_failure(error: CloudError, started: bool) -> Failure {
    if started && matches!(error.kind, CloudErrorKind::Credentials | CloudErrorKind::Clock | CloudErrorKind::Proxy) {
        return retries::access_lost(&error, "the box continues to start", "the state of the box");
    }
    error.into()
}

/// Looks up the box, and repeats the request for a while when AWS throttles or the network fails.
pub async fn describe_instance<P: Ports>(context: &DeployContext<'_, P>) -> Result<Instance, Failure> {
    describe_instance_with(context, context.interrupt).await
}

/// Looks up the box as [`describe_instance`] does, with a given source of Ctrl-C.
pub(super) async fn describe_instance_with<P: Ports>(
    context: &DeployContext<'_, P>,
    interrupt: &Interrupt,
) -> Result<Instance, Failure> {
    let id = &context.settings.instance_id;
    match with_retries(context.console, interrupt, async || context.ports.instance(id).await).await {
        Ok(Some(instance)) => Ok(instance),
        Ok(None) => Err(Failure::interrupted("interrupted while AWS was asked about the box", RUN_AGAIN)),
        Err(error) if error.kind == CloudErrorKind::NotFound => Err(Failure::usage(
            format!("there is no instance {id} in {}", context.settings.region),
            "Correct box.instance_id or region in config/deployment.toml.",
        )),
        Err(error) => Err(error.into()),
    }
}

/// Requests the start. Returns `false` where only the next look-up shows whether AWS received the request.
async fn start<P: Ports>(
    context: &DeployContext<'_, P>,
    instance: &Instance,
    started: &mut bool,
    tries: &mut PollSchedule,
) -> Result<bool, Failure> {
    loop {
        if context.interrupt.is_requested() {
            return Err(Failure::interrupted("interrupted; the box was not started", RUN_AGAIN));
        }
        context.console.step("starting the box");
        // Once AWS has received the request the box costs money, even if its answer is lost.
        let before = std::mem::replace(started, true);
        let answer = context.ports.start(&context.settings.instance_id).await;
        if answer.as_ref().is_err_and(|error| error.kind != CloudErrorKind::Network) {
            *started = before;
        }
        match answer {
            Ok(()) => return Ok(true),
            Err(error) => match error.kind {
                CloudErrorKind::Capacity => capacity_pause(context, instance, tries).await?,
                CloudErrorKind::Quota => {
                    return Err(Failure::unchanged(
                        format!("the account's quota does not allow this instance: {}", error.message),
                        error.hint(),
                    ));
                }
                // The state changed between look-up and start: look it up again.
                CloudErrorKind::Race => return Ok(false),
                _ if error.is_transient() => match tries.pause(context.interrupt).await {
                    PauseEnd::Over => return Ok(false),
                    PauseEnd::Interrupted => return Err(interrupted_failure(*started)),
                    PauseEnd::DeadlinePassed => return Err(error.into()),
                },
                _ => return Err(error.into()),
            },
        }
    }
}

/// Waits before the next attempt and shows a countdown. Returns an error once the time for attempts is over.
async fn capacity_pause<P: Ports>(
    context: &DeployContext<'_, P>,
    instance: &Instance,
    tries: &mut PollSchedule,
) -> Result<(), Failure> {
    let wait_settings = &context.settings.wait;
    if tries.waited_seconds() + u64::from(wait_settings.capacity_pause_seconds)
        > u64::from(wait_settings.capacity_seconds)
    {
        let long = duration(tries.waited_seconds());
        other_zone::print_move(context, instance).await;
        return Err(Failure::unchanged(
            format!(
                "AWS has no free capacity for this instance type in its zone (InsufficientInstanceCapacity), tried for {long}"
            ),
            "Try again later (nights and other hours differ). Otherwise bring the box up in another zone: the commands are \
             above. Or make one of another type with 24 GB of GPU memory (g6.4xlarge, g5.2xlarge), with \
             config/cloudformation.yaml. The deployer does neither.",
        ));
    }
    for left in (1..=wait_settings.capacity_pause_seconds).rev() {
        context
            .console
            .progress("no free capacity now (InsufficientInstanceCapacity); trying again", &format!("in {left} s"));
        if wait(Duration::from_secs(1), context.interrupt).await == PauseEnd::Interrupted {
            return Err(Failure::interrupted("interrupted; the box was not started", RUN_AGAIN));
        }
    }
    Ok(())
}

fn no_capacity(instance: &Instance) -> bool {
    instance.reason.as_deref().is_some_and(|reason| reason.contains("InsufficientInstanceCapacity"))
}

fn stopped_again_failure(instance: &Instance) -> Failure {
    let reason = instance.reason.clone().unwrap_or_default();
    Failure::unchanged(
        format!("the box stopped again while it was starting ({reason})"),
        "Check its state transition reason and its disk's key in the EC2 console, then run this again.",
    )
}

fn terminated_failure<P>(context: &DeployContext<'_, P>) -> Failure {
    Failure::unchanged(
        format!(
            "the box {} is terminated: the instance and its disk are deleted permanently",
            context.settings.instance_id
        ),
        "Create a new box with config/cloudformation.yaml and put its id where box.instance_id points.",
    )
}

/// Waits for the SSM agent. Status checks that keep failing end the wait early.
async fn wait_for_agent<P: Ports>(context: &DeployContext<'_, P>, started: bool) -> Result<(), Failure> {
    let id = &context.settings.instance_id;
    let mut schedule = PollSchedule::new(context.settings.wait.agent_seconds);
    let mut recovery = CallRecovery::default();
    let mut impaired: Option<Instant> = None;
    loop {
        let mut refused = None;
        match context.ports.agent(id).await {
            Ok(AgentState::Online) => return Ok(()),
            Ok(_) => {
                recovery.succeeded();
            }
            Err(error) if recovery.recover(context, &error, MEANWHILE).await => refused = Some(error),
            Err(error) => return Err(lookup_failure(error, started)),
        }
        // The right to read the status checks may be missing, so only the agent's answer is required.
        let checks = context.ports.checks(id).await.unwrap_or(StatusChecks::Initializing);
        impaired = (checks == StatusChecks::Impaired).then(|| impaired.unwrap_or_else(Instant::now));
        if impaired.is_some_and(|since| since.elapsed() >= IMPAIRED_LIMIT) {
            return Err(impaired_failure());
        }
        let shown = if impaired.is_some() { "; its status checks fail for now" } else { "" };
        context.console.progress(
            &format!("box: running{shown}; waiting for its SSM agent"),
            &format!("({})", duration(schedule.waited_seconds())),
        );
        match schedule.pause(context.interrupt).await {
            PauseEnd::Over => {}
            PauseEnd::Interrupted => return Err(interrupted_failure(started)),
            PauseEnd::DeadlinePassed => {
                return Err(match refused {
                    Some(error) => lookup_failure(error, started),
                    None if impaired.is_some() => impaired_failure(),
                    None => Failure::unchanged(
                        format!(
                            "the box runs, but its SSM agent has not answered for {}",
                            duration(schedule.waited_seconds())
                        ),
                        "It needs the instance role of config/cloudformation.yaml and outbound access to port 443. Run deployer doctor.",
                    ),
                });
            }
        }
    }
}

fn impaired_failure() -> Failure {
    Failure::unchanged(
        "the box runs, but EC2's status checks keep failing: its hardware or its system does not answer",
        "Stop and start it, which moves it to other hardware: deployer down --now, then deployer up.",
    )
}

/// Stops the box and waits until it is stopped.
pub async fn stop<P: Ports>(context: &DeployContext<'_, P>) -> Result<(), Failure> {
    stop_with(context, context.interrupt).await
}

/// Stops the box and waits until it is stopped, with a given source of Ctrl-C.
pub(super) async fn stop_with<P: Ports>(context: &DeployContext<'_, P>, interrupt: &Interrupt) -> Result<(), Failure> {
    let mut schedule = PollSchedule::new(context.settings.wait.instance_seconds);
    let running = |what: String| {
        Failure::person(
            format!(
                "{what}. The box may still run and cost {} an hour",
                crate::console::money(context.settings.prices.instance_usd_per_hour)
            ),
            "Check it with deployer status and stop it with deployer down --now, or in the EC2 console.",
        )
    };
    let mut asked = false;
    loop {
        if !asked {
            match context.ports.stop(&context.settings.instance_id).await {
                Ok(()) => asked = true,
                Err(error) if error.is_transient() || error.kind == CloudErrorKind::Race => {}
                Err(error) => return Err(running(error.to_string())),
            }
        }
        match context.ports.instance(&context.settings.instance_id).await {
            Ok(instance) if matches!(instance.state, InstanceState::Stopped | InstanceState::Terminated) => {
                return Ok(());
            }
            Ok(instance) => {
                context.console.progress(
                    &format!("box: {}", instance.state),
                    &format!("({})", duration(schedule.waited_seconds())),
                );
            }
            Err(error) if error.is_transient() => {}
            Err(error) => return Err(running(error.to_string())),
        }
        match schedule.pause(interrupt).await {
            PauseEnd::Over => {}
            PauseEnd::Interrupted if asked => {
                return Err(Failure::interrupted(
                    "interrupted; the box is stopping",
                    "deployer status shows when it is stopped.",
                ));
            }
            PauseEnd::Interrupted => {
                return Err(Failure::interrupted("interrupted; the box still runs", "deployer down stops it."));
            }
            PauseEnd::DeadlinePassed => {
                return Err(running(format!("the box is not stopped after {}", duration(schedule.waited_seconds()))));
            }
        }
    }
}
