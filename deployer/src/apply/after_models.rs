//! Handles a change of models that ended without a report: asks the host which models answer and says that in the
//! failure.

use super::{
    lost_change::{ChangeFound, ChangeOnHost, list_on_host},
    unreported_command::UnreportedCommand,
};
use crate::failure::RUN_AGAIN;
use crate::{
    context::{DeployContext, Ports},
    failure::Failure,
    interrupt::Interrupt,
    script::{Action, HostReport, ModelChange, Models, ModelsFound, Route},
};

fn compare(change: &ModelChange, found: &ModelsFound) -> ChangeOnHost {
    if !found.changing.is_empty() {
        ChangeOnHost::Part
    } else if found.chosen == change.route.as_str() {
        ChangeOnHost::Whole
    } else {
        ChangeOnHost::Nothing
    }
}

/// Asks the host for its models and returns the report or the failure that follows from them.
pub(super) async fn ask_which_models_answer<P: Ports>(
    context: &DeployContext<'_, P>,
    no_interrupt: &Interrupt,
    change: &ModelChange,
    unreported: UnreportedCommand,
) -> Result<HostReport, Failure> {
    let question = Action::Models(Models::List);
    let (report, models) = match list_on_host(context, no_interrupt, "model", &question, HostReport::models).await {
        Ok(found) => found,
        Err(why) => {
            return Err(unreported.into_failure(
                &format!("It is not known which models answer now: {why}"),
                "Run deployer model list until it answers: it shows the models, and an interrupted change.",
            ));
        }
    };
    let on_host = compare(change, &models);
    let (message, next) = message_and_next(change, on_host, &Route::of(&models.chosen));
    let done = format!("Now answers: {}.", change.route);
    ChangeFound { on_host, report, done, message, next, look: "deployer model list" }.into_result(context, unreported)
}

/// Returns what answers and what to do next.
fn message_and_next(change: &ModelChange, on_host: ChangeOnHost, chosen: &Route) -> (String, String) {
    match on_host {
        ChangeOnHost::Whole => (
            format!("The change is complete: {} answers.", change.route),
            "deployer model rollback returns to the previous models.".to_owned(),
        ),
        ChangeOnHost::Nothing => (format!("Nothing was changed: {chosen} answers."), RUN_AGAIN.to_owned()),
        ChangeOnHost::Part => (
            format!("The change was interrupted: the gateway may answer with {} or with {chosen}.", change.route),
            "Run it again, which completes it; deployer restart --service gateway returns to what answered before."
                .to_owned(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::{ChangeOnHost, ModelChange, ModelsFound, Route, compare, message_and_next};
    use crate::script::ModelChangeKind;

    #[test]
    fn the_message_says_which_models_answer() {
        let change = ModelChange {
            kind: ModelChangeKind::Use,
            route: Route::of("b@89ef4567=100"),
            before: Route::of("a@0123abcd=100"),
            scores: String::new(),
        };
        for (chosen, changing, expected, said) in [
            ("b@89ef4567=100", "", ChangeOnHost::Whole, "b@89ef4567 answers"),
            ("a@0123abcd=100", "", ChangeOnHost::Nothing, "Nothing was changed: a@0123abcd answers"),
            ("configured", "", ChangeOnHost::Nothing, "what the configuration says answers"),
            ("a@0123abcd=100", "b@89ef4567=100", ChangeOnHost::Part, "b@89ef4567 or with a@0123abcd"),
        ] {
            let models =
                ModelsFound { chosen: chosen.to_owned(), changing: changing.to_owned(), ..ModelsFound::default() };
            let found = compare(&change, &models);
            assert_eq!(found, expected, "{chosen} {changing}");
            let message = message_and_next(&change, found, &Route::of(chosen)).0;
            assert!(message.contains(said), "{chosen} {changing}: {message}");
        }
    }
}
