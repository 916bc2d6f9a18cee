//! Server-sent events: what is told, in which order, and how it ends.

use std::sync::Arc;

use axum::{Router, body::Body, http::Request};
use gateway::{config::Settings, http, server::Gateway};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tower::ServiceExt;

use crate::{
    FIELDS, MELANOMA, fake_vllm,
    fake_vllm::{Act, Fake, RECORD},
    post, rules, send,
};

const NOTE: &str = "Stage IV lung adenocarcinoma on osimertinib.";

fn request(body: impl Into<Body>) -> Request<Body> {
    Request::post("/api/v1/extract/stream").header("content-type", "application/json").body(body.into()).unwrap()
}

/// The events of a stream: names and data.
fn events(text: &str) -> Vec<(String, Value)> {
    let blocks = text.split("\n\n").filter(|block| !block.is_empty() && !block.starts_with(':'));
    let lines = |block: &str, prefix: &str| {
        block.lines().filter_map(|line| line.strip_prefix(prefix)).collect::<Vec<_>>().join("\n").trim().to_owned()
    };
    blocks.map(|block| (lines(block, "event:"), serde_json::from_str(&lines(block, "data:")).unwrap())).collect()
}

async fn heard(router: &Router, body: Value) -> Vec<(String, Value)> {
    let (status, headers, body) = send(router, request(body.to_string())).await;
    assert_eq!((status.as_u16(), &headers["content-type"]), (200, &"text/event-stream".parse().unwrap()));
    assert_eq!(
        (&headers["x-accel-buffering"], &headers["cache-control"]),
        (&"no".parse().unwrap(), &"no-store".parse().unwrap())
    );
    events(&String::from_utf8(body).unwrap())
}

async fn with_model(acts: Vec<Act>) -> (Router, Fake) {
    let fake = fake_vllm::start(acts).await;
    let mut settings = Settings::default();
    settings.vllm.url = Some(format!("http://{}", fake.address));
    let app = Gateway::new(settings).unwrap().app;
    // Ready, or its answers would be those of a model that loads.
    while app.readiness.reason().is_some() {
        tokio::task::yield_now().await;
    }
    (http::router(app, Vec::new()), fake)
}

fn names(events: &[(String, Value)]) -> Vec<&str> {
    events.iter().map(|(name, _)| name.as_str()).collect()
}

/// The same but for what differs from one request to the next.
fn timeless(mut answer: Value) -> Value {
    answer["request_id"] = Value::Null;
    answer
}

#[tokio::test]
async fn the_rules_tell_seven_fields_and_the_answer_of_extract() {
    let note = format!("{MELANOMA}\r\n\u{2028}\u{1f600} end");
    let events = heard(&rules(), json!({"text": note, "offsets": "utf16"})).await;
    assert_eq!(names(&events), [["field"; 7].as_slice(), &["result"]].concat());
    let (_, answer) = post(&rules(), json!({"text": note, "offsets": "utf16"}).to_string()).await;
    for (event, field) in events.iter().zip(FIELDS) {
        assert_eq!(event.1, json!({"name": field, "value": answer[field]}));
    }
    assert_eq!(timeless(events[7].1.clone()), timeless(answer));
}

#[tokio::test]
async fn a_model_is_heard_while_it_writes() {
    let pieces = vec![
        "{\"cancer_type\": \"lung adeno",
        "carcinoma\", \"stage\"",
        ": null",
        ", \"gene_mutation\": null, \"biomarker\": null, \"treatment\": null, \"response\": \"é\\n\", \"metastasis_site\": null}",
    ];
    let permits = Arc::new(Semaphore::new(2));
    let (router, fake) = with_model(vec![Act::Pieces(pieces, Arc::clone(&permits))]).await;
    let response = router.oneshot(request(json!({"text": NOTE}).to_string())).await.unwrap();
    let mut body = response.into_body();
    // The model has written two of its four pieces, and waits.
    let first = body.frame().await.unwrap().unwrap().into_data().unwrap();
    let first = events(std::str::from_utf8(&first).unwrap());
    assert_eq!(first, [("field".to_owned(), json!({"name": "cancer_type", "value": "lung adenocarcinoma"}))]);
    permits.add_permits(9);
    let rest = events(std::str::from_utf8(&body.collect().await.unwrap().to_bytes()).unwrap());
    assert_eq!(names(&rest), [["field"; 6].as_slice(), &["result"]].concat());
    assert_eq!(rest[4].1, json!({"name": "response", "value": "é"}));
    assert_eq!((&rest[6].1["cancer_type"], &rest[6].1["tokens_used"]), (&json!("lung adenocarcinoma"), &json!(100)));
    let sent = fake.bodies.lock().await[0].clone();
    assert_eq!((&sent["stream"], &sent["stream_options"]), (&json!(true), &json!({"include_usage": true})));
}

#[tokio::test]
async fn the_answer_of_a_stream_is_the_answer_of_extract() {
    for act in [Act::Say(RECORD.to_owned()), Act::WithLogprobs, Act::NoUsage] {
        let (router, _fake) = with_model(vec![act]).await;
        let body = json!({"text": NOTE, "confidence": true});
        let (_, whole) = post(&router, body.to_string()).await;
        let mut events = heard(&router, body).await;
        assert_eq!(names(&events), [["field"; 7].as_slice(), &["result"]].concat());
        assert_eq!(timeless(events.remove(7).1), timeless(whole));
    }
}

#[tokio::test]
async fn an_attempt_that_is_repeated_voids_what_was_told() {
    let other = "{\"cancer_type\": \"lung adenocarcinoma\", \"stage\": [[\"IV\"]]}".to_owned();
    let (router, _fake) = with_model(vec![Act::Say(other), Act::Say(RECORD.to_owned())]).await;
    let heard = heard(&router, json!({"text": NOTE})).await;
    assert_eq!(names(&heard), [&["field", "reset"], ["field"; 7].as_slice(), &["result"]].concat());
    assert_eq!(heard[1].1, json!({}));
}

#[tokio::test]
async fn a_note_in_parts_is_told_at_its_end() {
    let (router, fake) = with_model(vec![Act::Say(RECORD.to_owned())]).await;
    let long = NOTE.to_owned() + &" She was seen again and felt well. ".repeat(300);
    let heard = heard(&router, json!({"text": long})).await;
    assert_eq!(names(&heard), [["field"; 7].as_slice(), &["result"]].concat());
    assert!(heard[7].1["chunks"].as_u64().unwrap() > 1 && fake.bodies.lock().await[0].get("stream").is_none());
}

#[tokio::test]
async fn what_goes_wrong_is_the_last_event() {
    let error = json!({"error": {"message": "EngineCore died", "type": "InternalServerError", "code": 500}});
    for (act, told, code, retry) in [
        (Act::Spoilt(Some(error.clone())), 1, "upstream_failed", None),
        (Act::Spoilt(None), 1, "upstream_failed", None),
        (Act::Unended, 7, "upstream_failed", None),
        (Act::ErrorEvent(error), 0, "upstream_failed", None),
        (Act::Html, 0, "upstream_failed", None),
        (Act::HalfJson, 0, "upstream_failed", None),
        (Act::Status(500, json!({})), 0, "upstream_failed", None),
        (Act::Status(400, json!({})), 0, "upstream_rejected", None),
        (Act::Status(429, json!({})), 0, "overloaded", Some(5)),
        (Act::Status(503, json!({})), 0, "upstream_unavailable", Some(5)),
    ] {
        let (router, _fake) = with_model(vec![act.clone()]).await;
        let heard = heard(&router, json!({"text": NOTE})).await;
        assert_eq!(names(&heard), [["field"].repeat(told).as_slice(), &["error"]].concat(), "{act:?}");
        let problem = &heard[told].1;
        assert_eq!((&problem["code"], problem["retry_after"].as_u64()), (&json!(code), retry), "{act:?}");
        assert!(problem["detail"].is_string() && problem["request_id"].is_string());
    }
    let (router, _fake) = with_model(vec![Act::CutOff]).await;
    let heard = heard(&router, json!({"text": NOTE})).await;
    assert_eq!(names(&heard), ["reset", "error"]);
    assert_eq!(heard[1].1["code"], "output_truncated");
}

#[tokio::test]
async fn what_can_be_refused_at_once_is_refused_with_a_status() {
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
