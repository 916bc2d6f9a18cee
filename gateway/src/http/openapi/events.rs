//! The events of `/api/v1/extract/stream` and `/api/v1/ask/stream` as schemas: the data of each event.

use serde_json::{Map, Value, json};

/// The place of each stream's answer in the document, and the schema of its events.
const STREAMS: [(&str, &str); 2] = [
    ("/paths/~1api~1v1~1extract~1stream/post/responses/200/content/text~1event-stream", "StreamEvent"),
    ("/paths/~1api~1v1~1ask~1stream/post/responses/200/content/text~1event-stream", "AskStreamEvent"),
];

/// Adds the schemas of the events to the document, and the schema of the stream.
pub(super) fn add(document: &mut Value) {
    // `OpenAPI` 3.1 has no keywords for a stream: some clients give the whole text, others the data of each event.
    for (answer, event) in STREAMS {
        let Some(answer) = document.pointer_mut(answer).and_then(Value::as_object_mut) else { continue };
        let event = json!({"$ref": format!("#/components/schemas/{event}")});
        let schema = json!({
            "description": "The data of each event where the client reads server-sent events, else the whole text.",
            "anyOf": [event, {"type": "string"}],
        });
        answer.insert("schema".to_owned(), schema);
    }
    if let Some(schemas) = document.pointer_mut("/components/schemas").and_then(Value::as_object_mut) {
        add_schemas(schemas);
    }
}

fn add_schemas(schemas: &mut Map<String, Value>) {
    let of_extract = [
        ("FieldEvent", "field", field()),
        ("ResetEvent", "reset", reset()),
        (
            "ResultEvent",
            "result",
            extended("Answer", "result", "The last event: the answer of `POST /api/v1/extract`."),
        ),
        ("ErrorEvent", "error", extended("NestedProblem", "error", "The last event if there is no answer: a problem.")),
    ];
    let error = extended("NestedProblem", "error", "The last event if there is no answer: a problem.");
    let of_ask = [
        ("AskQuoteEvent", "quote", extended("AskQuote", "quote", "Words of the note.")),
        ("AskAnswerEvent", "answer", ask_answer()),
        (
            "AskResultEvent",
            "result",
            extended("AskAnswer", "result", "The last event: the answer of `POST /api/v1/ask`."),
        ),
        ("ErrorEvent", "error", error),
    ];
    add_union(schemas, "StreamEvent", of_extract);
    add_union(schemas, "AskStreamEvent", of_ask);
}

fn add_union<const N: usize>(schemas: &mut Map<String, Value>, union: &str, events: [(&str, &str, Value); N]) {
    let reference = |name: &str| format!("#/components/schemas/{name}");
    let mapping: Map<String, Value> =
        events.iter().map(|(name, kind, _)| ((*kind).to_owned(), reference(name).into())).collect();
    let one_of: Vec<Value> = events.iter().map(|(name, ..)| json!({"$ref": reference(name)})).collect();
    for (name, _, schema) in events {
        schemas.insert(name.to_owned(), schema);
    }
    let schema = json!({
        "description": "The data of one event, as JSON. `type` is also the name of the event.",
        "oneOf": one_of,
        "discriminator": {"propertyName": "type", "mapping": mapping},
    });
    schemas.insert(union.to_owned(), schema);
}

fn ask_answer() -> Value {
    json!({
        "type": "object",
        "description": "The answer as far as it is known. It counts only if the last event has it too.",
        "required": ["type", "answer", "unverified"],
        "properties": {
            "type": kind("answer"),
            "answer": {"type": "string", "description": "The answer."},
            "unverified": {"type": "boolean", "description": "Always true."},
        },
        "example": {"type": "answer", "answer": "Stage: IV.", "unverified": true},
    })
}

fn kind(name: &str) -> Value {
    json!({"type": "string", "enum": [name], "description": "The kind of the event."})
}

fn field() -> Value {
    json!({
        "type": "object",
        "description": "A field that the model has written. It is provisional until the last event.",
        "required": ["type", "name", "value"],
        "properties": {
            "type": kind("field"),
            "name": {"$ref": "#/components/schemas/FieldName"},
            "value": {"type": ["string", "null"], "description": "Its provisional value; null if the note gives none."},
        },
        "example": {"type": "field", "name": "stage", "value": "IV"},
    })
}

fn reset() -> Value {
    json!({
        "type": "object",
        "description": "The fields so far are void, because the model is asked again.",
        "required": ["type"],
        "properties": {"type": kind("reset")},
        "example": {"type": "reset"},
    })
}

/// Returns an event that has the keys of a schema in addition to its `type`.
fn extended(schema: &str, name: &str, description: &str) -> Value {
    json!({
        "description": description,
        "allOf": [
            {"$ref": format!("#/components/schemas/{schema}")},
            {"type": "object", "required": ["type"], "properties": {"type": kind(name)}},
        ],
    })
}
