//! `model`: which models answer for the public name. A change takes effect without an `up`: the host writes the weights
//! into the gateway's settings, which the gateway reads again. The record on the host lists the earlier answers.

mod answers;
mod evaluate;
mod list;
mod target;

use serde_json::json;

use self::target::ModelShare;
use super::{plan, versions::Versions};
use crate::{
    apply::{StopOnFailure, apply, command, command::READ_ONLY_TIMEOUT_SECONDS},
    approval::approve,
    context::{DeployContext, Ports},
    failure::Failure,
    plan::{Operation, Plan},
    script::{Action, ExpectedRelease, ModelChange, ModelChangeKind, Models, ModelsFound, Route},
};

#[derive(clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: ModelCommand,
}

impl Args {
    /// Whether the command brings the configuration to the host, and so must know the addresses of all boxes.
    pub(super) const fn carries_configuration(&self) -> bool {
        matches!(self.command, ModelCommand::Download { .. })
    }
}

#[derive(clap::Subcommand)]
enum ModelCommand {
    /// List the models that are served, which of them answer for the public name, since when, and with which scores
    List,
    /// Let a model answer for the public name, or several with their shares: `medical-ie@0123abcd=90
    /// medical-ie@89ef4567=10`
    Use {
        /// The model, `NAME@REVISION`; for several models each with `=PERCENT` appended, 100 in total
        #[arg(value_name = "NAME@REVISION[=PERCENT]", required = true, value_parser = target::parse)]
        models: Vec<ModelShare>,
        #[command(flatten)]
        evaluation: evaluate::Args,
        /// Do not ask for approval
        #[arg(long, short)]
        yes: bool,
    },
    /// Let the rules answer and ask no model, at once and without a new image; `model rollback` lets the model answer
    /// again
    Rules {
        /// Do not ask for approval
        #[arg(long, short)]
        yes: bool,
    },
    /// Let the previous models answer again
    Rollback {
        /// Do not ask for approval
        #[arg(long, short)]
        yes: bool,
    },
    /// Bring the configured images and models to the host while the present ones serve; nothing is switched
    Download {
        #[command(flatten)]
        versions: Versions,
        /// Do not ask for approval
        #[arg(long, short)]
        yes: bool,
    },
}

/// The models that the host reported, and its release.
struct HostModels {
    release: ExpectedRelease,
    found: ModelsFound,
}

pub(super) async fn run<P: Ports>(context: &DeployContext<'_, P>, args: &Args) -> Result<(), Failure> {
    match &args.command {
        ModelCommand::List => {
            list::print(context, &on_host(context).await?.found);
            Ok(())
        }
        ModelCommand::Use { models, evaluation, yes } => use_models(context, models, evaluation, *yes).await,
        ModelCommand::Rules { yes } => rules(context, *yes).await,
        ModelCommand::Rollback { yes } => rollback(context, *yes).await,
        ModelCommand::Download { versions, yes } => download(context, versions, *yes).await,
    }
}

/// Asks the host for its models.
async fn on_host<P: Ports>(context: &DeployContext<'_, P>) -> Result<HostModels, Failure> {
    super::running(context).await?;
    let report = command::run(context, "model", &Action::Models(Models::List), READ_ONLY_TIMEOUT_SECONDS).await?;
    match report.models() {
        Some(found) => Ok(HostModels { release: ExpectedRelease::of(report.release), found }),
        None => Err(super::read_only_failure(report, "deployer status shows the state of the host.")),
    }
}

async fn use_models<P: Ports>(
    context: &DeployContext<'_, P>,
    models: &[ModelShare],
    evaluation: &evaluate::Args,
    yes: bool,
) -> Result<(), Failure> {
    let route = target::route(models)?;
    let gold = evaluation.read()?;
    let host = on_host(context).await?;
    target::check_served(&route, &host.found)?;
    let now = Route::of(&host.found.chosen);
    if route == now && host.found.changing.is_empty() {
        nothing_to_do(context, &route);
        return Ok(());
    }
    let scores = if let Some(gold) = gold {
        let new = target::new_models(&route, &host.found);
        Box::pin(evaluate::compare(context, &gold, &new, &host.found)).await?
    } else {
        context.console.warn(
            "without --eval it is not known whether this model reads as well as the present one: deployer model use \
             --eval GOLD.jsonl refuses one that is worse on your own notes",
        );
        String::new()
    };
    let change = ModelChange { kind: ModelChangeKind::Use, route, before: now, scores };
    apply_change(context, host.release, change, yes).await?;
    context
        .console
        .next("deployer model rollback returns to the previous models; deployer model list shows what answers.");
    Ok(())
}

async fn rules<P: Ports>(context: &DeployContext<'_, P>, yes: bool) -> Result<(), Failure> {
    let host = on_host(context).await?;
    let before = Route::of(&host.found.chosen);
    if before == Route::Rules && host.found.changing.is_empty() {
        nothing_to_do(context, &before);
        return Ok(());
    }
    let change = ModelChange { kind: ModelChangeKind::Rules, route: Route::Rules, before, scores: String::new() };
    apply_change(context, host.release, change, yes).await?;
    context
        .console
        .next("deployer model rollback lets the model answer again. Until then the rules answer, also after an up.");
    Ok(())
}

async fn rollback<P: Ports>(context: &DeployContext<'_, P>, yes: bool) -> Result<(), Failure> {
    let host = on_host(context).await?;
    if host.found.former.is_empty() {
        return Err(Failure::unchanged(
            "the record has no previous models; nothing was changed",
            "deployer model list shows what is served; deployer model use NAME@REVISION lets one of them answer.",
        ));
    }
    let route = Route::of(&host.found.former);
    target::check_served(&route, &host.found)?;
    let before = Route::of(&host.found.chosen);
    let change = ModelChange { kind: ModelChangeKind::Rollback, route, before, scores: String::new() };
    apply_change(context, host.release, change, yes).await?;
    context.console.next("deployer model list shows what answers.");
    Ok(())
}

fn nothing_to_do<P>(context: &DeployContext<'_, P>, route: &Route) {
    context.console.result(&json!({"outcome": "nothing_to_do", "route": route.as_str()}));
    context.console.say(&format!("Nothing to do. It answers already: {route}."));
    context.console.next("deployer model list shows it.");
}

/// Asks for approval, then changes the host.
async fn apply_change<P: Ports>(
    context: &DeployContext<'_, P>,
    expect: ExpectedRelease,
    change: ModelChange,
    yes: bool,
) -> Result<(), Failure> {
    let has_rules = change.route == Route::Rules || change.before == Route::Rules;
    let mut lines = vec![
        format!("Plan for {}:", context.settings.name),
        format!("  answers  {} -> {}", change.before, change.route),
    ];
    if !change.scores.is_empty() {
        lines.push(format!("  scores   {}", list::scores(&change.scores)));
    }
    lines.push(
        if has_rules {
            "  outage   the gateway for seconds, after its running notes; the model stays loaded"
        } else {
            "  outage   none: notes that are being read keep their model; a gateway that does not confirm that it read its \
             settings is restarted, in seconds"
        }
        .to_owned(),
    );
    let (route, before, scores) = (change.route.clone(), change.before.clone(), change.scores.clone());
    let operation = Operation::Models { change, expect };
    let approved = approve(Plan { operation, lines }, yes, context.console, context.interrupt).await?;
    let report = apply(context, &approved, StopOnFailure::No).await?.report;
    let message = report.map(|report| report.message).unwrap_or_default();
    context.console.result(&json!({"outcome": "done", "route": route.as_str(), "before": before.as_str(),
        "scores": list::scores_as_json(&scores), "message": message}));
    context.console.say(&message);
    Ok(())
}

/// Brings images and models of the configured release to the host, and switches nothing.
async fn download<P: Ports>(context: &DeployContext<'_, P>, versions: &Versions, yes: bool) -> Result<(), Failure> {
    super::running(context).await?;
    let prepared = plan::prepare(context, versions, false).await?;
    let Operation::Up { mut deploy, expect, .. } = prepared.plan.operation else { return Ok(()) };
    deploy.download_only = true;
    let models: Vec<String> = context.settings.model.adapters.iter().map(crate::config::Adapter::served_name).collect();
    let models = if models.is_empty() { context.settings.model.served_name.clone() } else { models.join(", ") };
    let lines = vec![
        format!("Plan for {}:", context.settings.name),
        format!("  models   {models}, and their base model: into the cache on the host"),
        "  images   those of the next up, where they are not on the host".to_owned(),
        "  outage   none: the current release keeps serving".to_owned(),
    ];
    let plan = Plan { operation: Operation::Download { deploy, expect }, lines };
    let approved = approve(plan, yes, context.console, context.interrupt).await?;
    let report = apply(context, &approved, StopOnFailure::No).await?.report;
    let message = report.map(|report| report.message).unwrap_or_default();
    context.console.result(&json!({"outcome": "done", "models": models, "message": message}));
    context.console.say(&message);
    context.console.next("deployer up serves it: then it only loads.");
    Ok(())
}
