//! `unlock`: releases the operators' lock of a run that has died, unless a run is still working on the host.

use serde_json::json;

use crate::{
    apply::{StopOnFailure, apply, lock},
    approval::approve,
    context::{DeployContext, Ports},
    failure::Failure,
    plan::{Operation, Plan},
};

#[derive(clap::Args)]
pub(super) struct Args {
    /// Do not ask for approval
    #[arg(long, short)]
    yes: bool,
}

pub(super) async fn run<P: Ports>(context: &DeployContext<'_, P>, args: &Args) -> Result<(), Failure> {
    let held = lock::holder(&context.ports, &context.settings.lock_parameter()).await?;
    let line = match &held {
        Some(holder) => format!("  lock     release the lock of {}; that run must be dead", holder.shown()),
        None => "  lock     no run holds it".to_owned(),
    };
    let lines = vec![
        format!("Plan for {}:", context.settings.name),
        line,
        "  host     clear what a killed run left, unless a run is active there".to_owned(),
    ];
    let plan = Plan { operation: Operation::Unlock { holder: held.clone() }, lines };
    let approved = approve(plan, args.yes, context.console, context.interrupt).await?;
    let applied = apply(context, &approved, StopOnFailure::No).await?;
    context.console.result(&json!({"taken_from": held, "host": applied.report.as_ref().map(|report| &report.message)}));
    if let Some(report) = applied.report {
        context.console.say(&report.message);
    }
    context.console.say(if held.is_some() { "The lock is free." } else { "There was no lock." });
    context.console.next("deployer status shows the state of the host; deployer up continues.");
    Ok(())
}
