//! Tests the spans that a collector receives: one for each request, in the trace of the caller, without text of the
//! note.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a panic in a helper fails the test")]

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    process::{Command, Stdio},
    sync::{Arc, Mutex},
};

use axum::{Router, body::Bytes, routing::post};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CANARY: &str = "Xylocanaryphone";

#[tokio::test(flavor = "multi_thread")]
async fn a_request_is_a_span_in_the_trace_of_its_caller() {
    let exported: Arc<Mutex<Vec<u8>>> = Arc::default();
    let received = Arc::clone(&exported);
    let collector =
        Router::new().route("/v1/traces", post(async move |body: Bytes| received.lock().unwrap().extend(body)));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, collector).await });
    tokio::task::spawn_blocking(move || one_request(&endpoint)).await.unwrap();

    let exported = exported.lock().unwrap();
    let contains_bytes = |expected: &[u8]| exported.windows(expected.len()).any(|window| window == expected);
    let trace: Vec<u8> = TRACE
        .as_bytes()
        .chunks(2)
        .map(|hex| u8::from_str_radix(std::str::from_utf8(hex).unwrap(), 16).unwrap())
        .collect();
    assert!(contains_bytes(&trace), "the exported spans do not contain the trace id of the caller");
    for expected in ["extraction-gateway", "/api/v1/extract", "POST", "my-id"] {
        assert!(contains_bytes(expected.as_bytes()), "{expected}");
    }
    for secret in [CANARY, "osimertinib", "lung"] {
        assert!(!contains_bytes(secret.as_bytes()), "{secret}");
    }
}

/// Runs the gateway, sends one note, and waits until the gateway has ended.
fn one_request(endpoint: &str) {
    let mut program = Command::new(env!("CARGO_BIN_EXE_gateway"));
    program
        .args(["serve", "--engine", "rules", "--listen", "127.0.0.1:0"])
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint);
    let mut child = program.env_remove("RUST_LOG").stdin(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut log = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    let address = loop {
        line.clear();
        assert_ne!(log.read_line(&mut line).unwrap(), 0, "the gateway ended before it listened");
        let line: serde_json::Value = serde_json::from_str(&line).unwrap();
        if line["message"] == "listening" {
            break line["address"].as_str().unwrap().to_owned();
        }
    };
    let body = format!("{{\"text\": \"Stage IV lung cancer {CANARY} on osimertinib.\"}}");
    let mut stream = TcpStream::connect(address).unwrap();
    write!(
        stream,
        "POST /api/v1/extract HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\n\
         X-Request-Id: my-id\r\ntraceparent: 00-{TRACE}-00f067aa0ba902b7-01\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let killed = Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
    assert!(killed.success());
    log.read_to_string(&mut line).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert!(!line.contains(CANARY) && line.contains(TRACE), "{line}");
}
