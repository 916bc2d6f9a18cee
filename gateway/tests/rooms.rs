//! Checks the layers of the crate's modules, and that no modules depend on each other in a circle.

#[path = "support/modules.rs"]
mod modules;

use std::{collections::BTreeSet, path::Path};

use modules::Modules;

/// The layers, topmost first. A module uses only modules of lower layers, so there is no circle between the layers.
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

fn gateway_modules() -> Modules {
    Modules::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"))
}

#[test]
fn modules_use_lower_layers_only() {
    let (mut seen, mut violations) = (BTreeSet::new(), Vec::new());
    for (module, used) in gateway_modules().uses() {
        let top = module.first().map_or("main", String::as_str);
        let own_layer = layer(top).unwrap_or_else(|| panic!("{top} has no layer: add it to LAYERS"));
        seen.insert(top.to_owned());
        for used in used.iter().filter_map(|path| path.first()).filter(|used| *used != top) {
            if layer(used).is_some_and(|layer| layer <= own_layer) {
                violations.push(format!("{} uses {used}", module.join("::")));
            }
        }
    }
    let listed: BTreeSet<String> = LAYERS.iter().flat_map(|layer| layer.iter().map(ToString::to_string)).collect();
    assert_eq!(seen, listed);
    assert!(violations.is_empty(), "these modules use a module that is not of a lower layer: {violations:#?}");
}

#[test]
fn no_modules_use_each_other_in_a_circle() {
    assert_eq!(gateway_modules().circles(), Vec::<String>::new());
}
