//! Tests the layers of the crate, and which modules may use which words.
#![expect(clippy::unwrap_used, reason = "tests")]

#[path = "../../gateway/tests/support/modules.rs"]
mod modules;

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use modules::Modules;

/// The layers, topmost first. A module uses modules of lower layers only, so there is no circle between them.
const LAYERS: [&[&str]; 12] = [
    &["main"],
    &["signals"],
    &["commands"],
    &["hooks", "monitor"],
    &["apply"],
    &["approval", "attestation", "recorded_releases"],
    &["aws", "cost", "forward", "plan", "policy", "context"],
    &["config", "console", "smoke", "webhook"],
    &["http"],
    &["failure"],
    &["cloud", "exit"],
    &["child", "interrupt", "login", "script", "secret"],
];

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// Lines of code outside `rooms` (paths under src/) that have one of `words`; tests and comments do not count.
fn strangers(rooms: &[&str], words: &[&str]) -> Vec<String> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut all = Vec::new();
    files(&source, &mut all);
    assert!(all.len() > 30, "the sources were not found");
    let mut found = Vec::new();
    for path in all {
        let name = path.strip_prefix(&source).unwrap().to_str().unwrap().to_owned();
        if rooms.iter().any(|room| name.starts_with(room)) || name.ends_with("tests.rs") {
            continue;
        }
        for line in fs::read_to_string(&path).unwrap().lines() {
            let code = line.split("//").next().unwrap();
            if words.iter().any(|word| code.contains(word)) {
                found.push(format!("{name}: {line}"));
            }
        }
    }
    found
}

fn only(rooms: &[&str], words: &[&str]) {
    assert_eq!(strangers(rooms, words), Vec::<String>::new());
}

#[test]
fn only_aws_names_the_sdk() {
    only(&["aws/"], &["aws_sdk_", "aws_smithy_", "aws_config"]);
    assert!(!strangers(&[], &["aws_sdk_"]).is_empty(), "this test sees nothing");
}

#[test]
fn only_the_console_prints() {
    only(&["console/"], &["println!", "print!(", "stdout()", "stderr()"]);
}

#[test]
fn only_config_reads_the_environment() {
    only(&["config/", "login.rs"], &["env::var", "env::vars"]);
}

#[test]
fn plan_script_policy_cost_and_the_monitor_are_pure() {
    let impure = ["tokio::", "std::fs", "std::net", "std::process", "SystemTime", "Instant", ".await", "reqwest"];
    let pure: Vec<String> = strangers(&[], &impure)
        .into_iter()
        .filter(|line| {
            let pure = ["plan/", "script/", "policy/", "cost.rs", "monitor/"].iter().any(|room| line.starts_with(room));
            let works = ["gateway.rs", "box_source.rs", "drawer.rs", "channels/", "alert_config"];
            pure && !works.iter().any(|file| line.starts_with(&format!("monitor/{file}")))
        })
        .collect();
    assert_eq!(pure, Vec::<String>::new());
}

#[test]
fn only_smoke_and_the_monitor_speak_http_to_the_service() {
    // `http.rs` makes the clients. `monitor/gateway.rs` sends no note, and `webhook.rs` posts to the operator's
    // webhook.
    only(&["http.rs", "smoke/", "monitor/gateway.rs", "webhook.rs"], &["reqwest"]);
}

#[test]
fn only_the_token_s_way_reads_a_secret_s_text() {
    // The SDK's call, the header of a key, the line that shows a new key once, and the shape.
    only(
        &[
            "aws/secrets.rs",
            "secret.rs",
            "http.rs",
            "config/keys.rs",
            "commands/init/",
            "commands/keys.rs",
            "monitor/channels/mail.rs",
            "webhook.rs",
            // The token of a session, to AWS' plug-in.
            "forward/plugin.rs",
        ],
        &[".expose()"],
    );
}

#[test]
fn only_approval_makes_an_approved_plan() {
    only(&["approval.rs"], &["ApprovedPlan("]);
}

#[test]
fn modules_use_lower_layers_only() {
    assert_eq!(own().layer_faults(&LAYERS), Vec::<String>::new());
}

#[test]
fn every_module_has_a_layer() {
    let listed: BTreeSet<&str> = LAYERS.iter().flat_map(|layer| layer.iter().copied()).collect();
    let own = own();
    let seen: BTreeSet<&str> = own.top_modules().collect();
    assert_eq!(seen, listed);
}

#[test]
fn no_modules_use_each_other_in_a_circle() {
    assert_eq!(own().circles(), Vec::<String>::new());
}

fn own() -> Modules {
    Modules::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"))
}
