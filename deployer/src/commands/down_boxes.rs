//! `down` over several boxes: the gateway's first, so that no note is sent to a model server that stops, then the
//! others. A further box that cannot be stopped does not keep the others running.

use serde_json::json;

use super::boxes::Boxes;
use crate::{
    apply::{StopOnFailure, apply, boot},
    approval::approve_all,
    cloud::InstanceState,
    commands::down::{Args, plan},
    console::money,
    context::Ports,
    failure::Failure,
    hooks::{self, Event},
};

pub(super) async fn run<P: Ports>(boxes: &Boxes<'_, P>, args: &Args) -> Result<(), Failure> {
    let gateway = &boxes.gateway;
    let (console, id_of_gateway) = (gateway.console, &gateway.settings.instance_id);
    let (mut contexts, mut plans, mut problems) = (Vec::new(), Vec::new(), Vec::new());
    for context in std::iter::once(gateway).chain(&boxes.further) {
        let id = &context.settings.instance_id;
        match boot::describe_instance(context).await {
            Ok(instance) => match instance.state {
                InstanceState::Stopped | InstanceState::Terminated | InstanceState::ShuttingDown => {
                    console.say(&format!("The box {id} is {} already.", instance.state));
                }
                _ => {
                    plans.push(plan(context, &instance, args));
                    contexts.push(context);
                }
            },
            // A box whose state cannot be read must not prevent the others from being stopped.
            Err(failure) => problems.push((id, failure)),
        }
    }
    let mut stopped = Vec::new();
    if !plans.is_empty() {
        let lines: Vec<String> = plans.iter().flat_map(|plan| plan.lines.clone()).collect();
        let approved = approve_all(plans, &lines, args.yes, console, gateway.interrupt).await?;
        for (context, approved) in contexts.iter().zip(&approved) {
            let id = &context.settings.instance_id;
            if gateway.interrupt.is_requested() {
                let failure =
                    Failure::interrupted("interrupted before this box was stopped", "Run deployer down again.");
                problems.push((id, failure));
                continue;
            }
            console.about_box(Some(id));
            console.step(&format!("box {id}"));
            let applied = apply(context, approved, StopOnFailure::No).await;
            hooks::after(context, Event::of(context, "down", None, None), &applied).await;
            console.about_box(None);
            match applied {
                Ok(_) => stopped.push(id),
                // A gateway that still runs would fail without its model servers.
                Err(failure) if id == id_of_gateway => {
                    let next = format!("{} The further boxes were not stopped, and cost money too.", failure.next);
                    return Err(Failure { what: format!("box {id}: {}", failure.what), next, ..failure });
                }
                Err(failure) => problems.push((id, failure)),
            }
        }
    }
    console.result(&json!({"stopped": stopped, "changed": !stopped.is_empty()}));
    let price = money(gateway.settings.prices.instance_usd_per_hour);
    let left: Vec<&str> = problems.iter().map(|(id, _)| id.as_str()).collect();
    let left = left.join(", ");
    if let Some((id, failure)) = problems.into_iter().next() {
        let what = failure.what.trim_end_matches('.');
        let what = format!("box {id}: {what}. Not stopped, and each may cost {price} an hour: {left}");
        let next = format!("{} For this box, give deployer status and logs --box {id}.", failure.next);
        return Err(Failure { what, next, ..failure });
    }
    console.say(&format!("All boxes are stopped; each saves {price} an hour, and its disk keeps costing money."));
    console.next("deployer up starts them again.");
    Ok(())
}
