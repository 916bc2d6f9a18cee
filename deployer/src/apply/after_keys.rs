//! After a change of keys without a report: the host is asked for its keys, and the failure says of the one key whether
//! it opens the service.

use super::{
    after::Lost,
    command::{self, LOOK_SECONDS},
};
use crate::{
    exit::Exit,
    failure::Failure,
    interrupt::Interrupt,
    script::{Action, HostReport, KeyChange, Keys, Outcome},
    site::{DeployContext, Ports},
};

/// What the host has of the change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum HostKeys {
    /// All of it.
    Whole,
    /// Nothing.
    Nothing,
    /// It was cut off; `there`: the key is in the current release's file.
    CutOff { there: bool },
}

fn found(change: &KeyChange, there: bool, changing: &str) -> HostKeys {
    if changing == change.name {
        HostKeys::CutOff { there }
    } else if there == change.line.is_some() {
        HostKeys::Whole
    } else {
        HostKeys::Nothing
    }
}

/// Asks the host for its keys, and says what is there.
pub(super) async fn aftermath<P: Ports>(
    site: &DeployContext<'_, P>,
    quiet: &Interrupt,
    change: &KeyChange,
    mut lost: Lost,
) -> Result<HostReport, Failure> {
    let name = &change.name;
    let look = Action::Keys(Keys::List);
    let report = match command::run_with(site, quiet, "keys", &look, LOOK_SECONDS).await {
        Ok(report) => report,
        Err(none) => {
            let what = Failure::from(none).what;
            return Err(unseen(lost, name, &what));
        }
    };
    let Some(keys) = report.keys() else { return Err(unseen(lost, name, &report.message)) };
    let there = keys.lines.iter().any(|line| line.split(' ').next() == Some(name));
    let found = found(change, there, &keys.changing);
    if found == HostKeys::Whole && lost.exit != Exit::Interrupted && !lost.running {
        site.report.warn(&format!("{}. The host was asked instead.", lost.what));
        let does = if there { "opens the service" } else { "is refused" };
        return Ok(HostReport { outcome: Outcome::Done, message: format!("The key {name} {does}."), ..report });
    }
    let (mut said, mut next) = words(change, found);
    if lost.running {
        said.push_str(" The command may still reach the host.");
        next = format!("Look with deployer keys list in some minutes. {next}");
    } else if found == HostKeys::Nothing && lost.exit == Exit::NeedsAPerson {
        lost.exit = Exit::FailedUnchanged;
    }
    Err(lost.found(&said, next))
}

/// What is there, and what to do next.
fn words(change: &KeyChange, found: HostKeys) -> (String, String) {
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

fn unseen(lost: Lost, name: &str, why: &str) -> Failure {
    let found = format!("Whether the key {name} opens the service now could not be seen: {why}");
    lost.found(&found, "Run deployer keys list until it answers: it shows the host's keys, and what was cut off.")
}

#[cfg(test)]
mod tests {
    use super::{HostKeys, KeyChange, found, words};

    #[test]
    fn what_is_said_of_the_key_is_what_the_host_has() {
        for (add, there, changing, expected, said) in [
            (true, true, "", HostKeys::Whole, "opens the service, but it was not shown"),
            (true, true, "eve", HostKeys::CutOff { there: true }, "or will when the gateway starts next"),
            (true, false, "eve", HostKeys::CutOff { there: false }, "no key for eve"),
            (true, false, "", HostKeys::Nothing, "no key for eve"),
            (false, true, "", HostKeys::Nothing, "still opens the service: nothing was changed"),
            (false, true, "eve", HostKeys::CutOff { there: true }, "still opens the service; releases before"),
            (false, false, "eve", HostKeys::CutOff { there: false }, "may still open the service"),
            (false, false, "", HostKeys::Whole, "is refused"),
            // Another one's.
            (false, false, "bob", HostKeys::Whole, "is refused"),
        ] {
            let change = KeyChange {
                name: "eve".to_owned(),
                line: add.then(String::new),
                before: String::new(),
                config_hash: String::new(),
            };
            let found = found(&change, there, changing);
            assert_eq!(found, expected, "{add} {there} {changing}");
            let words = words(&change, found).0;
            assert!(words.contains(said), "{add} {there} {changing}: {words}");
        }
    }
}
