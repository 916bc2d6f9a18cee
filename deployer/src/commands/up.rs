//! `up`: observe, plan, print, approve, lock, apply, verify, record, unlock.

use super::{
    plan::{Prepared, prepare},
    versions::Versions,
};
use crate::{
    apply::{StopOnFailure, apply, lock},
    approval::approve,
    exit::Exit,
    failure::Failure,
    plan::Work,
    script::{Action, Outcome, script},
    site::{Ports, Site},
};

#[derive(clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    versions: Versions,
    /// Start vLLM again even if nothing of it changed
    #[arg(long)]
    restart_vllm: bool,
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
    /// Print the plan, and the script that would run on the host, secrets masked; change nothing
    #[arg(long)]
    dry_run: bool,
    /// If it fails and this run had started the box: stop it again? Otherwise a person is asked, or it is stopped
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    stop_on_failure: Option<bool>,
}

pub(super) async fn run<P: Ports>(site: &Site<'_, P>, args: &Args) -> Result<(), Failure> {
    let report = site.report;
    not_locked(site).await?;
    let Prepared { diff, plan, observed } = prepare(site, &args.versions, args.restart_vllm).await?;
    if args.dry_run {
        return dry_run(site, &plan);
    }
    let url = |address: &Option<String>| address.as_ref().map(|address| site.settings.url(address));
    if !diff.changes {
        plan.lines.iter().for_each(|line| report.say(line));
        report.say("Nothing to do.");
        served(site, url(&observed.instance.address).as_deref());
        return Ok(());
    }
    let approved = approve(plan, args.yes, report, site.interrupt).await?;
    let stop = match args.stop_on_failure {
        Some(true) => StopOnFailure::Yes,
        Some(false) => StopOnFailure::No,
        None => StopOnFailure::Ask,
    };
    let applied = apply(site, &approved, stop).await?;
    if let Some(done) = &applied.report {
        report.say(&done.message);
        if done.outcome == Outcome::NothingToDo {
            report.say("Nothing was restarted.");
        }
    }
    served(site, applied.url.as_deref());
    Ok(())
}

/// Says early that somebody is at work; what counts is the lock that `apply` takes.
async fn not_locked<P: Ports>(site: &Site<'_, P>) -> Result<(), Failure> {
    match lock::holder(&site.ports, &site.settings.lock_parameter()).await? {
        None => Ok(()),
        Some(holder) => Err(lock::held(site, &holder)),
    }
}

fn dry_run<P: Ports>(site: &Site<'_, P>, plan: &crate::plan::Plan) -> Result<(), Failure> {
    plan.lines.iter().for_each(|line| site.report.say(line));
    if let Work::Up(deploy) = &plan.work {
        let script = script(&Action::Deploy(deploy.clone()), &site.settings.host());
        script.fits().map_err(|large| Failure::new(Exit::Usage, large.to_string(), "Make the files smaller."))?;
        site.report.data(&script.masked());
    }
    site.report.next("Nothing was changed. deployer up does it.");
    Ok(())
}

fn served<P>(site: &Site<'_, P>, url: Option<&str>) {
    match url {
        Some(url) => {
            site.report.data(url);
            site.report.next("Try it: curl the URL above with /health; deployer down stops the box when you are done.");
        }
        None => site.report.next("The box has no public address; deployer status shows more."),
    }
}
