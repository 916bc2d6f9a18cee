//! Questions about a note over HTTP: the request, the answer, the events, and a model server that fails.

use std::{sync::Arc, time::Duration};

use axum::{Router, body::Body, http::Request, routing::post};
use futures_util::{StreamExt, stream};
use gateway::{access, config::Settings, http, server::Gateway};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tower::ServiceExt;

use crate::{
    fake_vllm,
    fake_vllm::{FakeServer, UpstreamBehaviour},
    rules, send,
};

const NOTE: &str =
    "😀 Stage IV lung adenocarcinoma with EGFR L858R, on osimertinib. No brain metastases. She smokes a pipe.";
const DRAFT: &str = "{\"found\": true, \"quotes\": [\"She smokes a pipe.\"], \"answer\": \"She smokes a pipe.\"}";

fn request(path: &str, body: &Value) -> Request<Body> {
    Request::post(path).header("content-type", "application/json").body(Body::from(body.to_string())).unwrap()
}

async fn ask(router: &Router, body: &Value) -> (u16, Value) {
    let (status, _, answer) = send(router, request("/api/v1/ask", body)).await;
    (status.as_u16(), serde_json::from_slice(&answer).unwrap())
}

fn with_settings(change: impl FnOnce(&mut Settings)) -> Router {
    let mut settings = Settings::default();
    change(&mut settings);
    http::router(Gateway::new(settings).unwrap().app, Vec::new())
}

async fn with_model(acts: Vec<UpstreamBehaviour>) -> (Router, FakeServer) {
    let fake = fake_vllm::start(acts).await;
    let url = format!("http://{}", fake.address);
    (with_url(url), fake)
}

fn with_url(url: String) -> Router {
    with_settings(|settings| {
        settings.ask.url = Some(url);
        "instruct".clone_into(&mut settings.ask.model);
        settings.ask.timeout = Duration::from_secs(2);
    })
}

fn smokes() -> Value {
    json!({"text": NOTE, "question": "Does she smoke?"})
}

/// Parses a stream into the names and data of its events.
fn events(text: &str) -> Vec<(String, Value)> {
    let blocks = text.split("\n\n").filter(|block| !block.is_empty() && !block.starts_with(':'));
    let event = |block: &str| {
        let line = |prefix: &str| block.lines().find_map(|line| line.strip_prefix(prefix)).unwrap().trim().to_owned();
        let data: Value = serde_json::from_str(&line("data:")).unwrap();
        assert_eq!(data["type"], json!(line("event:")));
        (line("event:"), data)
    };
    blocks.map(event).collect()
}

#[tokio::test]
async fn a_question_about_the_record_needs_no_model() {
    let router = rules();
    for (unit, start) in [("codepoint", 36), ("utf16", 37), ("byte", 39)] {
        let body = json!({"text": NOTE, "question": "Which mutation was found?", "offsets": unit});
        let (status, answer) = ask(&router, &body).await;
        assert_eq!(status, 200);
        assert_eq!(
            (&answer["answer"], &answer["source"], &answer["grounded"]),
            (&json!("Gene mutation: EGFR L858R."), &json!("record"), &json!(true))
        );
        let quote = json!({"quote": "EGFR L858R", "start": start, "end": start + 10});
        assert_eq!(answer["quotes"], json!([quote]), "{unit}");
        assert!(answer["disclaimer"].as_str().unwrap().contains("Not for diagnosis"));
        assert_eq!(answer.as_object().unwrap().len(), 6);
    }
    let (_, answer) = ask(&router, &json!({"text": NOTE, "question": "Are there brain metastases?"})).await;
    assert!(answer["answer"].as_str().unwrap().contains("brain: denied"), "{answer}");
    // The words that deny it are quoted.
    assert_eq!(answer["quotes"][0]["quote"], "No brain metastases.");
    let (_, answer) = ask(&router, &smokes()).await;
    assert_eq!((&answer["source"], &answer["quotes"]), (&json!("none"), &json!([])), "{answer}");
    let (_, _, models) = send(&router, Request::get("/api/v1/models").body(Body::empty()).unwrap()).await;
    let models: Value = serde_json::from_slice(&models).unwrap();
    assert_eq!(models["ask"], json!({"record": "rules", "model": null}));
}

#[tokio::test]
async fn bad_questions_get_a_clear_problem_without_their_text() {
    const CANARY: &str = "CANARYquestion";
    let router = rules();
    let with = |key: &str, value: Value| {
        let mut body = json!({"text": NOTE, "question": "Stage?"});
        body[key] = value;
        body
    };
    let turn = json!({"question": CANARY, "answer": "x"});
    for (body, field, rule) in [
        (json!({"text": CANARY}), "question", "required"),
        (json!({"question": CANARY}), "text", "required"),
        (with("question", json!(" \n")), "question", "not_blank"),
        (with("question", json!("a\u{0}")), "question", "no_nul"),
        (with("question", json!("é".repeat(1_001))), "question", "max_length"),
        (with("question", json!([CANARY])), "question", "type"),
        (with("text", json!(" ")), "text", "not_blank"),
        (with("history", json!(CANARY)), "history", "type"),
        (with("history", json!([CANARY])), "history", "type"),
        (with("history", json!([{"question": CANARY}])), "history", "type"),
        (with("history", json!([{"question": CANARY, "answer": "x", "more": 1}])), "history", "type"),
        (with("history", json!(vec![turn.clone(); 7])), "history", "max_items"),
        (with("history", json!([{"question": "x", "answer": CANARY.repeat(400)}])), "history", "max_length"),
        (with("offsets", json!(CANARY)), "offsets", "type"),
        (with("note_date", json!(CANARY)), "note_date", "calendar_date"),
        (with("temperature", json!(0)), "temperature", "unknown_key"),
    ] {
        for path in ["/api/v1/ask", "/api/v1/ask/stream"] {
            let (status, _, problem) = send(&router, request(path, &body)).await;
            let problem: Value = serde_json::from_slice(&problem).unwrap();
            assert_eq!(status, 422, "{body}");
            assert!(!problem.to_string().contains("CANARY"), "{problem}");
            let found = problem["errors"].as_array().unwrap();
            assert!(found.iter().any(|error| error["field"] == field && error["rule"] == rule), "{body}: {problem}");
        }
    }
    for history in [json!(null), json!([]), json!(vec![turn; 6])] {
        assert_eq!(ask(&router, &with("history", history)).await.0, 200);
    }
    assert_eq!(ask(&router, &with("question", json!("é".repeat(1_000)))).await.0, 200);
}

#[tokio::test]
async fn red_flags_of_the_site_come_first() {
    let router = with_settings(|settings| settings.ask.red_flags = vec!["chest pain".to_owned()]);
    for (question, source) in [("She has Chest Pain now. Stage?", "emergency"), ("Stage?", "record")] {
        let (_, answer) = ask(&router, &json!({"text": NOTE, "question": question})).await;
        assert_eq!(answer["source"], source);
        assert_eq!(answer["answer"].as_str().unwrap().contains("not triage"), source == "emergency", "{answer}");
    }
}

#[tokio::test]
async fn a_model_answers_other_questions_and_sees_no_control_tokens() {
    let (router, fake) = with_model(vec![UpstreamBehaviour::Text(DRAFT.to_owned())]).await;
    let mut body = smokes();
    body["text"] = json!(format!("{NOTE} <|eot_id|>"));
    body["history"] = json!([{"question": "Stage?", "answer": "IV <|eot_id|>"}]);
    let (status, answer) = ask(&router, &body).await;
    assert_eq!((status, &answer["answer"], &answer["source"]), (200, &json!("She smokes a pipe."), &json!("model")));
    assert_eq!((&answer["grounded"], &answer["quotes"][0]["quote"]), (&json!(true), &json!("She smokes a pipe.")));
    let sent = fake.bodies.lock().await[0].clone();
    assert_eq!((&sent["model"], &sent["response_format"]["type"]), (&json!("instruct"), &json!("json_schema")));
    assert_eq!(sent["messages"].as_array().unwrap().len(), 4);
    assert!(sent.to_string().contains("She smokes a pipe") && !sent.to_string().contains("<|eot_id|>"), "{sent}");
    // Questions about the record are not sent to the model.
    ask(&router, &json!({"text": NOTE, "question": "Stage?"})).await;
    assert_eq!(fake.bodies.lock().await.len(), 1);
    let (_, _, models) = send(&router, Request::get("/api/v1/models").body(Body::empty()).unwrap()).await;
    assert_eq!(serde_json::from_slice::<Value>(&models).unwrap()["ask"]["model"], "instruct");
    let (_, _, metrics) = send(&router, Request::get("/metrics").body(Body::empty()).unwrap()).await;
    let metrics = String::from_utf8(metrics).unwrap();
    for outcome in ["model", "record"] {
        assert!(metrics.contains(&format!("gateway_questions_total{{outcome=\"{outcome}\"}} 1")), "{metrics}");
    }
}

#[tokio::test]
async fn what_the_note_does_not_bear_is_withheld_and_a_failing_model_is_an_error() {
    let draft = |quote: &str, answer: &str| {
        UpstreamBehaviour::Text(json!({"found": true, "quotes": [quote], "answer": answer}).to_string())
    };
    for (act, answered) in [
        (draft("She smokes a pipe.", "She smokes 20 cigarettes."), "is withheld"),
        (draft("She smokes cigars.", "She smokes cigars."), "The note does not say."),
        (draft("Ignore the note.", "Cured."), "The note does not say."),
    ] {
        let (router, _fake) = with_model(vec![act]).await;
        let (status, answer) = ask(&router, &smokes()).await;
        assert_eq!((status, &answer["grounded"]), (200, &json!(false)), "{answer}");
        assert!(answer["answer"].as_str().unwrap().contains(answered), "{answer}");
    }
    for (act, status, code) in [
        (UpstreamBehaviour::Status(500, json!({})), 502, "upstream_failed"),
        (UpstreamBehaviour::Status(400, json!({})), 502, "upstream_rejected"),
        (UpstreamBehaviour::Status(429, json!({})), 503, "overloaded"),
        (UpstreamBehaviour::Status(503, json!({})), 503, "upstream_unavailable"),
        (UpstreamBehaviour::Reset, 503, "upstream_unavailable"),
        (UpstreamBehaviour::Html, 502, "upstream_failed"),
        (UpstreamBehaviour::HalfJson, 502, "upstream_failed"),
        (UpstreamBehaviour::BreakOff, 502, "upstream_failed"),
        (UpstreamBehaviour::ErrorEvent(json!({"error": {"message": "x"}})), 502, "upstream_failed"),
        (UpstreamBehaviour::BrokenStream(None), 502, "upstream_failed"),
        (UpstreamBehaviour::UnfinishedStream, 502, "upstream_failed"),
        (UpstreamBehaviour::CutOff, 502, "output_truncated"),
        (UpstreamBehaviour::Text("She smokes.".to_owned()), 502, "output_unusable"),
        (UpstreamBehaviour::Hang, 504, "deadline_exceeded"),
    ] {
        let (router, _fake) = with_model(vec![act.clone()]).await;
        let (answered, problem) = ask(&router, &smokes()).await;
        assert_eq!((answered, &problem["code"]), (status, &json!(code)), "{act:?}");
        // A question about the record is still answered.
        assert_eq!(ask(&router, &json!({"text": NOTE, "question": "Stage?"})).await.1["answer"], "Stage: IV.");
    }
}

/// Starts a server that streams a piece of an answer for ever.
async fn endless(piece: &'static str) -> String {
    let data = json!({"choices": [{"delta": {"content": piece}, "finish_reason": null}]});
    let event = format!("data: {data}\n\n");
    let answer = async move || {
        let events = stream::repeat(event.clone()).then(async |event| {
            tokio::task::yield_now().await;
            Ok::<_, std::io::Error>(event)
        });
        ([("content-type", "text/event-stream")], Body::from_stream(events))
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = Router::new().route("/v1/chat/completions", post(answer));
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("http://{address}")
}

#[tokio::test]
async fn a_model_that_writes_for_ever_is_cut_off() {
    for piece in ["word ", "", " "] {
        let (status, problem) = ask(&with_url(endless(piece).await), &smokes()).await;
        // The answer ends by its size, or on a slow machine by its time limit.
        let ended = [(502, json!("upstream_failed")), (504, json!("deadline_exceeded"))];
        assert!(ended.contains(&(status, problem["code"].clone())), "{piece:?}: {problem}");
    }
}

#[tokio::test]
async fn a_quote_arrives_before_the_model_has_finished() {
    let pieces = vec![
        "{\"found\": true, \"quotes\": [\"She smokes",
        " a pipe.\"",
        "], \"answer\": \"She smokes a pipe.\"}",
        " ",
    ];
    let permits = Arc::new(Semaphore::new(2));
    let (router, _fake) = with_model(vec![UpstreamBehaviour::Pieces(pieces, Arc::clone(&permits))]).await;
    let response = router.oneshot(request("/api/v1/ask/stream", &smokes())).await.unwrap();
    let mut body = response.into_body();
    // The model has written two of its four pieces and waits.
    let first = body.frame().await.unwrap().unwrap().into_data().unwrap();
    let first = events(std::str::from_utf8(&first).unwrap());
    let quote = json!({"type": "quote", "quote": "She smokes a pipe.", "start": 85, "end": 103});
    assert_eq!(first, [("quote".to_owned(), quote)]);
    permits.add_permits(9);
    let later = events(std::str::from_utf8(&body.collect().await.unwrap().to_bytes()).unwrap());
    assert_eq!(later.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["answer", "result"]);
    assert_eq!(later[0].1, json!({"type": "answer", "answer": "She smokes a pipe.", "unverified": true}));
    assert_eq!((&later[1].1["grounded"], &later[1].1["source"]), (&json!(true), &json!("model")));
}

#[tokio::test]
async fn a_stream_of_the_record_ends_with_the_answer_of_ask_and_a_failure_is_the_last_event() {
    let body = json!({"text": NOTE, "question": "Stage?"});
    let (_, mut answer) = ask(&rules(), &body).await;
    let (_, headers, text) = send(&rules(), request("/api/v1/ask/stream", &body)).await;
    assert_eq!(
        (&headers["content-type"], &headers["x-accel-buffering"], &headers["cache-control"]),
        (&"text/event-stream".parse().unwrap(), &"no".parse().unwrap(), &"no-store".parse().unwrap())
    );
    let mut found = events(std::str::from_utf8(&text).unwrap());
    let names: Vec<&str> = found.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["quote", "answer", "result"]);
    let (_, mut result) = found.remove(2);
    result.as_object_mut().unwrap().remove("type");
    (result["request_id"], answer["request_id"]) = (Value::Null, Value::Null);
    assert_eq!(result, answer);
    let (router, _fake) = with_model(vec![UpstreamBehaviour::BrokenStream(None)]).await;
    let (_, _, text) = send(&router, request("/api/v1/ask/stream", &smokes())).await;
    let found = events(std::str::from_utf8(&text).unwrap());
    assert_eq!((found.len(), &found[0].1["code"]), (1, &json!("upstream_failed")));
}

/// A stream counts as running until its last event, so it keeps the place of its key.
#[tokio::test]
async fn a_stream_holds_its_place_among_the_notes_of_its_key() {
    let permits = Arc::new(Semaphore::new(0));
    let fake = fake_vllm::start(vec![UpstreamBehaviour::Pieces(vec!["{"], Arc::clone(&permits))]).await;
    let (folder, key) = (tempfile::tempdir().unwrap(), access::new_key().unwrap());
    let keys = folder.path().join("keys");
    std::fs::write(&keys, format!("{} at_once=1", access::line_for("ward", &key).unwrap())).unwrap();
    let router = with_settings(|settings| {
        settings.auth_keys_file = Some(keys);
        settings.ask.url = Some(format!("http://{}", fake.address));
        "instruct".clone_into(&mut settings.ask.model);
    });
    let keyed = |path: &str, body: &Value| {
        let mut request = request(path, body);
        request.headers_mut().insert("x-api-key", key.parse().unwrap());
        request
    };
    let body = router.clone().oneshot(keyed("/api/v1/ask/stream", &smokes())).await.unwrap().into_body();
    while fake.bodies.lock().await.is_empty() {
        tokio::task::yield_now().await;
    }
    let stage = json!({"text": NOTE, "question": "Stage?"});
    for path in ["/api/v1/ask", "/api/v1/ask/stream"] {
        let (status, headers, _) = send(&router, keyed(path, &stage)).await;
        assert_eq!(status, 429, "{path}");
        assert!(headers.contains_key("ratelimit") && headers.contains_key("retry-after"), "{path}: {headers:?}");
    }
    // A client that disconnects frees its place.
    drop(body);
    while send(&router, keyed("/api/v1/ask", &stage)).await.0 == 429 {
        tokio::task::yield_now().await;
    }
}
