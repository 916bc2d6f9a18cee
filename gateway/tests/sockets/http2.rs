//! HTTP/2 without TLS, for clients that begin with it; and that its connections are bounded as those of HTTP/1 are.

use std::time::Duration;

use axum::body::Bytes;
use gateway::config::Settings;
use http_body_util::{BodyExt, Full};
use hyper::{Request, client::conn::http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{
    fake_vllm::{UpstreamBehaviour, start},
    served::{Served, until, with_model},
};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

async fn connect(served: &Served) -> http2::SendRequest<Full<Bytes>> {
    let stream = TcpStream::connect(served.address).await.unwrap();
    let (sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    sender
}

fn extract(authority: &str, text: &str) -> Request<Full<Bytes>> {
    let request =
        Request::post(format!("http://{authority}/api/v1/extract")).header("content-type", "application/json");
    request.body(Full::from(json!({"text": text}).to_string())).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn notes_are_read_over_http2_side_by_side_on_one_connection() {
    let served = Served::ready(Settings::default()).await;
    let sender = connect(&served).await;
    let mut asked = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let (mut sender, request) = (sender.clone(), extract(&served.address.to_string(), "Stage IV lung cancer."));
        asked.spawn(async move {
            let response = sender.send_request(request).await.unwrap();
            let status = response.status().as_u16();
            let body = response.into_body().collect().await.unwrap().to_bytes();
            (status, serde_json::from_slice::<Value>(&body).unwrap()["stage"].clone())
        });
    }
    while let Some(answer) = asked.join_next().await {
        assert_eq!(answer.unwrap(), (200, json!("IV")));
    }
    // The check of the host is the same as for HTTP/1.
    let mut foreign = sender.clone();
    let response = foreign.send_request(extract("evil.example", "Stage IV lung cancer.")).await.unwrap();
    assert_eq!(response.status().as_u16(), 421);
    assert_eq!(served.code("Stage II breast cancer.").await, crate::served::pair(200, "ok"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_leaves_over_http2_ends_its_note() {
    let fake = start(vec![UpstreamBehaviour::Hang]).await;
    let served = Served::ready(with_model(&[fake.address])).await;
    let mut sender = connect(&served).await;
    let request = extract(&served.address.to_string(), "Stage IV lung cancer.");
    let asking = tokio::spawn(async move { sender.send_request(request).await.map(|_| ()) });
    until("the note is read", async || served.app.state.in_flight.running() == 1).await;
    // Dropping the request resets its stream.
    asking.abort();
    until("the note is over", async || served.app.state.in_flight.running() == 0).await;
}

#[tokio::test]
async fn a_connection_that_never_says_what_it_speaks_is_closed() {
    let served = Served::ready(Settings::default()).await;
    for begun in [&b""[..], b"P", &PREFACE[..10]] {
        let mut stream = TcpStream::connect(served.address).await.unwrap();
        stream.write_all(begun).await.unwrap();
        // The server has taken the connection once it answers another one that came later.
        assert_eq!(served.get("/health/live").send().await.unwrap().status().as_u16(), 200);
        tokio::time::pause();
        for _ in 0..8 {
            tokio::time::advance(Duration::from_secs(30)).await;
            tokio::task::yield_now().await;
        }
        tokio::time::resume();
        let mut rest = Vec::new();
        let read = tokio::time::timeout(Duration::from_secs(30), stream.read_to_end(&mut rest)).await;
        assert!(read.is_ok() && rest.is_empty(), "{begun:?}: {rest:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_http2_client_may_have_64_requests_open_and_no_more() {
    let served = Served::ready(Settings::default()).await;
    let mut stream = TcpStream::connect(served.address).await.unwrap();
    stream.write_all(PREFACE).await.unwrap();
    stream.write_all(&[0, 0, 0, 4, 0, 0, 0, 0, 0]).await.unwrap();
    // The first frame of the server is SETTINGS: 9 bytes of head, then pairs of a 16-bit name and a 32-bit value.
    let mut head = [0; 9];
    stream.read_exact(&mut head).await.unwrap();
    let length = usize::from(head[1]) * 256 + usize::from(head[2]);
    let mut settings = vec![0; length];
    stream.read_exact(&mut settings).await.unwrap();
    let value = |name: u8| {
        let pair = settings.chunks(6).find(|pair| pair[1] == name)?;
        Some(u32::from_be_bytes([pair[2], pair[3], pair[4], pair[5]]))
    };
    let (streams, window, head_bytes) = (value(3), value(4), value(6));
    assert_eq!((head[3], streams, window, head_bytes), (4, Some(64), Some(128 << 10), Some(64 << 10)));
}
