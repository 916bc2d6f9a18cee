//! The layers of the crate and the absence of circles between its modules, read from its own sources.

#[path = "support/modules.rs"]
mod modules;

use std::{collections::BTreeSet, path::Path};

use modules::Modules;

/// The layers, topmost first. A module uses modules of lower layers only, so there is no circle between them.
const LAYERS: [&[&str]; 14] = [
    &["main"],
    &["cli"],
    &["idle_memory"],
    &["bulk", "eval"],
    &["server"],
    &["http", "ocr", "vllm"],
    &["dictation", "scan"],
    &["telemetry"],
    &["ask"],
    &["audit", "rules", "timeline"],
    &["extraction"],
    &["admission", "jobs", "rate_limits", "routing"],
    &["access", "config", "server_key"],
    &[
        "deadline",
        "files",
        "in_flight",
        "memory",
        "own_program",
        "rate_limiter",
        "readiness",
        "spool",
        "statics",
        "steps",
        "tls",
        "ui",
    ],
];

fn own() -> Modules {
    Modules::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"))
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
