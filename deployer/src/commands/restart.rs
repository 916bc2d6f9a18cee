//! `restart`: restarts the services, or one of them, and verifies the release.

use super::ServiceName;
use crate::{
    apply::{StopOnFailure, apply, observe},
    approval::approve,
    context::{DeployContext, Ports},
    failure::Failure,
    hooks::{self, Event},
    plan::{Operation, Plan},
    script::ExpectedRelease,
};

#[derive(clap::Args)]
pub(super) struct Args {
    /// Restart only this service
    #[arg(long, value_enum)]
    service: Option<ServiceName>,
    /// Do not ask for approval
    #[arg(long, short)]
    yes: bool,
}

pub(super) async fn run<P: Ports>(context: &DeployContext<'_, P>, args: &Args) -> Result<(), Failure> {
    super::running(context).await?;
    let (report, _) = observe::ask_status(context).await?;
    let release = report.release.ok_or_else(|| {
        Failure::unchanged("there is no release on the host; nothing was changed", "Run deployer up first.")
    })?;
    let (what, outage) = match args.service {
        Some(ServiceName::Gateway) => ("gateway", "the gateway for seconds; the model stays loaded"),
        Some(ServiceName::Vllm) => ("vllm", "about 6 min of model load"),
        None => ("gateway and vllm", "about 6 min of model load"),
    };
    let lines = vec![
        format!("Plan for {} (release {release}):", context.settings.name),
        format!("  restart  {what}"),
        format!("  outage   {outage}"),
    ];
    let operation =
        Operation::Restart { service: args.service.map(Into::into), expect: ExpectedRelease::Release(release) };
    let plan = Plan { operation, lines };
    let approved = approve(plan, args.yes, context.console, context.interrupt).await?;
    let applied = apply(context, &approved, StopOnFailure::No).await;
    hooks::after(context, Event::of(context, "restart", None, Some(release)), &applied).await;
    let applied = applied?;
    super::served(context, &applied);
    if let Some(report) = applied.report {
        context.console.say(&report.message);
    }
    context.console.next("deployer status shows the state of the host.");
    Ok(())
}
