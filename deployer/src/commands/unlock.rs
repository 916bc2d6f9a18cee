//! `unlock`: takes the operators' lock from a run that is dead, unless somebody works on the host.

use serde_json::json;

use crate::{
    apply::{StopOnFailure, apply, lock},
    approval::approve,
    failure::Failure,
    plan::{Operation, Plan},
    site::{DeployContext, Ports},
};

#[derive(clap::Args)]
pub(super) struct Args {
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
}

pub(super) async fn run<P: Ports>(site: &DeployContext<'_, P>, args: &Args) -> Result<(), Failure> {
    let held = lock::holder(&site.ports, &site.settings.lock_parameter()).await?;
    let line = match &held {
        Some(holder) => format!("  lock     take it from {}; their run must be dead", holder.shown()),
        None => "  lock     nobody holds it".to_owned(),
    };
    let lines = vec![
        format!("Plan for {}:", site.settings.name),
        line,
        "  host     clear what a killed run left, unless somebody works there".to_owned(),
    ];
    let plan = Plan { work: Operation::Unlock { holder: held.clone() }, lines };
    let approved = approve(plan, args.yes, site.report, site.interrupt).await?;
    let applied = apply(site, &approved, StopOnFailure::No).await?;
    site.report.result(&json!({"taken_from": held, "host": applied.report.as_ref().map(|report| &report.message)}));
    if let Some(report) = applied.report {
        site.report.say(&report.message);
    }
    site.report.say(if held.is_some() { "The lock is free." } else { "There was no lock." });
    site.report.next("deployer status shows what is there; deployer up goes on.");
    Ok(())
}
