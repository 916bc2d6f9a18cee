//! Spans in a collector: one for each request, in the caller's trace, with nothing of the note in it.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "the helpers of a test fail it")]

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
async fn a_request_is_a_span_of_its_callers_trace() {
    let seen: Arc<Mutex<Vec<u8>>> = Arc::default();
    let received = Arc::clone(&seen);
    let collector =
        Router::new().route("/v1/traces", post(async move |body: Bytes| received.lock().unwrap().extend(body)));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, collector).await });
    tokio::task::spawn_blocking(move || one_request(&endpoint)).await.unwrap();

    let seen = seen.lock().unwrap();
    let has = |wanted: &[u8]| seen.windows(wanted.len()).any(|window| window == wanted);
    let trace: Vec<u8> = TRACE
        .as_bytes()
        .chunks(2)
        .map(|hex| u8::from_str_radix(std::str::from_utf8(hex).unwrap(), 16).unwrap())
        .collect();
    assert!(has(&trace), "the caller's trace is not in what was sent");
    for wanted in ["extraction-gateway", "/api/v1/extract", "POST", "my-id"] {
        assert!(has(wanted.as_bytes()), "{wanted}");
    }
    for secret in [CANARY, "osimertinib", "lung"] {
        assert!(!has(secret.as_bytes()), "{secret}");
    }
}

/// Runs the program for one note, to its end.
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
        assert_ne!(log.read_line(&mut line).unwrap(), 0, "it ended before it listened");
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
