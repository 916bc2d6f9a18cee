//! `up`: observes the box, makes a plan, has it approved, takes the lock, applies the plan, verifies the release,
//! records it and releases the lock.

use serde_json::json;

use super::{
    autostop::say_next_stop,
    plan::{PreparedUp, prepare},
    versions::Versions,
};
use crate::{
    apply::{
        ApplyOutcome, StopOnFailure, apply,
        command::{self, READ_ONLY_TIMEOUT_SECONDS},
        lock,
    },
    approval::{ApprovedPlan, approve},
    context::{DeployContext, Ports},
    exit::Exit,
    failure::Failure,
    hooks::{self, Event},
    plan::{Operation, Plan},
    script::{Action, ActionOutcome, HostReport, script},
};

#[derive(clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "flags of a command line")]
pub(super) struct Args {
    #[command(flatten)]
    pub(super) versions: Versions,
    /// Restart vLLM even if nothing about it changed
    #[arg(long)]
    pub(super) restart_vllm: bool,
    /// Do not ask for approval
    #[arg(long, short)]
    pub(super) yes: bool,
    /// Run no hooks and send no notice
    #[arg(long)]
    no_hooks: bool,
    /// Print the plan, and the script that would run on the host with secrets masked, and change nothing
    #[arg(long)]
    pub(super) dry_run: bool,
    /// Whether to stop the box again if the run fails after starting it (default: ask; without a terminal, stop it
    /// unless a release serves)
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    stop_on_failure: Option<bool>,
}

pub(super) async fn run<P: Ports>(context: &DeployContext<'_, P>, args: &Args) -> Result<(), Failure> {
    let console = context.console;
    if !args.dry_run {
        not_locked(context).await?;
    }
    let prepared = prepare(context, &args.versions, args.restart_vllm).await?;
    let event = event(context, &prepared);
    let PreparedUp { diff, plan, observed, same_release, .. } = prepared;
    if args.dry_run {
        return dry_run(context, &plan).await;
    }
    let url = |address: &Option<String>| address.as_ref().map(|address| context.settings.url(address));
    if !diff.changes {
        console.plan(&plan.lines);
        let done = verify_unchanged(context).await?;
        let url = url(&observed.instance.address);
        let report_of_host = Some(HostReport { outcome: ActionOutcome::NothingToDo, ..done });
        let autostop = observed.host.as_ref().map(|(_, status)| status.autostop.clone());
        let applied = ApplyOutcome { report: report_of_host, url, autostop };
        super::served(context, &applied);
        console.say("Nothing to do.");
        say_next_stop(context, applied.autostop.as_ref());
        print_url(context, applied.url.as_deref());
        return Ok(());
    }
    let approved = approve(plan, args.yes, console, context.interrupt).await?;
    let before = observed.last.as_ref().map(|last| last.url.clone()).unwrap_or_default();
    let applied = apply_between_hooks(context, &approved, event, args).await?;
    super::served(context, &applied);
    if let Some(done) = &applied.report {
        console.say(&done.message);
        if done.outcome == ActionOutcome::NothingToDo || same_release {
            console.say("Nothing was restarted.");
        }
    }
    say_next_stop(context, applied.autostop.as_ref());
    warn_of_new_address(context, &before, applied.url.as_deref());
    print_url(context, applied.url.as_deref());
    Ok(())
}

/// Returns the event of a prepared `up`, for the hooks.
pub(super) fn event<P>(context: &DeployContext<'_, P>, prepared: &PreparedUp) -> Event {
    Event::of(context, "up", prepared.deploy(), prepared.diff.release)
}

/// Applies an approved plan, with the operator's hooks before and after it.
pub(super) async fn apply_between_hooks<P: Ports>(
    context: &DeployContext<'_, P>,
    approved: &ApprovedPlan,
    event: Event,
    args: &Args,
) -> Result<ApplyOutcome, Failure> {
    if !args.no_hooks {
        hooks::before(context, &event).await?;
    }
    let stop = match args.stop_on_failure {
        Some(true) => StopOnFailure::Yes,
        Some(false) => StopOnFailure::No,
        None => StopOnFailure::Ask,
    };
    let applied = apply(context, approved, stop).await;
    if !args.no_hooks {
        hooks::after(context, event, &applied).await;
    }
    applied
}

/// Returns an error early if another run holds the lock. Only the lock that `apply` takes protects the box.
pub(super) async fn not_locked<P: Ports>(context: &DeployContext<'_, P>) -> Result<(), Failure> {
    match lock::holder(&context.ports, &context.settings.lock_parameter()).await? {
        None => Ok(()),
        Some(holder) => Err(lock::held(context, &holder)),
    }
}

/// Verifies a release that needs no change: it must answer a made-up note, as after a deploy.
pub(super) async fn verify_unchanged<P: Ports>(context: &DeployContext<'_, P>) -> Result<HostReport, Failure> {
    let report = command::run(context, "verify", &Action::Verify, READ_ONLY_TIMEOUT_SECONDS).await?;
    if report.outcome == ActionOutcome::Done {
        context.console.say(&report.message);
        return Ok(report);
    }
    Err(Failure {
        lines: report.last_log_lines,
        ..Failure::unchanged(
            format!("the configured release runs, but its verification failed: {}", report.message),
            "deployer logs shows why; deployer restart starts both services again.",
        )
    })
}

async fn dry_run<P: Ports>(context: &DeployContext<'_, P>, plan: &Plan) -> Result<(), Failure> {
    context.console.plan(&plan.lines);
    // A dry run changes nothing, so it does not need the lock.
    if let Some(holder) = lock::holder(&context.ports, &context.settings.lock_parameter()).await? {
        context.console.warn(&format!("{} holds the lock: deployer up would fail now", holder.shown()));
    }
    if let Operation::Up { deploy, expect, .. } = &plan.operation {
        let script = script(&Action::Deploy(deploy.clone()), &context.settings.host()).expecting(*expect);
        script.fits().map_err(|large| Failure::new(Exit::Usage, large.to_string(), "Make the files smaller."))?;
        let script = script.masked();
        context.console.result(&json!({"plan": plan.lines, "script": script}));
        context.console.data(&script);
    }
    context.console.next("Nothing was changed. deployer up does it.");
    Ok(())
}

/// Warns if the service has another URL than the last release, which had `before`; empty: none is known.
pub(super) fn warn_of_new_address<P>(context: &DeployContext<'_, P>, before: &str, url: Option<&str>) {
    if let Some(url) = url.filter(|url| !before.is_empty() && *url != before) {
        context.console.warn(&format!(
            "the box has another address than at the last release ({before}): {url}. deployer url prints the line for Vercel."
        ));
    }
}

/// Prints the URL of the service and the next step.
pub(super) fn print_url<P>(context: &DeployContext<'_, P>, url: Option<&str>) {
    match url {
        Some(url) => {
            context.console.data(url);
            context
                .console
                .next("Try it: curl the URL above with /health; deployer down stops the box when you are done.");
        }
        None => context.console.next("The box has no public address; deployer status shows more."),
    }
}
