//! The layers of the crate and the absence of circles between its modules, read from its own sources.

#[path = "support/modules.rs"]
mod modules;

use std::{collections::BTreeSet, path::Path};

use modules::Modules;

/// The layers, topmost first. A module uses modules of lower layers only, so there is no circle between them.
const LAYERS: [&[&str]; 12] = [
    &["main"],
    &["cli"],
    &["idle_memory"],
    &["bulk", "eval"],
    &["server"],
    &["http", "vllm"],
    &["telemetry"],
    &["audit", "rules"],
    &["extraction"],
    &["admission", "rates"],
    &["access", "config"],
    &["deadline", "files", "in_flight", "limiter", "memory", "readiness", "statics", "steps", "tls", "ui"],
];

fn layer(module: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| layer.contains(&module))
}

fn own() -> Modules {
    Modules::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"))
}

#[test]
fn modules_use_lower_layers_only() {
    let (mut seen, mut back) = (BTreeSet::new(), Vec::new());
    for (module, used) in own().uses() {
        let top = module.first().map_or("main", String::as_str);
        let own = layer(top).unwrap_or_else(|| panic!("{top} has no layer: add it to LAYERS"));
        seen.insert(top.to_owned());
        for lower in used.iter().filter_map(|path| path.first()).filter(|lower| *lower != top) {
            if layer(lower).is_some_and(|lower| lower <= own) {
                back.push(format!("{} uses {lower}", module.join("::")));
            }
        }
    }
    let listed: BTreeSet<String> = LAYERS.iter().flat_map(|layer| layer.iter().map(ToString::to_string)).collect();
    assert_eq!(seen, listed);
    assert!(back.is_empty(), "not from a lower layer: {back:#?}");
}

#[test]
fn no_modules_use_each_other_in_a_circle() {
    assert_eq!(own().circles(), Vec::<String>::new());
}
