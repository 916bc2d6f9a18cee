//! The memory budget of all requests and of each key, and the limit on concurrent batches.

use std::{sync::Arc, time::Duration};

use bytesize::ByteSize;
use gateway::{
    access,
    config::Settings,
    memory::{Memory, Purpose},
};
use serde_json::{Value, json};
use tempfile::NamedTempFile;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::Semaphore,
};

use crate::{
    fake_vllm::{UpstreamBehaviour, start},
    open_lines::OpenLines,
    served::{Served, code, pair, until, with_model},
};

const NOTE: &str = "Stage IV lung adenocarcinoma.";
const BATCH: &str = "/api/v1/extract/batch";
const MIB: usize = 1 << 20;

/// A gateway with two keys that share a memory budget of 32 MiB.
struct SharedGateway {
    served: Served,
    keys: [String; 2],
    _file: NamedTempFile,
}

impl SharedGateway {
    async fn start(mut settings: Settings, limits: &str) -> Self {
        let keys = ["a".repeat(32), "b".repeat(32)];
        let file = NamedTempFile::new().unwrap();
        let lines = [("one", &keys[0]), ("other", &keys[1])];
        let lines = lines.map(|(name, key)| format!("{} {limits}", access::line_for(name, key).unwrap()));
        std::fs::write(file.path(), lines.join("\n")).unwrap();
        settings.auth_keys_file = Some(file.path().to_owned());
        settings.limits.memory = Some(ByteSize::mib(32));
        Self { served: Served::ready(settings).await, keys, _file: file }
    }

    fn memory(&self) -> &Memory {
        &self.served.app.state.memory
    }

    /// Sends the head of a request with the length of its body, and then a part of the body.
    async fn begin(&self, key: &str, path: &str, kind: &str, length: usize, part: &[u8]) -> TcpStream {
        let mut stream = TcpStream::connect(self.served.address).await.unwrap();
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: x\r\nX-API-Key: {key}\r\nContent-Type: application/{kind}\r\n\
             Content-Length: {length}\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        // The write may fail, because a gateway that refuses the request does not read its body.
        let _ = stream.write_all(part).await;
        stream
    }

    async fn extracts(&self, key: &str) -> (u16, String) {
        code(self.served.extract(NOTE).header("x-api-key", key)).await
    }
}

/// Returns the status of the answer, which arrives although the body does not end.
async fn status(mut stream: TcpStream) -> String {
    let mut head = [0; 12];
    tokio::time::timeout(Duration::from_mins(1), stream.read_exact(&mut head)).await.unwrap().unwrap();
    String::from_utf8_lossy(&head[9..]).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn unfinished_bodies_of_one_key_hold_at_most_its_share() {
    let shared = SharedGateway::start(Settings::default(), "").await;
    let [one, other] = &shared.keys;
    for (path, kind, length, part) in [
        (BATCH, "json", 8 * MIB, 6 * MIB),
        ("/api/v1/extract", "json", 2 * MIB, 2 * MIB - 1),
        ("/api/v1/extract/stream", "json", 2 * MIB, 2 * MIB - 1),
        (BATCH, "x-ndjson", 2 * MIB, 2 * MIB - 1),
    ] {
        let refused = shared.memory().refused();
        let part = vec![b'x'; part];
        let mut open = Vec::new();
        while shared.memory().refused() == refused {
            open.push(shared.begin(one, path, kind, length, &part).await);
            assert!(open.len() < 40, "{path} {kind}: nothing is refused");
        }
        let held = shared.memory().reserved();
        assert!((8 * MIB..=16 * MIB).contains(&held), "{path} {kind}: {held}");
        // The other key has its own share.
        assert_eq!(shared.extracts(other).await, pair(200, "ok"), "{path} {kind}");
        drop(open);
        until("all memory is returned", async || shared.memory().reserved() == 0).await;
        assert_eq!(shared.extracts(one).await, pair(200, "ok"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_over_the_free_memory_is_refused_before_its_body() {
    let shared = SharedGateway::start(Settings::default(), "").await;
    let [one, _] = &shared.keys;
    let (whole, single) = (shared.memory().budget(), Purpose::Single);
    let others = shared.memory().reserve(None, single, whole - MIB).unwrap();
    for (path, kind, length) in [
        ("/api/v1/extract", "json", 2 * MIB),
        ("/api/v1/extract/stream", "json", 2 * MIB),
        (BATCH, "json", 2 * MIB),
        (BATCH, "x-ndjson", 100),
    ] {
        assert_eq!(status(shared.begin(one, path, kind, length, b"").await).await, "503", "{path} {kind}");
    }
    assert_eq!(shared.extracts(one).await, pair(200, "ok"));
    drop(others);
    // A body that can never fit gets 413, because a retry cannot succeed.
    assert_eq!(status(shared.begin(one, BATCH, "json", 9 * MIB, b"").await).await, "413");
    until("all memory is returned", async || shared.memory().reserved() == 0).await;
    let all = shared.memory().reserve(None, single, whole).unwrap();
    assert_eq!(shared.extracts(one).await, pair(503, "overloaded"));
    assert!(shared.served.metric("gateway_memory_refused_total").await > 4.5);
    let health = shared.served.get("/health/live").send().await.unwrap();
    assert_eq!(health.status().as_u16(), 200);
    drop(all);
    assert_eq!(shared.extracts(one).await, pair(200, "ok"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_over_the_memory_budget_gets_413_whatever_body_bytes_allows() {
    let mut settings = Settings::default();
    settings.limits.body_bytes = ByteSize::mib(64);
    let shared = SharedGateway::start(settings, "").await;
    for path in ["/api/v1/extract", "/api/v1/extract/stream"] {
        let refused = shared.begin(&shared.keys[0], path, "json", 9 * MIB, b"").await;
        assert_eq!(status(refused).await, "413", "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_continues_note_by_note_while_memory_is_full() {
    let shared = SharedGateway::start(Settings::default(), "").await;
    let [one, _] = &shared.keys;
    let url = format!("http://{}{BATCH}", shared.served.address);
    let notes = vec![json!({"text": NOTE}); 40];
    let body = json!({"notes": notes}).to_string();
    let held = shared.memory().reserve(None, Purpose::Single, shared.memory().budget() / 4 * 3 - 100_000).unwrap();
    let request = shared.served.client.post(url).header("x-api-key", one).header("content-type", "application/json");
    let answer: Value = request.body(body).send().await.unwrap().json().await.unwrap();
    assert_eq!(answer["summary"], json!({"ok": 40, "failed": 0}));
    drop(held);
    until("all memory is returned", async || shared.memory().reserved() == 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn idle_line_batches_do_not_count_as_running_batches() {
    let shared = SharedGateway::start(Settings::default(), "").await;
    let [one, other] = &shared.keys;
    let free = async || shared.served.app.batch.running.available_permits() == 16;
    let mut open = Vec::new();
    for _ in 0..24 {
        let mut lines = OpenLines::begin(shared.served.address, one).await;
        lines.send(&json!({"text": NOTE})).await;
        assert_eq!(lines.next().await["status"], 200);
        open.push(lines);
    }
    until("no batch is counted", free).await;
    let url = format!("http://{}{BATCH}", shared.served.address);
    let batch = json!({"notes": [{"text": NOTE}]});
    assert_eq!(code(shared.served.client.post(url).header("x-api-key", other).json(&batch)).await, pair(200, "ok"));
    // The open batches continue.
    for lines in &mut open {
        lines.send(&json!({"text": NOTE})).await;
        let next = lines.next().await;
        assert_eq!((&next["status"], &next["index"]), (&json!(200), &json!(1)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_key_may_run_half_of_all_batches() {
    let permits = Arc::new(Semaphore::new(0));
    let fake = start(vec![UpstreamBehaviour::Hold(Arc::clone(&permits))]).await;
    let shared = SharedGateway::start(with_model(&[fake.address]), "").await;
    let [one, other] = &shared.keys;
    let free_batches = || shared.served.app.batch.running.available_permits();
    let mut open = Vec::new();
    for running in 1..=8 {
        let mut lines = OpenLines::begin(shared.served.address, one).await;
        lines.send(&json!({"text": NOTE})).await;
        until("the batch is counted", async || free_batches() == 16 - running).await;
        open.push(lines);
    }
    let url = format!("http://{}{BATCH}", shared.served.address);
    let batch =
        |key: &str| shared.served.client.post(&url).header("x-api-key", key).json(&json!({"notes": [{"text": NOTE}]}));
    assert_eq!(code(batch(one)).await, pair(429, "rate_limited"));
    let others = tokio::spawn(code(batch(other)));
    until("the other key's batch is counted", async || free_batches() == 7).await;
    permits.add_permits(99);
    assert_eq!(others.await.unwrap(), pair(200, "ok"));
    for lines in &mut open {
        assert_eq!(lines.next().await["status"], 200);
    }
    assert_eq!(code(batch(one)).await, pair(200, "ok"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_line_batch_waits_for_a_free_place_to_continue() {
    let permits = Arc::new(Semaphore::new(1));
    let fake = start(vec![UpstreamBehaviour::Hold(Arc::clone(&permits))]).await;
    let shared = SharedGateway::start(with_model(&[fake.address]), "").await;
    let [one, _] = &shared.keys;
    let mut lines = OpenLines::begin(shared.served.address, one).await;
    lines.send(&json!({"id": 1, "text": NOTE})).await;
    assert_eq!(lines.next().await["status"], 200);
    until("the idle batch is not counted", async || shared.served.app.batch.running.available_permits() == 16).await;
    let all = Arc::clone(&shared.served.app.batch.running).acquire_many_owned(16).await.unwrap();
    permits.add_permits(1);
    lines.send(&json!({"id": 2, "text": NOTE})).await;
    // A single note passes, because it is not a batch.
    permits.add_permits(1);
    assert_eq!(shared.extracts(one).await, pair(200, "ok"));
    drop(all);
    let second = lines.next().await;
    assert_eq!((&second["status"], &second["id"]), (&json!(200), &json!(2)), "{second}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_ends_at_its_time_limit() {
    let mut settings = Settings::default();
    settings.limits.batch_time = Duration::from_secs(1);
    let shared = SharedGateway::start(settings, "").await;
    let mut lines = OpenLines::begin(shared.served.address, &shared.keys[0]).await;
    lines.send(&json!({"text": NOTE})).await;
    assert_eq!(lines.next().await["status"], 200);
    let last = lines.next().await;
    assert_eq!((&last["status"], &last["ends"], &last["index"]), (&json!(504), &json!(true), &json!(1)), "{last}");
    assert!(last["error"]["detail"].as_str().unwrap().contains("in another"), "{last}");
}

#[tokio::test(flavor = "multi_thread")]
async fn invalid_lines_count_as_notes_for_the_rate_limit() {
    let large = "x".repeat(3 * MIB);
    for bad in ["{\"id\": 1}", "nonsense", large.as_str()] {
        let shared = SharedGateway::start(Settings::default(), "rate=2/min").await;
        let url = format!("http://{}{BATCH}", shared.served.address);
        let request = shared.served.client.post(url).header("content-type", "application/x-ndjson");
        let body = format!("{bad}\n").repeat(4);
        let text = request.header("x-api-key", &shared.keys[0]).body(body).send().await.unwrap().text().await.unwrap();
        assert_eq!(text.matches("\"code\":\"rate_limited\"").count(), 2, "{bad:.20}: {text}");
    }
}
