//! `status`: shows the state of the box, the services, the idle stop and the lock on one screen.

use serde::Serialize;
use serde_json::{Value, json};

use super::{
    autostop::clock,
    boxes::{Boxes, model_servers},
    plan::other_autostop,
};
use crate::{
    apply::{
        lock,
        observe::{Observation, gateway_value, healthy, observe},
    },
    cloud::InstanceState,
    console::{Transfer, duration, money, since},
    context::{DeployContext, Ports},
    cost::running_hour,
    failure::Failure,
    plan::LockHolder,
    script::{
        Holder,
        facts::{AutostopState, Container, Gpu},
    },
};

#[derive(clap::Args)]
pub(super) struct Args {
    /// Exit with 1 if nothing serves, for monitoring
    #[arg(long)]
    check: bool,
}

/// The JSON document of `--format json`. The text output has the same facts.
#[derive(Serialize)]
struct StatusDocument {
    name: String,
    instance: InstanceDocument,
    /// `null` if the host was not asked.
    host: Option<HostDocument>,
    url: Option<String>,
    /// Whether the containers run and are healthy and the gateway says that it is ready. The release need not be
    /// verified.
    serves: bool,
    lock: Option<LockHolder>,
}

#[derive(Serialize)]
struct InstanceDocument {
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
struct HostDocument {
    release: Option<u32>,
    commit: String,
    config_hash: String,
    half_done: bool,
    models_cut_off: bool,
    containers: Vec<Value>,
    gpu: Option<Value>,
    disk_free: u64,
    disk_total: u64,
    uptime_seconds: u64,
    model_cached: bool,
    /// What the gateway reports about itself.
    gateway: Value,
    autostop: Value,
    warnings: Vec<String>,
}

pub(super) async fn run<P: Ports>(boxes: &Boxes<'_, P>, args: &Args) -> Result<(), Failure> {
    let context = &boxes.gateway;
    let observed = observe(context).await?;
    let lock = lock::holder(&context.ports, &context.settings.lock_parameter()).await?;
    for line in &text(context, &observed, lock.as_ref()) {
        context.console.data(line);
    }
    let document = document(context, &observed, lock);
    context.console.result(&document);
    let mut further = Vec::new();
    for one in &boxes.further {
        further.push(show_further(one).await);
    }
    if !further.is_empty() {
        context.console.result(&json!({"boxes": further}));
    }
    if args.check && !document.serves {
        let what = match &observed.host {
            Some((_, status)) if !matches!(gateway_value(status, "ready").as_bool(), Some(true)) => {
                format!("nothing serves: the box is running, ready: {}", ready(status))
            }
            Some(_) => "nothing serves: a container is not healthy".to_owned(),
            None => format!("nothing serves: the box is {}", observed.instance.state),
        };
        return Err(Failure::unchanged(what, next(&observed)));
    }
    context.console.next(next(&observed));
    Ok(())
}

/// Shows a further box, and returns its document. A box whose state cannot be read does not hide the others.
async fn show_further<P: Ports>(context: &DeployContext<'_, P>) -> Value {
    let (console, id) = (context.console, &context.settings.instance_id);
    console.data(&format!("\nfurther box {id}"));
    match observe(context).await {
        Ok(observed) => {
            for line in &text(context, &observed, None) {
                console.data(line);
            }
            json!(document(context, &observed, None))
        }
        Err(failure) => {
            console.data(&format!("box       could not be read: {} {}", failure.what, failure.next));
            json!({"instance": {"id": id}, "error": failure.what})
        }
    }
}

fn next(observed: &Observation) -> &'static str {
    match (&observed.instance.state, &observed.host) {
        (InstanceState::Stopped, _) => "deployer up starts the box.",
        (InstanceState::ShuttingDown | InstanceState::Terminated, _) => {
            "The box is terminated. Make a new one with config/cloudformation.yaml (config/README.md) and set box.instance_id."
        }
        (_, Some((_, status))) if status.half_done => {
            "deployer up or deployer rollback repairs the interrupted switch."
        }
        (_, Some((_, status))) if status.models_cut_off => {
            "deployer up returns to the model that answered before the interrupted change; deployer model list shows it."
        }
        (_, Some((_, status))) if healthy(status) => "deployer down stops the box when you are done.",
        (_, Some(_)) => "deployer logs shows why it does not serve; deployer up starts it.",
        (InstanceState::Running, None) => "The SSM agent does not answer: run deployer doctor.",
        _ => "Run deployer status again in a minute.",
    }
}

fn running_seconds(observed: &Observation) -> Option<u64> {
    let launched = observed.instance.launched.filter(|_| observed.instance.state == InstanceState::Running)?;
    Some(since(u64::try_from(launched).ok()?))
}

#[expect(clippy::cast_precision_loss, reason = "seconds of uptime are far below 2^52")]
fn cost(seconds: u64, usd_per_hour: f64) -> f64 {
    (seconds as f64 / 3600.0 * usd_per_hour * 100.0).round() / 100.0
}

fn document<P>(context: &DeployContext<'_, P>, observed: &Observation, lock: Option<LockHolder>) -> StatusDocument {
    let (settings, instance) = (&context.settings, &observed.instance);
    let seconds = running_seconds(observed);
    let price = running_hour(&settings.prices);
    StatusDocument {
        name: settings.name.clone(),
        instance: InstanceDocument {
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
            HostDocument {
                release: report.release,
                commit: status.commit.clone(),
                config_hash: status.config_hash.clone(),
                half_done: status.half_done,
                models_cut_off: status.models_cut_off,
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
        url: url(context, observed),
        serves: observed.host.as_ref().is_some_and(|(_, status)| healthy(status)),
        lock,
    }
}

fn url<P>(context: &DeployContext<'_, P>, observed: &Observation) -> Option<String> {
    observed.instance.address.as_deref().map(|address| context.settings.url(address))
}

fn text<P>(context: &DeployContext<'_, P>, observed: &Observation, lock: Option<&LockHolder>) -> Vec<String> {
    let (settings, instance) = (&context.settings, &observed.instance);
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
            let cut_off = match (status.half_done, status.models_cut_off) {
                (true, _) => "; A SWITCH WAS INTERRUPTED",
                (false, true) => "; A CHANGE OF MODELS WAS INTERRUPTED",
                (false, false) => "",
            };
            lines.push(format!("release   {release}{cut_off}"));
            lines.extend(status.containers.iter().map(container));
            lines.push(format!("ready     {}", ready(status)));
            lines.extend(model_servers(settings, status).map(|servers| format!("models    {}", servers.shown())));
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
    if let Some(url) = url(context, observed) {
        lines.push(format!("url       {url}"));
    }
    lines.extend(lock.map(|holder| format!("lock      {}", holder.shown())));
    lines
}

/// Returns the step that the host is at, with its progress if it reports one.
fn step(holder: &Holder) -> String {
    let transfer = Transfer::parse(&format!("progress: {}", holder.progress));
    transfer
        .filter(|transfer| transfer.step == holder.step)
        .map_or_else(|| holder.step.clone(), |progress| progress.shown())
}

fn container(one: &Container) -> String {
    let restarts = if one.restarts > 0 { format!(", restarted {} times", one.restarts) } else { String::new() };
    let memory = if one.out_of_memory { ", killed because memory ran out" } else { "" };
    let health = if one.health.is_empty() { "no health" } else { &one.health };
    let digest: String = one.image.rsplit("sha256:").next().unwrap_or_default().chars().take(12).collect();
    format!("{:<9} {} ({health}){restarts}{memory} {digest}", one.service, one.state)
}

fn ready(status: &crate::script::facts::Status) -> String {
    match gateway_value(status, "ready").as_bool() {
        Some(true) => "yes".to_owned(),
        Some(false) => format!("no: {}", gateway_value(status, "reason").as_str().unwrap_or("no reason given")),
        None => "the gateway does not answer".to_owned(),
    }
}

fn number(status: &crate::script::facts::Status, name: &str) -> String {
    gateway_value(status, name).as_u64().map_or_else(|| "?".to_owned(), |number| number.to_string())
}

fn gpu(gpu: &Gpu) -> String {
    format!("{}, {} of {} MiB in use, {} % busy", gpu.name, gpu.memory_used_mib, gpu.memory_total_mib, gpu.utilization)
}

fn autostop(state: &AutostopState) -> String {
    clock(state)
}
