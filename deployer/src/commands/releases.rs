//! `releases`: the ledger of the last ten, which lies on the host; while the box is stopped, as it was recorded last.

use serde::Serialize;
use serde_json::json;

use crate::{
    apply::{command, command::LOOK_SECONDS},
    cloud::State,
    failure::Failure,
    ledger::Releases,
    report::{duration, since},
    script::{Action, Outcome, facts::Release},
    site::{DeployContext, Ports},
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

/// The releases that are known.
pub(super) struct KnownReleases {
    pub(super) releases: Releases,
    /// The box is stopped: they are what was recorded when it was last seen.
    pub(super) recorded: bool,
}

/// Asks the host; of a box that is stopped, takes what was recorded.
pub(super) async fn look<P: Ports>(site: &DeployContext<'_, P>) -> Result<KnownReleases, Failure> {
    let instance = crate::apply::boot::look(site).await?;
    if matches!(instance.state, State::Stopped | State::Stopping) {
        return match Releases::read(site).await? {
            Some(releases) => Ok(KnownReleases { releases, recorded: true }),
            None => Err(Failure::unchanged(
                format!("the box is {}, and no release was recorded while it ran", instance.state),
                "deployer up starts it.",
            )),
        };
    }
    super::running(site).await?;
    let report = command::run(site, "releases", &Action::Releases, LOOK_SECONDS).await?;
    if report.outcome != Outcome::Done {
        return Err(super::refused_look(report, "Run deployer status."));
    }
    Ok(KnownReleases { releases: Releases::of(&report), recorded: false })
}

pub(super) async fn run<P: Ports>(site: &DeployContext<'_, P>) -> Result<(), Failure> {
    let KnownReleases { releases, recorded } = look(site).await?;
    // A release may stand there twice: deployed, and rolled back to. It is current since the last time.
    let current = releases.ledger.iter().rposition(|release| Some(release.release) == releases.current);
    let entries: Vec<Entry<'_>> =
        releases.ledger.iter().enumerate().map(|(index, release)| entry(release, Some(index) == current)).collect();
    site.report.result(&json!({"releases": entries, "rollback_target": releases.target, "recorded": recorded}));
    if recorded {
        site.report.say(&format!(
            "The box is stopped; this was recorded {} ago, after the last change.",
            duration(since(releases.at))
        ));
    }
    for entry in &entries {
        site.report.data(&line(entry));
    }
    site.report.next(if recorded {
        "deployer rollback --to N starts the box with one that was good; deployer up with the configured one."
    } else {
        "deployer rollback --to N goes back to one that was good."
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
