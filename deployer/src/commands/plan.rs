//! `plan`: observe and compare. Changes nothing and needs no lock.

use serde_json::{Value, json};

use super::{
    attested::Attested,
    key_changes::KeyChanges,
    versions::{self, Versions},
};
use crate::{
    apply::observe::{Observed, observe},
    config::{Carried, Settings, commit},
    failure::Failure,
    plan::{self, AutostopStep, DesiredState, Limits, Operation, Outage, Plan, ServiceChange, UpPlan, of_autostop},
    report::{duration, money},
    script::{AutostopState, Deploy, Expect},
    site::{DeployContext, Ports},
};

#[derive(clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    versions: Versions,
    /// Start vLLM again even if nothing of it changed
    #[arg(long)]
    restart_vllm: bool,
}

/// What `up` would do, and what to do it with.
pub(super) struct PreparedPlan {
    pub(super) diff: UpPlan,
    pub(super) plan: Plan,
    pub(super) observed: Observed,
    /// The release stays as it is; there may be another thing to do.
    pub(super) same_release: bool,
    keys: KeyChanges,
    attested: Attested,
}

pub(super) async fn run<P: Ports>(site: &DeployContext<'_, P>, args: &Args) -> Result<(), Failure> {
    let prepared = prepare(site, &args.versions, args.restart_vllm).await?;
    prepared.to_document(site);
    for line in &prepared.plan.lines {
        site.report.data(line);
    }
    site.report.next(if prepared.diff.changes { "deployer up does this." } else { "Nothing to do." });
    Ok(())
}

/// Looks and compares.
pub(super) async fn prepare<P: Ports>(
    site: &DeployContext<'_, P>,
    versions: &Versions,
    restart_vllm: bool,
) -> Result<PreparedPlan, Failure> {
    let settings = &site.settings;
    let carried = Carried::gather(&site.written, settings)?;
    let observed = observe(site).await?;
    let (gateway, vllm) = versions::wanted(versions, settings, &observed.images())?;
    let attested = Attested::verify(site, &gateway, &vllm).await?;
    let (gateway, vllm) = attested.images(gateway, vllm);
    let limits = Limits::from(&settings.host());
    let hash = carried.hash.clone();
    let wanted = DesiredState { gateway: gateway.clone(), vllm: vllm.clone(), hash, restart_vllm, limits };
    let mut diff = plan::of_up(&wanted, &observed.now());
    let there = observed.host.as_ref().map(|(_, status)| &status.autostop);
    let autostop = of_autostop(&settings.autostop, settings.wait.drain_seconds, there);
    let keys = KeyChanges::look(site, &observed, &wanted.hash).await;
    let deploy = Deploy {
        gateway,
        vllm,
        files: carried.files,
        env: carried.env,
        commit: commit(&site.written.root()),
        config_hash: carried.hash.to_string(),
        restart_vllm,
    };
    let mut lines = lines(&diff, site);
    lines.extend(attested.lines());
    lines.extend(keys.lines());
    lines.extend(autostop_line(&autostop, settings));
    lines.extend(super::autostop::hours(site));
    let same_release = !diff.changes;
    diff.changes |= matches!(autostop, AutostopStep::Set { .. });
    let expect = observed.host.as_ref().map_or(Expect::Anything, |(report, _)| Expect::of(report.release));
    let work = Operation::Up { deploy: Box::new(deploy), expect, autostop };
    Ok(PreparedPlan { plan: Plan { work, lines }, diff, observed, same_release, keys, attested })
}

impl PreparedPlan {
    /// The fields of the document.
    fn to_document<P>(&self, site: &DeployContext<'_, P>) {
        site.report.result(&self.diff);
        let autostop = match &self.plan.work {
            Operation::Up { autostop: AutostopStep::Set { from, to }, .. } => {
                json!({"from": from.to_string(), "to": to.to_string()})
            }
            _ => Value::Null,
        };
        site.report.result(&json!({"autostop": autostop, "keys": self.keys, "attestations": self.attested}));
    }
}

fn lines<P>(diff: &UpPlan, site: &DeployContext<'_, P>) -> Vec<String> {
    let settings = &site.settings;
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
    if diff.mend {
        lines.push("  mend     a switch was cut off before; this takes over".to_owned());
    }
    lines.push(format!("  gateway  {}", part(&diff.gateway)));
    lines.push(format!("  vllm     {}", part(&diff.vllm)));
    let seconds = duration(diff.outage_seconds);
    lines.push(format!("  outage   {}", match diff.outage {
        Outage::None => "none".to_owned(),
        Outage::Gateway => format!("the gateway for about {seconds}; the model stays loaded"),
        Outage::PerhapsModel => format!("seconds, or about {seconds} of model load if vLLM has to start again: the host finds out"),
        Outage::Model => format!("about {seconds}: vLLM loads the model again, and one L4 cannot hold two copies"),
        Outage::NothingServes => format!("nothing serves now; about {seconds} of model load until it does, the first time a download of {} GiB before", settings.model.gib),
    }));
    if matches!(diff.outage, Outage::Gateway | Outage::PerhapsModel | Outage::Model) {
        let worst = duration(diff.worst_outage_seconds);
        lines.push(format!("  worst    {worst}, if it does not come up and the release before has to come back"));
    }
    lines
}

/// What becomes of the idle stop; nothing where that is nothing.
fn autostop_line(step: &AutostopStep, settings: &Settings) -> Option<String> {
    match step {
        AutostopStep::Keep => None,
        AutostopStep::Set { from, to } => Some(format!("  autostop {from} -> {to}: changed on the box once it serves")),
        AutostopStep::Look => Some(format!(
            "  autostop {}: where the box has another one, it is changed once it serves",
            settings.autostop
        )),
    }
}

/// For `status` and `doctor`: what the configuration says, where the host has something else.
pub(super) fn other_autostop(there: &AutostopState, settings: &Settings) -> Option<String> {
    match of_autostop(&settings.autostop, settings.wait.drain_seconds, Some(there)) {
        AutostopStep::Set { from, to } => Some(format!(
            "{from} on the box, {to} in the configuration: deployer up or deployer autostop on changes it"
        )),
        _ => None,
    }
}

/// `sha256:0123456789ab` or `:tag`.
fn short(image: &str) -> String {
    match image.split_once('@') {
        Some((_, digest)) => digest.chars().take(19).collect(),
        None => image.rsplit_once(':').map_or_else(|| image.to_owned(), |(_, tag)| format!("tag {tag}")),
    }
}

fn part(part: &ServiceChange) -> String {
    match part {
        ServiceChange::Unchanged => "unchanged: goes on running".to_owned(),
        ServiceChange::Start { image } => format!("start {}", short(image)),
        ServiceChange::Image { from, to } => format!("{} -> {}: starts again", short(from), short(to)),
        ServiceChange::Lookup { from, to } => {
            format!("{} -> {}: the host looks up what that is; starts again if it is another", short(from), short(to))
        }
        ServiceChange::Settings => "other settings: starts again".to_owned(),
        ServiceChange::Compose => "docker-compose.yml changed: starts again if its part of it did".to_owned(),
        ServiceChange::Again => "starts again".to_owned(),
    }
}
