//! `status`: what is there, on one screen.

use serde::Serialize;
use serde_json::Value;

use super::{autostop::clock, plan::other_autostop};
use crate::{
    apply::{
        lock::{self, LockHolder},
        observe::{Observed, gateway_says, healthy, observe},
    },
    cloud::State,
    cost::running_hour,
    failure::Failure,
    report::{Transfer, duration, money, since},
    script::{
        Holder,
        facts::{AutostopState, Container, Gpu},
    },
    site::{DeployContext, Ports},
};

#[derive(clap::Args)]
pub(super) struct Args {
    /// End with 1 where nothing serves, for monitoring
    #[arg(long)]
    check: bool,
}

/// What `--format json` prints; text says the same.
#[derive(Serialize)]
struct Shown {
    name: String,
    instance: InstanceShown,
    /// `null`: the host was not asked.
    host: Option<HostShown>,
    url: Option<String>,
    /// Verified or not: it runs, is healthy and says that it is ready.
    serves: bool,
    lock: Option<LockHolder>,
}

#[derive(Serialize)]
struct InstanceShown {
    id: String,
    region: String,
    state: String,
    kind: String,
    address: Option<String>,
    elastic: bool,
    running_seconds: Option<u64>,
    cost_so_far_usd: Option<f64>,
    usd_per_hour: f64,
}

#[derive(Serialize)]
struct HostShown {
    release: Option<u32>,
    commit: String,
    config_hash: String,
    half_done: bool,
    containers: Vec<Value>,
    gpu: Option<Value>,
    disk_free: u64,
    disk_total: u64,
    uptime_seconds: u64,
    model_cached: bool,
    /// What the gateway says of itself.
    gateway: Value,
    autostop: Value,
    warnings: Vec<String>,
}

pub(super) async fn run<P: Ports>(site: &DeployContext<'_, P>, args: &Args) -> Result<(), Failure> {
    let observed = observe(site).await?;
    let lock = lock::holder(&site.ports, &site.settings.lock_parameter()).await?;
    for line in &text(site, &observed, lock.as_ref()) {
        site.report.data(line);
    }
    let shown = shown(site, &observed, lock);
    site.report.result(&shown);
    if args.check && !shown.serves {
        let what = match &observed.host {
            Some((_, status)) if !matches!(gateway_says(status, "ready").as_bool(), Some(true)) => {
                format!("nothing serves: the box is running, ready: {}", ready(status))
            }
            Some(_) => "nothing serves: a container is not healthy".to_owned(),
            None => format!("nothing serves: the box is {}", observed.instance.state),
        };
        return Err(Failure::unchanged(what, next(&observed)));
    }
    site.report.next(next(&observed));
    Ok(())
}

fn next(observed: &Observed) -> &'static str {
    match (&observed.instance.state, &observed.host) {
        (State::Stopped, _) => "deployer up starts the box.",
        (State::ShuttingDown | State::Terminated, _) => {
            "The box is gone for good. Make a new one with config/cloudformation.yaml (config/README.md) and set box.instance_id."
        }
        (_, Some((_, status))) if status.half_done => {
            "deployer up or deployer rollback mends the switch that was cut off."
        }
        (_, Some((_, status))) if healthy(status) => "deployer down stops the box when you are done.",
        (_, Some(_)) => "deployer logs shows why it does not serve; deployer up starts it.",
        (State::Running, None) => "The SSM agent does not answer: deployer doctor looks why.",
        _ => "Run deployer status again in a minute.",
    }
}

fn running_seconds(observed: &Observed) -> Option<u64> {
    let launched = observed.instance.launched.filter(|_| observed.instance.state == State::Running)?;
    Some(since(u64::try_from(launched).ok()?))
}

#[expect(clippy::cast_precision_loss, reason = "seconds of uptime are far below 2^52")]
fn cost(seconds: u64, usd_per_hour: f64) -> f64 {
    (seconds as f64 / 3600.0 * usd_per_hour * 100.0).round() / 100.0
}

fn shown<P>(site: &DeployContext<'_, P>, observed: &Observed, lock: Option<LockHolder>) -> Shown {
    let (settings, instance) = (&site.settings, &observed.instance);
    let seconds = running_seconds(observed);
    let price = running_hour(&settings.prices);
    Shown {
        name: settings.name.clone(),
        instance: InstanceShown {
            id: instance.id.clone(),
            region: settings.region.clone(),
            state: instance.state.to_string(),
            kind: instance.kind.clone(),
            address: instance.address.clone(),
            elastic: instance.elastic,
            running_seconds: seconds,
            cost_so_far_usd: seconds.map(|seconds| cost(seconds, price)),
            usd_per_hour: price,
        },
        host: observed.host.as_ref().map(|(report, status)| {
            let fact = |name: &str| report.facts.get(name).cloned().unwrap_or_default();
            HostShown {
                release: report.release,
                commit: status.commit.clone(),
                config_hash: status.config_hash.clone(),
                half_done: status.half_done,
                containers: fact("containers").as_array().cloned().unwrap_or_default(),
                gpu: Some(fact("gpu")).filter(|gpu| !gpu.is_null()),
                disk_free: status.disk_free,
                disk_total: status.disk_total,
                uptime_seconds: status.uptime_seconds,
                model_cached: status.model_cached,
                gateway: status.gateway.clone(),
                autostop: fact("autostop"),
                warnings: report.warnings.clone(),
            }
        }),
        url: url(site, observed),
        serves: observed.host.as_ref().is_some_and(|(_, status)| healthy(status)),
        lock,
    }
}

fn url<P>(site: &DeployContext<'_, P>, observed: &Observed) -> Option<String> {
    observed.instance.address.as_deref().map(|address| site.settings.url(address))
}

fn text<P>(site: &DeployContext<'_, P>, observed: &Observed, lock: Option<&LockHolder>) -> Vec<String> {
    let (settings, instance) = (&site.settings, &observed.instance);
    let price = running_hour(&settings.prices);
    let runs = running_seconds(observed).map_or_else(String::new, |seconds| {
        format!(", for {}, {} so far", duration(seconds), money(cost(seconds, price)))
    });
    let mut lines = vec![format!("box       {} ({}, {}){runs}", instance.state, instance.id, instance.kind)];
    match &observed.host {
        None => {
            if let Some(last) = &observed.last {
                lines.push(format!("release   {} was the last one, {} ago", last.release, duration(since(last.at))));
            }
        }
        Some((report, status)) => {
            let release = report
                .release
                .map_or_else(|| "none".to_owned(), |number| format!("{number} (commit {})", status.commit));
            lines.push(format!("release   {release}{}", if status.half_done { "; A SWITCH WAS CUT OFF" } else { "" }));
            lines.extend(status.containers.iter().map(container));
            lines.push(format!("ready     {}", ready(status)));
            lines.push(format!(
                "queue     {} running, {} waiting",
                number(status, "in_flight"),
                number(status, "queued")
            ));
            if settings.gpu {
                lines.push(format!("gpu       {}", status.gpu.as_ref().map_or_else(|| "none answers".to_owned(), gpu)));
            }
            lines.push(format!("disk      {} of {} GiB free", status.disk_free >> 30, status.disk_total >> 30));
            lines.push(format!("autostop  {}", autostop(&status.autostop)));
            lines.extend(other_autostop(&status.autostop, settings).map(|differs| format!("autostop  {differs}")));
            lines.extend(
                status
                    .holder
                    .iter()
                    .map(|holder| format!("at work   {} ({}, step {})", holder.operator, holder.action, step(holder))),
            );
        }
    }
    if let Some(url) = url(site, observed) {
        lines.push(format!("url       {url}"));
    }
    lines.extend(lock.map(|holder| format!("lock      {}", holder.shown())));
    lines
}

/// The step, and how far it is.
fn step(holder: &Holder) -> String {
    let transfer = Transfer::parse(&format!("progress: {}", holder.progress));
    transfer.filter(|transfer| transfer.step == holder.step).map_or_else(|| holder.step.clone(), |far| far.shown())
}

fn container(one: &Container) -> String {
    let again = if one.restarts > 0 { format!(", restarted {} times", one.restarts) } else { String::new() };
    let memory = if one.out_of_memory { ", ended for want of memory" } else { "" };
    let health = if one.health.is_empty() { "no health" } else { &one.health };
    let digest: String = one.image.rsplit("sha256:").next().unwrap_or_default().chars().take(12).collect();
    format!("{:<9} {} ({health}){again}{memory} {digest}", one.service, one.state)
}

fn ready(status: &crate::script::facts::Status) -> String {
    match gateway_says(status, "ready").as_bool() {
        Some(true) => "yes".to_owned(),
        Some(false) => format!("no: {}", gateway_says(status, "reason").as_str().unwrap_or("no reason given")),
        None => "the gateway does not answer".to_owned(),
    }
}

fn number(status: &crate::script::facts::Status, name: &str) -> String {
    gateway_says(status, name).as_u64().map_or_else(|| "?".to_owned(), |number| number.to_string())
}

fn gpu(gpu: &Gpu) -> String {
    format!("{}, {} of {} MiB in use, {} % busy", gpu.name, gpu.memory_used_mib, gpu.memory_total_mib, gpu.utilization)
}

fn autostop(state: &AutostopState) -> String {
    clock(state)
}
