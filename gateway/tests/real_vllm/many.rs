//! Streams and batches with the real server: fields arrive early, all slots are busy, and a disconnect stops the model.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

use axum::{
    Router,
    body::{Body, Bytes},
    http::{Request, StatusCode},
    response::Response,
};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::{assert_record, post, running};

const NOTE: &str = "Stage IV lung adenocarcinoma with EGFR L858R, on osimertinib with a partial response.";

/// Sends a body and returns the response, whose body may still be on its way.
pub(crate) async fn begun(router: &Router, route: &str, kind: &str, body: String) -> Response {
    let request = Request::post(format!("/api/v1/extract/{route}")).header("content-type", kind);
    let response = router.clone().oneshot(request.body(Body::from(body)).unwrap()).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    response
}

/// Returns the next bytes of a response, `None` at its end.
async fn next(response: &mut Response) -> Option<Bytes> {
    Some(response.body_mut().frame().await?.unwrap().into_data().unwrap())
}

/// Returns the names and data of the events of a stream, without its comments.
pub(crate) fn events(text: &str) -> Vec<(String, Value)> {
    let blocks = text.split("\n\n").filter_map(|block| block.strip_prefix("event: ")?.split_once("\ndata: "));
    blocks.map(|(name, data)| (name.to_owned(), serde_json::from_str(data).unwrap())).collect()
}

/// The fields arrive one by one while the model writes, and the last event is the answer of `/extract`.
#[expect(clippy::print_stdout, reason = "the timeline shows when the first field arrived")]
pub(crate) async fn fields_come_while_the_model_writes(router: &Router) {
    let body = json!({"text": NOTE, "confidence": true});
    let (status, whole) = post(router, &body).await;
    assert_eq!(status, StatusCode::OK);
    let started = Instant::now();
    let mut response = begun(router, "stream", "application/json", body.to_string()).await;
    let (mut received, mut text) = (Vec::new(), String::new());
    while let Some(bytes) = next(&mut response).await {
        text.push_str(std::str::from_utf8(&bytes).unwrap());
        let at = started.elapsed().as_millis();
        received.extend(events(std::str::from_utf8(&bytes).unwrap()).into_iter().map(|(name, data)| (at, name, data)));
    }
    let timeline: Vec<String> =
        received.iter().map(|(at, name, data)| format!("{at} ms {name} {}", data["name"])).collect();
    println!("{}", timeline.join("\n"));
    let names: Vec<&str> = received.iter().map(|(_, name, _)| name.as_str()).collect();
    assert_eq!(names, [["field"; 7].as_slice(), &["result"]].concat(), "{text}");
    let (first, last) = (received[0].0, received[7].0);
    assert!(first < last, "{timeline:?}");
    let (answer, mut whole) = (received[7].2.clone(), whole);
    whole["request_id"] = answer["request_id"].clone();
    whole["type"] = "result".into();
    assert_eq!(answer["raw_output"], whole["raw_output"]);
    assert_eq!(answer, whole);
}

/// A client that disconnects after the first field stops the model.
pub(crate) async fn a_client_that_disconnects_frees_the_gpu(router: &Router, port: u16) {
    let body = json!({"text": "lung ".repeat(1_000)}).to_string();
    let mut response = begun(router, "stream", "application/json", body).await;
    let first = next(&mut response).await.unwrap();
    assert!(first.starts_with(b"event: field") || first.starts_with(b": keep-alive"), "{first:?}");
    drop(response);
    let started = Instant::now();
    while running(port).await > 0.0 {
        assert!(started.elapsed() < Duration::from_secs(15), "the request continued without its client");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Every note of a batch gets an answer, and meanwhile all slots of the server are busy.
pub(crate) async fn a_batch_keeps_all_slots_busy(router: &Router, port: u16) {
    const NOTES: usize = 128;
    let lines: Vec<String> =
        (0..NOTES).map(|n| json!({"id": n, "text": format!("Note {n}. {NOTE}")}).to_string()).collect();
    let over = Arc::new(AtomicBool::new(false));
    let watching = tokio::spawn({
        let over = Arc::clone(&over);
        async move {
            let mut most: f64 = 0.0;
            while !over.load(SeqCst) {
                most = most.max(running(port).await);
                // The pause leaves the server time for its work.
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            most
        }
    });
    let response = begun(router, "batch", "application/x-ndjson", lines.join("\n")).await;
    let answer = response.into_body().collect().await.unwrap().to_bytes();
    over.store(true, SeqCst);
    let mut seen = [false; NOTES];
    for line in answer.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()) {
        let outcome: Value = serde_json::from_slice(line).unwrap();
        assert_eq!(outcome["status"], 200, "{outcome}");
        assert_record(&outcome["result"]);
        assert_eq!(outcome["id"], outcome["index"]);
        let index = usize::try_from(outcome["index"].as_u64().unwrap()).unwrap();
        assert!(!std::mem::replace(&mut seen[index], true), "two outcomes with index {index}");
    }
    assert!(seen.iter().all(|seen| *seen));
    let most = watching.await.unwrap();
    assert!(most > 31.5, "at most {most} of 32 slots were busy");
}
