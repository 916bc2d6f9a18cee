//! Batches and streams on real sockets: disconnects, slow readers, rate limits, and shutdown.

use std::{
    fmt::Write as _,
    sync::{Arc, atomic::Ordering::SeqCst},
    time::Duration,
};

use gateway::{access, config::Settings};
use reqwest::RequestBuilder;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::Semaphore,
};

use crate::{
    fake_vllm::{FakeServer, UpstreamBehaviour, start},
    served::{Served, pair, until, with_model},
};

const NOTE: &str = "Stage IV lung adenocarcinoma.";

fn lines(count: usize) -> String {
    (0..count).fold(String::new(), |mut all, n| {
        writeln!(all, "{}", json!({"id": n, "text": NOTE})).unwrap();
        all
    })
}

fn batch(served: &Served, kind: &str, body: String) -> RequestBuilder {
    let url = format!("http://{}/api/v1/extract/batch", served.address);
    served.client.post(url).header("content-type", kind).body(body)
}

fn ndjson(served: &Served, count: usize) -> RequestBuilder {
    batch(served, "application/x-ndjson", lines(count))
}

/// Returns the code and `retry_after` of each outcome, in the order of the notes.
async fn codes(request: RequestBuilder) -> Vec<(String, Option<u64>)> {
    let text = request.send().await.unwrap().text().await.unwrap();
    let mut outcomes: Vec<Value> = match serde_json::from_str::<Value>(&text) {
        Ok(whole) if whole.get("results").is_some() => whole["results"].as_array().unwrap().clone(),
        _ => text.lines().map(|line| serde_json::from_str(line).unwrap()).collect(),
    };
    outcomes.sort_by_key(|outcome| outcome["index"].as_u64().unwrap());
    let code = |outcome: &Value| {
        let error = &outcome["error"];
        (error["code"].as_str().unwrap_or("ok").to_owned(), error["retry_after"].as_u64())
    };
    outcomes.iter().map(code).collect()
}

/// Settings with a deadline longer than any test waits, so that a note never ends because of the deadline.
fn long_deadline(fake: &FakeServer) -> Settings {
    let mut settings = with_model(&[fake.address]);
    settings.admission.deadline = Duration::from_mins(30);
    settings
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_disconnects_stops_the_model() {
    let permits = Arc::new(Semaphore::new(1));
    let pieces = vec!["{\"cancer_type\": null,", " \"stage\": "];
    let fake = start(vec![UpstreamBehaviour::Pieces(pieces, Arc::clone(&permits))]).await;
    let served = Served::ready(long_deadline(&fake)).await;
    let url = format!("http://{}/api/v1/extract/stream", served.address);
    let mut response = served.client.post(url).json(&json!({"text": NOTE})).send().await.unwrap();
    assert!(response.chunk().await.unwrap().unwrap().starts_with(b"event: field"));
    let held = Arc::strong_count(&permits);
    drop(response);
    let counts = || served.app.extractor.pipeline.admission().counts();
    until("the slot is back", async || (counts().in_flight, counts().abandoned) == (0, 1)).await;
    until("the connection to the model server is closed", async || Arc::strong_count(&permits) < held).await;
    until("the vanished caller is counted", async || served.metric("gateway_callers_vanished_total").await > 0.5).await;
    assert_eq!(served.app.state.in_flight.running(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_disconnects_cancels_its_remaining_notes() {
    let permits = Arc::new(Semaphore::new(3));
    let fake = start(vec![UpstreamBehaviour::Hold(Arc::clone(&permits))]).await;
    let mut settings = long_deadline(&fake);
    settings.admission.in_flight = 4;
    let served = Served::ready(settings).await;
    let mut response = ndjson(&served, 100).send().await.unwrap();
    assert!(response.chunk().await.unwrap().unwrap().starts_with(b"{\"id\":"));
    let counts = || served.app.extractor.pipeline.admission().counts();
    until("more notes of the batch wait", async || (counts().in_flight, counts().queued) == (4, 2)).await;
    drop(response);
    until("nothing runs any more", async || {
        (counts().in_flight, counts().queued, served.app.state.in_flight.running()) == (0, 0, 0)
    })
    .await;
    let calls = fake.calls.load(SeqCst);
    assert!(calls < 20, "{calls}");
    assert_eq!(counts().given, counts().returned);
    permits.add_permits(9);
    assert_eq!(served.code(NOTE).await, pair(200, "ok"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_single_note_goes_before_those_of_a_batch() {
    let permits = Arc::new(Semaphore::new(0));
    let fake = start(vec![UpstreamBehaviour::Hold(Arc::clone(&permits))]).await;
    let mut settings = with_model(&[fake.address]);
    settings.admission.in_flight = 2;
    let served = Served::ready(settings).await;
    let many = tokio::spawn(codes(ndjson(&served, 20)));
    let counts = || served.app.extractor.pipeline.admission().counts();
    until("the batch has all slots and waits", async || (counts().in_flight, counts().queued) == (2, 1)).await;
    let single = served.extract("Breast cancer.").send();
    let single = tokio::spawn(single);
    until("the single note waits too", async || counts().queued == 2).await;
    until("two notes are at the model", async || fake.bodies.lock().await.len() == 2).await;
    permits.add_permits(1);
    until("a third note is at the model", async || fake.bodies.lock().await.len() == 3).await;
    assert!(fake.bodies.lock().await[2].to_string().contains("Breast cancer."));
    permits.add_permits(99);
    assert_eq!(single.await.unwrap().unwrap().status().as_u16(), 200);
    assert_eq!(many.await.unwrap(), vec![("ok".to_owned(), None); 20]);
}

#[tokio::test(flavor = "multi_thread")]
async fn shutdown_finishes_running_notes_of_a_batch_and_refuses_the_rest() {
    for kind in ["application/json", "application/x-ndjson"] {
        let permits = Arc::new(Semaphore::new(0));
        let fake = start(vec![UpstreamBehaviour::Hold(Arc::clone(&permits))]).await;
        let mut settings = with_model(&[fake.address]);
        settings.admission.in_flight = 2;
        let mut served = Served::ready(settings).await;
        let body = if kind == "application/json" {
            json!({"notes": vec![json!({"text": NOTE}); 10]}).to_string()
        } else {
            lines(10)
        };
        let many = tokio::spawn(codes(batch(&served, kind, body)));
        let counts = || served.app.extractor.pipeline.admission().counts();
        until("three of ten notes have begun", async || (counts().in_flight, counts().queued) == (2, 1)).await;
        served.stop();
        until("the gateway drains", async || served.app.state.readiness.is_draining()).await;
        permits.add_permits(99);
        let ok = vec![("ok".to_owned(), None); 3];
        let draining = ("draining".to_owned(), Some(5));
        // The number of further lines is unknown, so one outcome stands for all of them.
        let refused = vec![draining; if kind == "application/json" { 7 } else { 1 }];
        assert_eq!(many.await.unwrap(), [ok, refused].concat(), "{kind}");
        served.ended().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_stops_reading_notes_while_its_client_reads_no_answers() {
    const NOTES: usize = 100_000;
    let served = Served::ready(Settings::default()).await;
    let (mut reading, mut writing) = TcpStream::connect(served.address).await.unwrap().into_split();
    // Each invalid note of three bytes gets an error with status 400, so the answers are what would pile up.
    let body = "{}\n".repeat(NOTES);
    let head = format!(
        "POST /api/v1/extract/batch HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/x-ndjson\r\n\
         Content-Length: {}\r\n\r\n",
        body.len()
    );
    let writing = tokio::spawn(async move {
        writing.write_all(head.as_bytes()).await.unwrap();
        writing.write_all(body.as_bytes()).await.unwrap();
        writing
    });
    let read = async || served.metric("gateway_notes_total").await;
    let (mut before, mut same) = (0.0, 0);
    while same < 20 {
        tokio::time::sleep(Duration::from_millis(10)).await;
        let now = read().await;
        same = if now > 0.0 && (now - before).abs() < 0.5 { same + 1 } else { 0 };
        before = now;
    }
    assert!(before < 0.9 * 100_000.0, "{before} notes were read for a caller that reads no answer");
    let mut answer = Vec::new();
    reading.read_to_end(&mut answer).await.unwrap();
    let outcomes = answer.split(|&byte| byte == b'\n').filter(|line| line.starts_with(b"{\"id\":null"));
    assert_eq!(outcomes.count(), NOTES);
    drop(writing.await.unwrap());
}

/// Starts a gateway with one key and these limits on its line.
async fn with_key(limits: &str) -> (Served, String, tempfile::TempDir) {
    let (key, folder) = (access::new_key().unwrap(), tempfile::tempdir().unwrap());
    let path = folder.path().join("keys");
    std::fs::write(&path, format!("{} {limits}\n", access::line_for("study", &key).unwrap())).unwrap();
    let settings = Settings { auth_keys_file: Some(path), ..Settings::default() };
    (Served::ready(settings).await, key, folder)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_note_of_a_batch_counts_for_the_limits_of_its_key() {
    let (served, key, _folder) = with_key("rate=2/min").await;
    let outcomes = codes(ndjson(&served, 5).bearer_auth(&key)).await;
    let (ok, late): (Vec<_>, Vec<_>) = outcomes.into_iter().partition(|(code, _)| code == "ok");
    assert_eq!((ok.len(), late.len()), (2, 3));
    for (code, after) in late {
        assert!(code == "rate_limited" && (1..=60).contains(&after.unwrap()), "{code} {after:?}");
    }
    // If the wait is short, the batch waits and proceeds at the rate of its key.
    for limits in ["rate=50/s", "at_once=1"] {
        let (served, key, _folder) = with_key(limits).await;
        assert_eq!(codes(ndjson(&served, 70).bearer_auth(&key)).await, vec![("ok".to_owned(), None); 70], "{limits}");
    }
    assert_eq!(ndjson(&served, 1).send().await.unwrap().status().as_u16(), 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_batches_are_limited_and_ended_ones_make_room() {
    let permits = Arc::new(Semaphore::new(0));
    let fake = start(vec![UpstreamBehaviour::Hold(Arc::clone(&permits))]).await;
    let served = Served::ready(with_model(&[fake.address])).await;
    let mut begun = Vec::new();
    while served.app.batch.running.available_permits() > 0 {
        begun.push(ndjson(&served, 1).send().await.unwrap());
    }
    assert_eq!(crate::served::code(ndjson(&served, 1)).await, pair(503, "overloaded"));
    drop(begun);
    until("all places are free", async || served.app.batch.running.available_permits() == 16).await;
    permits.add_permits(9);
    assert_eq!(codes(ndjson(&served, 1)).await, [("ok".to_owned(), None)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_note_of_a_batch_has_an_audit_record() {
    let folder = tempfile::tempdir().unwrap();
    let mut settings = Settings::default();
    settings.audit.path = Some(folder.path().join("audit.jsonl"));
    let mut served = Served::ready(settings).await;
    let body = format!("{}{{\"id\": \"Xylocanary\"}}\n{}", lines(2), "x".repeat(3 << 20));
    codes(batch(&served, "application/x-ndjson", body).header("x-request-id", "study-1")).await;
    let whole = batch(&served, "application/json", "nonsense".to_owned()).header("x-request-id", "study-2");
    assert_eq!(crate::served::code(whole).await, pair(400, "invalid_json"));
    served.stop();
    served.ended().await.unwrap();
    let audit = std::fs::read_to_string(folder.path().join("audit.jsonl")).unwrap();
    let mut records: Vec<(String, String)> = audit
        .lines()
        .map(|line| {
            let line: Value = serde_json::from_str(line).unwrap();
            assert_eq!(line["route"], "/api/v1/extract/batch");
            (line["request_id"].as_str().unwrap().to_owned(), line["code"].as_str().unwrap().to_owned())
        })
        .collect();
    records.sort();
    let line = |id: &str, code: &str| (id.to_owned(), code.to_owned());
    assert_eq!(
        records,
        [
            line("study-1.0", "ok"),
            line("study-1.1", "ok"),
            line("study-1.2", "invalid_request"),
            line("study-1.3", "body_too_large"),
            line("study-2", "invalid_json"),
        ]
    );
    assert!(!audit.contains("Xylocanary"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_note_of_a_batch_is_queued_again() {
    let permits = Arc::new(Semaphore::new(0));
    let fake = start(vec![UpstreamBehaviour::Hold(Arc::clone(&permits))]).await;
    let mut settings = long_deadline(&fake);
    (settings.admission.in_flight, settings.admission.queue) = (1, 0);
    let served = Served::ready(settings).await;
    let many = tokio::spawn(codes(ndjson(&served, 3)));
    let counts = || served.app.extractor.pipeline.admission().counts();
    until("admission has refused a note", async || counts().refused > 0).await;
    permits.add_permits(9);
    assert_eq!(many.await.unwrap(), vec![("ok".to_owned(), None); 3]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stalled_reader_does_not_delay_shutdown() {
    let mut settings = Settings::default();
    settings.admission.drain = Duration::from_millis(50);
    let mut served = Served::ready(settings).await;
    let mut stream = TcpStream::connect(served.address).await.unwrap();
    let head = "POST /api/v1/extract/batch HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-ndjson\r\n\
                Transfer-Encoding: chunked\r\n\r\n";
    let body = "{}\n".repeat(100_000);
    stream.write_all(format!("{head}{:x}\r\n{body}\r\n", body.len()).as_bytes()).await.unwrap();
    until("the batch has begun", async || served.app.state.in_flight.running() > 0).await;
    served.stop();
    // The body is unfinished and the client does not read, so the gateway interrupts the batch and counts it.
    let ended = served.ended().await;
    assert!(ended.is_ok() || matches!(ended, Err(gateway::server::ServerError::CutOff(1))), "{ended:?}");
    let mut rest = Vec::new();
    let _ = stream.read_to_end(&mut rest).await;
    let has_last_line = String::from_utf8_lossy(&rest).contains("\"ends\":true");
    assert!(has_last_line || !rest.ends_with(b"0\r\n\r\n"), "an incomplete answer must not look complete");
}
