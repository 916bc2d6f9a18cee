//! Scans: which are accepted, what their text has, and the errors when the OCR server fails.

use std::time::Duration;

use axum::{
    Router,
    body::Body,
    http::{HeaderMap, Request, StatusCode},
};
use bytesize::ByteSize;
use gateway::{
    access,
    config::{Flags, Settings},
    http,
    server::Gateway,
};
use serde_json::{Value, json};

use super::{
    FIELDS,
    fake_ocr::{FakeOcr, OcrBehaviour, png, start, table},
    fake_whisper::form,
    send,
};

fn settings(server: &FakeOcr) -> Settings {
    let mut settings = Settings::load(&Flags::default()).unwrap();
    settings.scan.url = Some(format!("http://{}", server.address));
    settings
}

fn router(settings: Settings) -> Router {
    http::router(Gateway::new(settings).unwrap().app, Vec::new())
}

async fn scan(router: &Router, kind: &str, body: Vec<u8>) -> (StatusCode, HeaderMap, Value) {
    let request = Request::post("/api/v1/scan").header("content-type", kind).body(Body::from(body)).unwrap();
    let (status, headers, body) = send(router, request).await;
    (status, headers, serde_json::from_slice(&body).unwrap())
}

#[tokio::test]
async fn without_a_server_scans_are_off_and_say_so() {
    let router = router(Settings::load(&Flags::default()).unwrap());
    let (status, _, answer) = scan(&router, "image/png", png(1)).await;
    assert_eq!((status, &answer["code"]), (StatusCode::NOT_FOUND, &json!("scan_off")));
    assert!(answer["detail"].as_str().unwrap().contains("scan.url"), "{answer}");
}

#[tokio::test]
async fn the_text_is_for_review_and_never_a_record() {
    let lines = [("Lung adenocarcinoma on osimertinib.", 96.0), ("Plan;", 95.0), ("carboplatin", 60.5)];
    let server = start(OcrBehaviour::Table(table(&lines))).await;
    let router = router(settings(&server));
    let (form_type, form_body) = form(&png(100));
    let pdf = b"%PDF-1.7 made up %%EOF\n".to_vec();
    let jpeg = b"\xff\xd8\xff made up \xff\xd9".to_vec();
    for (kind, body, sent) in [
        (form_type, form_body, "image/png"),
        ("image/png", png(1), "image/png"),
        ("image/jpeg", pdf, "application/pdf"),
        ("application/octet-stream", jpeg, "image/jpeg"),
        ("image/tiff", b"II*\0 made up".to_vec(), "image/tiff"),
    ] {
        let (status, headers, answer) = scan(&router, kind, body).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
        assert_eq!(answer["transcript"], "Lung adenocarcinoma on osimertinib.\nPlan;\ncarboplatin");
        assert_eq!((&answer["needs_review"], &answer["pages"]), (&json!(true), &json!(1)));
        assert_eq!((&answer["ocr"], &answer["pages_without_text"]), (&json!("tesseract 9.9.9"), &json!([])));
        assert_eq!(answer["request_id"].as_str().unwrap(), headers["x-request-id"].to_str().unwrap());
        let marks = json!([{"start": 36, "end": 41, "text": "Plan;", "reason": "heading"},
                           {"start": 42, "end": 53, "text": "carboplatin", "reason": "low_confidence"}]);
        assert_eq!(answer["words_to_review"], marks);
        assert_eq!(answer["words"][5], json!({"start": 42, "end": 53, "confidence": 0.605}));
        assert_eq!(answer["lines"][1], json!({"page": 1, "start": 36, "end": 41, "confidence": 0.95}));
        assert!(FIELDS.iter().all(|field| answer.get(*field).is_none()));
        let (asked, _) = server.requests.lock().await.last().unwrap().clone();
        assert_eq!(asked["content-type"], sent);
    }
    // What the person approves becomes a record, in which nothing below the damaged heading is given.
    let note = json!({"text": "Lung adenocarcinoma on osimertinib.\nPlan;\ncarboplatin"}).to_string();
    let request = Request::post("/api/v1/extract").header("content-type", "application/json").body(Body::from(note));
    let (_, _, record) = send(&router, request.unwrap()).await;
    let record: Value = serde_json::from_slice(&record).unwrap();
    assert_eq!(record["treatment"], "osimertinib");
}

#[tokio::test]
async fn what_is_no_scan_is_refused_and_never_sent() {
    let server = start(OcrBehaviour::Table(table(&[("read", 96.0)]))).await;
    let mut settings = settings(&server);
    settings.scan.max_bytes = ByteSize::kib(64);
    let router = router(settings);
    for (kind, body, status, code) in [
        ("image/png", b"GIF89a".to_vec(), 415, "unsupported_media_type"),
        ("image/png", b"/etc/passwd\n".to_vec(), 415, "unsupported_media_type"),
        (form(b"PK\x03\x04").0, form(b"PK\x03\x04").1, 415, "unsupported_media_type"),
        ("image/png", Vec::new(), 415, "unsupported_media_type"),
        ("application/json", png(1), 415, "unsupported_media_type"),
        ("audio/wav", png(1), 415, "unsupported_media_type"),
        ("image/png", b"\x89PNG\r\n\x1a\n cut".to_vec(), 422, "invalid_request"),
        ("application/pdf", b"%PDF-1.7 cut".to_vec(), 422, "invalid_request"),
        (form(&png(1)).0, b"--XX\r\n".to_vec(), 422, "invalid_request"),
        ("image/png", png(64 << 10), 413, "body_too_large"),
    ] {
        let (got, _, answer) = scan(&router, kind, body).await;
        assert_eq!((got.as_u16(), answer["code"].as_str().unwrap()), (status, code), "{kind}: {answer}");
        assert_eq!(answer.get("errors").is_some(), status == 422);
    }
    assert_eq!(server.requests.lock().await.len(), 0);
}

#[tokio::test]
async fn a_server_that_fails_leads_to_a_clear_error_in_time() {
    for (reads, status, code, sentence) in [
        (OcrBehaviour::Status(400, "bad"), 502, "upstream_rejected", "configuration"),
        (OcrBehaviour::Status(415, "bad"), 502, "upstream_rejected", "configuration"),
        (OcrBehaviour::Status(413, "bad"), 422, "invalid_request", "more pages"),
        (OcrBehaviour::Status(422, "bad"), 422, "invalid_request", "cannot be read"),
        (OcrBehaviour::Status(429, ""), 503, "overloaded", "Too many scans"),
        (OcrBehaviour::Status(500, ""), 502, "upstream_failed", "no text"),
        (OcrBehaviour::Status(302, ""), 502, "upstream_failed", "no text"),
        (OcrBehaviour::Status(503, ""), 503, "upstream_unavailable", "cannot be reached"),
        (OcrBehaviour::Status(504, ""), 504, "deadline_exceeded", "in time"),
        (OcrBehaviour::Table("<html>".to_owned()), 502, "upstream_failed", "no text"),
        (OcrBehaviour::Table(table(&[]).replace("level", "lvl")), 502, "upstream_failed", "no text"),
        (OcrBehaviour::BreaksOff, 502, "upstream_failed", "no text"),
        (OcrBehaviour::Endless, 502, "upstream_failed", "no text"),
        (OcrBehaviour::Hangs, 504, "deadline_exceeded", "in time"),
        (OcrBehaviour::Table(table(&[])), 422, "no_text", "No text"),
        (OcrBehaviour::Table(table(&[("| ~", 90.0)])), 422, "no_text", "No text"),
    ] {
        let server = start(reads.clone()).await;
        let mut settings = settings(&server);
        settings.scan.timeout = Duration::from_secs(if matches!(reads, OcrBehaviour::Hangs) { 1 } else { 30 });
        let (got, headers, answer) = scan(&router(settings), "image/png", png(10)).await;
        assert_eq!((got.as_u16(), answer["code"].as_str().unwrap()), (status, code), "{reads:?}: {answer}");
        assert!(answer["detail"].as_str().unwrap().contains(sentence), "{answer}");
        assert_eq!(headers.contains_key("retry-after"), status == 503);
    }
    let mut settings = Settings::load(&Flags::default()).unwrap();
    settings.scan.url = Some("http://127.0.0.1:1".to_owned());
    let (status, _, answer) = scan(&router(settings), "image/png", png(1)).await;
    assert_eq!((status.as_u16(), &answer["code"]), (503, &json!("upstream_unavailable")));
}

#[tokio::test]
async fn keys_rates_metrics_and_the_audit_are_those_of_notes() {
    let server = start(OcrBehaviour::Table(table(&[("Xylocanaryphone osimertinib", 96.0)]))).await;
    let folder = tempfile::tempdir().unwrap();
    let (keys, audit) = (folder.path().join("keys"), folder.path().join("audit.jsonl"));
    let key = access::new_key().unwrap();
    std::fs::write(&keys, format!("{} rate=1/h", access::line_for("ward", &key).unwrap())).unwrap();
    let mut settings = settings(&server);
    settings.auth_keys_file = Some(keys);
    settings.audit.path = Some(audit.clone());
    let gateway = Gateway::new(settings).unwrap();
    let app = gateway.app.clone();
    let router = http::router(gateway.app, Vec::new());
    let (status, _, _) = scan(&router, "image/png", png(1)).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    for expected in [StatusCode::OK, StatusCode::TOO_MANY_REQUESTS] {
        let request = Request::post("/api/v1/scan").header("content-type", "image/png").header("x-api-key", &key);
        let (status, _, body) = send(&router, request.body(Body::from(png(1))).unwrap()).await;
        assert_eq!(status, expected, "{}", String::from_utf8_lossy(&body));
    }
    assert_eq!(app.state.audit.as_ref().unwrap().close(), 0);
    let written = std::fs::read_to_string(audit).unwrap();
    assert!(!written.contains("Xylocanaryphone"), "{written}");
    let lines: Vec<Value> = written.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let codes: Vec<_> = lines.iter().map(|line| (&line["route"], &line["principal"], &line["code"])).collect();
    let (route, ward) = (json!("/api/v1/scan"), json!("ward"));
    assert_eq!(codes, [(&route, &ward, &json!("ok")), (&route, &ward, &json!("rate_limited"))]);
}

#[tokio::test]
async fn a_text_longer_than_a_scan_has_is_refused_and_what_has_no_room_too() {
    let page = |number: usize| format!("1\t{number}\t0\t0\t0\t0\t0\t0\t900\t900\t-1\t\n");
    let long = table(&[("read", 96.0)]) + &(2..=1_001).map(page).collect::<String>();
    let server = start(OcrBehaviour::Table(long)).await;
    let (status, _, answer) = scan(&router(settings(&server)), "image/png", png(1)).await;
    assert_eq!((status.as_u16(), &answer["code"]), (422, &json!("invalid_request")));
    assert_eq!(answer["errors"][0]["rule"], "max_length");
    // 1 MiB of a table costs more than the budget has, and nothing of it stays reserved.
    let lines = vec![("osimertinib", 96.0); 20_000];
    let server = start(OcrBehaviour::Table(table(&lines))).await;
    for (budget, status, code) in [(8, 503, json!("overloaded")), (64, 200, Value::Null)] {
        let mut settings = settings(&server);
        settings.limits.memory = Some(ByteSize::mib(budget));
        let gateway = Gateway::new(settings).unwrap();
        let memory = gateway.app.state.memory.clone();
        let (got, _, answer) = scan(&http::router(gateway.app, Vec::new()), "image/png", png(1)).await;
        assert_eq!((got.as_u16(), &answer["code"]), (status, &code), "{budget} MiB");
        assert_eq!(memory.reserved(), 0);
    }
}

#[tokio::test]
async fn a_scan_whose_caller_leaves_counts_in_the_budget_of_its_key_also_after_a_restart() {
    let server = start(OcrBehaviour::Hangs).await;
    let folder = tempfile::tempdir().unwrap();
    let (keys, audit) = (folder.path().join("keys"), folder.path().join("audit.jsonl"));
    let key = access::new_key().unwrap();
    let line = access::line_for("ward", &key).unwrap();
    std::fs::write(&keys, format!("{line} scopes=extract,usage budget=5/month")).unwrap();
    let mut settings = settings(&server);
    settings.auth_keys_file = Some(keys);
    settings.audit.path = Some(audit);
    let gateway = Gateway::new(settings.clone()).unwrap();
    let app = gateway.app.clone();
    let router = http::router(gateway.app, Vec::new());
    let of_key = |method: &str, path: &str, body: Body| {
        let request = Request::builder().method(method).uri(path).header("content-type", "image/png");
        request.header("x-api-key", &key).body(body).unwrap()
    };
    let used = async |router: &Router| {
        let (_, _, body) = send(router, of_key("GET", "/api/v1/usage", Body::empty())).await;
        let usage: Value = serde_json::from_slice(&body).unwrap();
        ["used", "in_flight"].map(|part| usage["budgets"][0][part].as_u64().unwrap())
    };
    // The note of a body that is not a scan is given back.
    let (status, _, _) = send(&router, of_key("POST", "/api/v1/scan", Body::from("GIF89a"))).await;
    assert_eq!((status.as_u16(), used(&router).await), (415, [0, 0]));
    let request = of_key("POST", "/api/v1/scan", Body::from(png(1)));
    let leaver = tokio::spawn({
        let router = router.clone();
        async move { send(&router, request).await }
    });
    while server.requests.lock().await.is_empty() {
        tokio::task::yield_now().await;
    }
    assert_eq!(used(&router).await, [0, 1]);
    leaver.abort();
    let _ = leaver.await;
    assert_eq!(used(&router).await, [1, 0]);
    assert_eq!(app.state.audit.as_ref().unwrap().close(), 0);
    let again = http::router(Gateway::new(settings).unwrap().app, Vec::new());
    assert_eq!(used(&again).await, [1, 0]);
}
