//! `up`: observe, plan, print, approve, lock, apply, verify, record, unlock.

use serde_json::json;

use super::{
    autostop::say_next_stop,
    plan::{PreparedPlan, prepare},
    versions::Versions,
};
use crate::{
    apply::{
        Applied, StopOnFailure, apply,
        command::{self, LOOK_SECONDS},
        lock,
    },
    approval::approve,
    exit::Exit,
    failure::Failure,
    hooks::{self, Event},
    plan::{Operation, Plan},
    script::{Action, HostReport, Outcome, script},
    site::{DeployContext, Ports},
};

#[derive(clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "flags of a command line")]
pub(super) struct Args {
    #[command(flatten)]
    versions: Versions,
    /// Start vLLM again even if nothing of it changed
    #[arg(long)]
    restart_vllm: bool,
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
    /// Run no hooks, and send no notice
    #[arg(long)]
    no_hooks: bool,
    /// Print the plan, and the script that would run on the host, secrets masked; change nothing
    #[arg(long)]
    dry_run: bool,
    /// If it fails and this run had started the box: stop it again? Otherwise a person is asked, or it is stopped
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    stop_on_failure: Option<bool>,
}

pub(super) async fn run<P: Ports>(site: &DeployContext<'_, P>, args: &Args) -> Result<(), Failure> {
    let report = site.report;
    if !args.dry_run {
        not_locked(site).await?;
    }
    let PreparedPlan { diff, plan, observed, same_release, .. } =
        prepare(site, &args.versions, args.restart_vllm).await?;
    if args.dry_run {
        return dry_run(site, &plan).await;
    }
    let url = |address: &Option<String>| address.as_ref().map(|address| site.settings.url(address));
    if !diff.changes {
        report.plan(&plan.lines);
        let done = verify(site).await?;
        let url = url(&observed.instance.address);
        let report_of_host = Some(HostReport { outcome: Outcome::NothingToDo, ..done });
        let autostop = observed.host.as_ref().map(|(_, status)| status.autostop.clone());
        let applied = Applied { report: report_of_host, url, autostop };
        super::served(site, &applied);
        report.say("Nothing to do.");
        say_next_stop(site, applied.autostop.as_ref());
        served(site, applied.url.as_deref());
        return Ok(());
    }
    let deploy = match &plan.work {
        Operation::Up { deploy, .. } => Some(deploy.as_ref()),
        _ => None,
    };
    let event = Event::of(site, "up", deploy, diff.release);
    let approved = approve(plan, args.yes, report, site.interrupt).await?;
    if !args.no_hooks {
        hooks::before(site, &event).await?;
    }
    let stop = match args.stop_on_failure {
        Some(true) => StopOnFailure::Yes,
        Some(false) => StopOnFailure::No,
        None => StopOnFailure::Ask,
    };
    let before = observed.last.as_ref().map(|last| last.url.clone()).unwrap_or_default();
    let applied = apply(site, &approved, stop).await;
    if !args.no_hooks {
        hooks::after(site, event, &applied).await;
    }
    let applied = applied?;
    super::served(site, &applied);
    if let Some(done) = &applied.report {
        report.say(&done.message);
        if done.outcome == Outcome::NothingToDo || same_release {
            report.say("Nothing was restarted.");
        }
    }
    say_next_stop(site, applied.autostop.as_ref());
    if let Some(url) = applied.url.as_deref().filter(|url| !before.is_empty() && *url != before) {
        report.warn(&format!(
            "the box has another address than at the last release ({before}): {url}. deployer url prints the line for Vercel."
        ));
    }
    served(site, applied.url.as_deref());
    Ok(())
}

/// Says early that somebody is at work; what counts is the lock that `apply` takes.
async fn not_locked<P: Ports>(site: &DeployContext<'_, P>) -> Result<(), Failure> {
    match lock::holder(&site.ports, &site.settings.lock_parameter()).await? {
        None => Ok(()),
        Some(holder) => Err(lock::held(site, &holder)),
    }
}

/// What is as it was wanted counts only if a made-up note is answered by it, as after a deploy.
async fn verify<P: Ports>(site: &DeployContext<'_, P>) -> Result<HostReport, Failure> {
    let report = command::run(site, "verify", &Action::Verify, LOOK_SECONDS).await?;
    if report.outcome == Outcome::Done {
        site.report.say(&report.message);
        return Ok(report);
    }
    Err(Failure {
        lines: report.last_log_lines,
        ..Failure::unchanged(
            format!("what runs is what is wanted, but it does not serve as it should: {}", report.message),
            "deployer logs shows why; deployer restart starts both services again.",
        )
    })
}

async fn dry_run<P: Ports>(site: &DeployContext<'_, P>, plan: &Plan) -> Result<(), Failure> {
    site.report.plan(&plan.lines);
    // It changes nothing, so a lock is no reason to refuse it.
    if let Some(holder) = lock::holder(&site.ports, &site.settings.lock_parameter()).await? {
        site.report.warn(&format!("{} is at work: deployer up would refuse now", holder.shown()));
    }
    if let Operation::Up { deploy, expect, .. } = &plan.work {
        let script = script(&Action::Deploy(deploy.clone()), &site.settings.host()).expecting(*expect);
        script.fits().map_err(|large| Failure::new(Exit::Usage, large.to_string(), "Make the files smaller."))?;
        let script = script.masked();
        site.report.result(&json!({"plan": plan.lines, "script": script}));
        site.report.data(&script);
    }
    site.report.next("Nothing was changed. deployer up does it.");
    Ok(())
}

fn served<P>(site: &DeployContext<'_, P>, url: Option<&str>) {
    match url {
        Some(url) => {
            site.report.data(url);
            site.report.next("Try it: curl the URL above with /health; deployer down stops the box when you are done.");
        }
        None => site.report.next("The box has no public address; deployer status shows more."),
    }
}
