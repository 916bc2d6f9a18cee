//! The built `deployer` against the emulator: every command, every failure, its output and exit code.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, unreachable_pub, reason = "tests")]

mod attestation;
mod boxes;
mod doctor;
mod document;
mod exec;
mod faults;
mod first_day;
mod hooks;
mod host_faults;
mod hours;
mod interrupted;
mod json;
mod keys;
mod laptop;
mod model;
mod model_eval;
mod monitor;
mod ordinary;
mod port_forward;
mod prune;
mod words;

#[path = "../commands/http.rs"]
#[expect(dead_code, reason = "another suite uses more of it")]
mod http;
#[path = "../support/mod.rs"]
mod support;

use laptop::Laptop;
use support::{
    emulator::Emulator,
    wanted::{gateway, vllm},
};

/// An account with a stopped box, three images of each kind in its registry, and the secret.
fn account() -> Emulator {
    let emulator = Emulator::start();
    let images: Vec<String> = (1..=3).flat_map(|n| [gateway(n), vllm(n)]).collect();
    emulator.host.push(&images.iter().map(String::as_str).collect::<Vec<_>>());
    let secret = serde_json::json!({"Name": support::host::SECRET, "SecretString": "never read from here"});
    emulator.aws("secretsmanager", "create_secret", &secret);
    emulator
}

/// Release 1 serves.
fn served() -> Emulator {
    let emulator = account();
    let ada = Laptop::new(&emulator, "ada@laptop");
    ada.up(1, 1).ended(0, &["Release 1 serves and was verified."]);
    emulator
}

/// The operators' lock, or nothing.
fn lock(emulator: &Emulator) -> Option<String> {
    let wanted = serde_json::json!({"Names": ["/extraction-gateway/lock"]});
    emulator.aws("ssm", "get_parameters", &wanted)["Parameters"][0]["Value"].as_str().map(str::to_owned)
}
