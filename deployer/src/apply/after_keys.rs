//! Handles a change of keys that ended without a report: asks the host for its keys and says in the failure whether
//! the changed key opens the service.

use super::{
    lost_change::{ChangeFound, ChangeOnHost, list_on_host},
    unreported_command::UnreportedCommand,
};
use crate::failure::RUN_AGAIN;
use crate::{
    context::{DeployContext, Ports},
    failure::Failure,
    interrupt::Interrupt,
    script::{Action, HostReport, KeyChange, Keys},
};

/// Returns how much of the change is on the host. `is_there`: the key is in the file of the current release.
/// `changing`: the name of the key whose change was interrupted.
fn compare(change: &KeyChange, is_there: bool, changing: &str) -> ChangeOnHost {
    if changing == change.name {
        ChangeOnHost::Part
    } else if is_there == change.line.is_some() {
        ChangeOnHost::Whole
    } else {
        ChangeOnHost::Nothing
    }
}

/// Asks the host for its keys and returns the report or the failure that follows from them.
pub(super) async fn ask_for_key<P: Ports>(
    context: &DeployContext<'_, P>,
    no_interrupt: &Interrupt,
    change: &KeyChange,
    unreported: UnreportedCommand,
) -> Result<HostReport, Failure> {
    let name = &change.name;
    let question = Action::Keys(Keys::List);
    let (report, keys) = match list_on_host(context, no_interrupt, "keys", &question, HostReport::keys).await {
        Ok(found) => found,
        Err(why) => {
            return Err(unreported.into_failure(
                &format!("It is not known whether the key {name} is valid now: {why}"),
                "Run deployer keys list until it answers: it shows the host's keys, and an interrupted change.",
            ));
        }
    };
    let is_there = keys.lines.iter().any(|line| line.split(' ').next() == Some(name));
    let on_host = compare(change, is_there, &keys.changing);
    let (message, next) = message_and_next(change, on_host, is_there);
    let done = format!("The key {name} {}.", if is_there { "opens the service" } else { "is refused" });
    ChangeFound { on_host, report, done, message, next, look: "deployer keys list" }.into_result(context, unreported)
}

/// Returns what is on the host and what to do next.
fn message_and_next(change: &KeyChange, on_host: ChangeOnHost, is_there: bool) -> (String, String) {
    let name = &change.name;
    let take_away =
        || format!("deployer keys revoke {name} takes it away; then deployer keys add {name} makes another.");
    match (change.line.is_some(), on_host) {
        (true, ChangeOnHost::Nothing) => {
            (format!("The host has no key for {name}: nothing was changed there."), RUN_AGAIN.to_owned())
        }
        (true, ChangeOnHost::Whole) => {
            (format!("The key {name} opens the service, but it was not shown and is kept nowhere."), take_away())
        }
        (true, ChangeOnHost::Part) if !is_there => (format!("The host has no key for {name} yet."), take_away()),
        (true, ChangeOnHost::Part) => (
            format!(
                "The key {name} is on the host and opens the service, or will when the gateway starts next; it was not \
                 shown and is kept nowhere."
            ),
            take_away(),
        ),
        (false, ChangeOnHost::Nothing) => {
            (format!("The key {name} still opens the service: nothing was changed on the host."), RUN_AGAIN.to_owned())
        }
        (false, ChangeOnHost::Part) => (
            format!(
                "The key {name} {} The file on this machine still has it.",
                if is_there {
                    "still opens the service; earlier releases may have lost it."
                } else {
                    "was removed from the host's files, but the gateway may not have read them yet: the key may still open the service."
                }
            ),
            "Run it again: it continues from here.".to_owned(),
        ),
        (false, ChangeOnHost::Whole) => (
            format!("The key {name} is refused; the file on this machine may still have it."),
            "Run it again, which removes it from the file, too.".to_owned(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::{ChangeOnHost, KeyChange, compare, message_and_next};

    #[test]
    fn the_message_about_a_key_describes_the_keys_of_the_host() {
        for (add, is_there, changing, expected, said) in [
            (true, true, "", ChangeOnHost::Whole, "opens the service, but it was not shown"),
            (true, true, "eve", ChangeOnHost::Part, "or will when the gateway starts next"),
            (true, false, "eve", ChangeOnHost::Part, "no key for eve"),
            (true, false, "", ChangeOnHost::Nothing, "no key for eve"),
            (false, true, "", ChangeOnHost::Nothing, "still opens the service: nothing was changed"),
            (false, true, "eve", ChangeOnHost::Part, "still opens the service; earlier releases"),
            (false, false, "eve", ChangeOnHost::Part, "may still open the service"),
            (false, false, "", ChangeOnHost::Whole, "is refused"),
            // The change of another key was interrupted.
            (false, false, "bob", ChangeOnHost::Whole, "is refused"),
        ] {
            let change = KeyChange {
                name: "eve".to_owned(),
                line: add.then(String::new),
                before: String::new(),
                config_hash: String::new(),
            };
            let found = compare(&change, is_there, changing);
            assert_eq!(found, expected, "{add} {is_there} {changing}");
            let words = message_and_next(&change, found, is_there).0;
            assert!(words.contains(said), "{add} {is_there} {changing}: {words}");
        }
    }
}
