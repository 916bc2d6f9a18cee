//! Which module may use which: the layers of the crate, read from its own sources.
#![expect(clippy::unwrap_used, clippy::string_slice, reason = "tests")]

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

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

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The code of a file, without comments and without its tests, which may use anything.
fn code(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap();
    let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
    text.lines().map(|line| line.split("//").next().unwrap()).collect::<Vec<_>>().join("\n")
}

/// The modules after each `crate::`, those in braces too: `a` and `b` of `crate::{a::X, b::{Y, Z}}`.
fn used(code: &str) -> BTreeSet<String> {
    let name = |text: &str| text.chars().take_while(|&c| c.is_alphanumeric() || c == '_').collect::<String>();
    let mut found = BTreeSet::new();
    for rest in code.split("crate::").skip(1) {
        let Some(list) = rest.strip_prefix('{') else {
            found.insert(name(rest));
            continue;
        };
        let (mut depth, mut begins) = (0, true);
        for (at, c) in list.char_indices() {
            match c {
                '{' => depth += 1,
                '}' if depth == 0 => break,
                '}' => depth -= 1,
                ',' if depth == 0 => begins = true,
                c if begins && depth == 0 && !c.is_whitespace() => {
                    found.insert(name(&list[at..]));
                    begins = false;
                }
                _ => {}
            }
        }
    }
    found.retain(|name| name.starts_with(|first: char| first.is_ascii_lowercase()));
    found
}

fn layer(module: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| layer.contains(&module))
}

#[test]
fn modules_use_lower_layers_only() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    let (mut seen, mut back) = (BTreeSet::new(), Vec::new());
    for path in files {
        let name = path.strip_prefix(&root).unwrap().to_str().unwrap();
        // These are tests as a whole.
        if name == "lib.rs" || name.ends_with("tests.rs") || name.contains("/tests/") || name.ends_with("/growth.rs") {
            continue;
        }
        let module = name.split(['/', '.']).next().unwrap();
        let own = layer(module).unwrap_or_else(|| panic!("{module} has no layer: add it to LAYERS"));
        seen.insert(module.to_owned());
        for used in used(&code(&path)) {
            // Macros and items of the root have no layer.
            let Some(lower) = layer(&used) else { continue };
            if used != module && lower <= own {
                back.push(format!("{name} uses {used}"));
            }
        }
    }
    let listed: BTreeSet<String> = LAYERS.iter().flat_map(|layer| layer.iter().map(ToString::to_string)).collect();
    assert_eq!(seen, listed);
    assert!(back.is_empty(), "not from a lower layer: {back:#?}");
}

#[test]
fn modules_in_braces_are_found() {
    let code = "use crate::{\n    access::{Keys, file::X},\n    rates::Rates,\n};\nfn f() { crate::steps::of() }";
    assert_eq!(used(code), ["access", "rates", "steps"].map(str::to_owned).into());
}
