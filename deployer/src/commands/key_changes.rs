//! Which API keys come and go with an `up`: the names of the key file against those on the host.

use serde::Serialize;

use super::keys::known;
use crate::{
    apply::{command, command::LOOK_SECONDS, observe::Observed},
    config::{
        ConfigHash,
        keys::{self, KnownKey},
    },
    script::{Action, Keys},
    site::{DeployContext, Ports},
};

/// Names of keys, and no more of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct KeyChanges {
    added: Vec<String>,
    revoked: Vec<String>,
    /// Another key, or other words, under the same name.
    changed: Vec<String>,
}

impl KeyChanges {
    /// Asks the host only where something of the gateway differs. A host that does not say it is no reason to make no
    /// plan: the keys are among the settings, which are said to differ in any case.
    pub(super) async fn look<P: Ports>(site: &DeployContext<'_, P>, observed: &Observed, wanted: &ConfigHash) -> Self {
        let Some((report, status)) = &observed.host else { return Self::default() };
        let same = ConfigHash::parse(&status.config_hash).is_some_and(|hash| hash.gateway == wanted.gateway);
        if same || report.release.is_none() {
            return Self::default();
        }
        let path = site.written.folder().join(&site.settings.gateway.keys_file);
        let Ok(text) = keys::read(&path) else { return Self::default() };
        let answer = command::run(site, "keys", &Action::Keys(Keys::List), LOOK_SECONDS).await;
        let Some(found) = answer.ok().and_then(|report| report.keys()) else {
            site.report.warn("the host did not say which keys it has: deployer keys list compares them");
            return Self::default();
        };
        let on_host: Vec<KnownKey> = found.lines.iter().filter_map(|line| known(line)).collect();
        Self::between(&keys::known(&text), &on_host)
    }

    fn between(file: &[KnownKey], host: &[KnownKey]) -> Self {
        let names = |keys: &[KnownKey], is: &dyn Fn(&KnownKey) -> bool| {
            keys.iter().filter(|key| is(key)).map(|key| key.name.clone()).collect::<Vec<_>>()
        };
        let by_name = |keys: &[KnownKey], name: &str| keys.iter().find(|key| key.name == name).cloned();
        Self {
            added: names(file, &|key| by_name(host, &key.name).is_none()),
            revoked: names(host, &|key| by_name(file, &key.name).is_none()),
            changed: names(file, &|key| by_name(host, &key.name).is_some_and(|other| other != *key)),
        }
    }

    /// For the plan.
    pub(super) fn lines(&self) -> Vec<String> {
        let all = [
            (&self.added, "come", "comes"),
            (&self.revoked, "go: they are refused from then on", "goes: it is refused from then on"),
            (&self.changed, "change under their names", "changes under its name"),
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
    fn names_come_go_and_change() {
        for (file, host, expected) in [
            ("a 1\nb 2\n", "a 1\nb 2\n", &[][..]),
            ("a 1\nb 2\n", "a 1\n", &["  keys     b comes"]),
            ("a 1\n", "a 1\nb 2\nc 3\n", &["  keys     b, c go: they are refused from then on"]),
            ("a 1 path\nb 2\n", "a 1\nb 3\n", &["  keys     a, b change under their names"]),
            (
                "a 1\nd 4\n",
                "b 2\na 2\n",
                &[
                    "  keys     d comes",
                    "  keys     b goes: it is refused from then on",
                    "  keys     a changes under its name",
                ],
            ),
        ] {
            let found = KeyChanges::between(&keys::known(file), &keys::known(host)).lines();
            assert_eq!(found, expected, "{file} against {host}");
        }
    }
}
