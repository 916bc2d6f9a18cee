//! Recordings: which are accepted, what a transcript has, and the errors when the transcription server fails.

use std::{sync::Arc, time::Duration};

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
use tokio::sync::Semaphore;

use super::{
    FIELDS,
    fake_whisper::{FakeWhisper, WhisperBehaviour, answer, form, start, wav},
    send,
};

fn settings(server: &FakeWhisper) -> Settings {
    let mut settings = Settings::load(&Flags::default()).unwrap();
    settings.transcribe.url = Some(format!("http://{}", server.address));
    settings
}

fn router(settings: Settings) -> Router {
    http::router(Gateway::new(settings).unwrap().app, Vec::new())
}

async fn transcribe(router: &Router, kind: &str, body: Vec<u8>) -> (StatusCode, HeaderMap, Value) {
    let request = Request::post("/api/v1/transcribe").header("content-type", kind).body(Body::from(body)).unwrap();
    let (status, headers, body) = send(router, request).await;
    (status, headers, serde_json::from_slice(&body).unwrap())
}

#[tokio::test]
async fn without_a_server_dictation_is_off_and_says_so() {
    let router = router(Settings::load(&Flags::default()).unwrap());
    let (status, _, answer) = transcribe(&router, "audio/wav", wav(1)).await;
    assert_eq!((status, &answer["code"]), (StatusCode::NOT_FOUND, &json!("transcribe_off")));
    assert!(answer["detail"].as_str().unwrap().contains("transcribe.url"), "{answer}");
}

#[tokio::test]
async fn a_transcript_is_for_review_and_never_a_record() {
    let spoken = "Stage four lung adenocarcinoma, EGFR exon nineteen deletion, osimertinib.";
    let server = start(WhisperBehaviour::Text(spoken)).await;
    let folder = tempfile::tempdir().unwrap();
    let key_file = folder.path().join("key");
    std::fs::write(&key_file, "made-up-key\n").unwrap();
    let mut settings = settings(&server);
    settings.transcribe.api_key_file = Some(key_file);
    settings.transcribe.model = "whisper-large".to_owned();
    let router = router(settings);
    let (form_type, form_body) = form(&wav(2));
    for (kind, body) in [(form_type, form_body), ("audio/wav", wav(2)), ("video/webm", wav(2))] {
        let (status, headers, answer) = transcribe(&router, kind, body).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
        let text = "Stage 4 lung adenocarcinoma, EGFR exon 19 deletion, osimertinib.";
        assert_eq!(answer["transcript"], text);
        assert_eq!((&answer["needs_review"], &answer["duration"]), (&json!(true), &json!(2.0)));
        assert_eq!(answer["model"], "whisper-large");
        assert_eq!(answer["request_id"].as_str().unwrap(), headers["x-request-id"].to_str().unwrap());
        let segment = &answer["segments"][0];
        assert_eq!((&segment["text"], &segment["review"]), (&json!(spoken), &json!(false)));
        assert!((segment["probability"].as_f64().unwrap() - 0.905).abs() < 0.001);
        let marks: Vec<_> = answer["words_to_review"].as_array().unwrap().iter().collect();
        let found: Vec<_> =
            marks.iter().map(|mark| (mark["text"].as_str().unwrap(), mark["reason"].as_str().unwrap())).collect();
        assert_eq!(found, [("4", "number"), ("EGFR", "gene"), ("19", "number"), ("osimertinib", "drug")]);
        assert_eq!(marks[2]["spoken"], "nineteen");
        let mut keys: Vec<_> = answer.as_object().unwrap().keys().cloned().collect();
        keys.sort();
        assert_eq!(
            keys,
            ["duration", "model", "needs_review", "request_id", "segments", "transcript", "words_to_review"]
        );
        assert!(FIELDS.iter().all(|field| answer.get(*field).is_none()));
    }
    for (headers, body) in server.requests.lock().await.iter() {
        assert_eq!(headers["authorization"], "Bearer made-up-key");
        let body = String::from_utf8_lossy(body);
        for part in [
            "name=\"model\"\r\n\r\nwhisper-large\r\n",
            "\r\n\r\nverbose_json\r\n",
            "\r\n\r\nEGFR, ALK",
            "\r\n\r\nen\r\n",
            "RIFF",
        ] {
            assert!(body.contains(part), "{part}");
        }
    }
}

#[tokio::test]
async fn what_is_no_recording_is_refused_and_never_sent() {
    let server = start(WhisperBehaviour::Text("heard")).await;
    let mut settings = settings(&server);
    settings.transcribe.max_bytes = ByteSize::kib(64);
    settings.transcribe.max_length = Duration::from_secs(1);
    let router = router(settings);
    let video = b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom".to_vec();
    let cut = wav(1)[..1_000].to_vec();
    for (kind, body, status, code) in [
        ("audio/wav", video.clone(), 415, "unsupported_media_type"),
        (form(&video).0, form(&video).1, 415, "unsupported_media_type"),
        ("audio/wav", b"%PDF-1.7 %".to_vec(), 415, "unsupported_media_type"),
        ("audio/mpeg", vec![0xa5; 5_000], 415, "unsupported_media_type"),
        ("audio/wav", Vec::new(), 415, "unsupported_media_type"),
        ("application/json", wav(1), 415, "unsupported_media_type"),
        ("audio/wav", cut, 422, "invalid_request"),
        ("audio/wav", wav(2), 422, "invalid_request"),
        (form(&wav(1)).0, b"--XX\r\n".to_vec(), 422, "invalid_request"),
        ("audio/wav", wav(3), 413, "body_too_large"),
    ] {
        let (got, _, answer) = transcribe(&router, kind, body).await;
        assert_eq!((got.as_u16(), answer["code"].as_str().unwrap()), (status, code), "{kind}: {answer}");
        assert_eq!(answer.get("errors").is_some(), status == 422);
    }
    assert_eq!(server.requests.lock().await.len(), 0);
}

#[tokio::test]
async fn a_server_that_fails_leads_to_a_clear_error_in_time() {
    let words = "a ".repeat(150_000);
    for (hears, status, code, sentence) in [
        (WhisperBehaviour::Status(400, "bad"), 502, "upstream_rejected", "configuration"),
        (WhisperBehaviour::Status(401, "bad"), 502, "upstream_rejected", "configuration"),
        (WhisperBehaviour::Status(302, ""), 502, "upstream_failed", "no transcript"),
        (WhisperBehaviour::Status(429, ""), 503, "overloaded", "Too many recordings"),
        (WhisperBehaviour::Status(500, ""), 502, "upstream_failed", "no transcript"),
        (WhisperBehaviour::Status(503, ""), 503, "upstream_unavailable", "cannot be reached"),
        (WhisperBehaviour::Bytes("<html>"), 502, "upstream_failed", "no transcript"),
        (WhisperBehaviour::Bytes("{\"text\": \"a\", \"duration\": NaN}"), 502, "upstream_failed", "no transcript"),
        (WhisperBehaviour::Bytes("{\"text\": \"a\""), 502, "upstream_failed", "no transcript"),
        (WhisperBehaviour::Answer(json!({"segments": []})), 502, "upstream_failed", "no transcript"),
        (WhisperBehaviour::Answer(json!({"text": words})), 502, "upstream_failed", "no transcript"),
        (WhisperBehaviour::Answer(json!({"text": "a", "duration": 1.0})), 502, "upstream_failed", "only a part"),
        (WhisperBehaviour::BreaksOff, 502, "upstream_failed", "no transcript"),
        (WhisperBehaviour::Endless, 502, "upstream_failed", "no transcript"),
        (WhisperBehaviour::Slow, 504, "deadline_exceeded", "in time"),
        (WhisperBehaviour::Hangs, 504, "deadline_exceeded", "in time"),
        (WhisperBehaviour::Text(""), 422, "no_speech", "No speech"),
        (WhisperBehaviour::Text(" ... "), 422, "no_speech", "No speech"),
    ] {
        let server = start(hears.clone()).await;
        let mut settings = settings(&server);
        settings.transcribe.timeout = Duration::from_secs(if status == 504 { 1 } else { 30 });
        let (got, headers, answer) = transcribe(&router(settings), "audio/wav", wav(10)).await;
        assert_eq!((got.as_u16(), answer["code"].as_str().unwrap()), (status, code), "{hears:?}: {answer}");
        assert!(answer["detail"].as_str().unwrap().contains(sentence), "{answer}");
        assert_eq!(headers.contains_key("retry-after"), status == 503);
    }
    let gone = start(WhisperBehaviour::Hangs).await;
    let mut settings = settings(&gone);
    settings.transcribe.url = Some("http://127.0.0.1:1".to_owned());
    let (status, _, answer) = transcribe(&router(settings), "audio/wav", wav(1)).await;
    assert_eq!((status.as_u16(), &answer["code"]), (503, &json!("upstream_unavailable")));
}

#[tokio::test]
async fn probabilities_that_are_none_are_for_review() {
    let unknown = json!({"text": "Stage four.", "segments": [{"text": "Stage four.", "start": -1, "end": "x", "avg_logprob": 9}]});
    let server = start(WhisperBehaviour::Answer(unknown)).await;
    let (_, _, answer) = transcribe(&router(settings(&server)), "audio/wav", wav(1)).await;
    let expected = json!({"start": null, "end": null, "text": "Stage four.", "probability": null, "review": true});
    assert_eq!(answer["segments"][0], expected);
    assert_eq!(answer["words_to_review"][0]["reason"], "low_probability");
}

#[tokio::test]
async fn ten_megabytes_of_silence_pass_through() {
    let server = start(WhisperBehaviour::Text("")).await;
    let silence = wav(320);
    assert!(silence.len() > 10_000_000 && silence.len() < 10 << 20);
    let (status, _, answer) = transcribe(&router(settings(&server)), form(&silence).0, form(&silence).1).await;
    assert_eq!((status.as_u16(), &answer["code"]), (422, &json!("no_speech")), "{answer}");
    assert!(server.requests.lock().await[0].1.len() > silence.len());
}

#[tokio::test]
async fn keys_rates_places_and_the_audit_are_those_of_notes() {
    let permits = Arc::new(Semaphore::new(0));
    let server = start(WhisperBehaviour::Waits(Arc::clone(&permits))).await;
    let folder = tempfile::tempdir().unwrap();
    let (keys, audit) = (folder.path().join("keys"), folder.path().join("audit.jsonl"));
    let key = access::new_key().unwrap();
    std::fs::write(&keys, format!("{} rate=3/h", access::line_for("ward", &key).unwrap())).unwrap();
    let mut settings = settings(&server);
    settings.auth_keys_file = Some(keys);
    settings.audit.path = Some(audit.clone());
    settings.transcribe.in_flight = 1;
    settings.admission.queue = 0;
    let gateway = Gateway::new(settings).unwrap();
    let app = gateway.app.clone();
    let router = http::router(gateway.app, Vec::new());
    let (status, _, _) = transcribe(&router, "audio/wav", wav(1)).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    let post = || {
        let request = Request::post("/api/v1/transcribe").header("content-type", "audio/wav").header("x-api-key", &key);
        let (router, request) = (router.clone(), request.body(Body::from(wav(1))).unwrap());
        async move { send(&router, request).await }
    };
    let first = tokio::spawn(post());
    while server.requests.lock().await.is_empty() {
        tokio::task::yield_now().await;
    }
    // The only place is taken.
    let (status, headers, body) = post().await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{}", String::from_utf8_lossy(&body));
    assert!(headers.contains_key("retry-after") && headers.contains_key("ratelimit"));
    permits.add_permits(1);
    assert_eq!(first.await.unwrap().0, StatusCode::OK);
    // The client disconnects, and its place is free again.
    let leaver = tokio::spawn(post());
    while server.requests.lock().await.len() < 2 {
        tokio::task::yield_now().await;
    }
    leaver.abort();
    let _ = leaver.await;
    let (status, _, body) = post().await;
    assert_eq!(status, StatusCode::TOO_MANY_REQUESTS, "{}", String::from_utf8_lossy(&body));
    let written = app.state.audit.as_ref().unwrap();
    assert_eq!(written.close(), 0);
    let lines: Vec<Value> =
        std::fs::read_to_string(audit).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let mut codes: Vec<_> = lines.iter().map(|line| line["code"].as_str().unwrap()).collect();
    codes.sort_unstable();
    assert_eq!(codes, ["caller_vanished", "ok", "overloaded", "rate_limited"]);
    for line in lines {
        assert_eq!((&line["route"], &line["principal"]), (&json!("/api/v1/transcribe"), &json!("ward")));
    }
}

#[tokio::test]
async fn what_was_heard_is_in_the_answer_alone() {
    let server = start(WhisperBehaviour::Answer(answer("Xylocanaryphone osimertinib."))).await;
    let router = router(settings(&server));
    let (status, _, _) = transcribe(&router, "audio/wav", wav(1)).await;
    assert_eq!(status, StatusCode::OK);
    let (_, _, metrics) = send(&router, Request::get("/metrics").body(Body::empty()).unwrap()).await;
    let metrics = String::from_utf8(metrics).unwrap();
    assert!(!metrics.contains("Xylocanaryphone"));
    let counted = "gateway_notes_total{route=\"/api/v1/transcribe\",code=\"ok\"} 1";
    assert!(metrics.contains(counted), "{metrics}");
}

#[tokio::test]
async fn a_client_of_openai_s_api_may_name_what_is_done_anyway() {
    let server = start(WhisperBehaviour::Text("Stage four.")).await;
    let router = router(settings(&server));
    let (_, _, models) = send(&router, Request::get("/api/v1/models").body(Body::empty()).unwrap()).await;
    let models: Value = serde_json::from_slice(&models).unwrap();
    assert_eq!(models["transcribe"], json!({"model": "whisper-1", "language": "en"}));
    let part = |name: &str, value: &str| {
        format!("--XX\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n").into_bytes()
    };
    for (name, value, field) in [
        ("model", "whisper-1", None),
        ("language", "en", None),
        ("temperature", "0", None),
        ("model", "gpt-4o-transcribe", Some("model")),
        ("response_format", "json", Some("response_format")),
        ("prompt", "CANARY", Some("prompt")),
        ("CANARY", "CANARY", Some("")),
    ] {
        let (kind, file) = form(&wav(1));
        let (status, _, answer) = transcribe(&router, kind, [part(name, value), file].concat()).await;
        assert_eq!(status.as_u16(), if field.is_none() { 200 } else { 422 }, "{name}: {answer}");
        assert!(!answer.to_string().contains("CANARY"), "{answer}");
        assert_eq!(answer["errors"][0]["field"].as_str(), field, "{name}: {answer}");
    }
}

/// A recording counts as one note of the budget: before it is sent to the server, and only if it was transcribed.
#[tokio::test]
async fn recordings_use_the_budget_of_their_key() {
    let server = start(WhisperBehaviour::Text("Stage four.")).await;
    let (folder, key) = (tempfile::tempdir().unwrap(), access::new_key().unwrap());
    let keys = folder.path().join("keys");
    std::fs::write(&keys, format!("{} budget=2/month", access::line_for("ward", &key).unwrap())).unwrap();
    let mut settings = settings(&server);
    settings.auth_keys_file = Some(keys);
    settings.audit.path = Some(folder.path().join("audit.jsonl"));
    let router = router(settings);
    for (body, status, sent) in
        [(wav(1), 200, 1), (b"no recording".to_vec(), 415, 1), (wav(1), 200, 2), (wav(1), 429, 2)]
    {
        let request = Request::post("/api/v1/transcribe").header("content-type", "audio/wav").header("x-api-key", &key);
        let (got, _, answer) = send(&router, request.body(Body::from(body)).unwrap()).await;
        assert_eq!(got.as_u16(), status, "{}", String::from_utf8_lossy(&answer));
        assert_eq!(server.requests.lock().await.len(), sent);
    }
}
