//! `plan`: compares the wanted state with the present one. It changes nothing and needs no lock.

use serde_json::{Value, json};

use super::{
    attestations::Attestations,
    boxes::{self, Boxes},
    key_changes::KeyChanges,
    versions::{self, Versions},
};
use crate::{
    apply::observe::{Observation, observe},
    config::{DeployPayload, Settings, commit},
    console::{duration, money},
    context::{DeployContext, Ports},
    failure::Failure,
    plan::{
        self, AutostopStep, DesiredState, Operation, Outage, Plan, ServiceChange, TimeLimits, UpDiff, plan_autostop,
    },
    script::{AutostopState, Deploy, ExpectedRelease, ImageWanted},
};

#[derive(clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    versions: Versions,
    /// Restart vLLM even if nothing about it changed
    #[arg(long)]
    restart_vllm: bool,
}

/// The plan of an `up`, and everything that is needed to apply it.
pub(super) struct PreparedUp {
    pub(super) diff: UpDiff,
    pub(super) plan: Plan,
    pub(super) observed: Observation,
    /// Whether the release stays the same. The plan may still change the idle stop.
    pub(super) same_release: bool,
    keys: KeyChanges,
    attestations: Attestations,
}

pub(super) async fn run<P: Ports>(boxes: &Boxes<'_, P>, args: &Args) -> Result<(), Failure> {
    let context = &boxes.gateway;
    let prepared = prepare(context, &args.versions, args.restart_vllm).await?;
    prepared.to_document(context);
    let (mut changes, mut documents) = (prepared.diff.changes, Vec::new());
    // In the order in which `up` changes the boxes.
    for further in &boxes.further {
        let prepared_further = prepare_further_box(further, &prepared, args.restart_vllm).await?;
        changes |= prepared_further.diff.changes;
        documents.push(json!({"box": further.settings.instance_id, "plan": prepared_further.diff}));
        for line in &prepared_further.plan.lines {
            context.console.data(line);
        }
    }
    if !documents.is_empty() {
        context.console.result(&json!({"boxes": documents, "changes": changes}));
    }
    for line in &prepared.plan.lines {
        context.console.data(line);
    }
    context.console.next(if changes { "deployer up does this." } else { "Nothing to do." });
    Ok(())
}

/// Observes the box and makes the plan.
pub(super) async fn prepare<P: Ports>(
    context: &DeployContext<'_, P>,
    versions: &Versions,
    restart_vllm: bool,
) -> Result<PreparedUp, Failure> {
    let settings = &context.settings;
    let payload = DeployPayload::gather(&context.config_file, settings)?;
    let observed = observe(context).await?;
    let (gateway, vllm) = versions::wanted(versions, settings, &observed.images())?;
    let attestations = Attestations::verify_images(context, &gateway, &vllm).await?;
    let images = attestations.images(gateway, vllm);
    Ok(make_plan(context, payload, observed, images, attestations, restart_vllm).await)
}

/// Observes a further box and makes the plan that brings it to the images of the gateway's box.
pub(super) async fn prepare_further_box<P: Ports>(
    context: &DeployContext<'_, P>,
    of_gateway: &PreparedUp,
    restart_vllm: bool,
) -> Result<PreparedUp, Failure> {
    let payload = DeployPayload::gather(&context.config_file, &context.settings)?;
    let observed = observe(context).await?;
    let Some(deploy) = of_gateway.deploy() else {
        return Err(Failure::unchanged("the gateway's box has no plan; nothing was changed", "Report this."));
    };
    let images = (deploy.gateway.clone(), deploy.vllm.clone());
    Ok(make_plan(context, payload, observed, images, Attestations::default(), restart_vllm).await)
}

async fn make_plan<P: Ports>(
    context: &DeployContext<'_, P>,
    payload: DeployPayload,
    observed: Observation,
    (gateway, vllm): (ImageWanted, ImageWanted),
    attestations: Attestations,
    restart_vllm: bool,
) -> PreparedUp {
    let settings = &context.settings;
    let limits = TimeLimits::from(&settings.host());
    let hash = payload.hash.clone();
    let wanted = DesiredState { gateway: gateway.clone(), vllm: vllm.clone(), hash, restart_vllm, limits };
    let mut diff = plan::up_diff(&wanted, &observed.current_state());
    let on_host = observed.host.as_ref().map(|(_, status)| &status.autostop);
    let autostop = plan_autostop(&settings.autostop, settings.wait.drain_seconds, on_host);
    let keys = KeyChanges::compare(context, &observed, &wanted.hash).await;
    let deploy = Deploy {
        gateway,
        vllm,
        files: payload.files,
        env: payload.env,
        commit: commit(&context.config_file.root()),
        config_hash: payload.hash.to_string(),
        restart_vllm,
        download_only: false,
    };
    let mut lines = lines(&diff, context);
    lines.extend(attestations.lines());
    lines.extend(keys.lines());
    lines.extend(autostop_line(&autostop, settings));
    lines.extend(super::autostop::hours(context));
    let same_release = !diff.changes;
    diff.changes |= matches!(autostop, AutostopStep::Set { .. });
    let expect = observed.host.as_ref().map_or(ExpectedRelease::Any, |(report, _)| ExpectedRelease::of(report.release));
    let operation = Operation::Up { deploy: Box::new(deploy), expect, autostop };
    PreparedUp { plan: Plan { operation, lines }, diff, observed, same_release, keys, attestations }
}

impl PreparedUp {
    /// Returns what would be deployed.
    pub(super) fn deploy(&self) -> Option<&Deploy> {
        match &self.plan.operation {
            Operation::Up { deploy, .. } => Some(deploy.as_ref()),
            _ => None,
        }
    }

    /// Adds the plan to the JSON document.
    fn to_document<P>(&self, context: &DeployContext<'_, P>) {
        context.console.result(&self.diff);
        let autostop = match &self.plan.operation {
            Operation::Up { autostop: AutostopStep::Set { from, to }, .. } => {
                json!({"from": from.to_string(), "to": to.to_string()})
            }
            _ => Value::Null,
        };
        context.console.result(&json!({"autostop": autostop, "keys": self.keys, "attestations": self.attestations}));
    }
}

fn lines<P>(diff: &UpDiff, context: &DeployContext<'_, P>) -> Vec<String> {
    let settings = &context.settings;
    let release = diff.release.map_or_else(|| "no release known".to_owned(), |number| format!("now release {number}"));
    let mut lines = vec![
        format!("Plan for {} ({}, {}; {release}):", settings.name, settings.instance_id, settings.region),
        format!(
            "  box      {}",
            if diff.start {
                format!(
                    "{}: start it; it costs {} an hour while it runs",
                    diff.instance,
                    money(settings.prices.instance_usd_per_hour)
                )
            } else {
                diff.instance.clone()
            }
        ),
    ];
    lines.extend(boxes::role_line(settings));
    if diff.repair {
        lines.push("  repair   an earlier switch was interrupted; this run repairs it".to_owned());
    }
    lines.push(format!("  gateway  {}", service_line(&diff.gateway)));
    lines.push(format!("  vllm     {}", service_line(&diff.vllm)));
    let seconds = duration(diff.outage_seconds);
    lines.push(format!("  outage   {}", match diff.outage {
        Outage::None => "none".to_owned(),
        Outage::Gateway => format!("the gateway for about {seconds}; the model stays loaded"),
        Outage::PerhapsModel => format!("seconds, or about {seconds} of model load if vLLM has to start again: the host decides"),
        Outage::Model => format!("about {seconds}: vLLM loads the model again, and one L4 cannot hold two copies"),
        Outage::NothingServes => format!("nothing serves now; loading the model takes about {seconds}; the first deploy downloads {} GiB before that", settings.model.gib),
    }));
    if matches!(diff.outage, Outage::Gateway | Outage::PerhapsModel | Outage::Model) {
        let worst = duration(diff.worst_outage_seconds);
        lines.push(format!("  worst    {worst}, if the new release fails and the host restores the previous one"));
    }
    lines
}

/// Returns the line about the idle stop; `None` if the idle stop stays as it is.
fn autostop_line(step: &AutostopStep, settings: &Settings) -> Option<String> {
    match step {
        AutostopStep::Keep => None,
        AutostopStep::Set { from, to } => {
            Some(format!("  autostop {from} -> {to}: set on the box after the release serves"))
        }
        AutostopStep::AskHost => Some(format!(
            "  autostop {}: if the box has other limits, they are changed after the release serves",
            settings.autostop
        )),
    }
}

/// Returns a text for `status` and `doctor` if the host's idle stop differs from the configuration.
pub(super) fn other_autostop(on_host: &AutostopState, settings: &Settings) -> Option<String> {
    match plan_autostop(&settings.autostop, settings.wait.drain_seconds, Some(on_host)) {
        AutostopStep::Set { from, to } => Some(format!(
            "{from} on the box, {to} in the configuration: deployer up or deployer autostop on changes it"
        )),
        _ => None,
    }
}

/// Returns the short form of an image: `sha256:0123456789ab` or `tag 3f2a1b9`.
fn short(image: &str) -> String {
    match image.split_once('@') {
        Some((_, digest)) => digest.chars().take(19).collect(),
        None => image.rsplit_once(':').map_or_else(|| image.to_owned(), |(_, tag)| format!("tag {tag}")),
    }
}

fn service_line(change: &ServiceChange) -> String {
    match change {
        ServiceChange::Unchanged => "unchanged: keeps running".to_owned(),
        ServiceChange::Start { image } => format!("start {}", short(image)),
        ServiceChange::Image { from, to } => format!("{} -> {}: starts again", short(from), short(to)),
        ServiceChange::UnresolvedTag { from, to } => {
            format!("{} -> {}: the host resolves the tag; starts again if the image differs", short(from), short(to))
        }
        ServiceChange::Settings => "other settings: starts again".to_owned(),
        ServiceChange::Compose => "docker-compose.yml changed: starts again if this service's part changed".to_owned(),
        ServiceChange::Restart => "starts again".to_owned(),
    }
}
