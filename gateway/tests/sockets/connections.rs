//! Connections of hostile and broken clients.

use std::time::Duration;

use gateway::config::Settings;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{
    fake_vllm::{UpstreamBehaviour, start},
    served::{Served, pair, with_model},
};

const LIVE: &str = "GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n";

async fn rules() -> Served {
    Served::ready(Settings::default()).await
}

/// Sends bytes and reads until the server closes, for at most 300 ms.
async fn raw(served: &Served, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(served.address).await.unwrap();
    // The write may fail, because the server may have answered and closed the connection.
    let _ = stream.write_all(bytes).await;
    let mut answer = Vec::new();
    let _ = tokio::time::timeout(Duration::from_millis(300), stream.read_to_end(&mut answer)).await;
    String::from_utf8(answer).unwrap()
}

fn statuses(answer: &str) -> Vec<&str> {
    answer.split("HTTP/1.1 ").skip(1).filter_map(|rest| rest.get(..3)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_early_answer_reaches_a_client_that_sends_first_and_reads_later() {
    let served = rules().await;
    let large = json!({"text": "x".repeat(12 << 20)}).to_string();
    for (path, kind, status) in [
        ("/api/v1/extract", "application/json", "413"),
        ("/api/v1/extract", "text/plain", "415"),
        ("/nowhere", "application/json", "404"),
        ("/api/v1/models", "application/json", "405"),
    ] {
        let mut stream = TcpStream::connect(served.address).await.unwrap();
        let length = large.len();
        let head =
            format!("POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\r\n");
        // Like Python's client, the test sends everything before it reads.
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(large.as_bytes()).await.unwrap();
        let mut answer = vec![0; 4_096];
        let count = stream.read(&mut answer).await.unwrap();
        let answer = String::from_utf8_lossy(&answer[..count]).into_owned();
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")) && answer.contains("request_id"), "{answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn malformed_requests_are_refused_and_never_split() {
    let served = rules().await;
    let post = |headers: &str, body: &str| {
        format!("POST /api/v1/extract HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n{headers}\r\n{body}")
    };
    let smuggled = "0\r\n\r\nGET /metrics HTTP/1.1\r\nHost: x\r\n\r\n";
    for (name, request, expected) in [
        // With both framings, the gateway must not read a second request from the body.
        ("both", post("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", smuggled), vec!["400"]),
        ("both, other order", post("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", smuggled), vec!["400"]),
        ("two lengths", post("Content-Length: 2\r\nContent-Length: 30\r\n", "{}"), vec!["400"]),
        ("a signed length", post("Content-Length: +2\r\n", "{}"), vec!["400"]),
        ("an odd coding", post("Transfer-Encoding: xchunked\r\n", smuggled), vec!["400"]),
        ("a bad chunk", post("Transfer-Encoding: chunked\r\n", "zz\r\n{}\r\n0\r\n\r\n"), vec!["400"]),
        ("a space before the colon", post("Content-Length : 2\r\n", "{}"), vec!["400"]),
        ("a folded header", post("X-Fold: a\r\n b\r\nContent-Length: 2\r\n", "{}"), vec!["400"]),
        ("no request at all", "\x16\x03\x01\x02\x00\x01\x00\x01".to_owned(), vec!["400"]),
        ("half of the start of HTTP/2", "PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n".to_owned(), vec!["400"]),
        ("a huge header", format!("GET / HTTP/1.1\r\nHost: x\r\nX-Big: {}\r\n\r\n", "x".repeat(1 << 20)), vec!["431"]),
        ("many headers", format!("GET / HTTP/1.1\r\nHost: x\r\n{}\r\n", "X-A: b\r\n".repeat(200)), vec!["431"]),
        ("two at once", format!("{LIVE}{LIVE}"), vec!["200", "200"]),
    ] {
        let answer = raw(&served, request.as_bytes()).await;
        let found = statuses(&answer);
        let refused = expected == ["400"] && found.is_empty();
        assert!(found == expected || refused, "{name}: {found:?}\n{answer}");
    }
    assert_eq!(served.code("Stage II breast cancer.").await, pair(200, "ok"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_body_ends_at_the_deadline() {
    let fake = start(vec![UpstreamBehaviour::NoUsage]).await;
    let mut settings = with_model(&[fake.address]);
    settings.admission.deadline = Duration::from_millis(300);
    let served = Served::ready(settings).await;
    let head =
        "POST /api/v1/extract HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n";
    let mut stream = TcpStream::connect(served.address).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = vec![0; 4_096];
    let count = tokio::time::timeout(Duration::from_secs(30), stream.read(&mut answer)).await.unwrap().unwrap();
    let answer = String::from_utf8_lossy(&answer[..count]).into_owned();
    assert!(answer.starts_with("HTTP/1.1 504") && answer.contains("deadline_exceeded"), "{answer}");
    assert_eq!(served.app.state.in_flight.running(), 0);
}

#[tokio::test]
async fn slow_headers_close_the_connection() {
    let served = rules().await;
    let mut stream = TcpStream::connect(served.address).await.unwrap();
    stream.write_all(b"GET /health/live HT").await.unwrap();
    tokio::task::yield_now().await;
    tokio::time::pause();
    for _ in 0..4 {
        tokio::time::advance(Duration::from_secs(30)).await;
        tokio::task::yield_now().await;
    }
    tokio::time::resume();
    let mut rest = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(30), stream.read_to_end(&mut rest)).await.unwrap();
    assert!(read.is_err() || rest.is_empty() || rest.starts_with(b"HTTP/1.1 408"), "{rest:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn options_requests_and_odd_queries_are_answered_like_others() {
    let served = rules().await;
    for (path, status) in [("/nowhere", 404), ("/api/v1/extract", 405), ("/health", 405)] {
        let request = served.client.request(reqwest::Method::OPTIONS, format!("http://{}{path}", served.address));
        assert_eq!(crate::served::code(request).await.0, status, "{path}");
    }
    for query in ["verbose=1&verbose=2", "verbose=%ff", "x", "%zz"] {
        assert_eq!(served.get(&format!("/health?{query}")).send().await.unwrap().status().as_u16(), 200, "{query}");
    }
}
