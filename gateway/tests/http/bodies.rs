//! Tests what clients may send in other forms than the usual one: null options, other media types, compressed bodies,
//! trailing slashes; and that unknown names in a query are refused.

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
};

use async_compression::{
    tokio::write::{GzipEncoder, ZlibEncoder, ZstdEncoder},
    zstd::CParameter,
};
use axum::{
    Router,
    body::{Body, Bytes},
    http::{HeaderMap, Request, StatusCode},
};
use futures_util::stream;
use gateway::{
    config::Settings,
    http::{self, App},
    server::Gateway,
};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;

use crate::{rules, send};

const NOTE: &str = "Stage IV lung adenocarcinoma on osimertinib.";
const LINES: &str = "application/x-ndjson";
const JSON: &str = "application/json";

fn with_app() -> (App, Router) {
    let app = Gateway::new(Settings::default()).unwrap().app;
    (app.clone(), http::router(app, Vec::new()))
}

async fn post(
    router: &Router,
    path: &str,
    kind: &str,
    coding: Option<&str>,
    body: impl Into<Body>,
) -> (StatusCode, HeaderMap, String) {
    let mut request = Request::post(path).header("content-type", kind);
    if let Some(coding) = coding {
        request = request.header("content-encoding", coding);
    }
    let (status, headers, body) = send(router, request.body(body.into()).unwrap()).await;
    (status, headers, String::from_utf8(body).unwrap())
}

/// Returns a body for every route that reads notes: a path, a media type, the body.
fn every_route(note: &Value) -> Vec<(&'static str, &'static str, String)> {
    let mut batch = note.clone();
    let object = batch.as_object_mut().unwrap();
    let text = object.remove("text").unwrap();
    object.insert("notes".to_owned(), json!([{"id": null, "text": text, "note_date": null}]));
    let line = json!({"id": null, "text": text, "note_date": null}).to_string();
    vec![
        ("/api/v1/extract", JSON, note.to_string()),
        ("/api/v1/extract/stream", JSON, note.to_string()),
        ("/api/v1/extract/batch", JSON, batch.to_string()),
        ("/api/v1/extract/batch", LINES, line.clone()),
        ("/api/v1/patient", JSON, batch.to_string()),
        ("/api/v1/patient", LINES, line),
    ]
}

#[tokio::test]
async fn null_means_absent_on_every_route() {
    let router = rules();
    let document = http::document(&http::DocumentSettings::default());
    let properties = document["components"]["schemas"]["ExtractRequest"]["properties"].as_object().unwrap();
    let options: Value = properties.keys().map(|key| (key.clone(), Value::Null)).collect();
    let mut with_nulls = options;
    with_nulls["text"] = json!(NOTE);
    assert!(with_nulls.as_object().unwrap().len() >= 8);
    for (nulls, plain) in every_route(&with_nulls).iter().zip(every_route(&json!({"text": NOTE}))) {
        let (path, kind, body) = nulls;
        let read = async |body: &str| {
            let (status, _, answer) = post(&router, path, kind, None, body.to_owned()).await;
            (status, answer.contains("\"osimertinib\""), answer.contains("\"error\""))
        };
        assert_eq!(read(body).await, (StatusCode::OK, true, false), "{path} {kind}");
        assert_eq!(read(body).await, read(&plain.2).await, "{path} {kind}");
    }
    // The note itself is not optional.
    let (status, _, answer) = post(&router, "/api/v1/extract", JSON, None, "{\"text\": null}").await;
    assert!(status == StatusCode::UNPROCESSABLE_ENTITY && answer.contains("`text` must be a string"), "{answer}");
}

#[tokio::test]
async fn unknown_names_in_a_query_are_refused_on_every_route_of_the_api() {
    let router = rules();
    for (path, kind, body) in every_route(&json!({"text": NOTE})) {
        for (query, field) in [("nonsense=1", "nonsense"), ("offset", "offset"), ("a+b=1", "")] {
            let (status, _, answer) = post(&router, &format!("{path}?{query}"), kind, None, body.clone()).await;
            let problem: Value = serde_json::from_str(&answer).unwrap();
            let found = (status.as_u16(), &problem["errors"][0]["field"], &problem["errors"][0]["rule"]);
            assert_eq!(found, (422, &json!(field), &json!("unknown_key")), "{path}?{query}");
        }
        let with_options = path.ends_with("/batch") || path.ends_with("/patient");
        let (status, _, answer) = post(&router, &format!("{path}?offsets=utf16"), kind, None, body).await;
        assert_eq!(status == StatusCode::OK, with_options, "{path}: {answer}");
    }
    for (path, status) in
        [("/api/v1/models?x=1", 422), ("/api/v1/schema?x", 422), ("/api/v1/models?", 200), ("/health?x=1", 200)]
    {
        let request = Request::get(path).body(Body::empty()).unwrap();
        assert_eq!(send(&router, request).await.0.as_u16(), status, "{path}");
    }
}

#[tokio::test]
async fn a_trailing_slash_changes_nothing() {
    let (key_router, key, _file) = crate::keys::guarded();
    for (path, kind, body) in every_route(&json!({"text": NOTE})) {
        assert_eq!(post(&rules(), &format!("{path}/"), kind, None, body.clone()).await.0, StatusCode::OK, "{path}/");
        let refused = post(&key_router, &format!("{path}/"), kind, None, body.clone()).await.0;
        assert_eq!(refused, StatusCode::UNAUTHORIZED, "{path}/");
    }
    assert!(!key.is_empty());
    for (path, status) in [
        ("/health/", 200),
        ("/health/live/", 200),
        ("/health//", 200),
        ("/api/v1/models/", 200),
        ("/openapi.json/", 200),
        ("/ui/", 308),
        ("/docs/", 200),
        ("/api/v1/extract/x/", 404),
        ("/nope/", 404),
        ("/ui/app.js/", 404),
    ] {
        let request = Request::get(path).body(Body::empty()).unwrap();
        assert_eq!(send(&rules(), request).await.0.as_u16(), status, "{path}");
    }
}

#[tokio::test]
async fn plain_text_is_read_from_a_page_of_the_same_host_over_http_2_too() {
    for (origin, status) in
        [("http://gateway:8080", StatusCode::OK), ("http://other:8080", StatusCode::UNSUPPORTED_MEDIA_TYPE)]
    {
        // The target names the host, and there is no `Host` header.
        let request = Request::post("http://gateway:8080/api/v1/extract/lines")
            .version(axum::http::Version::HTTP_2)
            .header("content-type", "text/plain")
            .header("origin", origin)
            .body(Body::from(json!({"text": NOTE}).to_string()));
        assert_eq!(send(&rules(), request.unwrap()).await.0, status, "{origin}");
    }
}

#[tokio::test]
async fn other_names_of_the_media_types_are_read() {
    let router = rules();
    for kind in ["application/jsonl", "application/ndjson", "Application/X-NDJSON; charset=utf-8"] {
        let line = json!({"text": NOTE}).to_string();
        let (status, headers, answer) = post(&router, "/api/v1/extract/batch", kind, None, line).await;
        assert!(status == StatusCode::OK && headers["content-type"] == LINES && answer.ends_with('\n'), "{kind}");
    }
    for kind in ["text/json", "application/vnd.clinic+json"] {
        assert_eq!(
            post(&router, "/api/v1/extract", kind, None, json!({"text": NOTE}).to_string()).await.0,
            StatusCode::OK
        );
    }
    for (path, kind, coding, name, value) in [
        ("", "text/plain", None, "accept", "application/json"),
        ("", LINES, None, "accept", "application/json"),
        ("/batch", "text/csv", None, "accept", "application/json, application/x-ndjson"),
        ("", JSON, Some("br"), "accept-encoding", "gzip, zstd, deflate"),
        ("/batch", LINES, Some("gzip, gzip"), "accept-encoding", "gzip, zstd, deflate"),
    ] {
        let (status, headers, answer) = post(&router, &format!("/api/v1/extract{path}"), kind, coding, "{}").await;
        assert!(
            status == StatusCode::UNSUPPORTED_MEDIA_TYPE && headers[name] == value,
            "{kind} {coding:?}: {headers:?}"
        );
        assert!(!(headers.contains_key("accept") && headers.contains_key("accept-encoding")), "{answer}");
    }
}

/// Compresses text in a coding of HTTP.
async fn compressed(coding: &str, text: &[u8]) -> Vec<u8> {
    macro_rules! with {
        ($encoder:expr) => {{
            let mut encoder = $encoder;
            encoder.write_all(text).await.unwrap();
            encoder.shutdown().await.unwrap();
            encoder.into_inner()
        }};
    }
    match coding {
        "gzip" => with!(GzipEncoder::new(Vec::new())),
        "deflate" => with!(ZlibEncoder::new(Vec::new())),
        _ => with!(ZstdEncoder::new(Vec::new())),
    }
}

#[tokio::test]
async fn compressed_bodies_are_read_on_every_route() {
    let (app, router) = with_app();
    for (path, kind, body) in every_route(&json!({"text": NOTE})) {
        for coding in ["gzip", "deflate", "zstd"] {
            let small = compressed(coding, body.as_bytes()).await;
            let (status, _, answer) = post(&router, path, kind, Some(coding), small.clone()).await;
            assert!(status == StatusCode::OK && answer.contains("\"osimertinib\""), "{path} {kind} {coding}: {answer}");
            // A body in another coding than the header states, and one that is cut off.
            for broken in [body.clone().into_bytes(), small.split_at(small.len() - 9).0.to_vec()] {
                let (status, _, answer) = post(&router, path, kind, Some(coding), broken).await;
                let in_line = status == StatusCode::OK && kind == LINES && answer.contains("\"status\":400");
                assert!(in_line || status == StatusCode::BAD_REQUEST, "{path} {kind} {coding}: {status} {answer}");
                assert!(in_line || path.ends_with("patient") || answer.contains("decompressed"), "{answer}");
            }
        }
    }
    // Two members, as `cat a.gz b.gz` makes them.
    let lines = [format!("{}\n", json!({"text": NOTE})), json!({"text": "Stage II colon cancer."}).to_string()];
    let members =
        [compressed("gzip", lines[0].as_bytes()).await, compressed("gzip", lines[1].as_bytes()).await].concat();
    let (_, _, answer) = post(&router, "/api/v1/extract/batch", LINES, Some("gzip"), members).await;
    assert_eq!(answer.lines().count(), 2, "{answer}");
    assert_eq!(app.state.memory.reserved(), 0);
}

/// Returns a body that repeats a piece without end, and the number of pieces that were taken from it.
fn endless(piece: Vec<u8>) -> (Body, Arc<AtomicUsize>) {
    let (taken, piece) = (Arc::new(AtomicUsize::new(0)), Bytes::from(piece));
    let count = Arc::clone(&taken);
    let pieces = stream::repeat_with(move || {
        count.fetch_add(1, SeqCst);
        Ok::<_, Infallible>(piece.clone())
    });
    (Body::from_stream(pieces), taken)
}

#[tokio::test]
async fn a_decompression_bomb_is_refused_in_bounded_memory() {
    let mut settings = Settings::default();
    settings.limits.batch_bytes = bytesize::ByteSize::mib(4);
    let app = Gateway::new(settings).unwrap().app;
    let router = http::router(app.clone(), Vec::new());
    // A caller that waits for `100 Continue` sends nothing more after an answer, so what was taken was decompressed.
    let post = async |path: &str, kind: &str, coding: &str, body: Body| {
        let request = Request::post(path).header("content-type", kind).header("content-encoding", coding);
        let request = request.header("expect", "100-continue").body(body).unwrap();
        let (status, _, answer) = send(&router, request).await;
        (status, String::from_utf8(answer).unwrap())
    };
    // A mebibyte of blanks in about a kibibyte.
    let blanks = vec![b' '; 1 << 20];
    for (path, kind, most) in
        [("/api/v1/extract", JSON, 3), ("/api/v1/extract/batch", LINES, 5), ("/api/v1/extract/batch", JSON, 5)]
    {
        for coding in ["gzip", "zstd"] {
            let (body, taken) = endless(compressed(coding, &blanks).await);
            let (status, answer) = post(path, kind, coding, body).await;
            assert!(status == StatusCode::PAYLOAD_TOO_LARGE || answer.contains("body_too_large"), "{coding}: {answer}");
            assert!((2..=most).contains(&taken.load(SeqCst)), "{path} {coding}: {taken:?}");
        }
    }
    // Members without content: no decompressed byte ever comes.
    let empty = compressed("gzip", b"").await;
    let most = ((2 << 20) + (65 << 10)) / empty.len();
    let (body, taken) = endless(empty);
    let (status, answer) = post("/api/v1/extract", JSON, "gzip", body).await;
    assert!(status == StatusCode::BAD_REQUEST && answer.contains("decompressed"), "{status} {answer}");
    assert!((1..=most).contains(&taken.load(SeqCst)), "{taken:?}");
    // A window of 128 MiB, which a decoder would have to hold.
    let parameters = [CParameter::window_log(27)];
    let mut encoder = ZstdEncoder::with_quality_and_params(Vec::new(), async_compression::Level::Default, &parameters);
    encoder.write_all(json!({"text": NOTE}).to_string().as_bytes()).await.unwrap();
    encoder.flush().await.unwrap();
    encoder.shutdown().await.unwrap();
    let (status, answer) = post("/api/v1/extract", JSON, "zstd", encoder.into_inner().into()).await;
    assert!(status == StatusCode::BAD_REQUEST && answer.contains("decompressed"), "{status} {answer}");
    assert_eq!(app.state.memory.reserved(), 0);
}
