//! `rollback`: returns to an earlier release that is still on the host. A stopped box is started first.

use serde_json::json;

use super::releases::{self, KnownReleases};
use crate::{
    apply::{StopOnFailure, apply},
    approval::approve,
    config::ConfigHash,
    console::money,
    context::{DeployContext, Ports},
    failure::Failure,
    hooks::{self, Event},
    plan::{Operation, Plan},
    script::{Action, ExpectedRelease, facts::Release, script},
};

#[derive(clap::Args)]
pub(super) struct Args {
    /// The number of the release (default: the last good release before the current one)
    #[arg(long, value_name = "N")]
    to: Option<u32>,
    /// Do not ask for approval
    #[arg(long, short)]
    yes: bool,
    /// Print the plan, and the script that would run on the host, and change nothing
    #[arg(long)]
    dry_run: bool,
}

pub(super) async fn run<P: Ports>(context: &DeployContext<'_, P>, args: &Args) -> Result<(), Failure> {
    // The host knows which releases were good and were not rolled back from. Its choice goes into the plan, so that the
    // operator approves exactly that release.
    let KnownReleases { releases, recorded } = releases::known_releases(context).await?;
    let target = args.to.or(releases.target);
    if target.is_none() {
        return Err(Failure::unchanged(
            "there is no earlier release that was verified; nothing was changed",
            "deployer releases lists all; deployer rollback --to N accepts a release that was rolled back from.",
        ));
    }
    let expect = ExpectedRelease::of(releases.current);
    let entry = |number: Option<u32>| releases.ledger.iter().rev().find(|release| Some(release.release) == number);
    let mut lines = lines(context, releases.current, target, entry(target));
    if recorded {
        let price = money(context.settings.prices.instance_usd_per_hour);
        lines.push("  outage   nothing serves now; loading the model takes about 6 min".to_owned());
        lines.push(format!("  box      stopped: it is started first, and costs {price} an hour from then on"));
        lines.extend(super::autostop::hours(context));
    } else {
        lines.push(outage(entry(releases.current), entry(target)));
    }
    let plan = Plan { operation: Operation::Rollback { to: target, expect }, lines };
    if args.dry_run {
        context.console.plan(&plan.lines);
        let script = script(&Action::Rollback { to: target }, &context.settings.host());
        let script = script.expecting(expect).masked();
        context.console.result(&json!({"plan": plan.lines, "script": script}));
        context.console.data(&script);
        context.console.next("Nothing was changed. deployer rollback does it.");
        return Ok(());
    }
    let approved = approve(plan, args.yes, context.console, context.interrupt).await?;
    let applied = apply(context, &approved, StopOnFailure::Ask).await;
    hooks::after(context, Event::of(context, "rollback", None, releases.current), &applied).await;
    let applied = applied?;
    super::served(context, &applied);
    if let Some(report) = &applied.report {
        context.console.say(&report.message);
    }
    super::autostop::say_next_stop(context, applied.autostop.as_ref());
    if let Some(url) = &applied.url {
        context.console.data(url);
    }
    context.console.next("deployer status shows what serves; deployer up deploys the configured release again.");
    Ok(())
}

fn lines<P>(
    context: &DeployContext<'_, P>,
    now: Option<u32>,
    target: Option<u32>,
    to: Option<&Release>,
) -> Vec<String> {
    let number = |release: Option<u32>| release.map_or_else(|| "none".to_owned(), |number| number.to_string());
    let what = to.map_or_else(
        || "not in the ledger; the host decides".to_owned(),
        |to| format!("commit {}, deployed by {}, {}", to.commit, to.operator, to.outcome),
    );
    vec![
        format!("Plan for {} ({}, {}):", context.settings.name, context.settings.instance_id, context.settings.region),
        format!("  release  {} -> {} ({what})", number(now), number(target)),
    ]
}

fn outage(from: Option<&Release>, to: Option<&Release>) -> String {
    let model = |release: &Release| {
        (release.vllm.clone(), ConfigHash::parse(&release.config_hash).map(|hash| (hash.vllm, hash.compose)))
    };
    let same_model = matches!((from, to), (Some(from), Some(to)) if model(from) == model(to));
    let how = if same_model { "the gateway for seconds; the model stays loaded" } else { "about 6 min of model load" };
    format!("  outage   {how}")
}
