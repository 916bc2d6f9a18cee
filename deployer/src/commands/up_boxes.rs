//! `up` over several boxes: the further boxes one after another, then the gateway's. The run stops at the first box
//! that fails, so the gateway never gets a list of model servers of which one was not verified.

use serde_json::{Value, json};

use super::boxes::{Boxes, model_servers};
use crate::failure::RUN_AGAIN;
use crate::{
    apply::{ApplyOutcome, command, command::READ_ONLY_TIMEOUT_SECONDS, observe},
    approval::{ApprovedPlan, approve_all},
    commands::{
        plan::{PreparedUp, prepare, prepare_further_box},
        served, served_document,
        up::{Args, apply_between_hooks, event, not_locked, print_url, verify_unchanged, warn_of_new_address},
    },
    context::{DeployContext, Ports},
    failure::Failure,
    hooks::Event,
    plan::Plan,
    script::{Action, Models, Route},
};

pub(super) async fn run<P: Ports>(boxes: &Boxes<'_, P>, args: &Args) -> Result<(), Failure> {
    let gateway = &boxes.gateway;
    if args.dry_run {
        return Err(Failure::usage(
            "--dry-run prints the script of one box, and box.models has further ones; nothing was changed",
            "deployer plan shows what up would do on each box.",
        ));
    }
    not_locked(gateway).await?;
    let of_gateway = prepare(gateway, &args.versions, args.restart_vllm).await?;
    what_answers_stays(gateway, &of_gateway).await?;
    let mut all = Vec::new();
    for context in &boxes.further {
        all.push((context, prepare_further_box(context, &of_gateway, args.restart_vllm).await?));
    }
    all.push((gateway, of_gateway));
    let lines: Vec<String> = all.iter().flat_map(|(_, prepared)| prepared.plan.lines.clone()).collect();
    let before = all.last().and_then(|(_, prepared)| Some(prepared.observed.last.as_ref()?.url.clone()));
    let mut url = all.last().and_then(|(_, prepared)| address(gateway, prepared));
    let mut run = BoxesRun { done: Vec::new(), documents: Vec::new() };
    if all.iter().all(|(_, prepared)| !prepared.diff.changes) {
        gateway.console.plan(&lines);
        for (context, prepared) in &all {
            run.unchanged(context, prepared, verify_unchanged(context).await)?;
        }
        run.document(gateway);
        gateway.console.say("Nothing to do.");
    } else {
        let changing: Vec<_> = all.into_iter().filter(|(_, prepared)| prepared.diff.changes).collect();
        let events: Vec<Event> = changing.iter().map(|(context, prepared)| event(context, prepared)).collect();
        let (contexts, plans): (Vec<_>, Vec<Plan>) =
            changing.into_iter().map(|(context, prepared)| (context, prepared.plan)).unzip();
        let approved = approve_all(plans, &lines, args.yes, gateway.console, gateway.interrupt).await?;
        for ((context, approved), event) in contexts.into_iter().zip(&approved).zip(events) {
            let applied = run.apply(gateway, context, approved, event, args).await?;
            if context.settings.instance_id == gateway.settings.instance_id {
                served(gateway, &applied);
                url = applied.url;
            }
        }
        run.document(gateway);
    }
    check_model_servers(gateway).await;
    warn_of_new_address(gateway, &before.unwrap_or_default(), url.as_deref());
    print_url(gateway, url.as_deref());
    Ok(())
}

/// Refuses a configuration without a model that answers for the public name. The gateway's box would refuse it too, but
/// only after the further boxes have lost the model.
async fn what_answers_stays<P: Ports>(gateway: &DeployContext<'_, P>, prepared: &PreparedUp) -> Result<(), Failure> {
    if prepared.observed.host.is_none() {
        return Ok(());
    }
    let list = Action::Models(Models::List);
    let report = command::run(gateway, "model", &list, READ_ONLY_TIMEOUT_SECONDS).await?;
    // Without a release nothing answers yet.
    let Some(found) = report.models() else { return Ok(()) };
    let Route::Models(words) = Route::of(&found.chosen) else { return Ok(()) };
    let names = words.split(' ').map(|word| word.split('=').next().unwrap_or(word));
    let is_kept =
        |name: &&str| gateway.config_file.file.model.adapters.iter().any(|adapter| adapter.served_name() == **name);
    let missing: Vec<&str> = names.filter(|name| !name.is_empty() && !is_kept(name)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(Failure::unchanged(
        format!("{} answers for the public name and is not in model.adapters; nothing was changed", missing.join(" ")),
        "Keep it in config/deployment.toml, or let another one answer first: deployer model use, or deployer model rollback.",
    ))
}

fn address<P>(context: &DeployContext<'_, P>, prepared: &PreparedUp) -> Option<String> {
    prepared.observed.instance.address.as_ref().map(|address| context.settings.url(address))
}

/// What this run has done so far.
struct BoxesRun {
    /// The ids of the boxes that have their new release.
    done: Vec<String>,
    documents: Vec<Value>,
}

impl BoxesRun {
    async fn apply<P: Ports>(
        &mut self,
        gateway: &DeployContext<'_, P>,
        context: &DeployContext<'_, P>,
        approved: &ApprovedPlan,
        event: Event,
        args: &Args,
    ) -> Result<ApplyOutcome, Failure> {
        let (console, id) = (context.console, &context.settings.instance_id);
        if gateway.interrupt.is_requested() {
            let failure = Failure::interrupted("interrupted before this box was changed", RUN_AGAIN);
            self.document(gateway);
            return Err(self.stopped(gateway, id, failure));
        }
        console.about_box(Some(id));
        console.step(&format!("box {id}"));
        let applied = apply_between_hooks(context, approved, event, args).await;
        if let Ok(Some(report)) = applied.as_ref().map(|applied| &applied.report) {
            console.say(&report.message);
        }
        console.about_box(None);
        match applied {
            Ok(applied) => {
                self.add(id, served_document(&applied).unwrap_or_default());
                self.done.push(id.clone());
                Ok(applied)
            }
            Err(failure) => {
                self.add(id, json!({"outcome": failure.exit, "message": failure.what}));
                self.document(gateway);
                Err(self.stopped(gateway, id, failure))
            }
        }
    }

    /// Adds a box that needed no change, and whose release was verified again.
    fn unchanged<P, R>(
        &mut self,
        context: &DeployContext<'_, P>,
        prepared: &PreparedUp,
        verified: Result<R, Failure>,
    ) -> Result<(), Failure> {
        let id = &context.settings.instance_id;
        match verified {
            Ok(_) => {
                self.add(id, json!({"outcome": "nothing_to_do", "release": prepared.diff.release}));
                Ok(())
            }
            Err(failure) => Err(Failure { what: format!("box {id}: {}", failure.what), ..failure }),
        }
    }

    fn add(&mut self, id: &str, mut document: Value) {
        if let Some(fields) = document.as_object_mut() {
            fields.insert("box".to_owned(), id.into());
        }
        self.documents.push(document);
    }

    fn document<P>(&self, context: &DeployContext<'_, P>) {
        context.console.result(&json!({"boxes": self.documents}));
    }

    /// Adds to the failure of one box the state of the others.
    fn stopped<P>(&self, gateway: &DeployContext<'_, P>, id: &str, failure: Failure) -> Failure {
        let done = if self.done.is_empty() {
            "No other box was changed".to_owned()
        } else {
            format!("These boxes have their new release: {}", self.done.join(", "))
        };
        let (gateway_line, next) = if id == gateway.settings.instance_id {
            (String::new(), failure.next.clone())
        } else {
            let next = format!(
                "{} For this box, give deployer status, logs and rollback --box {id}. Started boxes keep costing money \
                 (deployer status); deployer down stops all.",
                failure.next
            );
            (
                " The gateway's box was not changed; if it runs, it keeps using the model servers that are ready."
                    .to_owned(),
                next,
            )
        };
        let what = format!("box {id}: {}. {done}.{gateway_line}", failure.what.trim_end_matches('.'));
        Failure { what, next, ..failure }
    }
}

/// Warns of model servers that the gateway does not reach: their boxes were verified, so a firewall blocks the
/// connection, or the keys on the boxes differ.
async fn check_model_servers<P: Ports>(context: &DeployContext<'_, P>) {
    let servers = match observe::ask_status(context).await {
        Ok((_, status)) => model_servers(&context.settings, &status),
        Err(failure) => {
            let what = &failure.what;
            return context.console.warn(&format!("it is not known which model servers the gateway reaches: {what}"));
        }
    };
    match servers {
        Some(servers) if servers.all_ready() => context.console.say(&format!("{}.", servers.shown())),
        Some(servers) => context.console.warn(&format!(
            "{}, and every box was verified: check deployer status in a minute. If it stays so, the security groups do not \
             let port 8000 through from the gateway's box, or the boxes have different keys (config/README.md, several boxes)",
            servers.shown()
        )),
        None => {}
    }
}
