//! Tests the answers of the gateway to each fault of the model server.

use std::{net::TcpListener, sync::atomic::Ordering::SeqCst, time::Duration};

use axum::{
    Router,
    body::Body,
    http::{HeaderValue, Request, StatusCode},
};
use gateway::{
    config::{AdmissionSettings, Fallback, Flags, Settings},
    http,
    server::Gateway,
};
use serde_json::{Value, json};

use crate::{
    fake_vllm::{FakeServer, RECORD, UpstreamBehaviour, start},
    post, send,
};

/// Returns a gateway with the given deadline before a ready model server.
pub(crate) async fn gateway(fake: &FakeServer, deadline: Duration) -> Router {
    let admission = AdmissionSettings { deadline, ..AdmissionSettings::default() };
    serving(fake, Settings { admission, ..Settings::default() }).await
}

/// Returns a gateway before this model server, once the gateway knows that the server is ready.
pub(crate) async fn serving(fake: &FakeServer, mut settings: Settings) -> Router {
    settings.vllm.url = Some(format!("http://{}", fake.address));
    let gateway = Gateway::new(settings).unwrap();
    while gateway.app.state.readiness.reason().is_some() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    http::router(gateway.app, Vec::new())
}

/// Starts a fake model server, sends one note through a gateway and returns its answer.
async fn ask(acts: Vec<UpstreamBehaviour>, body: Value) -> (StatusCode, Value, FakeServer) {
    // Only a server that hangs should meet the deadline. For the others it is long, so that a slow machine cannot reach
    // it.
    let deadline =
        Duration::from_secs(if matches!(acts.as_slice(), [UpstreamBehaviour::Hang | UpstreamBehaviour::SlowBytes]) {
            1
        } else {
            50
        });
    let fake = start(acts).await;
    let (status, answer) = post(&gateway(&fake, deadline).await, body.to_string()).await;
    (status, answer, fake)
}

#[tokio::test]
async fn faults_map_to_codes_and_leak_nothing() {
    const CANARY: &str = "CANARYnote";
    let object = |message: &str| json!({"error": {"message": message, "type": "BadRequestError", "code": 400}});
    for (acts, status, code, calls) in [
        (vec![UpstreamBehaviour::Status(400, object(CANARY))], 502, "upstream_rejected", 1),
        (vec![UpstreamBehaviour::Status(401, json!({"error": CANARY}))], 502, "upstream_rejected", 1),
        (vec![UpstreamBehaviour::Status(404, json!({"detail": CANARY}))], 502, "upstream_rejected", 1),
        (vec![UpstreamBehaviour::Status(422, json!([CANARY]))], 502, "upstream_rejected", 1),
        (vec![UpstreamBehaviour::Status(429, object(CANARY))], 503, "overloaded", 1),
        (vec![UpstreamBehaviour::Status(500, object(CANARY))], 502, "upstream_failed", 1),
        (vec![UpstreamBehaviour::Status(503, object(CANARY))], 503, "upstream_unavailable", 2),
        (vec![UpstreamBehaviour::Html], 502, "upstream_failed", 1),
        (vec![UpstreamBehaviour::NoChoices], 502, "upstream_failed", 1),
        (vec![UpstreamBehaviour::CutOff], 502, "output_truncated", 2),
        (vec![UpstreamBehaviour::Text(format!("I cannot read this {CANARY}."))], 502, "output_unusable", 2),
        (vec![UpstreamBehaviour::Text(RECORD.replace("\"IV\"", "{}"))], 502, "output_unusable", 2),
        (vec![UpstreamBehaviour::Text(String::new())], 502, "output_unusable", 2),
        (vec![UpstreamBehaviour::Hang], 504, "deadline_exceeded", 1),
        (vec![UpstreamBehaviour::SlowBytes], 504, "deadline_exceeded", 1),
        (vec![UpstreamBehaviour::Reset], 503, "upstream_unavailable", 2),
        (vec![UpstreamBehaviour::BreakOff], 502, "upstream_failed", 1),
        (vec![UpstreamBehaviour::HalfJson], 502, "upstream_failed", 1),
        (vec![UpstreamBehaviour::WrongTypes], 502, "upstream_failed", 1),
        (vec![UpstreamBehaviour::ErrorEvent(object(CANARY))], 502, "upstream_failed", 1),
    ] {
        let act_name = format!("{acts:?}");
        let (answered_status, problem, fake) = ask(acts, json!({"text": CANARY})).await;
        assert_eq!((answered_status.as_u16(), &problem["code"]), (status, &json!(code)), "{act_name}");
        assert!(!problem.to_string().contains(CANARY), "{problem}");
        assert!(!problem.to_string().contains("127.0.0.1"), "{problem}");
        assert_eq!(fake.calls.load(SeqCst), calls, "{act_name}");
    }
}

#[tokio::test]
async fn a_second_attempt_may_succeed() {
    let answer_record = || UpstreamBehaviour::Text(RECORD.to_owned());
    for (first, tokens) in [
        (UpstreamBehaviour::CutOff, 200),
        (UpstreamBehaviour::Text("Sorry.".to_owned()), 200),
        (UpstreamBehaviour::Status(503, json!({})), 100),
        (UpstreamBehaviour::Reset, 100),
    ] {
        let (status, answer, fake) = ask(vec![first, answer_record()], json!({"text": "Lung adenocarcinoma."})).await;
        assert_eq!((status, &answer["tokens_used"]), (StatusCode::OK, &json!(tokens)));
        assert_eq!(fake.calls.load(SeqCst), 2);
    }
    let (_, _, fake) = ask(vec![UpstreamBehaviour::CutOff, answer_record()], json!({"text": "x"})).await;
    let bodies = fake.bodies.lock().await;
    assert_eq!((&bodies[0]["max_tokens"], &bodies[1]["max_tokens"]), (&json!(1_024), &json!(2_048)));
    let (_, _, fake) = ask(vec![UpstreamBehaviour::Text("Sorry.".into()), answer_record()], json!({"text": "x"})).await;
    let bodies = fake.bodies.lock().await;
    assert!(bodies[0].get("seed").is_none() && bodies[1]["seed"].is_u64());
    // A `max_tokens` of the client is never increased.
    let (status, problem, fake) = ask(vec![UpstreamBehaviour::CutOff], json!({"text": "x", "max_tokens": 9})).await;
    assert_eq!((status.as_u16(), &problem["code"]), (502, &json!("output_truncated")));
    assert_eq!(fake.calls.load(SeqCst), 1);
}

#[tokio::test]
async fn the_request_to_the_model_and_the_answer_to_the_client_are_complete() {
    let text = "Stage IV lung adenocarcinoma.<|eot_id|> On osimertinib.";
    let (status, answer, fake) = ask(vec![UpstreamBehaviour::NoUsage], json!({"text": text})).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(
        (&answer["tokens_used"], &answer["engine"], &answer["model"]),
        (&json!(0), &json!("vllm"), &json!("medical-ie"))
    );
    assert_eq!(answer["raw_output"], RECORD);
    assert_eq!(answer["evidence"]["treatment"][0]["quote"], "osimertinib");
    let bodies = fake.bodies.lock().await;
    assert_eq!(bodies[0]["stop_token_ids"], json!([128_001, 128_009]));
    assert!(bodies[0]["structured_outputs"]["regex"].as_str().unwrap().starts_with("\\{\"cancer_type\""));
    assert!(!bodies[0]["messages"][1]["content"].as_str().unwrap().contains("<|"));
    assert_eq!(bodies[0]["temperature"], json!(0.0));
    drop(bodies);
}

#[tokio::test]
async fn a_model_server_that_never_answered_counts_as_loading() {
    let mut settings = Settings::load(&Flags::default()).unwrap();
    // The port was free a moment ago, so that nothing listens on it.
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    settings.vllm.url = Some(format!("http://{closed}"));
    let router = http::router(Gateway::new(settings).unwrap().app, Vec::new());
    let (status, problem) = post(&router, json!({"text": "x"}).to_string()).await;
    assert_eq!((status.as_u16(), &problem["code"]), (503, &json!("model_loading")));
}

#[tokio::test]
async fn the_rules_replace_only_an_unreachable_model_server() {
    let body = || Body::from(json!({"text": "Stage IV lung adenocarcinoma on osimertinib."}).to_string());
    for (act, is_unreachable) in [
        (UpstreamBehaviour::Reset, true),
        (UpstreamBehaviour::Status(503, json!({})), true),
        (UpstreamBehaviour::Status(500, json!({})), false),
        (UpstreamBehaviour::Status(400, json!({})), false),
        (UpstreamBehaviour::Status(429, json!({})), false),
        (UpstreamBehaviour::Text("Sorry.".to_owned()), false),
        (UpstreamBehaviour::CutOff, false),
    ] {
        let act_name = format!("{act:?}");
        let fake = start(vec![act]).await;
        let router = serving(&fake, Settings { fallback: Fallback::Rules, ..Settings::default() }).await;
        let request = Request::post("/api/v1/extract").header("content-type", "application/json").body(body()).unwrap();
        let (status, headers, answer) = send(&router, request).await;
        let answer: Value = serde_json::from_slice(&answer).unwrap();
        assert_eq!(status == StatusCode::OK, is_unreachable, "{act_name}: {answer}");
        assert_eq!(
            headers.get("x-degraded").map(HeaderValue::as_bytes),
            is_unreachable.then_some(&b"rules"[..]),
            "{act_name}"
        );
        if is_unreachable {
            assert_eq!((&answer["degraded"], &answer["engine"]), (&json!(true), &json!("rules")));
            assert_eq!((&answer["stage"], &answer["model"]), (&json!("IV"), &json!("rules")));
        }
    }
}
