//! The idle time, after which the box is stopped: only notes that are extracted reset it.

use std::{sync::Arc, time::Duration};

use tokio::{io::AsyncWriteExt, net::TcpStream, sync::Semaphore};

use crate::{
    fake_vllm::{UpstreamBehaviour, start},
    served::{Served, code, pair, until, with_model},
};

#[tokio::test(flavor = "multi_thread")]
async fn requests_without_a_note_do_not_reset_the_idle_time() {
    let permits = Arc::new(Semaphore::new(0));
    let fake = start(vec![UpstreamBehaviour::Hold(Arc::clone(&permits))]).await;
    let served = Served::ready(with_model(&[fake.address])).await;
    let readiness = &served.app.state.readiness;
    until("the uptime has grown", async || readiness.uptime() > Duration::from_millis(20)).await;
    // True while no note has been extracted since the start.
    let idle_since_start = || {
        let uptime = readiness.uptime();
        readiness.idle() >= uptime
    };
    let url = format!("http://{}/api/v1/extract", served.address);
    let post = |kind: &str, body: &'static str| served.client.post(&url).header("content-type", kind).body(body);
    assert_eq!(code(post("text/plain", "{}")).await, pair(415, "unsupported_media_type"));
    assert_eq!(code(post("application/json", "{")).await, pair(400, "invalid_json"));
    assert_eq!(code(post("application/json", "{\"text\": \" \"}")).await, pair(422, "invalid_request"));
    let mut unfinished = TcpStream::connect(served.address).await.unwrap();
    let head =
        "POST /api/v1/extract HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{";
    unfinished.write_all(head.as_bytes()).await.unwrap();
    until("the unfinished body is awaited", async || served.app.state.in_flight.running() > 0).await;
    assert!(idle_since_start());
    let note = tokio::spawn(served.extract("Stage IV lung adenocarcinoma.").send());
    until("the note is at the model", async || served.app.extractor.pipeline.admission().counts().in_flight == 1).await;
    assert_eq!(readiness.idle(), Duration::ZERO);
    permits.add_permits(9);
    assert_eq!(note.await.unwrap().unwrap().status().as_u16(), 200);
    until("the note has ended", async || readiness.idle() > Duration::ZERO).await;
    assert!(!idle_since_start());
}
