//! The models that a server lists, and the context length of each.
//!
//! vLLM states the context length of each model that it has loaded, and names the parent of each adapter. A server may
//! also list other models, such as one for embeddings, whose context length does not apply to the others.

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::Value;

/// Most entries in a chain of parents. Real chains have at most three (an adapter of an adapter of a model), so a
/// longer one is a circle.
const MOST_STEPS: usize = 4;

/// The list that `/v1/models` of one server returned.
#[derive(Debug, Default)]
pub(super) struct ModelList {
    models: HashMap<String, ListedModel>,
}

#[derive(Debug)]
struct ListedModel {
    /// The context length, in tokens.
    context: Option<u32>,
    /// The files of a model that is not an adapter. Two names with the same files are one model.
    files: Option<String>,
}

#[derive(Deserialize)]
struct Page {
    data: Vec<Value>,
}

/// One entry. Each member is read separately, so that an invalid one does not make the others unusable.
struct Entry<'a> {
    id: &'a str,
    root: Option<&'a str>,
    parent: Option<&'a str>,
    context: Option<u32>,
}

impl<'a> Entry<'a> {
    fn of(listed: &'a Value) -> Option<Self> {
        let text = |name: &str| listed.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        let context = listed.get("max_model_len").and_then(Value::as_u64).filter(|&tokens| tokens > 0);
        let context = context.map(|tokens| u32::try_from(tokens).unwrap_or(u32::MAX));
        Some(Self { id: text("id")?, root: text("root"), parent: text("parent"), context })
    }
}

impl ModelList {
    /// Parses a body; `None` if it is not a list of models.
    pub(super) fn parse(body: &[u8]) -> Option<Self> {
        let page: Page = serde_json::from_slice(body).ok()?;
        let entries: Vec<Entry<'_>> = page.data.iter().filter_map(Entry::of).collect();
        let (mut by_id, mut by_root) = (HashMap::new(), HashMap::new());
        for entry in &entries {
            by_id.entry(entry.id).or_insert(entry);
            if let Some(root) = entry.root.filter(|_| entry.parent.is_none()) {
                by_root.entry(root).or_insert(entry);
            }
        }
        let base = |entry: &Entry<'_>| {
            let by_name = |name| by_id.get(name).or_else(|| by_root.get(name)).copied();
            entry.parent.and_then(by_name).or_else(|| entry.root.and_then(|root| by_id.get(root).copied()))
        };
        let context = |entry: &Entry<'_>| {
            let mut chain = std::iter::successors(Some(entry), |entry| base(entry)).take(MOST_STEPS);
            chain.find_map(|entry| entry.context)
        };
        let listed = |entry: &Entry<'_>| {
            let files = entry.root.filter(|_| entry.parent.is_none()).map(str::to_owned);
            (entry.id.to_owned(), ListedModel { context: context(entry), files })
        };
        // If several entries have one name, the first is used, as in the chains of parents.
        Some(Self { models: by_id.values().map(|entry| listed(entry)).collect() })
    }

    /// Returns whether a model is listed.
    pub(super) fn lists(&self, model: &str) -> bool {
        self.models.contains_key(model)
    }

    /// Returns the context length of a model, in tokens: its own or its parent's; `None` if the server states neither,
    /// because the context length of another model would be a bad guess.
    pub(super) fn context(&self, model: &str) -> Option<u32> {
        self.models.get(model)?.context
    }

    /// Returns whether two names belong to one model. vLLM answers with the first of several names of a model,
    /// whichever one was requested.
    pub(super) fn same(&self, one: &str, other: &str) -> bool {
        let files = |name: &str| self.models.get(name)?.files.as_deref();
        one == other || files(one).is_some_and(|path| files(other) == Some(path))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_context_is_that_of_the_model_or_of_its_parent() {
        let base = json!({"id": "base", "root": "meta-llama/Llama-3.1-8B", "max_model_len": 8192});
        let adapter =
            |parent: Value| json!({"id": "medical-ie", "root": "/adapters/x", "parent": parent, "max_model_len": null});
        let embedding = json!({"id": "embed", "root": "embed", "max_model_len": 256});
        let large = json!({"id": "large", "max_model_len": 131_072});
        for (entries, expected) in [
            (json!([base, adapter(json!("base"))]), Some(8192)),
            (json!([embedding, large, adapter(json!("base")), base]), Some(8192)),
            // `--lora-modules` may name the base model by its files.
            (json!([embedding, adapter(json!("meta-llama/Llama-3.1-8B")), base]), Some(8192)),
            (json!([{"id": "medical-ie", "root": "base"}, embedding, base]), Some(8192)),
            (json!([{"id": "medical-ie", "max_model_len": 4096, "parent": "base"}, base]), Some(4096)),
            (json!([{"id": "medical-ie", "parent": "step"}, {"id": "step", "parent": "base"}, base]), Some(8192)),
            // A context length that is not stated is not guessed.
            (json!([embedding, adapter(Value::Null)]), None),
            (json!([embedding, adapter(json!("gone"))]), None),
            (json!([embedding, base]), None),
            (json!([{"id": "medical-ie", "parent": "medical-ie"}]), None),
            (json!([{"id": "medical-ie", "parent": "b"}, {"id": "b", "parent": "medical-ie"}]), None),
            // An invalid entry does not affect the others.
            (json!([5, {"max_model_len": 1}, {"id": 7}, {"id": "medical-ie", "max_model_len": 8192}]), Some(8192)),
            (json!([{"id": "medical-ie", "max_model_len": -1}]), None),
            (json!([{"id": "medical-ie", "max_model_len": 0}]), None),
            (json!([{"id": "medical-ie", "max_model_len": "8192"}]), None),
            (json!([{"id": "medical-ie", "max_model_len": 1_000_000_000_000_u64}]), Some(u32::MAX)),
        ] {
            let list = ModelList::parse(json!({"data": entries}).to_string().as_bytes()).unwrap();
            assert_eq!(list.context("medical-ie"), expected, "{entries}");
        }
        for odd in ["", "[]", "{}", "{\"data\": 5}", "{\"data\": null}", "<html>"] {
            assert!(ModelList::parse(odd.as_bytes()).is_none(), "{odd}");
        }
    }

    #[test]
    fn names_with_the_same_files_are_one_model() {
        let list = json!({"data": [
            {"id": "a", "root": "files"}, {"id": "b", "root": "files"}, {"id": "c", "root": "others"}, {"id": "d"},
            {"id": "e"}, {"id": "adapter", "root": "files", "parent": "a"}, {"id": "second", "root": "files", "parent": "a"},
        ]});
        let list = ModelList::parse(list.to_string().as_bytes()).unwrap();
        for (one, other, same) in [
            ("a", "a", true),
            ("x", "x", true),
            ("a", "b", true),
            ("a", "c", false),
            ("d", "e", false),
            ("a", "adapter", false),
            ("adapter", "second", false),
            ("a", "x", false),
        ] {
            assert_eq!(list.same(one, other), same, "{one} {other}");
        }
    }
}
