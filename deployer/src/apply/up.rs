//! `up`, and the other actions at whose end something serves.

use super::{Applied, StopOnFailure, after, boot};
use crate::{
    exit::Exit,
    failure::Failure,
    ledger::Last,
    report::money,
    script::{Action, Deploy, HostReport},
    site::{Ports, Site},
};

/// Starts the box where needed and deploys.
pub(super) async fn up<P: Ports>(site: &Site<'_, P>, deploy: &Deploy, stop: StopOnFailure) -> Result<Applied, Failure> {
    let mut started = false;
    let done = deployed(site, deploy, &mut started).await;
    match done {
        Err(failure) if started && failure.exit != Exit::RolledBack => Err(started_in_vain(site, failure, stop).await),
        done => done,
    }
}

async fn deployed<P: Ports>(site: &Site<'_, P>, deploy: &Deploy, started: &mut bool) -> Result<Applied, Failure> {
    let instance = boot::boot(site, started).await?;
    site.report.step("deploying");
    let action = Action::Deploy(Box::new(deploy.clone()));
    let report = after::run(site, "deploy", &action, site.settings.wait.deploy_seconds).await?;
    recorded(site, report, &deploy.config_hash, instance.address.as_deref()).await
}

async fn recorded<P: Ports>(
    site: &Site<'_, P>,
    report: HostReport,
    config_hash: &str,
    address: Option<&str>,
) -> Result<Applied, Failure> {
    Last::write(site, &report, config_hash, address).await;
    Ok(Applied { url: address.map(|address| site.settings.url(address)), report: Some(report) })
}

/// Rolls back or restarts on a box that runs.
pub(super) async fn serve<P: Ports>(site: &Site<'_, P>, what: &str, action: &Action) -> Result<Applied, Failure> {
    site.report.step(what);
    let report = after::run(site, what, action, site.settings.wait.deploy_seconds).await?;
    // The configuration of that release is known to the host alone.
    let hash = super::observe::ask(site).await.map(|(_, status)| status.config_hash).unwrap_or_default();
    let instance = boot::look(site).await?;
    recorded(site, report, &hash, instance.address.as_deref()).await
}

/// The box was started for nothing and costs: stop it, or say so.
async fn started_in_vain<P: Ports>(site: &Site<'_, P>, failure: Failure, stop: StopOnFailure) -> Failure {
    let price = money(site.settings.prices.instance_usd_per_hour);
    let yes = match stop {
        StopOnFailure::Yes => true,
        StopOnFailure::No => false,
        StopOnFailure::Ask if !site.report.can_ask() => true,
        StopOnFailure::Ask if site.interrupt.came() => false,
        StopOnFailure::Ask => {
            site.report.say(&failure.what);
            let question = format!("This run started the box, which costs {price} an hour. Stop it again?");
            tokio::select! {
                answer = site.report.ask(&question) => answer,
                () = site.interrupt.wait() => false,
            }
        }
    };
    if !yes {
        let next = format!("{} The box runs and costs {price} an hour; deployer down stops it.", failure.next);
        return Failure { next, ..failure };
    }
    site.report.step("stopping the box, which this run had started");
    let (_end, quiet) = crate::interrupt::channel();
    match boot::stop_with(site, &quiet).await {
        Ok(()) => Failure { what: format!("{} The box was stopped again.", full_stop(&failure.what)), ..failure },
        Err(stop) => Failure {
            exit: Exit::NeedsAPerson,
            what: format!("{} Then {}.", full_stop(&failure.what), stop.what),
            next: stop.next,
            ..failure
        },
    }
}

fn full_stop(text: &str) -> String {
    format!("{}.", text.trim_end_matches('.'))
}
