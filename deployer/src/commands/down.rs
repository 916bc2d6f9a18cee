//! `down`: stops the services and the box, which then costs only its disk and, if it has one, its Elastic IP.

use serde_json::json;

use crate::{
    apply::{StopOnFailure, apply, boot},
    approval::approve,
    cloud::{Instance, InstanceState},
    console::{duration, money},
    context::{DeployContext, Ports},
    failure::Failure,
    hooks::{self, Event},
    plan::{Operation, Plan},
};

#[derive(clap::Args)]
pub(super) struct Args {
    /// Stop at once, without waiting for running work to end
    #[arg(long)]
    pub(super) now: bool,
    /// Do not ask for approval
    #[arg(long, short)]
    pub(super) yes: bool,
}

pub(super) async fn run<P: Ports>(context: &DeployContext<'_, P>, args: &Args) -> Result<(), Failure> {
    let settings = &context.settings;
    let prices = &settings.prices;
    let disk = f64::from(prices.disk_gib) * prices.disk_usd_per_gib_month;
    let costs = format!(
        "While it is stopped, it saves {} an hour; its disk keeps costing {} a month.",
        money(prices.instance_usd_per_hour),
        money(disk)
    );
    let instance = boot::describe_instance(context).await?;
    if matches!(instance.state, InstanceState::Stopped | InstanceState::Terminated | InstanceState::ShuttingDown) {
        context.console.result(&json!({"instance": instance.state.to_string(), "changed": false}));
        context.console.say(&format!("The box is {} already. Nothing to do.", instance.state));
        context.console.next(if instance.state == InstanceState::Stopped {
            "deployer up starts it."
        } else {
            "The box is terminated. Make a new one with config/cloudformation.yaml (config/README.md) and set box.instance_id."
        });
        return Ok(());
    }
    let plan = plan(context, &instance, args);
    let approved = approve(plan, args.yes, context.console, context.interrupt).await?;
    let applied = apply(context, &approved, StopOnFailure::No).await;
    hooks::after(context, Event::of(context, "down", None, None), &applied).await;
    applied?;
    context.console.result(&json!({"instance": "stopped", "changed": true}));
    context.console.say(&format!("The box is stopped. {costs}"));
    context
        .console
        .next("deployer up starts it again; without an Elastic IP it has another address then (deployer url).");
    Ok(())
}

/// Returns the plan that stops a box.
pub(super) fn plan<P>(context: &DeployContext<'_, P>, instance: &Instance, args: &Args) -> Plan {
    let settings = &context.settings;
    let drain = !args.now;
    let services = if drain {
        format!(
            "running work ends first, at most {}; then the services stop",
            duration(settings.wait.drain_seconds.into())
        )
    } else {
        "stopped at once: running work is lost".to_owned()
    };
    let lines = vec![
        format!("Plan for {} ({}, {}):", settings.name, settings.instance_id, settings.region),
        format!("  services {services}"),
        format!("  box      {}: stop it", instance.state),
        "  outage   until the next deployer up, about 8 min with boot and model load".to_owned(),
    ];
    Plan { operation: Operation::Down { drain }, lines }
}
