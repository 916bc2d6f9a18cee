//! Tests the stream of server-sent events: its events, their order, and how the stream ends.

use std::sync::Arc;

use axum::{Router, body::Body, http::Request};
use gateway::{config::Settings, http, server::Gateway};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tower::ServiceExt;

use crate::{
    FIELDS, MELANOMA, fake_vllm,
    fake_vllm::{FakeServer, RECORD, UpstreamBehaviour},
    post, rules, send,
};

const NOTE: &str = "Stage IV lung adenocarcinoma on osimertinib.";

fn request(body: impl Into<Body>) -> Request<Body> {
    Request::post("/api/v1/extract/stream").header("content-type", "application/json").body(body.into()).unwrap()
}

/// Parses a stream into the names and data of its events. Each has its name in its data too, as `type`.
fn events(text: &str) -> Vec<(String, Value)> {
    let blocks = text.split("\n\n").filter(|block| !block.is_empty() && !block.starts_with(':'));
    let lines = |block: &str, prefix: &str| {
        block.lines().filter_map(|line| line.strip_prefix(prefix)).collect::<Vec<_>>().join("\n").trim().to_owned()
    };
    let event = |block: &str| {
        let (name, mut data): (_, Value) =
            (lines(block, "event:"), serde_json::from_str(&lines(block, "data:")).unwrap());
        assert_eq!(data.as_object_mut().unwrap().remove("type"), Some(json!(name)));
        (name, data)
    };
    blocks.map(event).collect()
}

async fn stream_events(router: &Router, body: Value) -> Vec<(String, Value)> {
    let (status, headers, body) = send(router, request(body.to_string())).await;
    assert_eq!((status.as_u16(), &headers["content-type"]), (200, &"text/event-stream".parse().unwrap()));
    assert_eq!(
        (&headers["x-accel-buffering"], &headers["cache-control"]),
        (&"no".parse().unwrap(), &"no-store".parse().unwrap())
    );
    events(&String::from_utf8(body).unwrap())
}

async fn with_model(acts: Vec<UpstreamBehaviour>) -> (Router, FakeServer) {
    let fake = fake_vllm::start(acts).await;
    let mut settings = Settings::default();
    settings.vllm.url = Some(format!("http://{}", fake.address));
    let app = Gateway::new(settings).unwrap().app;
    // Without this wait the answers could be those of a loading model.
    while app.state.readiness.reason().is_some() {
        tokio::task::yield_now().await;
    }
    (http::router(app, Vec::new()), fake)
}

fn names(events: &[(String, Value)]) -> Vec<&str> {
    events.iter().map(|(name, _)| name.as_str()).collect()
}

/// Returns the answer without its request id, which differs between requests.
fn without_request_id(mut answer: Value) -> Value {
    answer["request_id"] = Value::Null;
    answer
}

#[tokio::test]
async fn the_rules_stream_seven_fields_and_the_answer_of_extract() {
    let note = format!("{MELANOMA}\r\n\u{2028}\u{1f600} end");
    let events = stream_events(&rules(), json!({"text": note, "offsets": "utf16"})).await;
    assert_eq!(names(&events), [["field"; 7].as_slice(), &["result"]].concat());
    let (_, answer) = post(&rules(), json!({"text": note, "offsets": "utf16"}).to_string()).await;
    for (event, field) in events.iter().zip(FIELDS) {
        assert_eq!(event.1, json!({"name": field, "value": answer[field]}));
    }
    assert_eq!(without_request_id(events[7].1.clone()), without_request_id(answer));
}

#[tokio::test]
async fn fields_arrive_while_the_model_writes() {
    let pieces = vec![
        "{\"cancer_type\": \"lung adeno",
        "carcinoma\", \"stage\"",
        ": null",
        ", \"gene_mutation\": null, \"biomarker\": null, \"treatment\": null, \"response\": \"é\\n\", \"metastasis_site\": null}",
    ];
    let permits = Arc::new(Semaphore::new(2));
    let (router, fake) = with_model(vec![UpstreamBehaviour::Pieces(pieces, Arc::clone(&permits))]).await;
    let response = router.oneshot(request(json!({"text": NOTE}).to_string())).await.unwrap();
    let mut body = response.into_body();
    // The model has written two of its four pieces and waits.
    let first = body.frame().await.unwrap().unwrap().into_data().unwrap();
    let first = events(std::str::from_utf8(&first).unwrap());
    assert_eq!(first, [("field".to_owned(), json!({"name": "cancer_type", "value": "lung adenocarcinoma"}))]);
    permits.add_permits(9);
    let later_events = events(std::str::from_utf8(&body.collect().await.unwrap().to_bytes()).unwrap());
    assert_eq!(names(&later_events), [["field"; 6].as_slice(), &["result"]].concat());
    assert_eq!(later_events[4].1, json!({"name": "response", "value": "é"}));
    assert_eq!(
        (&later_events[6].1["cancer_type"], &later_events[6].1["tokens_used"]),
        (&json!("lung adenocarcinoma"), &json!(100))
    );
    let sent = fake.bodies.lock().await[0].clone();
    assert_eq!((&sent["stream"], &sent["stream_options"]), (&json!(true), &json!({"include_usage": true})));
}

#[tokio::test]
async fn a_stream_ends_with_the_answer_of_extract() {
    for act in [UpstreamBehaviour::Text(RECORD.to_owned()), UpstreamBehaviour::WithLogprobs, UpstreamBehaviour::NoUsage]
    {
        let (router, _fake) = with_model(vec![act]).await;
        let body = json!({"text": NOTE, "confidence": true});
        let (_, extract_answer) = post(&router, body.to_string()).await;
        let mut events = stream_events(&router, body).await;
        assert_eq!(names(&events), [["field"; 7].as_slice(), &["result"]].concat());
        assert_eq!(without_request_id(events.remove(7).1), without_request_id(extract_answer));
    }
}

#[tokio::test]
async fn a_second_attempt_resets_the_fields() {
    let other = "{\"cancer_type\": \"lung adenocarcinoma\", \"stage\": [[\"IV\"]]}".to_owned();
    let (router, _fake) =
        with_model(vec![UpstreamBehaviour::Text(other), UpstreamBehaviour::Text(RECORD.to_owned())]).await;
    let events = stream_events(&router, json!({"text": NOTE})).await;
    assert_eq!(names(&events), [&["field", "reset"], ["field"; 7].as_slice(), &["result"]].concat());
    assert_eq!(events[1].1, json!({}));
}

#[tokio::test]
async fn the_fields_of_a_note_in_chunks_arrive_at_its_end() {
    let (router, fake) = with_model(vec![UpstreamBehaviour::Text(RECORD.to_owned())]).await;
    let long = NOTE.to_owned() + &" She was seen again and felt well. ".repeat(300);
    let events = stream_events(&router, json!({"text": long})).await;
    assert_eq!(names(&events), [["field"; 7].as_slice(), &["result"]].concat());
    assert!(events[7].1["chunks"].as_u64().unwrap() > 1 && fake.bodies.lock().await[0].get("stream").is_none());
}

#[tokio::test]
async fn a_failure_is_the_last_event() {
    let error = json!({"error": {"message": "EngineCore died", "type": "InternalServerError", "code": 500}});
    for (act, field_count, code, retry) in [
        (UpstreamBehaviour::BrokenStream(Some(error.clone())), 1, "upstream_failed", None),
        (UpstreamBehaviour::BrokenStream(None), 1, "upstream_failed", None),
        (UpstreamBehaviour::UnfinishedStream, 7, "upstream_failed", None),
        (UpstreamBehaviour::ErrorEvent(error), 0, "upstream_failed", None),
        (UpstreamBehaviour::Html, 0, "upstream_failed", None),
        (UpstreamBehaviour::HalfJson, 0, "upstream_failed", None),
        (UpstreamBehaviour::Status(500, json!({})), 0, "upstream_failed", None),
        (UpstreamBehaviour::Status(400, json!({})), 0, "upstream_rejected", None),
        (UpstreamBehaviour::Status(429, json!({})), 0, "overloaded", Some(5)),
        (UpstreamBehaviour::Status(503, json!({})), 0, "upstream_unavailable", Some(5)),
    ] {
        let (router, _fake) = with_model(vec![act.clone()]).await;
        let events = stream_events(&router, json!({"text": NOTE})).await;
        assert_eq!(names(&events), [["field"].repeat(field_count).as_slice(), &["error"]].concat(), "{act:?}");
        let problem = &events[field_count].1;
        assert_eq!((&problem["code"], problem["retry_after"].as_u64()), (&json!(code), retry), "{act:?}");
        assert!(problem["detail"].is_string() && problem["request_id"].is_string());
    }
    let (router, _fake) = with_model(vec![UpstreamBehaviour::CutOff]).await;
    let events = stream_events(&router, json!({"text": NOTE})).await;
    assert_eq!(names(&events), ["reset", "error"]);
    assert_eq!(events[1].1["code"], "output_truncated");
}

#[tokio::test]
async fn the_fields_of_another_model_are_reset() {
    let message = json!({"message": {"role": "assistant", "content": RECORD}, "finish_reason": "stop"});
    let other = json!({"model": "another", "choices": [message], "usage": {"prompt_tokens": 90, "total_tokens": 100}});
    let answers = vec![UpstreamBehaviour::Completion(other), UpstreamBehaviour::Text(RECORD.to_owned())];
    let (router, _fake) = with_model(answers).await;
    let events = stream_events(&router, json!({"text": NOTE})).await;
    let seven = ["field"; 7].as_slice();
    assert_eq!(names(&events), [seven, &["reset"], seven, &["result"]].concat());
}

#[tokio::test]
async fn an_invalid_request_is_refused_with_a_status() {
    for (body, status, code) in [
        ("{}", 422, "invalid_request"),
        ("{\"text\": \"x\", \"notes\": []}", 422, "invalid_request"),
        ("nonsense", 400, "invalid_json"),
    ] {
        let (answered, headers, body) = send(&rules(), request(body)).await;
        let problem: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!((answered.as_u16(), problem["code"].as_str().unwrap()), (status, code));
        assert_eq!(headers["content-type"], "application/problem+json");
    }
}
