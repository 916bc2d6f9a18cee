//! The models that a server lists, and how long the context of each is.
//!
//! vLLM gives a context for the models that it loaded, and names the parent of an adapter; a server may list others
//! beside them, such as one for embeddings, whose context is nobody's business here.

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::Value;

/// An adapter of an adapter of a model: more steps are a circle.
const MOST_STEPS: usize = 4;

/// What `/v1/models` of one server said.
#[derive(Debug, Default)]
pub(super) struct ModelList {
    models: HashMap<String, Listed>,
}

#[derive(Debug)]
struct Listed {
    context: Option<u32>,
    /// The files of a model that is no adapter; two names with the same are one model.
    files: Option<String>,
}

#[derive(Deserialize)]
struct Page {
    data: Vec<Value>,
}

/// An entry, each member by itself: what is odd in one must not cost the others.
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
    /// The list in a body; nothing where it is none.
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
            let named = |name| by_id.get(name).or_else(|| by_root.get(name)).copied();
            entry.parent.and_then(named).or_else(|| entry.root.and_then(|root| by_id.get(root).copied()))
        };
        let context = |entry: &Entry<'_>| {
            let mut chain = std::iter::successors(Some(entry), |entry| base(entry)).take(MOST_STEPS);
            chain.find_map(|entry| entry.context)
        };
        let listed = |entry: &Entry<'_>| {
            let files = entry.root.filter(|_| entry.parent.is_none()).map(str::to_owned);
            (entry.id.to_owned(), Listed { context: context(entry), files })
        };
        // By the first entry of a name, like the chains.
        Some(Self { models: by_id.values().map(|entry| listed(entry)).collect() })
    }

    /// Whether a model is listed.
    pub(super) fn lists(&self, model: &str) -> bool {
        self.models.contains_key(model)
    }

    /// The context of a model, in tokens: its own, or its parent's. Nothing where the server does not say; another
    /// model's context is no guess at it.
    pub(super) fn context(&self, model: &str) -> Option<u32> {
        self.models.get(model)?.context
    }

    /// Whether two names stand for one model. vLLM answers with the first of several names of a model, whichever
    /// was asked for.
    pub(super) fn same(&self, one: &str, other: &str) -> bool {
        let files = |name: &str| self.models.get(name)?.files.as_deref();
        one == other || files(one).is_some_and(|own| files(other) == Some(own))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_context_is_the_asked_models_own_or_its_parents() {
        let base = json!({"id": "base", "root": "meta-llama/Llama-3.1-8B", "max_model_len": 8192});
        let adapter =
            |parent: Value| json!({"id": "medical-ie", "root": "/adapters/x", "parent": parent, "max_model_len": null});
        let embedding = json!({"id": "embed", "root": "embed", "max_model_len": 256});
        let large = json!({"id": "large", "max_model_len": 131_072});
        for (entries, expected) in [
            (json!([base, adapter(json!("base"))]), Some(8192)),
            (json!([embedding, large, adapter(json!("base")), base]), Some(8192)),
            // `--lora-modules` may name the base as its files are named.
            (json!([embedding, adapter(json!("meta-llama/Llama-3.1-8B")), base]), Some(8192)),
            (json!([{"id": "medical-ie", "root": "base"}, embedding, base]), Some(8192)),
            (json!([{"id": "medical-ie", "max_model_len": 4096, "parent": "base"}, base]), Some(4096)),
            (json!([{"id": "medical-ie", "parent": "step"}, {"id": "step", "parent": "base"}, base]), Some(8192)),
            // What is not said is not guessed.
            (json!([embedding, adapter(Value::Null)]), None),
            (json!([embedding, adapter(json!("gone"))]), None),
            (json!([embedding, base]), None),
            (json!([{"id": "medical-ie", "parent": "medical-ie"}]), None),
            (json!([{"id": "medical-ie", "parent": "b"}, {"id": "b", "parent": "medical-ie"}]), None),
            // An odd entry costs itself.
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
    fn names_of_one_model() {
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
