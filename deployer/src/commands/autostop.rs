//! `autostop`: turns the idle stop on and off. The idle stop runs on the host and does not need the operator's machine.

use serde_json::json;

use crate::{
    apply::{StopOnFailure, apply, command, command::READ_ONLY_TIMEOUT_SECONDS},
    approval::approve,
    config::{IDLE_MINUTES, wall_clock},
    console::{duration, until},
    context::{DeployContext, Ports},
    failure::Failure,
    plan::{Operation, Plan},
    script::{Action, Autostop, AutostopState, Schedule},
};

#[derive(clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: AutostopCommand,
}

#[derive(clap::Subcommand)]
enum AutostopCommand {
    /// Install the idle stop, or change its limits
    On {
        /// Stop the box after this many minutes without a request (default: `autostop.idle_minutes`)
        #[arg(long, value_parser = clap::value_parser!(u32).range(IDLE_MINUTES))]
        idle_minutes: Option<u32>,
        /// Stop the box this many hours after boot, even if work is running; 0: no limit (default:
        /// `autostop.max_uptime_hours`)
        #[arg(long)]
        max_uptime_hours: Option<u32>,
        /// Do not ask for approval
        #[arg(long, short)]
        yes: bool,
    },
    /// Remove the idle stop
    Off {
        /// Do not ask for approval
        #[arg(long, short)]
        yes: bool,
    },
    /// Show the limits of the idle stop and its last decision
    Status,
}

pub(super) async fn run<P: Ports>(context: &DeployContext<'_, P>, args: &Args) -> Result<(), Failure> {
    super::running(context).await?;
    match &args.command {
        AutostopCommand::Status => status(context).await,
        AutostopCommand::On { .. } if !context.settings.model_boxes.is_empty() => Err(Failure::usage(
            "the idle stop is for one box, and box.models has further ones: each checks only its own gateway, so it would \
             stop a model server at work, or the gateway and leave the other boxes running; nothing was changed",
            "deployer down stops all boxes.",
        )),
        AutostopCommand::On { idle_minutes, max_uptime_hours, yes } => {
            let wanted = with_flags(&context.settings.autostop, *idle_minutes, *max_uptime_hours);
            set(context, wanted.clone(), lines_of(context, &wanted), *yes).await
        }
        AutostopCommand::Off { yes } => {
            let mut lines = vec![
                format!("Plan for {}:", context.settings.name),
                "  idle     the box no longer stops by itself: it costs money until you stop it".to_owned(),
            ];
            if schedule_of(&context.settings.autostop).is_some() {
                lines.push("  hours    off until the next deployer up, which sets autostop.stop_at again".to_owned());
            }
            set(context, Autostop::Off, lines, *yes).await
        }
    }
}

fn with_flags(wanted: &Autostop, minutes: Option<u32>, hours: Option<u32>) -> Autostop {
    match wanted.clone() {
        Autostop::On { idle_minutes, max_uptime_hours, schedule } => Autostop::On {
            idle_minutes: minutes.unwrap_or(idle_minutes),
            max_uptime_hours: hours.or(max_uptime_hours).filter(|hours| *hours > 0),
            schedule,
        },
        other => other,
    }
}

fn lines_of<P>(context: &DeployContext<'_, P>, wanted: &Autostop) -> Vec<String> {
    let mut lines = vec![format!("Plan for {}:", context.settings.name)];
    if let Autostop::On { idle_minutes, max_uptime_hours, schedule } = wanted {
        lines.push(format!("  idle     the box stops itself after {idle_minutes} min without a request"));
        lines.push(format!(
            "  uptime   {}",
            max_uptime_hours.map_or_else(|| "no limit".to_owned(), |hours| format!("after {hours} h, whatever runs"))
        ));
        lines
            .extend(schedule.iter().map(|schedule| format!("  hours    it stops {schedule}; running work ends first")));
    }
    if *wanted != context.settings.autostop {
        lines.push("  later    the next deployer up restores the limits of the configuration".to_owned());
    }
    lines
}

/// Returns the hours of an idle stop, if it has any.
pub(super) const fn schedule_of(wanted: &Autostop) -> Option<&Schedule> {
    match wanted {
        Autostop::On { schedule, .. } => schedule.as_ref(),
        _ => None,
    }
}

/// Returns the lines for a plan that starts the box: when its hours end, and whether the time is outside of them now.
pub(super) fn hours<P>(context: &DeployContext<'_, P>) -> Vec<String> {
    let Some(schedule) = schedule_of(&context.settings.autostop) else { return Vec::new() };
    let now = wall_clock(schedule.time_zone());
    let next = now.map_or_else(String::new, |now| format!(", next {}", schedule.next(now)));
    let mut lines = vec![format!("  hours    the box stops {schedule}{next}; running work ends first")];
    if now.and_then(|now| schedule.closed(now)) == Some(true) {
        lines.push(
            "  closed   the time is outside of these hours: until the next stop time only the idle stop stops the box"
                .to_owned(),
        );
    }
    lines
}

/// Prints when the box will be stopped next, after a command that leaves the service running.
pub(super) fn say_next_stop<P>(context: &DeployContext<'_, P>, state: Option<&AutostopState>) {
    let Some(state) = state.filter(|state| state.on && !state.stop_at.is_empty()) else { return };
    if state.due {
        context
            .console
            .warn(&format!("the hours ended at {}: the box stops as soon as no operator works on it.", state.stop_at));
    } else if !state.next_stop_local.is_empty() {
        context
            .console
            .say(&format!("The box will be stopped on {}, once running work has ended.", state.next_stop_local));
    }
    if state.closed == Some(true) && !state.due {
        context.console.warn("the box was started outside of its hours: until then only the idle stop stops it.");
    }
}

async fn set<P: Ports>(
    context: &DeployContext<'_, P>,
    autostop: Autostop,
    lines: Vec<String>,
    yes: bool,
) -> Result<(), Failure> {
    let plan = Plan { operation: Operation::Autostop(autostop), lines };
    let approved = approve(plan, yes, context.console, context.interrupt).await?;
    let applied = apply(context, &approved, StopOnFailure::No).await?;
    if let Some(report) = applied.report {
        context.console.result(&json!({"autostop": report.facts.get("autostop"), "message": report.message}));
        context.console.say(&report.message);
    }
    context.console.next("deployer autostop status shows its clock.");
    Ok(())
}

async fn status<P: Ports>(context: &DeployContext<'_, P>) -> Result<(), Failure> {
    let report =
        command::run(context, "autostop status", &Action::Autostop(Autostop::Status), READ_ONLY_TIMEOUT_SECONDS)
            .await?;
    let state = report.autostop().ok_or_else(|| Failure {
        lines: report.last_log_lines.clone(),
        ..Failure::unchanged(report.message.clone(), "Run deployer doctor.")
    })?;
    context.console.result(report.facts.get("autostop").unwrap_or_default());
    context.console.data(&clock(&state));
    context.console.next(if state.on {
        "deployer autostop off removes it."
    } else {
        "deployer autostop on installs it."
    });
    Ok(())
}

/// Returns the state of the idle stop as one line.
pub(super) fn clock(state: &AutostopState) -> String {
    if !state.on {
        return "off: an idle box keeps costing money".to_owned();
    }
    let uptime_limit = match state.max_uptime_hours {
        0 => String::new(),
        hours => format!(", or {hours} h after boot"),
    };
    let last_decision = if state.decision.is_empty() {
        "has not checked yet".to_owned()
    } else {
        format!("{}: {}", state.decision, state.reason)
    };
    let remaining = state
        .stops_in
        .map_or_else(String::new, |remaining| format!("; stops in {} if nothing happens", duration(remaining)));
    format!("on, after {} min idle{uptime_limit}; {last_decision}{remaining}{}", state.idle_minutes, next_stop(state))
}

/// Returns text such as `; stops at 20:00 Mon..Fri (Europe/Berlin), next Mon 2026-11-30 20:00 CET, in 2 h`; empty
/// without hours.
fn next_stop(state: &AutostopState) -> String {
    let Some(schedule) = state.schedule() else { return String::new() };
    let next = match state.next_stop {
        _ if state.due => ", now: as soon as no operator works on the host".to_owned(),
        Some(at) => format!(", next {}, in {}", state.next_stop_local, duration(until(at))),
        None => String::new(),
    };
    let closed = if state.closed == Some(true) { ", outside of its hours now" } else { "" };
    format!("; stops {schedule}{next}{closed}")
}
