//! Shutdown: running notes finish, new notes get an error, and unfinished notes get an error and are counted.

use std::{sync::Arc, time::Duration};

use gateway::{config::AuditSettings, server::ServerError};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::Semaphore,
    task::JoinSet,
};

use crate::{
    fake_vllm::{FakeServer, UpstreamBehaviour, start},
    served::{Served, pair, until, with_model},
};

const NOTES: usize = 100;

/// Starts a gateway and sends [`NOTES`] notes, of which 32 are at the model server.
async fn busy(drain: Duration) -> (Served, FakeServer, Arc<Semaphore>, JoinSet<(u16, String)>) {
    busy_with(drain, AuditSettings::default()).await
}

async fn busy_with(
    drain: Duration,
    audit: AuditSettings,
) -> (Served, FakeServer, Arc<Semaphore>, JoinSet<(u16, String)>) {
    let permits = Arc::new(Semaphore::new(0));
    let fake = start(vec![UpstreamBehaviour::Hold(Arc::clone(&permits))]).await;
    let mut settings = with_model(&[fake.address]);
    settings.admission.drain = drain;
    settings.audit = audit;
    let served = Served::ready(settings).await;
    let mut notes = JoinSet::new();
    for _ in 0..NOTES {
        notes.spawn(crate::served::code(served.extract("Stage IV lung adenocarcinoma.")));
    }
    until("all notes are under way", async || {
        let counts = served.app.extractor.pipeline.admission().counts();
        (counts.in_flight, counts.queued) == (32, NOTES - 32)
    })
    .await;
    (served, fake, permits, notes)
}

#[tokio::test(flavor = "multi_thread")]
async fn running_notes_finish_and_new_notes_get_draining() {
    let (mut served, _fake, permits, mut notes) = busy(Duration::from_secs(50)).await;
    served.stop();
    until("the gateway drains", async || served.app.state.readiness.is_draining()).await;
    // The gateway still accepts new connections and answers them.
    assert_eq!(served.code("Stage II breast cancer.").await, pair(503, "draining"));
    let ready = served.get("/health/ready").send().await.unwrap();
    assert_eq!((ready.status().as_u16(), ready.text().await.unwrap().contains("draining")), (503, true));
    assert_eq!(served.get("/health").send().await.unwrap().status().as_u16(), 200);
    permits.add_permits(NOTES);
    while let Some(answer) = notes.join_next().await {
        assert_eq!(answer.unwrap(), pair(200, "ok"));
    }
    let app = served.app.clone();
    served.ended().await.unwrap();
    let counts = app.extractor.pipeline.admission().counts();
    assert_eq!((counts.given, counts.returned, counts.abandoned), (NOTES as u64, NOTES as u64, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn notes_unfinished_after_the_drain_time_get_draining_and_are_counted() {
    let (mut served, _fake, _permits, mut notes) = busy(Duration::from_millis(50)).await;
    served.stop();
    while let Some(answer) = notes.join_next().await {
        assert_eq!(answer.unwrap(), pair(503, "draining"));
    }
    assert!(matches!(served.ended().await, Err(ServerError::CutOff(NOTES))));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_signal_ends_the_drain_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    let audit = AuditSettings { path: Some(path.clone()), ..AuditSettings::default() };
    let (mut served, _fake, _permits, mut notes) = busy_with(Duration::from_secs(50), audit).await;
    served.stop();
    until("the gateway drains", async || served.app.state.readiness.is_draining()).await;
    served.now();
    // Even then every caller gets an answer and every note has its audit record.
    while let Some(answer) = notes.join_next().await {
        assert_eq!(answer.unwrap(), pair(503, "draining"));
    }
    assert!(matches!(served.ended().await, Err(ServerError::CutOff(NOTES))));
    assert_eq!(std::fs::read_to_string(path).unwrap().lines().count(), NOTES);
}

#[tokio::test(flavor = "multi_thread")]
async fn shutdown_does_not_wait_for_an_unfinished_body() {
    let mut served = Served::ready(gateway::config::Settings::default()).await;
    let mut stream = TcpStream::connect(served.address).await.unwrap();
    let head =
        "POST /api/v1/extract HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{";
    stream.write_all(head.as_bytes()).await.unwrap();
    until("the request is running", async || served.app.state.in_flight.running() == 1).await;
    served.stop();
    let mut answer = vec![0; 4_096];
    let count = stream.read(&mut answer).await.unwrap();
    let answer = String::from_utf8_lossy(&answer[..count]).into_owned();
    assert!(answer.starts_with("HTTP/1.1 503") && answer.contains("draining"), "{answer}");
    served.ended().await.unwrap();
}
