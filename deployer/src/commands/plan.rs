//! `plan`: observe and compare. Changes nothing and needs no lock.

use super::versions::{self, Versions};
use crate::{
    apply::observe::{Observed, observe},
    config::{Carried, Settings, commit},
    failure::Failure,
    plan::{self, Limits, Outage, Part, Plan, UpPlan, Wanted, Work},
    report::{duration, money},
    script::{Deploy, Expect, facts::AutostopState},
    site::{Ports, Site},
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
pub(super) struct Prepared {
    pub(super) diff: UpPlan,
    pub(super) plan: Plan,
    pub(super) observed: Observed,
}

pub(super) async fn run<P: Ports>(site: &Site<'_, P>, args: &Args) -> Result<(), Failure> {
    let prepared = prepare(site, &args.versions, args.restart_vllm).await?;
    site.report.result(&prepared.diff);
    for line in &prepared.plan.lines {
        site.report.data(line);
    }
    site.report.next(if prepared.diff.changes { "deployer up does this." } else { "Nothing to do." });
    Ok(())
}

/// Looks and compares.
pub(super) async fn prepare<P: Ports>(
    site: &Site<'_, P>,
    versions: &Versions,
    restart_vllm: bool,
) -> Result<Prepared, Failure> {
    let settings = &site.settings;
    let carried = Carried::gather(&site.written, settings)?;
    let observed = observe(site).await?;
    let (gateway, vllm) = versions::wanted(versions, settings, &observed.images())?;
    let limits = Limits::from(&settings.host());
    let hash = carried.hash.clone();
    let wanted = Wanted { gateway: gateway.clone(), vllm: vllm.clone(), hash, restart_vllm, limits };
    let diff = plan::of_up(&wanted, &observed.now());
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
    lines.extend(observed.host.as_ref().and_then(|(_, status)| idle_stop(&status.autostop, settings)));
    let expect = observed.host.as_ref().map_or(Expect::Anything, |(report, _)| Expect::of(report.release));
    let work = Work::Up { deploy: Box::new(deploy), expect };
    Ok(Prepared { plan: Plan { work, lines }, diff, observed })
}

fn lines<P>(diff: &UpPlan, site: &Site<'_, P>) -> Vec<String> {
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

/// The idle stop keeps the limits that it was given: other ones in the file are said, because nothing here applies them.
pub(super) fn idle_stop(there: &AutostopState, settings: &Settings) -> Option<String> {
    let wanted = &settings.autostop;
    let same = (there.idle_minutes, there.max_uptime_hours) == (wanted.idle_minutes, wanted.max_uptime_hours);
    (there.on && !same).then(|| {
        format!(
            "  autostop {} min and {} h on the box, {} min and {} h in the configuration (0 h: no limit): deployer autostop on applies them",
            there.idle_minutes, there.max_uptime_hours, wanted.idle_minutes, wanted.max_uptime_hours
        )
    })
}

/// `sha256:0123456789ab` or `:tag`.
fn short(image: &str) -> String {
    match image.split_once('@') {
        Some((_, digest)) => digest.chars().take(19).collect(),
        None => image.rsplit_once(':').map_or_else(|| image.to_owned(), |(_, tag)| format!("tag {tag}")),
    }
}

fn part(part: &Part) -> String {
    match part {
        Part::Unchanged => "unchanged: goes on running".to_owned(),
        Part::Start { image } => format!("start {}", short(image)),
        Part::Image { from, to } => format!("{} -> {}: starts again", short(from), short(to)),
        Part::Lookup { from, to } => {
            format!("{} -> {}: the host looks up what that is; starts again if it is another", short(from), short(to))
        }
        Part::Settings => "other settings: starts again".to_owned(),
        Part::Compose => "docker-compose.yml changed: starts again if its part of it did".to_owned(),
        Part::Again => "starts again".to_owned(),
    }
}
