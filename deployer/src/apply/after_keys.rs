//! Handles a change of keys that ended without a report: asks the host for its keys and says in the failure whether
//! the changed key opens the service.

use super::{
    command::{self, READ_ONLY_TIMEOUT_SECONDS},
    unreported_command::UnreportedCommand,
};
use crate::{
    context::{DeployContext, Ports},
    exit::Exit,
    failure::Failure,
    interrupt::Interrupt,
    script::{Action, ActionOutcome, HostReport, KeyChange, Keys},
};

/// How much of the change is on the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum HostKeys {
    /// The whole change.
    Whole,
    /// Nothing of the change.
    Nothing,
    /// It was cut off. `there`: the key is in the file of the current release.
    CutOff { there: bool },
}

fn compare_keys(change: &KeyChange, there: bool, changing: &str) -> HostKeys {
    if changing == change.name {
        HostKeys::CutOff { there }
    } else if there == change.line.is_some() {
        HostKeys::Whole
    } else {
        HostKeys::Nothing
    }
}

/// Asks the host for its keys and returns the report or the failure that follows from them.
pub(super) async fn outcome_on_host<P: Ports>(
    context: &DeployContext<'_, P>,
    no_interrupt: &Interrupt,
    change: &KeyChange,
    mut lost: UnreportedCommand,
) -> Result<HostReport, Failure> {
    let name = &change.name;
    let list_keys = Action::Keys(Keys::List);
    let report = match command::run_with(context, no_interrupt, "keys", &list_keys, READ_ONLY_TIMEOUT_SECONDS).await {
        Ok(report) => report,
        Err(error) => {
            let what = Failure::from(error).what;
            return Err(lookup_failure(lost, name, &what));
        }
    };
    let Some(keys) = report.keys() else { return Err(lookup_failure(lost, name, &report.message)) };
    let there = keys.lines.iter().any(|line| line.split(' ').next() == Some(name));
    let found = compare_keys(change, there, &keys.changing);
    if found == HostKeys::Whole && lost.exit != Exit::Interrupted && !lost.running {
        context.console.warn(&format!("{}. The host was asked instead.", lost.what));
        let does = if there { "opens the service" } else { "is refused" };
        return Ok(HostReport { outcome: ActionOutcome::Done, message: format!("The key {name} {does}."), ..report });
    }
    let (mut message, mut next) = message_and_next(change, found);
    if lost.running {
        message.push_str(" The command may still reach the host.");
        next = format!("Look with deployer keys list in some minutes. {next}");
    } else if found == HostKeys::Nothing && lost.exit == Exit::NeedsAPerson {
        lost.exit = Exit::FailedUnchanged;
    }
    Err(lost.into_failure(&message, next))
}

/// Returns what is on the host and what to do next.
fn message_and_next(change: &KeyChange, found: HostKeys) -> (String, String) {
    let name = &change.name;
    let take_away =
        || format!("deployer keys revoke {name} takes it away; then deployer keys add {name} makes another.");
    match (change.line.is_some(), found) {
        (true, HostKeys::Nothing) => (
            format!("The host has no key for {name}: nothing was changed there."),
            "Run it again when it fits.".to_owned(),
        ),
        (true, HostKeys::CutOff { there: false }) => (format!("The host has no key for {name} yet."), take_away()),
        (true, HostKeys::Whole) => {
            (format!("The key {name} opens the service, but it was not shown and is kept nowhere."), take_away())
        }
        (true, HostKeys::CutOff { there: true }) => (
            format!(
                "The key {name} is on the host and opens the service, or will when the gateway starts next; it was not \
                 shown and is kept nowhere."
            ),
            take_away(),
        ),
        (false, HostKeys::Nothing) => (
            format!("The key {name} still opens the service: nothing was changed on the host."),
            "Run it again when it fits.".to_owned(),
        ),
        (false, HostKeys::CutOff { there }) => (
            format!(
                "The key {name} {} The file on this machine still has it.",
                if there {
                    "still opens the service; releases before may have lost it."
                } else {
                    "is out of the host's files, but the gateway may not know that yet: it may still open the service."
                }
            ),
            "Run it again: it goes on where this ended.".to_owned(),
        ),
        (false, HostKeys::Whole) => (
            format!("The key {name} is refused; the file on this machine may still have it."),
            "Run it again, which takes it from the file, too.".to_owned(),
        ),
    }
}

fn lookup_failure(lost: UnreportedCommand, name: &str, why: &str) -> Failure {
    let found = format!("Whether the key {name} opens the service now could not be seen: {why}");
    lost.into_failure(
        &found,
        "Run deployer keys list until it answers: it shows the host's keys, and what was cut off.",
    )
}

#[cfg(test)]
mod tests {
    use super::{HostKeys, KeyChange, compare_keys, message_and_next};

    #[test]
    fn the_message_about_a_key_describes_the_keys_of_the_host() {
        for (add, there, changing, expected, said) in [
            (true, true, "", HostKeys::Whole, "opens the service, but it was not shown"),
            (true, true, "eve", HostKeys::CutOff { there: true }, "or will when the gateway starts next"),
            (true, false, "eve", HostKeys::CutOff { there: false }, "no key for eve"),
            (true, false, "", HostKeys::Nothing, "no key for eve"),
            (false, true, "", HostKeys::Nothing, "still opens the service: nothing was changed"),
            (false, true, "eve", HostKeys::CutOff { there: true }, "still opens the service; releases before"),
            (false, false, "eve", HostKeys::CutOff { there: false }, "may still open the service"),
            (false, false, "", HostKeys::Whole, "is refused"),
            // The change of another key was cut off.
            (false, false, "bob", HostKeys::Whole, "is refused"),
        ] {
            let change = KeyChange {
                name: "eve".to_owned(),
                line: add.then(String::new),
                before: String::new(),
                config_hash: String::new(),
            };
            let found = compare_keys(&change, there, changing);
            assert_eq!(found, expected, "{add} {there} {changing}");
            let words = message_and_next(&change, found).0;
            assert!(words.contains(said), "{add} {there} {changing}: {words}");
        }
    }
}
