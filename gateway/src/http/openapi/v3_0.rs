//! Converts the OpenAPI 3.1 document to OpenAPI 3.0, for generators that do not read 3.1.
//!
//! 3.1 has the keywords of JSON Schema 2020-12, 3.0 has its own keywords for some of them. Keywords that 3.0 lacks and
//! that only describe are left out.

use serde_json::{Map, Value, json};

const VERSION: &str = "3.0.3";
/// Keywords of JSON Schema that 3.0 does not have. None of them decides alone what is valid in this document.
const NOT_IN_3_0: [&str; 5] = ["$schema", "$comment", "contentMediaType", "contentEncoding", "propertyNames"];
/// Keys whose values are data, not schemas.
const DATA: [&str; 4] = ["example", "default", "enum", "mapping"];

/// Returns the document as OpenAPI 3.0.
#[must_use]
pub(super) fn converted(document: &Value) -> Value {
    let mut document = document.clone();
    if let Some(root) = document.as_object_mut() {
        root.insert("openapi".to_owned(), VERSION.into());
        root.remove("jsonSchemaDialect");
        root.remove("webhooks");
    }
    if let Some(license) = document.pointer_mut("/info/license").and_then(Value::as_object_mut)
        && let Some(Value::String(identifier)) = license.remove("identifier")
    {
        license.insert("url".to_owned(), format!("https://spdx.org/licenses/{identifier}.html").into());
    }
    if let Some(info) = document.pointer_mut("/info").and_then(Value::as_object_mut) {
        info.remove("summary");
    }
    convert(&mut document);
    simplify(&mut document);
    let schemas = document.pointer("/components/schemas").and_then(Value::as_object).cloned().unwrap_or_default();
    type_nullable(&mut document, &schemas);
    // A schema that was copied into all schemas that referred to it has no references left.
    let text = document.to_string();
    if let Some(schemas) = document.pointer_mut("/components/schemas").and_then(Value::as_object_mut) {
        schemas.retain(|name, _| text.contains(&format!("/schemas/{name}\"")));
    }
    document
}

/// Leaves one media type for each body, and one schema for the errors of each operation or none: generators of 3.0 read no
/// more.
fn simplify(document: &mut Value) {
    let paths = document.get_mut("paths").and_then(Value::as_object_mut);
    let items = paths.into_iter().flat_map(|paths| paths.values_mut()).filter_map(Value::as_object_mut);
    for operation in items.flat_map(|item| item.values_mut()) {
        if let Some(body) = operation.get_mut("requestBody") {
            keep_one_type(body);
        }
        let Some(responses) = operation.get_mut("responses").and_then(Value::as_object_mut) else { continue };
        responses.values_mut().for_each(keep_one_type);
        let is_error = |status: &str| status.starts_with(['4', '5']);
        let is_problem = |response: &Value| response.pointer("/content/application~1problem+json").is_some();
        let errors = || responses.iter().filter(|(status, _)| is_error(status));
        if errors().any(|(_, response)| is_problem(response)) && errors().any(|(_, response)| !is_problem(response)) {
            let errors = responses.iter_mut().filter(|(status, _)| is_error(status));
            errors
                .filter_map(|(_, response)| response.as_object_mut())
                .for_each(|response| _ = response.remove("content"));
        }
    }
}

/// Leaves one media type of a body: JSON or plain text if there is one.
fn keep_one_type(body: &mut Value) {
    let Some(content) = body.get_mut("content").and_then(Value::as_object_mut) else { return };
    // Some generators read no forms. A recording may also be the whole body.
    if content.remove("multipart/form-data").is_some() {
        let bytes = json!({"schema": {"type": "string", "format": "binary"}});
        content.insert("application/octet-stream".to_owned(), bytes);
    }
    let preferred = ["application/json", "text/plain"].into_iter().find(|kind| content.contains_key(*kind));
    let Some(kept) = preferred.map(str::to_owned).or_else(|| content.keys().next().cloned()) else { return };
    content.retain(|kind, _| *kind == kept);
}

/// Gives every schema with `nullable` a `type`: without one, 3.0 gives `nullable` no meaning.
fn type_nullable(value: &mut Value, schemas: &Map<String, Value>) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| type_nullable(item, schemas)),
        Value::Object(object) => {
            let is_data = |key: &str| DATA.contains(&key);
            object.iter_mut().filter(|(key, _)| !is_data(key)).for_each(|(_, value)| type_nullable(value, schemas));
            if object.get("nullable") == Some(&Value::Bool(true)) && !object.contains_key("type") {
                type_nullable_schema(object, schemas);
            }
        }
        _ => {}
    }
}

fn type_nullable_schema(schema: &mut Map<String, Value>, schemas: &Map<String, Value>) {
    let referenced = schema.get("allOf").and_then(|all| all.pointer("/0/$ref")).and_then(Value::as_str);
    let target = referenced.and_then(|path| schemas.get(path.rsplit('/').next()?)).and_then(Value::as_object);
    if let Some(kind) = target.and_then(|target| target.get("type")) {
        schema.insert("type".to_owned(), kind.clone());
        return;
    }
    // A choice: its first alternative may be null.
    for keyword in ["oneOf", "anyOf"] {
        let of_target = target.and_then(|target| target.get(keyword)).cloned();
        let Some(mut choice) = of_target.clone().or_else(|| schema.get(keyword).cloned()) else { continue };
        if let Some(first) = choice.get_mut(0).and_then(Value::as_object_mut).filter(|first| first.contains_key("type"))
        {
            first.insert("nullable".to_owned(), true.into());
            schema.remove("nullable");
            if of_target.is_some() {
                schema.remove("allOf");
            }
            schema.insert(keyword.to_owned(), choice);
            return;
        }
    }
}

fn convert(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(convert),
        Value::Object(object) => {
            for (key, value) in object.iter_mut() {
                match (key.as_str(), value) {
                    // The keys of this object are names of properties, not keywords.
                    ("properties", Value::Object(properties)) => properties.values_mut().for_each(convert),
                    (key, _) if DATA.contains(&key) => {}
                    ("examples", Value::Array(_)) => {}
                    (_, value) => convert(value),
                }
            }
            convert_schema(object);
        }
        _ => {}
    }
}

/// Converts the keywords of one schema. An object that is not a schema has none of them.
fn convert_schema(schema: &mut Map<String, Value>) {
    for keyword in NOT_IN_3_0 {
        schema.remove(keyword);
    }
    if let Some(constant) = schema.remove("const") {
        schema.insert("enum".to_owned(), json!([constant]));
    }
    if let Some(Value::Array(examples)) = schema.get("examples") {
        let first = examples.first().cloned();
        schema.remove("examples");
        if let Some(first) = first {
            schema.entry("example").or_insert(first);
        }
    }
    for (exclusive, limit) in [("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")] {
        if schema.get(exclusive).is_some_and(Value::is_number)
            && let Some(number) = schema.remove(exclusive)
        {
            schema.insert(limit.to_owned(), number);
            schema.insert(exclusive.to_owned(), true.into());
        }
    }
    split_types(schema);
    for keyword in ["oneOf", "anyOf"] {
        take_out_null(schema, keyword);
    }
    wrap_reference(schema);
}

/// Turns `type: [T, null]` into `type: T, nullable: true`, and several types into `anyOf`.
fn split_types(schema: &mut Map<String, Value>) {
    let Some(Value::Array(types)) = schema.get("type") else { return };
    let is_nullable = types.iter().any(|kind| kind == "null");
    let others: Vec<Value> = types.iter().filter(|kind| *kind != "null").cloned().collect();
    schema.remove("type");
    match others.as_slice() {
        [] => {}
        [only] => _ = schema.insert("type".to_owned(), only.clone()),
        several => {
            let several = several.iter().map(|kind| json!({"type": kind})).collect();
            schema.insert("anyOf".to_owned(), several);
        }
    }
    if is_nullable {
        schema.insert("nullable".to_owned(), true.into());
    }
}

/// Turns an alternative that is null into `nullable: true`.
fn take_out_null(schema: &mut Map<String, Value>, keyword: &str) {
    let Some(Value::Array(alternatives)) = schema.get_mut(keyword) else { return };
    let before = alternatives.len();
    // `convert` has already turned `{"type": "null"}` of a list of types, but not the single type.
    alternatives.retain(|alternative| alternative.get("type").is_none_or(|kind| kind != "null"));
    if alternatives.len() == before {
        return;
    }
    schema.insert("nullable".to_owned(), true.into());
    let Some(Value::Array(alternatives)) = schema.get(keyword) else { return };
    if let [Value::Object(only)] = alternatives.as_slice() {
        let only = only.clone();
        schema.remove(keyword);
        for (key, value) in only {
            schema.entry(key).or_insert(value);
        }
    }
}

/// Turns a reference with other keywords next to it, which 3.0 would ignore, into `allOf`.
fn wrap_reference(schema: &mut Map<String, Value>) {
    if schema.len() > 1
        && let Some(reference) = schema.remove("$ref")
    {
        schema.insert("allOf".to_owned(), json!([{"$ref": reference}]));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::openapi::{DocumentSettings, document};

    #[test]
    fn keywords_of_3_1_have_their_words_of_3_0() {
        for (new, old) in [
            (json!({"type": "string"}), json!({"type": "string"})),
            (json!({"type": ["string", "null"]}), json!({"type": "string", "nullable": true})),
            (json!({"type": ["integer", "string"]}), json!({"anyOf": [{"type": "integer"}, {"type": "string"}]})),
            (
                json!({"oneOf": [{"$ref": "#/x"}, {"type": "null"}]}),
                json!({"allOf": [{"$ref": "#/x"}], "nullable": true}),
            ),
            (
                json!({"oneOf": [{"type": "integer"}, {"type": "string"}, {"type": "null"}]}),
                json!({"oneOf": [{"type": "integer"}, {"type": "string"}], "nullable": true}),
            ),
            (json!({"const": "field"}), json!({"enum": ["field"]})),
            (
                json!({"type": "number", "exclusiveMinimum": 0}),
                json!({"type": "number", "minimum": 0, "exclusiveMinimum": true}),
            ),
            (json!({"examples": ["a", "b"]}), json!({"example": "a"})),
            (json!({"$ref": "#/x", "description": "d"}), json!({"allOf": [{"$ref": "#/x"}], "description": "d"})),
            (json!({"$ref": "#/x"}), json!({"$ref": "#/x"})),
            // Names of properties, and examples, are not keywords.
            (
                json!({"properties": {"const": {"type": ["null", "string"]}, "example": {"const": 1}}}),
                json!({"properties": {"const": {"type": "string", "nullable": true}, "example": {"enum": [1]}}}),
            ),
            (
                json!({"example": {"type": ["a", "null"], "const": 1}}),
                json!({"example": {"type": ["a", "null"], "const": 1}}),
            ),
        ] {
            let mut converted = new.clone();
            convert(&mut converted);
            assert_eq!(converted, old, "{new}");
        }
    }

    #[test]
    fn the_document_is_read_by_a_parser_of_3_0() {
        for guarded in [false, true] {
            let new = document(&DocumentSettings { guarded, ..DocumentSettings::default() });
            assert!(serde_json::from_value::<openapiv3::OpenAPI>(new.clone()).is_err(), "the parser reads 3.1 too");
            let parsed: openapiv3::OpenAPI = serde_json::from_value(converted(&new)).unwrap();
            assert_eq!(
                (parsed.openapi.as_str(), parsed.paths.paths.len()),
                (VERSION, new["paths"].as_object().unwrap().len())
            );
            let schemas = parsed.components.unwrap().schemas;
            let missing =
                new["components"]["schemas"].as_object().unwrap().keys().filter(|name| !schemas.contains_key(*name));
            assert_eq!(missing.collect::<Vec<_>>(), ["NoteId", "RecordingForm", "ScanForm"]);
        }
        let text = converted(&document(&DocumentSettings::default())).to_string();
        for keyword in ["\"null\"]", "{\"type\":\"null\"}", "\"const\":", "\"identifier\":"] {
            assert!(!text.contains(keyword), "{keyword}");
        }
    }

    #[test]
    fn a_body_has_one_media_type_and_an_operation_one_kind_of_error() {
        let document = converted(&document(&DocumentSettings { guarded: true, ..DocumentSettings::default() }));
        let content = |body: &Value| body["content"].as_object().map_or(0, Map::len);
        for (path, item) in document["paths"].as_object().unwrap() {
            for (method, operation) in item.as_object().unwrap() {
                assert!(content(&operation["requestBody"]) <= 1, "{method} {path}");
                let responses = operation["responses"].as_object().unwrap();
                assert!(responses.values().all(|response| content(response) <= 1), "{method} {path}");
                let errors = responses.iter().filter(|(status, _)| status.starts_with(['4', '5']));
                let kinds: std::collections::BTreeSet<String> =
                    errors.map(|(_, response)| response["content"].to_string()).collect();
                // Examples differ, the schema does not.
                let schemas = kinds.iter().filter(|kind| kind.contains("schemas/Problem")).count();
                assert!(schemas == 0 || schemas == kinds.len(), "{method} {path}: {kinds:?}");
            }
        }
        let types =
            |pointer: &str| document.pointer(pointer).unwrap().as_object().unwrap().keys().cloned().collect::<Vec<_>>();
        assert_eq!(types("/paths/~1metrics/get/responses/200/content"), ["text/plain"]);
        assert_eq!(types("/paths/~1api~1v1~1jobs/post/requestBody/content"), ["application/json"]);
        // Not ready and not allowed have different bodies.
        let unready = document.pointer("/paths/~1health~1ready/get/responses/503").unwrap();
        assert!(unready["description"].is_string() && content(unready) == 0, "{unready}");
    }

    #[test]
    fn what_may_be_null_has_a_type() {
        let schemas = json!({"Unit": {"type": "string"}, "Id": {"oneOf": [{"type": "string"}, {"type": "integer"}]}});
        for (before, after) in [
            (
                json!({"allOf": [{"$ref": "#/components/schemas/Unit"}], "nullable": true}),
                json!({"allOf": [{"$ref": "#/components/schemas/Unit"}], "nullable": true, "type": "string"}),
            ),
            (
                json!({"allOf": [{"$ref": "#/components/schemas/Id"}], "nullable": true, "description": "d"}),
                json!({"oneOf": [{"type": "string", "nullable": true}, {"type": "integer"}], "description": "d"}),
            ),
            (
                json!({"oneOf": [{"type": "integer"}, {"type": "string"}], "nullable": true}),
                json!({"oneOf": [{"type": "integer", "nullable": true}, {"type": "string"}]}),
            ),
            (json!({"type": "string", "nullable": true}), json!({"type": "string", "nullable": true})),
        ] {
            let mut typed = json!({"items": before});
            type_nullable(&mut typed, schemas.as_object().unwrap());
            assert_eq!(typed["items"], after);
        }
    }
}
