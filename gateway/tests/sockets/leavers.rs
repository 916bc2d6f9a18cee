//! Clients that disconnect while bytes from them are unread: their extractions are cancelled at once.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use gateway::config::Settings;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::Semaphore,
};

use crate::{
    fake_vllm::{UpstreamBehaviour, start},
    served::{Served, until, with_model},
};

const NOTE: &str = "{\"text\": \"Stage IV lung adenocarcinoma.\"}";

fn post(path: &str, kind: &str, body: &str) -> String {
    let length = body.len();
    format!("POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\r\n{body}")
}

fn note_request() -> String {
    post("/api/v1/extract", "application/json", NOTE)
}

/// Returns, for each kind of request, its name, the request, and how many of its notes run at the model server.
fn requests() -> [(&'static str, String, usize); 5] {
    let batch = "/api/v1/extract/batch";
    let list = json!({"notes": [{"text": "Stage IV lung adenocarcinoma."}, {"text": "Stage II lung cancer."}]});
    [
        ("a note", note_request(), 1),
        ("a note as events", post("/api/v1/extract/stream", "application/json", NOTE), 1),
        ("a batch", post(batch, "application/json", &list.to_string()), 2),
        ("lines", post(batch, "application/x-ndjson", &format!("{NOTE}\n{NOTE}\n")), 2),
        ("more lines than are read ahead", post(batch, "application/x-ndjson", &format!("{NOTE}\n").repeat(3_000)), 4),
    ]
}

/// Starts a gateway with four slots whose model server waits for the permits.
async fn start_held(act: impl FnOnce(Arc<Semaphore>) -> UpstreamBehaviour) -> (Served, Arc<Semaphore>) {
    let permits = Arc::new(Semaphore::new(0));
    let fake = start(vec![act(Arc::clone(&permits))]).await;
    let mut settings: Settings = with_model(&[fake.address]);
    settings.admission.in_flight = 4;
    (Served::ready(settings).await, permits)
}

fn notes_in_flight(served: &Served) -> usize {
    served.app.extractor.pipeline.admission().counts().in_flight
}

#[tokio::test(flavor = "multi_thread")]
async fn unread_bytes_after_the_body_hold_no_slot_once_the_client_disconnects() {
    let (served, _permits) = start_held(UpstreamBehaviour::Hold).await;
    for (kind, request, notes) in requests() {
        // The unread bytes come with the request, after it, or both, and are once more than the gateway reads ahead.
        for (together, later) in [("G", ""), ("", "G"), ("G", "ET"), ("GET / HTTP/1.1\r\nHost: x\r\n\r\n", "GET")] {
            for reset in [false, true] {
                let mut caller = TcpStream::connect(served.address).await.unwrap();
                caller.set_nodelay(true).unwrap();
                caller.write_all(format!("{request}{together}").as_bytes()).await.unwrap();
                until("the notes are at the model", async || notes_in_flight(&served) == notes).await;
                caller.write_all(later.as_bytes()).await.unwrap();
                if reset {
                    caller.set_zero_linger().unwrap();
                }
                drop(caller);
                let case = format!("{kind}, {together:?} and {later:?}, reset: {reset}: the slots are back");
                until(&case, async || notes_in_flight(&served) == 0).await;
            }
        }
    }
    until("nothing runs", async || served.app.state.in_flight.running() == 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_started_stream_ends_once_its_reader_disconnects() {
    let (served, permits) =
        start_held(|permits| UpstreamBehaviour::Pieces(vec!["{\"cancer_type\": \"lung", " cancer\", "], permits)).await;
    let mut caller = TcpStream::connect(served.address).await.unwrap();
    let request = post("/api/v1/extract/stream", "application/json", NOTE);
    caller.write_all(format!("{request}G").as_bytes()).await.unwrap();
    // The first two pieces complete a field, so the gateway sends an event.
    permits.add_permits(2);
    let (mut events, mut part) = (String::new(), [0; 4_096]);
    while !events.contains("cancer_type") {
        let count = caller.read(&mut part).await.unwrap();
        assert_ne!(count, 0, "{events}");
        events.push_str(std::str::from_utf8(&part[..count]).unwrap());
    }
    assert_eq!(notes_in_flight(&served), 1);
    drop(caller);
    until("the slot is back", async || notes_in_flight(&served) == 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pipelined_requests_are_answered_in_order() {
    let (served, permits) = start_held(UpstreamBehaviour::Hold).await;
    let mut caller = TcpStream::connect(served.address).await.unwrap();
    let began = Instant::now();
    caller
        .write_all(format!("{}GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n", note_request()).as_bytes())
        .await
        .unwrap();
    until("the note is at the model", async || notes_in_flight(&served) == 1).await;
    caller.write_all(note_request().replace("Host: x", "Host: x\r\nConnection: close").as_bytes()).await.unwrap();
    // Long enough for several checks whether the client is still connected.
    until("time passes", async || began.elapsed() > Duration::from_millis(700)).await;
    assert_eq!(notes_in_flight(&served), 1);
    permits.add_permits(2);
    let mut answers = String::new();
    caller.read_to_string(&mut answers).await.unwrap();
    let bodies: Vec<&str> = answers.split("HTTP/1.1 ").skip(1).collect();
    assert_eq!(bodies.len(), 3, "{answers}");
    for (body, note) in bodies.iter().zip([true, false, true]) {
        assert!(body.starts_with("200") && body.contains("\"cancer_type\"") == note, "{answers}");
    }
}
