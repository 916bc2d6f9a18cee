//! Handles a change of models that ended without a report: asks the host which models answer and says that in the
//! failure.

use super::{
    command::{self, READ_ONLY_TIMEOUT_SECONDS},
    unreported_command::UnreportedCommand,
};
use crate::{
    context::{DeployContext, Ports},
    exit::Exit,
    failure::Failure,
    interrupt::Interrupt,
    script::{Action, ActionOutcome, HostReport, ModelChange, Models, ModelsFound, Route},
};

/// How much of the change is on the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum HostModels {
    /// The whole change.
    Whole,
    /// Nothing of the change.
    Nothing,
    /// It was cut off: the gateway may answer with either.
    CutOff,
}

fn compare(change: &ModelChange, found: &ModelsFound) -> HostModels {
    if !found.changing.is_empty() {
        HostModels::CutOff
    } else if found.chosen == change.route.as_str() {
        HostModels::Whole
    } else {
        HostModels::Nothing
    }
}

/// Asks the host for its models and returns the report or the failure that follows from them.
pub(super) async fn outcome_on_host<P: Ports>(
    context: &DeployContext<'_, P>,
    no_interrupt: &Interrupt,
    change: &ModelChange,
    mut lost: UnreportedCommand,
) -> Result<HostReport, Failure> {
    let question = Action::Models(Models::List);
    let report = match command::run_with(context, no_interrupt, "model", &question, READ_ONLY_TIMEOUT_SECONDS).await {
        Ok(report) => report,
        Err(error) => return Err(lookup_failure(lost, &Failure::from(error).what)),
    };
    let Some(models) = report.models() else { return Err(lookup_failure(lost, &report.message)) };
    let found = compare(change, &models);
    if found == HostModels::Whole && lost.exit != Exit::Interrupted && !lost.running {
        context.console.warn(&format!("{}. The host was asked instead.", lost.what));
        let message = format!("Now answers: {}.", change.route);
        return Ok(HostReport { outcome: ActionOutcome::Done, message, ..report });
    }
    let (mut message, mut next) = message_and_next(change, found, &Route::of(&models.chosen));
    if lost.running {
        message.push_str(" The command may still reach the host.");
        next = format!("Look with deployer model list in some minutes. {next}");
    } else if found == HostModels::Nothing && lost.exit == Exit::NeedsAPerson {
        lost.exit = Exit::FailedUnchanged;
    }
    Err(lost.into_failure(&message, next))
}

/// Returns what answers and what to do next.
fn message_and_next(change: &ModelChange, found: HostModels, chosen: &Route) -> (String, String) {
    match found {
        HostModels::Whole => (
            format!("The work was done by then: {} answers.", change.route),
            "deployer model rollback goes back.".to_owned(),
        ),
        HostModels::Nothing => {
            (format!("Nothing was changed: {chosen} answers."), "Run it again when it fits.".to_owned())
        }
        HostModels::CutOff => (
            format!("The change was cut off: the gateway may answer with {} or with {chosen}.", change.route),
            "Run it again, which completes it; deployer restart --service gateway returns to what answered before."
                .to_owned(),
        ),
    }
}

fn lookup_failure(lost: UnreportedCommand, why: &str) -> Failure {
    let found = format!("Which models answer now could not be seen: {why}");
    lost.into_failure(&found, "Run deployer model list until it answers: it shows that, and what was cut off.")
}

#[cfg(test)]
mod tests {
    use super::{HostModels, ModelChange, ModelsFound, Route, compare, message_and_next};
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
            ("b@89ef4567=100", "", HostModels::Whole, "b@89ef4567 answers"),
            ("a@0123abcd=100", "", HostModels::Nothing, "Nothing was changed: a@0123abcd answers"),
            ("configured", "", HostModels::Nothing, "what the configuration says answers"),
            ("a@0123abcd=100", "b@89ef4567=100", HostModels::CutOff, "b@89ef4567 or with a@0123abcd"),
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
