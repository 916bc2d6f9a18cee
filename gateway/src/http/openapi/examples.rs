//! Examples of answers, by operation: what the service answers to the example of the request.

use serde_json::{Map, Value};

/// The examples, by operation id.
const EXAMPLES: &str = include_str!("examples.json");

/// Adds an example to the answer of each operation that has one.
pub(super) fn add(paths: &mut Map<String, Value>) {
    let examples: Map<String, Value> = serde_json::from_str(EXAMPLES).unwrap_or_default();
    for operation in paths.values_mut().filter_map(Value::as_object_mut).flat_map(Map::values_mut) {
        let id = operation.get("operationId").and_then(Value::as_str).unwrap_or_default();
        let Some(example) = examples.get(id) else { continue };
        let content = operation.pointer_mut("/responses/200/content").and_then(Value::as_object_mut);
        for media_type in content.into_iter().flat_map(Map::values_mut).filter_map(Value::as_object_mut) {
            media_type.insert("example".to_owned(), example.clone());
        }
    }
}
