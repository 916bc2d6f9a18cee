//! Finds which modules of a crate use which, from the `use` lines and the paths in its sources. Tests of both crates
//! use it.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::string_slice, reason = "tests")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

/// The names on the path of a module; empty for the crate's root.
type Module = Vec<String>;

/// The modules of a crate with their code, without comments and tests.
pub(crate) struct Modules {
    code: BTreeMap<Module, String>,
    /// The re-exports of each module: for each name the path of the item.
    exports: BTreeMap<Module, BTreeMap<String, Module>>,
}

impl Modules {
    /// Reads the sources below a folder.
    pub(crate) fn read(source: &Path) -> Self {
        let mut code = BTreeMap::new();
        read_folder(source, &mut Vec::new(), &mut code);
        Self::of(code)
    }

    fn of(code: BTreeMap<Module, String>) -> Self {
        let mut modules = Self { code, exports: BTreeMap::new() };
        for (module, code) in &modules.code {
            let mut exports = BTreeMap::new();
            for (statement, public) in use_statements(code) {
                for path in paths_of(statement).into_iter().filter(|_| public) {
                    let Some(path) = modules.absolute(module, &path) else { continue };
                    if let Some(name) = path.last() {
                        exports.insert(name.clone(), path.clone());
                    }
                }
            }
            modules.exports.insert(module.clone(), exports);
        }
        modules
    }

    /// Returns each module with the modules that it uses.
    pub(crate) fn uses(&self) -> BTreeMap<Module, BTreeSet<Module>> {
        let used = |module: &Module, code: &str| {
            let mut found = BTreeSet::new();
            for (statement, _) in use_statements(code) {
                found.extend(paths_of(statement));
            }
            found.extend(inline_paths(code));
            let absolute = found.iter().filter_map(|path| self.absolute(module, path));
            absolute.map(|path| self.module_of(&path, 0)).filter(|used| used != module).collect()
        };
        self.code.iter().map(|(module, code)| (module.clone(), used(module, code))).collect()
    }

    /// Returns the names of the modules directly below the root; `main` stands for the root itself.
    pub(crate) fn top_modules(&self) -> impl Iterator<Item = &str> {
        self.code.keys().map(|module| module.first().map_or("main", String::as_str))
    }

    /// Returns the uses of modules that are not in a lower layer. `layers` has the topmost layer first.
    pub(crate) fn layer_faults(&self, layers: &[&[&str]]) -> Vec<String> {
        let layer = |module: &str| layers.iter().position(|layer| layer.contains(&module));
        let mut faults = Vec::new();
        for (module, used) in self.uses() {
            let top = module.first().map_or("main", String::as_str);
            for lower in used.iter().filter_map(|path| path.first()).filter(|lower| *lower != top) {
                // Macros and items of the root have no layer.
                if layer(lower).is_some_and(|lower| layer(top).is_none_or(|own| lower <= own)) {
                    faults.push(format!("{} uses {lower}", module.join("::")));
                }
            }
        }
        faults
    }

    /// Returns the circles: for each folder, the modules in it that use each other, directly or through others.
    pub(crate) fn circles(&self) -> Vec<String> {
        let uses = self.uses();
        let folders: BTreeSet<&[String]> =
            self.code.keys().flat_map(|module| (0..module.len()).map(|depth| &module[..depth])).collect();
        let mut circles = Vec::new();
        for folder in folders {
            let depth = folder.len();
            let mut edges: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
            for (from, to) in uses.iter().flat_map(|(from, used)| used.iter().map(move |to| (from, to))) {
                let inside = |module: &Module| module.len() > depth && module.starts_with(folder);
                if inside(from) && inside(to) && from[depth] != to[depth] {
                    edges.entry(&from[depth]).or_default().insert(&to[depth]);
                }
            }
            let reachable = |from: &str| {
                let (mut found, mut pending) = (BTreeSet::new(), vec![from.to_owned()]);
                while let Some(module) = pending.pop() {
                    for next in edges.get(module.as_str()).into_iter().flatten() {
                        if found.insert((*next).to_owned()) {
                            pending.push((*next).to_owned());
                        }
                    }
                }
                found
            };
            let in_circle: Vec<&str> =
                edges.keys().copied().filter(|module| reachable(module).contains(*module)).collect();
            if !in_circle.is_empty() {
                circles.push(format!("{}: {in_circle:?}", folder.join("::")));
            }
        }
        circles
    }

    /// Makes a path absolute. `None` for paths of other crates and of items in scope.
    fn absolute(&self, module: &Module, path: &[String]) -> Option<Module> {
        let mut base = module.clone();
        let mut rest = path;
        match path.first().map(String::as_str)? {
            "crate" => {
                base.clear();
                rest = &path[1..];
            }
            "self" => rest = &path[1..],
            "super" => {
                while rest.first().is_some_and(|name| name == "super") {
                    base.pop()?;
                    rest = &rest[1..];
                }
            }
            child => {
                base.push(child.to_owned());
                let is_child = self.code.contains_key(&base);
                base.pop();
                is_child.then_some(())?;
            }
        }
        base.extend(rest.iter().cloned());
        Some(base)
    }

    /// Returns the module that defines the item of an absolute path. Follows at most 8 re-exports.
    fn module_of(&self, path: &[String], depth: usize) -> Module {
        let mut module = Module::new();
        let mut at = 0;
        while at < path.len() {
            module.push(path[at].clone());
            if !self.code.contains_key(&module) {
                module.pop();
                break;
            }
            at += 1;
        }
        let export = path.get(at).and_then(|name| self.exports.get(&module)?.get(name));
        match export.filter(|export| depth < 8 && **export != path) {
            Some(export) => self.module_of(&[export.clone(), path[at + 1..].to_vec()].concat(), depth + 1),
            None => module,
        }
    }
}

fn read_folder(folder: &Path, above: &mut Module, code: &mut BTreeMap<Module, String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        // Tests may use every module.
        if matches!(name.as_str(), "tests" | "growth") {
            continue;
        }
        if path.is_dir() {
            above.push(name);
            read_folder(&path, above, code);
            above.pop();
        } else if path.extension().is_some_and(|extension| extension == "rs") && name != "lib" {
            let is_folder_module = matches!(name.as_str(), "mod" | "main");
            let module = if is_folder_module { above.clone() } else { [above.clone(), vec![name]].concat() };
            code.insert(module, without_tests(&fs::read_to_string(&path).unwrap()));
        }
    }
}

fn without_tests(text: &str) -> String {
    let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
    text.lines().map(|line| line.split("//").next().unwrap()).collect::<Vec<_>>().join("\n")
}

/// Returns the `use` statements without `use` and `;`, and for each whether it is a re-export.
fn use_statements(code: &str) -> Vec<(&str, bool)> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices("use ") {
        let line = &code[code[..at].rfind('\n').map_or(0, |end| end + 1)..at];
        if line.trim().is_empty() || line.trim_start().starts_with("pub") {
            let rest = &code[at + 4..];
            found.push((&rest[..rest.find(';').unwrap_or(rest.len())], line.contains("pub")));
        }
    }
    found
}

/// Returns the paths of a use tree: `a::X` and `a::b::Y` of `a::{X, b::{Y}}`.
fn paths_of(tree: &str) -> Vec<Module> {
    let tree = tree.trim();
    let Some((prefix, list)) =
        tree.split_once('{').filter(|(prefix, _)| prefix.trim_end().ends_with("::") || prefix.trim().is_empty())
    else {
        let path = tree.split(" as ").next().unwrap();
        return vec![path.split("::").map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).collect()];
    };
    let list = &list[..list.rfind('}').unwrap_or(list.len())];
    let prefix: Module =
        prefix.split("::").map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).collect();
    let (mut depth, mut from, mut items) = (0, 0, Vec::new());
    for (at, c) in list.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                items.push(&list[from..at]);
                from = at + 1;
            }
            _ => {}
        }
    }
    items.push(&list[from..]);
    let items = items.into_iter().filter(|item| !item.trim().is_empty());
    items.flat_map(paths_of).map(|path| [prefix.clone(), path].concat()).collect()
}

/// Returns the paths with at least two names outside `use` statements. Paths in `use` statements may be among them.
fn inline_paths(code: &str) -> Vec<Module> {
    let words = code.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':'));
    let path = |word: &str| word.split("::").map(str::to_owned).filter(|name| !name.is_empty()).collect::<Module>();
    let is_path = |word: &&str| word.contains("::") && word.starts_with(|first: char| first.is_ascii_lowercase());
    words.filter(is_path).map(path).filter(|path| path.len() > 1).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn modules(files: &[(&str, &str)]) -> Modules {
        let module = |path: &str| path.split("::").filter(|name| !name.is_empty()).map(str::to_owned).collect();
        Modules::of(files.iter().map(|(path, code)| (module(path), (*code).to_owned())).collect())
    }

    #[test]
    fn circles_are_found_through_braces_exports_and_inline_paths() {
        let used = [
            ("", "mod a; mod b;"),
            ("a", "mod x;\nmod y;\npub use self::x::X;\nuse crate::{\n    b::{B, C},\n};"),
            ("a::x", "use super::y::Y;"),
            ("a::y", "fn f() -> super::x::X {}"),
            ("b", "use std::fmt;\npub struct B;"),
        ];
        assert_eq!(modules(&used).circles(), ["a: [\"x\", \"y\"]"]);
        let through_export =
            [("", ""), ("a", "pub use self::x::X;"), ("a::x", "use crate::b::B;"), ("b", "use crate::a::X;")];
        assert_eq!(modules(&through_export).circles(), [": [\"a\", \"b\"]"]);
        let none = [("", ""), ("a", "use crate::b::B;"), ("b", "use std::fmt;")];
        assert_eq!(modules(&none).circles(), Vec::<String>::new());
    }
}
