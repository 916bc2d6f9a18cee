//! The API keys that an `up` adds, changes and revokes: the difference between the key file and the host.

use serde::Serialize;

use super::keys::known;
use crate::{
    apply::{command, command::READ_ONLY_TIMEOUT_SECONDS, observe::Observation},
    config::{
        BoxRole, ConfigHash,
        keys::{self, KnownKey},
    },
    context::{DeployContext, Ports},
    script::{Action, Keys},
};

/// The names of the keys that change.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct KeyChanges {
    added: Vec<String>,
    revoked: Vec<String>,
    /// Names that have another key, or other limits, in the file than on the host.
    changed: Vec<String>,
}

impl KeyChanges {
    /// Compares the key file with the host's keys. Asks the host only if the hash of the gateway's settings differs. If
    /// the host does not answer, returns no changes, with a warning: the plan then still says that the settings differ.
    pub(super) async fn compare<P: Ports>(
        context: &DeployContext<'_, P>,
        observed: &Observation,
        wanted: &ConfigHash,
    ) -> Self {
        let Some((report, status)) = &observed.host else { return Self::default() };
        // A further box has no keys of clients.
        if matches!(context.settings.role, BoxRole::Model { .. }) {
            return Self::default();
        }
        let same = ConfigHash::parse(&status.config_hash).is_some_and(|hash| hash.gateway == wanted.gateway);
        if same || report.release.is_none() {
            return Self::default();
        }
        let path = context.config_file.folder().join(&context.settings.gateway.keys_file);
        let Ok(text) = keys::read(&path) else { return Self::default() };
        let answer = command::run(context, "keys", &Action::Keys(Keys::List), READ_ONLY_TIMEOUT_SECONDS).await;
        let Some(found) = answer.ok().and_then(|report| report.keys()) else {
            context.console.warn("the host did not report its keys: deployer keys list compares them");
            return Self::default();
        };
        let on_host: Vec<KnownKey> = found.lines.iter().filter_map(|line| known(line)).collect();
        Self::between(&keys::known(&text), &on_host)
    }

    fn between(file: &[KnownKey], host: &[KnownKey]) -> Self {
        let names = |keys: &[KnownKey], has_changed: &dyn Fn(&KnownKey) -> bool| {
            keys.iter().filter(|key| has_changed(key)).map(|key| key.name.clone()).collect::<Vec<_>>()
        };
        let by_name = |keys: &[KnownKey], name: &str| keys.iter().find(|key| key.name == name).cloned();
        Self {
            added: names(file, &|key| by_name(host, &key.name).is_none()),
            revoked: names(host, &|key| by_name(file, &key.name).is_none()),
            changed: names(file, &|key| by_name(host, &key.name).is_some_and(|other| other != *key)),
        }
    }

    /// Returns the lines for the plan.
    pub(super) fn lines(&self) -> Vec<String> {
        let all = [
            (&self.added, "are added", "is added"),
            (
                &self.revoked,
                "are revoked: the gateway refuses them from then on",
                "is revoked: the gateway refuses it from then on",
            ),
            (&self.changed, "get another key or other limits", "gets another key or other limits"),
        ];
        all.iter()
            .filter(|(names, ..)| !names.is_empty())
            .map(|(names, many, one)| {
                format!("  keys     {} {}", names.join(", "), if names.len() == 1 { one } else { many })
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::{KeyChanges, keys};

    #[test]
    fn keys_are_added_revoked_and_changed() {
        for (file, host, expected) in [
            ("a 1\nb 2\n", "a 1\nb 2\n", &[][..]),
            ("a 1\nb 2\n", "a 1\n", &["  keys     b is added"]),
            ("a 1\n", "a 1\nb 2\nc 3\n", &["  keys     b, c are revoked: the gateway refuses them from then on"]),
            ("a 1 path\nb 2\n", "a 1\nb 3\n", &["  keys     a, b get another key or other limits"]),
            (
                "a 1\nd 4\n",
                "b 2\na 2\n",
                &[
                    "  keys     d is added",
                    "  keys     b is revoked: the gateway refuses it from then on",
                    "  keys     a gets another key or other limits",
                ],
            ),
        ] {
            let found = KeyChanges::between(&keys::known(file), &keys::known(host)).lines();
            assert_eq!(found, expected, "{file} against {host}");
        }
    }
}
