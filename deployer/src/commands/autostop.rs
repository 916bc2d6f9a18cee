//! `autostop`: the idle stop that lives on the host and works with the laptop closed.

use serde_json::json;

use crate::{
    apply::{StopOnFailure, apply, command, command::LOOK_SECONDS},
    approval::approve,
    config::IDLE_MINUTES,
    failure::Failure,
    plan::{Plan, Work},
    report::duration,
    script::{Action, Autostop, facts::AutostopState},
    site::{Ports, Site},
};

#[derive(clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(clap::Subcommand)]
enum What {
    /// Install it, or change its limits
    On {
        /// Stop after so many minutes without a request (default: `autostop.idle_minutes`)
        #[arg(long, value_parser = clap::value_parser!(u32).range(IDLE_MINUTES))]
        idle_minutes: Option<u32>,
        /// Stop after so many hours since boot, whatever runs; 0: never (default: `autostop.max_uptime_hours`)
        #[arg(long)]
        max_uptime_hours: Option<u32>,
        /// Do not ask
        #[arg(long, short)]
        yes: bool,
    },
    /// Remove it
    Off {
        /// Do not ask
        #[arg(long, short)]
        yes: bool,
    },
    /// Show what it is set to and what it saw last
    Status,
}

pub(super) async fn run<P: Ports>(site: &Site<'_, P>, args: &Args) -> Result<(), Failure> {
    super::running(site).await?;
    let limits = &site.settings.autostop;
    match &args.what {
        What::Status => status(site).await,
        What::On { idle_minutes, max_uptime_hours, yes } => {
            let idle_minutes = idle_minutes.unwrap_or(limits.idle_minutes);
            let hours = Some(max_uptime_hours.unwrap_or(limits.max_uptime_hours)).filter(|hours| *hours > 0);
            let hard = hours.map_or_else(|| "no limit".to_owned(), |hours| format!("after {hours} h, whatever runs"));
            let lines = vec![
                format!("Plan for {}:", site.settings.name),
                format!("  idle     the box stops itself after {idle_minutes} min without a request"),
                format!("  uptime   {hard}"),
            ];
            set(site, Autostop::On { idle_minutes, max_uptime_hours: hours }, lines, *yes).await
        }
        What::Off { yes } => {
            let lines = vec![
                format!("Plan for {}:", site.settings.name),
                "  idle     the box no longer stops by itself: a forgotten one costs until somebody looks".to_owned(),
            ];
            set(site, Autostop::Off, lines, *yes).await
        }
    }
}

async fn set<P: Ports>(site: &Site<'_, P>, autostop: Autostop, lines: Vec<String>, yes: bool) -> Result<(), Failure> {
    let plan = Plan { work: Work::Autostop(autostop), lines };
    let approved = approve(plan, yes, site.report, site.interrupt).await?;
    let applied = apply(site, &approved, StopOnFailure::No).await?;
    if let Some(report) = applied.report {
        site.report.result(&json!({"autostop": report.facts.get("autostop"), "message": report.message}));
        site.report.say(&report.message);
    }
    site.report.next("deployer autostop status shows its clock.");
    Ok(())
}

async fn status<P: Ports>(site: &Site<'_, P>) -> Result<(), Failure> {
    let report = command::run(site, "autostop status", &Action::Autostop(Autostop::Status), LOOK_SECONDS).await?;
    let state = report.autostop().ok_or_else(|| Failure {
        lines: report.last_log_lines.clone(),
        ..Failure::unchanged(report.message.clone(), "Run deployer doctor.")
    })?;
    site.report.result(report.facts.get("autostop").unwrap_or_default());
    site.report.data(&clock(&state));
    site.report.next(if state.on { "deployer autostop off removes it." } else { "deployer autostop on installs it." });
    Ok(())
}

/// One line.
pub(super) fn clock(state: &AutostopState) -> String {
    if !state.on {
        return "off: an idle box costs on".to_owned();
    }
    let hard = match state.max_uptime_hours {
        0 => String::new(),
        hours => format!(", or {hours} h after boot"),
    };
    let saw = if state.decision.is_empty() {
        "has not looked yet".to_owned()
    } else {
        format!("{}: {}", state.decision, state.reason)
    };
    let left =
        state.stops_in.map_or_else(String::new, |left| format!("; stops in {} if nothing happens", duration(left)));
    format!("on, after {} min idle{hard}; {saw}{left}", state.idle_minutes)
}
