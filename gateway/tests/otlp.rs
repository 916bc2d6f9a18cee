//! Tests the spans that a collector receives: one for each request, in the trace of the caller, and one for each call to
//! the model server, without text of the note.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a panic in a helper fails the test")]

#[path = "http/fake_vllm.rs"]
#[expect(dead_code, reason = "other tests use the rest of this shared file")]
mod fake_vllm;

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    process::{Command, Stdio},
    sync::{Arc, Mutex},
};

use axum::{Router, body::Bytes, routing::post};
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{AnyValue, KeyValue, any_value::Value},
    trace::v1::{Span, Status, span::SpanKind, status::StatusCode},
};
use prost::Message;
use serde_json::{Value as Json, json};

use fake_vllm::{RECORD, UpstreamBehaviour};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CALLER: &str = "00f067aa0ba902b7";
const CANARY: &str = "Xylocanaryphone";

/// What a collector received, and what the gateway logged.
struct Received {
    body: Vec<u8>,
    resource: BTreeMap<String, String>,
    spans: Vec<Span>,
    log: String,
}

impl Received {
    fn named(&self, name: &str) -> Vec<&Span> {
        self.spans.iter().filter(|span| span.name == name).collect()
    }
}

fn hex(bytes: &[u8]) -> String {
    let digit = |value: u8| char::from_digit(value.into(), 16).unwrap();
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

fn text(value: Option<&AnyValue>) -> String {
    match value.and_then(|value| value.value.as_ref()).unwrap() {
        Value::StringValue(text) => text.clone(),
        Value::IntValue(number) => number.to_string(),
        Value::DoubleValue(number) => number.to_string(),
        Value::ArrayValue(values) => values.values.iter().map(|value| text(Some(value))).collect(),
        other => unreachable!("{other:?}"),
    }
}

fn attributes(attributes: &[KeyValue]) -> BTreeMap<String, String> {
    attributes.iter().map(|pair| (pair.key.clone(), text(pair.value.as_ref()))).collect()
}

/// Runs the gateway with a model server and these variables, sends one note for each body, and ends the gateway.
async fn run(model: SocketAddr, variables: &[(&str, &str)], bodies: Vec<String>) -> Received {
    let exported: Arc<Mutex<Vec<Bytes>>> = Arc::default();
    let received = Arc::clone(&exported);
    let collector =
        Router::new().route("/v1/traces", post(async move |body: Bytes| received.lock().unwrap().push(body)));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut program = Command::new(env!("CARGO_BIN_EXE_gateway"));
    program
        .args(["serve", "--engine", "vllm", "--listen", "127.0.0.1:0", "--vllm-url", &format!("http://{model}")])
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://{}", listener.local_addr().unwrap()))
        .envs(variables.iter().copied())
        .env_remove("RUST_LOG");
    tokio::spawn(async move { axum::serve(listener, collector).await });
    let log = tokio::task::spawn_blocking(move || requests(program, &bodies)).await.unwrap();
    let exported = exported.lock().unwrap();
    let mut received = Received { body: exported.concat(), resource: BTreeMap::new(), spans: Vec::new(), log };
    for body in exported.iter() {
        for of_resource in ExportTraceServiceRequest::decode(body.clone()).unwrap().resource_spans {
            received.resource = attributes(&of_resource.resource.unwrap().attributes);
            received.spans.extend(of_resource.scope_spans.into_iter().flat_map(|of_scope| of_scope.spans));
        }
    }
    received
}

/// Runs the gateway, sends the bodies, waits until the gateway has ended, and returns its log.
fn requests(mut program: Command, bodies: &[String]) -> String {
    let mut child = program.stdin(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut log = BufReader::new(child.stderr.take().unwrap());
    let mut text = String::new();
    let address = loop {
        let mut line = String::new();
        assert_ne!(log.read_line(&mut line).unwrap(), 0, "the gateway ended before it listened");
        let json: Json = serde_json::from_str(&line).unwrap();
        text.push_str(&line);
        if json["message"] == "listening" {
            break json["address"].as_str().unwrap().to_owned();
        }
    };
    let ask = |request: String| {
        let mut stream = TcpStream::connect(&address).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    };
    while !ask("GET /health/ready HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".to_owned()).contains(" 200 ") {
        std::thread::yield_now();
    }
    for (index, body) in bodies.iter().enumerate() {
        ask(format!(
            "POST /api/v1/extract HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\n\
             X-Request-Id: id-{index}\r\ntraceparent: 00-{TRACE}-{CALLER}-01\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        ));
    }
    let killed = Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
    assert!(killed.success());
    log.read_to_string(&mut text).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    text
}

fn note() -> String {
    json!({"text": format!("Stage IV lung adenocarcinoma {CANARY} on osimertinib.")}).to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_and_calls_are_spans_in_the_trace_of_their_caller() {
    let usage = json!({"prompt_tokens": 90, "completion_tokens": 10, "total_tokens": 100});
    let choice = json!({"message": {"content": RECORD}, "finish_reason": "stop"});
    let completion = UpstreamBehaviour::Completion(json!({"choices": [choice], "usage": usage}));
    let fake = fake_vllm::start(vec![completion, UpstreamBehaviour::Status(500, json!({}))]).await;
    let received = run(fake.address, &[], vec![note(), note(), "{\"text\": 5}".to_owned()]).await;
    assert_eq!(received.resource["service.name"], "extraction-gateway");
    assert_eq!(received.resource["service.version"], env!("CARGO_PKG_VERSION"));

    let mut requests = received.named("POST /api/v1/extract");
    requests.sort_by_key(|span| span.start_time_unix_nano);
    let mut calls = received.named("chat medical-ie");
    calls.sort_by_key(|span| span.start_time_unix_nano);
    assert_eq!((requests.len(), calls.len()), (3, 2), "{:?}", received.spans);
    let headers = fake.headers.lock().await;
    for (index, request) in requests.iter().enumerate() {
        assert_eq!((hex(&request.trace_id), hex(&request.parent_span_id)), (TRACE.to_owned(), CALLER.to_owned()));
        assert_eq!(request.kind(), SpanKind::Server);
        assert_eq!(attributes(&request.attributes)["gateway.request_id"], format!("id-{index}"));
    }
    for ((call, request), [_, traceparent]) in calls.iter().zip(&requests).zip(headers.iter()) {
        assert_eq!((&call.trace_id, &call.parent_span_id), (&request.trace_id, &request.span_id));
        assert_eq!(call.kind(), SpanKind::Client);
        assert_eq!(traceparent.as_deref(), Some(format!("00-{TRACE}-{}-01", hex(&call.span_id)).as_str()));
    }

    let expect = |span: &Span, status: StatusCode, pairs: &[(&str, &str)], absent: &[&str]| {
        let found = attributes(&span.attributes);
        assert_eq!(span.status.as_ref().map_or(StatusCode::Unset, Status::code), status, "{found:?}");
        for (name, value) in pairs {
            assert_eq!(found.get(*name).map(String::as_str), Some(*value), "{name}: {found:?}");
        }
        for name in absent {
            assert_eq!(found.get(*name), None, "{name}: {found:?}");
        }
    };
    let http = [
        ("http.request.method", "POST"),
        ("http.route", "/api/v1/extract"),
        ("url.path", "/api/v1/extract"),
        ("url.scheme", "http"),
    ];
    let errors = ["error.type", "gateway.error_code"];
    let with = |more: &[(&'static str, &'static str)]| [&http, more].concat();
    expect(requests[0], StatusCode::Unset, &with(&[("http.response.status_code", "200")]), &errors);
    let failed = with(&[
        ("http.response.status_code", "502"),
        ("error.type", "upstream_failed"),
        ("gateway.error_code", "upstream_failed"),
    ]);
    expect(requests[1], StatusCode::Error, &failed, &[]);
    let refused = with(&[("http.response.status_code", "422"), ("gateway.error_code", "invalid_request")]);
    expect(requests[2], StatusCode::Unset, &refused, &["error.type"]);
    let call = [
        ("gen_ai.operation.name", "chat"),
        ("gen_ai.provider.name", "vllm"),
        ("gen_ai.request.model", "medical-ie"),
        ("gen_ai.request.max_tokens", "1024"),
        ("gen_ai.request.temperature", "0"),
        ("gen_ai.output.type", "json"),
        ("gateway.replica", "vllm-1"),
    ];
    let answered = [
        ("gen_ai.usage.input_tokens", "90"),
        ("gen_ai.usage.output_tokens", "10"),
        ("gen_ai.response.finish_reasons", "stop"),
    ];
    expect(calls[0], StatusCode::Unset, &[call.as_slice(), &answered].concat(), &["error.type"]);
    expect(
        calls[1],
        StatusCode::Error,
        &[call.as_slice(), &[("error.type", "failed")]].concat(),
        &["gen_ai.usage.input_tokens"],
    );

    for secret in [CANARY, "osimertinib", "lung", &fake.address.to_string()] {
        let secret = secret.as_bytes();
        assert!(!received.body.windows(secret.len()).any(|window| window == secret), "{secret:?}");
    }
    assert!(!received.log.contains(CANARY) && received.log.contains(TRACE), "{}", received.log);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_standard_variables_hold() {
    let fake = fake_vllm::start(vec![UpstreamBehaviour::Text(RECORD.to_owned())]).await;
    let named = run(fake.address, &[("OTEL_SERVICE_NAME", "ward-7")], vec![note()]).await;
    assert_eq!((named.resource["service.name"].as_str(), named.named("chat medical-ie").len()), ("ward-7", 1));
    for (name, value, complains) in [
        ("OTEL_SDK_DISABLED", "true", false),
        ("OTEL_TRACES_EXPORTER", "none", false),
        ("OTEL_TRACES_SAMPLER", "always_off", false),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", true),
    ] {
        let off = run(fake.address, &[(name, value)], vec![note()]).await;
        assert!(off.spans.is_empty(), "{name}");
        assert_eq!(off.log.contains("set it to http/protobuf"), complains, "{name}: {}", off.log);
    }
}
