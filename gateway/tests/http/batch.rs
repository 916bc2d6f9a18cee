//! Tests batches: an outcome for each note, in JSON and in JSON lines.

use axum::{
    Router,
    body::Body,
    http::{Request, StatusCode},
};
use gateway::{config::Settings, http, server::Gateway};
use serde_json::{Value, json};

use crate::{rules, send};

const NOTE: &str = "Stage IV lung adenocarcinoma on osimertinib.";

async fn post_batch(router: &Router, media_type: &str, query: &str, body: impl Into<Body>) -> (u16, String) {
    let request = Request::post(format!("/api/v1/extract/batch{query}")).header("content-type", media_type);
    let (status, headers, body) = send(router, request.body(body.into()).unwrap()).await;
    let expected = if status == StatusCode::OK { media_type } else { "application/problem+json" };
    assert_eq!(headers["content-type"], expected);
    (status.as_u16(), String::from_utf8(body).unwrap())
}

async fn in_json(router: &Router, body: Value) -> (u16, Value) {
    let (status, text) = post_batch(router, "application/json", "", body.to_string()).await;
    (status, serde_json::from_str(&text).unwrap())
}

/// Returns the lines of an answer, in the order of the notes.
async fn in_lines(router: &Router, query: &str, body: impl Into<Body>) -> Vec<Value> {
    let (status, text) = post_batch(router, "application/x-ndjson", query, body).await;
    assert_eq!(status, 200, "{text}");
    assert!(text.is_empty() || text.ends_with('\n'));
    let mut lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    lines.sort_by_key(|line| line["index"].as_u64().unwrap());
    lines
}

/// Returns id, status and code of an outcome; the code is "ok" if it has a result.
fn outcome_parts(outcome: &Value) -> (Value, u64, String) {
    let code = outcome["error"]["code"].as_str().unwrap_or("ok").to_owned();
    assert_eq!(outcome.get("result").is_some(), code == "ok");
    assert_eq!(outcome.get("error").is_some(), code != "ok");
    assert_eq!(outcome["error"].get("status").unwrap_or(&outcome["status"]), &outcome["status"]);
    (outcome["id"].clone(), outcome["status"].as_u64().unwrap(), code)
}

fn with_limits(limits: impl FnOnce(&mut Settings)) -> Router {
    let mut settings = Settings::default();
    limits(&mut settings);
    http::router(Gateway::new(settings).unwrap().app, Vec::new())
}

#[tokio::test]
async fn each_note_has_its_own_outcome_in_both_forms() {
    let long_id = "x".repeat(201);
    let notes = [
        (json!({"id": "a", "text": NOTE}), json!("a"), 200, "ok"),
        (json!({"text": NOTE}), Value::Null, 200, "ok"),
        (json!({"id": 7, "text": NOTE}), json!(7), 200, "ok"),
        (json!({"id": "a", "text": "Breast cancer."}), json!("a"), 422, "invalid_request"),
        (json!({"id": "b", "text": " "}), json!("b"), 422, "invalid_request"),
        (json!({"id": "c"}), json!("c"), 422, "invalid_request"),
        (json!({"id": "d", "text": NOTE, "offsets": "byte"}), json!("d"), 422, "invalid_request"),
        (json!({"id": ["e"], "text": NOTE}), Value::Null, 422, "invalid_request"),
        (json!({"id": 1.5, "text": NOTE}), Value::Null, 422, "invalid_request"),
        (json!({"id": long_id, "text": NOTE}), Value::Null, 422, "invalid_request"),
        (json!([1]), Value::Null, 422, "invalid_request"),
        (json!({"id": null, "text": NOTE}), Value::Null, 200, "ok"),
        (json!({"id": "f", "text": NOTE, "note_date": "2021-02-31"}), json!("f"), 422, "invalid_request"),
    ];
    let all: Vec<&Value> = notes.iter().map(|(note, ..)| note).collect();
    let (status, answer) = in_json(&rules(), json!({"notes": all})).await;
    assert_eq!((status, &answer["summary"]), (200, &json!({"ok": 4, "failed": 9})));
    let lines: Vec<String> = all.iter().map(ToString::to_string).collect();
    for outcomes in [answer["results"].as_array().unwrap().clone(), in_lines(&rules(), "", lines.join("\n")).await] {
        assert_eq!(outcomes.len(), notes.len());
        for (at, (outcome, (note, id, status, code))) in outcomes.iter().zip(&notes).enumerate() {
            assert_eq!(outcome["index"], at);
            assert_eq!(outcome_parts(outcome), (id.clone(), *status, (*code).to_owned()), "{note}");
        }
        assert_eq!(outcomes[0]["result"]["stage"], "IV");
        assert_eq!(outcomes[3]["error"]["errors"][0]["rule"], "unique");
    }
}

#[tokio::test]
async fn a_broken_line_fails_only_its_own_note() {
    let mut lines: Vec<String> = (0..10).map(|n| json!({"id": n, "text": NOTE}).to_string()).collect();
    "{\"id\": 2, \"text\": ".clone_into(&mut lines[2]);
    let outcomes = in_lines(&rules(), "", lines.join("\r\n")).await;
    let codes: Vec<String> = outcomes.iter().map(|outcome| outcome_parts(outcome).2).collect();
    assert_eq!(codes.iter().filter(|code| *code == "ok").count(), 9);
    assert_eq!((codes.len(), codes[2].as_str()), (10, "invalid_json"));
}

#[tokio::test]
async fn options_are_in_the_body_or_in_the_query() {
    let text = "\u{1f600} Stage IV lung adenocarcinoma.";
    let start = |outcome: &Value| outcome["result"]["evidence"]["stage"][0]["start"].as_u64().unwrap();
    for (unit, offset) in [("codepoint", 2), ("utf16", 3), ("byte", 5)] {
        let (_, answer) = in_json(&rules(), json!({"notes": [{"text": text}], "offsets": unit})).await;
        assert_eq!(start(&answer["results"][0]), offset);
        let lines =
            in_lines(&rules(), &format!("?offsets={unit}&confidence=false"), json!({"text": text}).to_string()).await;
        assert_eq!(start(&lines[0]), offset);
        // The query also applies to a JSON batch whose body does not set the option.
        let other = json!({"notes": [{"text": text}]}).to_string();
        let (_, answer) = post_batch(&rules(), "application/json", &format!("?offsets={unit}"), other).await;
        assert_eq!(start(&serde_json::from_str::<Value>(&answer).unwrap()["results"][0]), offset);
    }
}

#[tokio::test]
async fn an_empty_batch_is_not_an_error() {
    assert_eq!(
        in_json(&rules(), json!({"notes": []})).await,
        (200, json!({"results": [], "summary": {"ok": 0, "failed": 0}}))
    );
    assert_eq!(in_lines(&rules(), "", "\n \n").await, Vec::<Value>::new());
}

#[tokio::test]
async fn an_invalid_batch_is_refused_as_a_whole() {
    let router = with_limits(|settings| {
        settings.limits.batch_notes = 2;
        settings.limits.body_bytes = bytesize::ByteSize::kib(2);
        settings.limits.batch_bytes = bytesize::ByteSize::kib(4);
    });
    let large = format!("{{\"notes\": [\"{}\"]}}", "x".repeat(5_000));
    for (media_type, query, body, status, code, expected_detail) in [
        ("application/json", "", "nonsense", 400, "invalid_json", ""),
        ("application/json", "", "[]", 422, "invalid_request", "`notes`"),
        ("application/json", "", "{}", 422, "invalid_request", "`notes` is missing"),
        ("application/json", "", "{\"notes\": {}}", 422, "invalid_request", "a list of notes"),
        ("application/json", "", "{\"notes\": [], \"notes\": []}", 422, "invalid_request", "twice"),
        ("application/json", "", "{\"notes\": [], \"text\": \"x\"}", 422, "invalid_request", "`text` is not a key"),
        ("application/json", "", "{\"notes\": [], \"temperature\": 3}", 422, "invalid_request", "0.0 to 2.0"),
        ("application/json", "", "{\"notes\": [1, 2, 3]}", 422, "invalid_request", "at most 2 notes"),
        ("application/json", "", large.as_str(), 413, "body_too_large", "several batches"),
        ("application/x-ndjson", "", large.as_str(), 413, "body_too_large", "several batches"),
        ("text/plain", "", "x", 415, "unsupported_media_type", "application/x-ndjson"),
        ("application/x-ndjson", "?offsets=words", "", 422, "invalid_request", "`offsets` must be"),
        ("application/x-ndjson", "?temperature=hot", "", 422, "invalid_request", "`temperature` must be"),
        ("application/x-ndjson", "?temperature=9", "", 422, "invalid_request", "0.0 to 2.0"),
        ("application/x-ndjson", "?model=other", "", 422, "invalid_request", "`model` is not one"),
        ("application/x-ndjson", "?confidence=1", "", 422, "invalid_request", "`confidence` must be"),
        ("application/x-ndjson", "?offsets=byte&offsets=byte", "", 422, "invalid_request", "twice"),
        ("application/x-ndjson", "?text=x", "", 422, "invalid_request", "`text` is not a key"),
    ] {
        let request = Request::post(format!("/api/v1/extract/batch{query}")).header("content-type", media_type);
        let (answered, _, answer) = send(&router, request.body(Body::from(body.to_owned())).unwrap()).await;
        let problem: Value = serde_json::from_slice(&answer).unwrap();
        assert_eq!(
            (answered.as_u16(), problem["code"].as_str().unwrap()),
            (status, code),
            "{media_type} {query} {body}"
        );
        assert!(problem["detail"].as_str().unwrap().contains(expected_detail), "{problem}");
    }
}

#[tokio::test]
async fn lines_over_the_limit_end_with_a_line_that_says_so() {
    let router = with_limits(|settings| {
        settings.limits.body_bytes = bytesize::ByteSize::kib(1);
        settings.limits.batch_bytes = bytesize::ByteSize::kib(4);
    });
    let note = |length: usize| json!({"id": "n", "text": "x".repeat(length)}).to_string() + "\n";
    // A body without a length exceeds the limit only while the server reads it.
    let stream = |lines: Vec<String>| {
        Body::from_stream(futures_util::stream::iter(lines.into_iter().map(Ok::<_, std::convert::Infallible>)))
    };
    let outcomes = in_lines(&router, "", stream(vec![note(100), note(2_000), note(50)])).await;
    let codes: Vec<_> = outcomes.iter().map(outcome_parts).collect();
    let refused = (Value::Null, 413, "body_too_large".to_owned());
    assert_eq!((codes.len(), &codes[1]), (3, &refused));
    let outcomes = in_lines(&router, "", stream(vec![note(500); 20])).await;
    assert!((5..=9).contains(&outcomes.len()), "{}", outcomes.len());
    assert_eq!(outcome_parts(outcomes.last().unwrap()), refused);
    let ends: Vec<bool> = outcomes.iter().map(|outcome| outcome["ends"] == true).collect();
    assert_eq!(ends.iter().rposition(|ends| !ends), Some(outcomes.len() - 2), "{ends:?}");
    assert_eq!(ends.last(), Some(&true));
}

#[tokio::test]
async fn a_bad_body_gets_a_short_answer() {
    let router = rules();
    let keys: Vec<String> = (0..50_000).map(|n| format!("\"k{n}\": 1")).collect();
    let (status, text) = post_bad_body(&router, format!("{{\"notes\": [], {}}}", keys.join(", "))).await;
    let problem: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((status, problem["errors"].as_array().unwrap().len()), (422, 20));
    assert!(text.len() < 5_000 && problem["detail"].as_str().unwrap().ends_with("more."), "{}", text.len());
    // A body with more notes than the limit: the notes are only counted.
    let (status, text) = post_bad_body(&router, format!("{{\"notes\": [{}1]}}", "1,".repeat(200_000))).await;
    assert!(status == 422 && text.contains("at most 1000 notes"), "{text}");
}

async fn post_bad_body(router: &Router, body: String) -> (u16, String) {
    let request = Request::post("/api/v1/extract/batch").header("content-type", "application/json");
    let (status, _, answer) = send(router, request.body(Body::from(body)).unwrap()).await;
    (status.as_u16(), String::from_utf8(answer).unwrap())
}

#[tokio::test]
async fn a_byte_order_mark_is_accepted() {
    let note = format!("\u{feff}{}", json!({"id": 1, "text": NOTE}));
    assert_eq!(outcome_parts(&in_lines(&rules(), "", note).await[0]).2, "ok");
}

#[tokio::test]
async fn a_duplicate_or_too_large_id_is_null_and_stays_free() {
    let lines = [
        "{\"id\": \"a\", \"id\": \"b\", \"text\": \"x\"}",
        "{\"id\": \"b\", \"text\": \"x\"}",
        "{\"id\": 9007199254740992, \"text\": \"x\"}",
    ];
    let outcomes = in_lines(&rules(), "", lines.join("\n")).await;
    let ids_and_statuses: Vec<_> = outcomes.iter().map(outcome_parts).map(|(id, status, _)| (id, status)).collect();
    assert_eq!(ids_and_statuses, [(Value::Null, 422), (json!("b"), 200), (Value::Null, 422)]);
}
