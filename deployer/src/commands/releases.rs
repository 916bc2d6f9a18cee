//! `releases`: the ledger of the last ten, which lies on the host.

use serde::Serialize;
use serde_json::json;

use crate::{
    apply::{command, command::LOOK_SECONDS},
    failure::Failure,
    report::{duration, since},
    script::{Action, facts::Release},
    site::{Ports, Site},
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

pub(super) async fn run<P: Ports>(site: &Site<'_, P>) -> Result<(), Failure> {
    super::running(site).await?;
    let report = command::run(site, "releases", &Action::Releases, LOOK_SECONDS).await?;
    let ledger = report.releases();
    // A release may stand there twice: deployed, and rolled back to. It is current since the last time.
    let current = ledger.iter().rposition(|release| Some(release.release) == report.release);
    let entries: Vec<Entry<'_>> =
        ledger.iter().enumerate().map(|(index, release)| entry(release, Some(index) == current)).collect();
    site.report.result(&json!({"releases": entries}));
    for entry in &entries {
        site.report.data(&line(entry));
    }
    site.report.next("deployer rollback --to N goes back to one that was good.");
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
