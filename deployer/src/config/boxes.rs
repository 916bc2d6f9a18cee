//! `[[box.models]]`: further boxes, whose model servers read for the gateway of `box.instance_id`. Each has one role,
//! and a deploy to it carries the second compose file of that role.

use serde::Deserialize;

use super::ValueOrReference;
use crate::failure::Failure;

/// The most further boxes: `up` serves one after another, and each may load its model for minutes.
const MOST: usize = 8;

/// The keys of a `[[box.models]]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelBox {
    /// The id of the instance: `i-...`.
    pub instance_id: ValueOrReference,
}

/// What runs on a box.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BoxRole {
    /// The gateway and a model server. The gateway also asks the model servers at these private addresses.
    Gateway {
        /// The addresses of the further boxes; none where there is one box.
        others: Vec<String>,
    },
    /// A model server, whose port the gateway of another box reaches.
    Model {
        /// The private address that the port listens on.
        address: String,
    },
}

/// The second compose file of the gateway's box, where there are several boxes.
const OTHER_BOXES: &str = "config/compose.other-boxes.yml";
/// The second compose file of a further box, and the settings of its port.
const MODEL_PORT: [&str; 2] = ["config/compose.model-port.yml", "config/Caddyfile.model-port"];

/// The variables that the deployer sets for several boxes. `[gateway.env]` must not contain them.
pub(super) const VARIABLES: [&str; 4] =
    ["OTHER_MODEL_SERVERS", "ALL_MODEL_PLACES", "MODEL_SERVER_KEY_FILE", "MODEL_PORT_BIND"];

/// The key between the boxes, as a file that an operator put on each host: no secret travels with a deploy. Compose
/// reads the paths from the folder of a release, whose parent is `releases` (`script/bash/deploy.sh` checks them).
const GATEWAY_KEY: &str = "../../model-server.key";
const MODEL_PORT_KEY: &str = "../../model-port.key";

/// Returns the files that a deploy to a box of this role carries besides the others.
pub(super) const fn files(role: &BoxRole) -> &'static [&'static str] {
    match role {
        BoxRole::Gateway { others } if others.is_empty() => &[],
        BoxRole::Gateway { .. } => &[OTHER_BOXES],
        BoxRole::Model { .. } => &MODEL_PORT,
    }
}

/// Returns the variables of these files. `places` is how many notes one model server reads at once.
pub(super) fn variables(role: &BoxRole, places: u32) -> Vec<(String, String)> {
    let variables = match role {
        BoxRole::Gateway { others } if others.is_empty() => Vec::new(),
        BoxRole::Gateway { others } => {
            let servers: Vec<String> = others.iter().map(|address| model_server(address)).collect();
            let boxes = u32::try_from(others.len()).unwrap_or(u32::MAX).saturating_add(1);
            vec![
                ("OTHER_MODEL_SERVERS", servers.join(",")),
                ("ALL_MODEL_PLACES", places.saturating_mul(boxes).to_string()),
                ("MODEL_SERVER_KEY_FILE", GATEWAY_KEY.to_owned()),
            ]
        }
        BoxRole::Model { address } => {
            vec![("MODEL_PORT_BIND", address.clone()), ("MODEL_SERVER_KEY_FILE", MODEL_PORT_KEY.to_owned())]
        }
    };
    variables.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// Returns the URL of the model server of a further box.
pub(super) fn model_server(address: &str) -> String {
    format!("http://{address}:8000")
}

/// Returns a key file with a digest that no key has, so it accepts no client. The gateway of a further box does not
/// start with an empty key file, and a further box does not need the keys of the clients.
pub(super) fn no_keys() -> Vec<u8> {
    format!("nobody {}\n", "0".repeat(64)).into_bytes()
}

/// Returns the first key of the configuration that does not fit several boxes, and what it must be. `adapters`: whether
/// `model.adapters` names any; `hours`: whether the idle stop stops a box at a time, whatever runs.
pub(super) fn wrong(models: &[ModelBox], adapters: bool, hours: bool) -> Option<(String, String)> {
    if models.is_empty() {
        return None;
    }
    let refuse = |key: &str, must: &str| Some((key.to_owned(), must.to_owned()));
    if models.len() > MOST {
        return refuse("box.models", "must be at most 8 further boxes");
    }
    for (index, further) in models.iter().enumerate() {
        if let ValueOrReference::Literal(id) = &further.instance_id
            && !is_instance(id)
        {
            let key = format!("box.models, number {}: instance_id", index + 1);
            return Some((key, "must have the form i-0123456789abcdef0, or be a reference (ssm:/...)".to_owned()));
        }
    }
    if !adapters {
        return refuse(
            "model.adapters",
            "must name the adapter where box.models has further boxes: only with it do the boxes serve models under names \
             that end in the revision, so that no note is read by another model than the gateway asked for while one box \
             after another is changed",
        );
    }
    if hours {
        return refuse(
            "autostop",
            "must have no stop_at and no max_uptime_hours where box.models has further boxes: the idle stop knows one box, \
             and would leave the others running; deployer down stops all of them",
        );
    }
    None
}

/// Refuses ids of further boxes, with references resolved, that are not valid or that appear twice.
pub(super) fn check_ids(gateway: &str, models: &[String]) -> Result<(), Failure> {
    let refuse = |number: usize, what: String| {
        Err(Failure::usage(
            format!("box.models, number {}: {what}; nothing was changed", number + 1),
            "Correct it in config/deployment.toml: each further box is an instance of its own.",
        ))
    };
    for (number, id) in models.iter().enumerate() {
        if !is_instance(id) {
            return refuse(number, "the value of the SSM parameter is not the id of an instance".to_owned());
        }
        if id == gateway {
            return refuse(
                number,
                format!("{id} is box.instance_id, the box of the gateway, which has a model server"),
            );
        }
        if models.iter().take(number).any(|other| other == id) {
            return refuse(number, format!("{id} appears twice"));
        }
    }
    Ok(())
}

/// Returns whether a text has the form of an instance's id.
pub(crate) fn is_instance(text: &str) -> bool {
    text.strip_prefix("i-").is_some_and(|hex| hex.len() >= 8 && hex.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

#[cfg(test)]
mod tests {
    use super::{super::parse, BoxRole, check_ids, variables};

    const GATEWAY: &str = "i-0123456789abcdef0";
    const ADAPTER: &str =
        "[[model.adapters]]\nname = \"a\"\nrepo = \"o/a\"\nrevision = \"0123abcd0123abcd0123abcd0123abcd0123abcd\"\n";

    fn file(ids: &[&str], more: &str) -> String {
        let further = |text: String, id: &&str| text + "[[box.models]]\ninstance_id = \"" + id + "\"\n";
        let boxes = ids.iter().fold(String::new(), further);
        format!(
            "region = \"us-east-1\"\n[box]\ninstance_id = \"{GATEWAY}\"\n{boxes}[images]\nregistry = \"r.example\"\n{more}"
        )
    }

    #[test]
    fn further_boxes_that_cannot_be_are_refused() {
        let (a, b) = ("i-0aaaaaaaaaaaaaaaa", "i-0bbbbbbbbbbbbbbbb");
        let with = |more: &str| format!("{ADAPTER}{more}");
        for (ids, more, expected) in [
            (&[a, b][..], with(""), None),
            (&[a, "ssm:/boxes/two"], with(""), None),
            (&[], String::new(), None),
            (&[], "[autostop]\nstop_at = \"20:00\"\n".to_owned(), None),
            (&[a; 9], with(""), Some("box.models must be at most 8")),
            (&[a, "10.0.1.12"], with(""), Some("box.models, number 2: instance_id must have the form i-")),
            (&[a], String::new(), Some("model.adapters must name the adapter")),
            (&[a], with("[autostop]\nstop_at = \"20:00\"\n"), Some("autostop must have no stop_at")),
            (&[a], with("[autostop]\nmax_uptime_hours = 12\n"), Some("autostop must have no stop_at")),
            (&[a], with("[gateway.env]\nOTHER_MODEL_SERVERS = \"http://x\"\n"), Some("is written by the deployer")),
        ] {
            match (parse(&file(ids, &more), "x"), expected) {
                (Ok(_), None) => {}
                (Err(failure), Some(expected)) => {
                    assert_eq!(failure.exit.code(), 2);
                    assert!(failure.what.contains(expected), "{failure}");
                }
                (found, expected) => panic!("{ids:?} {more}: {found:?}, not {expected:?}"),
            }
        }
        // A further box has one key, and no port or role of its own.
        assert!(parse(&file(&[a], ADAPTER).replace("[images]", "port = 1\n[images]"), "x").is_err());
    }

    #[test]
    fn a_box_stands_once() {
        let ids = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect::<Vec<_>>();
        for (models, expected) in [
            (ids(&["i-0aaaaaaaa", "i-0bbbbbbbb"]), None),
            (ids(&["i-0aaaaaaaa", "i-0aaaaaaaa"]), Some("number 2: i-0aaaaaaaa appears twice")),
            (ids(&[GATEWAY]), Some("number 1: i-0123456789abcdef0 is box.instance_id")),
            (ids(&["my-box"]), Some("number 1: the value of the SSM parameter is not the id")),
        ] {
            let found = check_ids(GATEWAY, &models).err().map(|failure| failure.what);
            assert_eq!(found.is_some(), expected.is_some(), "{found:?}");
            assert!(expected.is_none_or(|expected| found.is_some_and(|found| found.contains(expected))), "{models:?}");
        }
    }

    #[test]
    fn all_model_servers_together_have_their_places() {
        assert!(variables(&BoxRole::Gateway { others: Vec::new() }, 32).is_empty());
        let others = vec!["10.0.1.12".to_owned(), "10.0.1.13".to_owned()];
        let found = variables(&BoxRole::Gateway { others }, 32);
        let value = |name: &str| found.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str());
        assert_eq!(value("OTHER_MODEL_SERVERS"), Some("http://10.0.1.12:8000,http://10.0.1.13:8000"));
        assert_eq!(value("ALL_MODEL_PLACES"), Some("96"));
        let found = variables(&BoxRole::Model { address: "10.0.1.12".to_owned() }, 32);
        assert!(found.contains(&("MODEL_PORT_BIND".to_owned(), "10.0.1.12".to_owned())), "{found:?}");
    }
}
