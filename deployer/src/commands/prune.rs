//! `prune`: frees space on the host's disk. It removes images, and with `--models` models, that neither the current
//! release nor the release that a rollback would choose needs.

use serde_json::json;

use crate::{
    apply::{StopOnFailure, apply, command, command::READ_ONLY_TIMEOUT_SECONDS},
    approval::approve,
    console::size,
    context::{DeployContext, Ports},
    failure::Failure,
    plan::{Operation, Plan},
    script::{
        Action, ActionOutcome, ExpectedRelease, HostReport,
        facts::{DiskUse, PruneCandidates},
    },
};

#[derive(clap::Args)]
pub(super) struct Args {
    /// Also remove models in the model server's volume
    #[arg(long)]
    models: bool,
    /// Print the plan and remove nothing
    #[arg(long)]
    dry_run: bool,
    /// Do not ask for approval
    #[arg(long, short)]
    yes: bool,
}

pub(super) async fn run<P: Ports>(context: &DeployContext<'_, P>, args: &Args) -> Result<(), Failure> {
    super::running(context).await?;
    let action = Action::Prune { models: args.models, approved: None };
    let report = command::run(context, "prune", &action, READ_ONLY_TIMEOUT_SECONDS).await?;
    let (ActionOutcome::Done, Some(found)) = (report.outcome, report.unneeded()) else {
        return Err(super::read_only_failure(report, "deployer status shows the state of the host."));
    };
    for warning in &report.warnings {
        context.console.warn(warning);
    }
    result(context, &found, &report, false);
    let (lines, nothing) =
        (lines(context, &found, report.left_out()), found.images.is_empty() && found.models.is_empty());
    if nothing || args.dry_run {
        context.console.plan(&lines);
        context.console.next(match (nothing, args.models) {
            (false, _) => "Nothing was changed. Without --dry-run, deployer prune removes it.",
            (true, true) => "Nothing to remove.",
            (true, false) => "Nothing to remove. deployer prune --models checks models as well.",
        });
        return Ok(());
    }
    let operation =
        Operation::Prune { models: args.models, list: found.list.clone(), expect: ExpectedRelease::of(report.release) };
    let approved = approve(Plan { operation, lines }, args.yes, context.console, context.interrupt).await?;
    let applied = apply(context, &approved, StopOnFailure::No).await?;
    if let Some(report) = &applied.report
        && let Some(done) = report.unneeded()
    {
        result(context, &done, report, true);
        let after = done.free_after.unwrap_or_default();
        context.console.say(&format!(
            "{} The disk has {} free; before, it had {}.",
            report.message,
            size(after),
            size(done.free_before)
        ));
    }
    context.console.next(match report.left_out() {
        0 => "deployer status shows the disk.",
        _ => "There are more items than fit into one list: run deployer prune again.",
    });
    Ok(())
}

fn result<P>(context: &DeployContext<'_, P>, found: &PruneCandidates, report: &HostReport, removed: bool) {
    context.console.result(&json!({
        "images": found.images,
        "models": found.models,
        "bytes": bytes(&found.images).saturating_add(bytes(&found.models)),
        "kept_releases": found.kept,
        "free_before": found.free_before,
        "free_after": found.free_after,
        "left_out": report.left_out(),
        "removed": removed,
        "warnings": report.warnings,
    }));
}

fn bytes(found: &[DiskUse]) -> u64 {
    found.iter().fold(0, |sum, one| sum.saturating_add(one.bytes))
}

fn lines<P>(context: &DeployContext<'_, P>, found: &PruneCandidates, left_out: u64) -> Vec<String> {
    let kept: Vec<String> = found.kept.iter().map(ToString::to_string).collect();
    let mut lines = vec![format!("Plan for {}:", context.settings.name)];
    for (kind, things) in [("image", &found.images), ("model", &found.models)] {
        lines.extend(things.iter().map(|thing| format!("  {kind}    {:>7}  {}", size(thing.bytes), thing.name)));
    }
    if found.images.is_empty() && found.models.is_empty() {
        lines.push("  nothing  a kept release needs every item that was found".to_owned());
    } else {
        let bytes = bytes(&found.images).saturating_add(bytes(&found.models));
        let shared = if found.images.is_empty() { "" } else { "; images may share parts of it with others" };
        lines.push(format!("  frees    at most {}{shared}", size(bytes)));
    }
    if left_out > 0 {
        lines.push(format!("  more     {left_out} further ones are left for the next time"));
    }
    lines.push(format!("  disk     {} free now", size(found.free_before)));
    lines.push(match kept.as_slice() {
        [one] => format!("  kept     what release {one} needs, the current one; there is none to roll back to"),
        _ => format!(
            "  kept     what releases {} need: the current one, and the one that rollback goes to",
            kept.join(" and ")
        ),
    });
    lines.push("  outage   none; a rollback --to an older release downloads again what it needs".to_owned());
    lines
}
