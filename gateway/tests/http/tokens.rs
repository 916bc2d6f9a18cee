//! Tests the limit on the tokens of calls to the model servers.

use std::{
    sync::{Arc, atomic::Ordering::SeqCst},
    time::Duration,
};

use axum::{
    Router,
    body::Body,
    http::{Request, StatusCode},
};
use gateway::config::{AdmissionSettings, Settings};
use serde_json::json;
use tokio::sync::Semaphore;

use crate::{
    fake_vllm::{self, FakeServer, UpstreamBehaviour},
    faults::serving,
    post, send,
};

/// A note of 3,000 bytes, which counts as 983 tokens with its answer.
fn long_note() -> String {
    json!({"text": format!("{:<3000}", "Stage IV lung cancer.").replace("  ", " x")}).to_string()
}

/// Returns a figure of the gateway's metrics.
async fn figure(router: &Router, name: &str) -> u64 {
    let request = Request::get("/metrics").body(Body::empty()).unwrap();
    let (status, _, body) = send(router, request).await;
    assert_eq!(status, StatusCode::OK);
    let text = String::from_utf8(body).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.unwrap().parse().unwrap()
}

/// Sends five long notes, of which `at_once` fit, and answers them one by one.
async fn five_notes(fake: FakeServer, permits: Arc<Semaphore>, tokens: Option<u64>, at_once: usize, capacity: u64) {
    let admission = AdmissionSettings { tokens, deadline: Duration::from_mins(5), ..AdmissionSettings::default() };
    let router = serving(&fake, Settings { admission, ..Settings::default() }).await;
    let notes: Vec<_> = (0..5)
        .map(|_| {
            let router = router.clone();
            tokio::spawn(async move { post(&router, long_note()).await.0 })
        })
        .collect();
    for answered in 0..=5 {
        let running = at_once.min(5 - answered) as u64;
        while figure(&router, "gateway_leases_returned_total").await != answered as u64
            || figure(&router, "gateway_upstream_in_flight").await != running
            || fake.calls.load(SeqCst) != answered + at_once.min(5 - answered)
        {
            tokio::task::yield_now().await;
        }
        assert_eq!(figure(&router, "gateway_upstream_tokens").await, running * 983);
        assert_eq!(figure(&router, "gateway_upstream_token_capacity").await, capacity);
        assert_eq!(figure(&router, "gateway_queue_depth").await, 5 - answered as u64 - running);
        permits.add_permits(1);
    }
    for note in notes {
        assert_eq!(note.await.unwrap(), StatusCode::OK);
    }
}

#[tokio::test]
async fn as_many_notes_are_at_the_server_as_its_cache_holds() {
    let held = || {
        let permits = Arc::new(Semaphore::new(0));
        (vec![UpstreamBehaviour::Hold(Arc::clone(&permits))], permits)
    };
    let (acts, permits) = held();
    five_notes(fake_vllm::start_with_cache(acts, 2_000).await, permits, None, 2, 2_000).await;
    let (acts, permits) = held();
    five_notes(fake_vllm::start_with_cache(acts, 2_000).await, permits, Some(3_000), 3, 3_000).await;
    // A server that does not report its capacity, and no limit.
    let (acts, permits) = held();
    five_notes(fake_vllm::start(acts).await, permits, None, 5, 0).await;
    let (acts, permits) = held();
    five_notes(fake_vllm::start_with_cache(acts, 2_000).await, permits, Some(0), 5, 0).await;
}
