//! `releases`: lists the last ten releases, from the ledger on the host. While the box is stopped, it lists the
//! releases that were recorded last.

use serde::Serialize;
use serde_json::json;

use crate::{
    apply::{command, command::READ_ONLY_TIMEOUT_SECONDS},
    cloud::InstanceState,
    console::{duration, since},
    context::{DeployContext, Ports},
    failure::Failure,
    recorded_releases::Releases,
    script::{Action, ActionOutcome, facts::Release},
};

#[derive(Serialize)]
struct Entry<'a> {
    release: u32,
    current: bool,
    at: u64,
    action: &'a str,
    outcome: &'a str,
    operator: &'a str,
    commit: &'a str,
    config_hash: &'a str,
    gateway: &'a str,
    vllm: &'a str,
}

/// The known releases.
pub(super) struct KnownReleases {
    pub(super) releases: Releases,
    /// Whether the releases come from the record in SSM, because the box is stopped.
    pub(super) recorded: bool,
}

/// Returns the releases: from the host, or from the record if the box is stopped.
pub(super) async fn known_releases<P: Ports>(context: &DeployContext<'_, P>) -> Result<KnownReleases, Failure> {
    let instance = crate::apply::boot::describe_instance(context).await?;
    if matches!(instance.state, InstanceState::Stopped | InstanceState::Stopping) {
        return match Releases::read(context).await? {
            Some(releases) => Ok(KnownReleases { releases, recorded: true }),
            None => Err(Failure::unchanged(
                format!("the box is {}, and no release was recorded while it ran", instance.state),
                "deployer up starts it.",
            )),
        };
    }
    super::running(context).await?;
    let report = command::run(context, "releases", &Action::Releases, READ_ONLY_TIMEOUT_SECONDS).await?;
    if report.outcome != ActionOutcome::Done {
        return Err(super::read_only_failure(report, "Run deployer status."));
    }
    Ok(KnownReleases { releases: Releases::of(&report), recorded: false })
}

pub(super) async fn run<P: Ports>(context: &DeployContext<'_, P>) -> Result<(), Failure> {
    let KnownReleases { releases, recorded } = known_releases(context).await?;
    // The ledger has a release twice if it was deployed and later rolled back to. Only the last entry is current.
    let current = releases.ledger.iter().rposition(|release| Some(release.release) == releases.current);
    let entries: Vec<Entry<'_>> =
        releases.ledger.iter().enumerate().map(|(index, release)| entry(release, Some(index) == current)).collect();
    context.console.result(&json!({"releases": entries, "rollback_target": releases.target, "recorded": recorded}));
    if recorded {
        context.console.say(&format!(
            "The box is stopped; this was recorded {} ago, after the last change.",
            duration(since(releases.at))
        ));
    }
    for entry in &entries {
        context.console.data(&line(entry));
    }
    context.console.next(if recorded {
        "deployer rollback --to N starts the box with a verified release; deployer up starts it with the configured one."
    } else {
        "deployer rollback --to N returns to a verified release."
    });
    Ok(())
}

fn entry(release: &Release, current: bool) -> Entry<'_> {
    Entry {
        release: release.release,
        current,
        at: release.at,
        action: &release.action,
        outcome: &release.outcome,
        operator: &release.operator,
        commit: &release.commit,
        config_hash: &release.config_hash,
        gateway: &release.gateway,
        vllm: &release.vllm,
    }
}

fn line(entry: &Entry<'_>) -> String {
    let digest =
        |image: &str| -> String { image.rsplit("sha256:").next().unwrap_or_default().chars().take(12).collect() };
    format!(
        "{} {:>4}  {:<11}  {:<8}  {:>9} ago  {}  commit {}  gateway {}  vllm {}",
        if entry.current { "*" } else { " " },
        entry.release,
        entry.outcome,
        entry.action,
        duration(since(entry.at)),
        entry.operator,
        entry.commit,
        digest(entry.gateway),
        digest(entry.vllm),
    )
}
