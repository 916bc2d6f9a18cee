//! Tests compressed answers: which are compressed, that lines are not held back, and that files are kept by clients.

use std::time::Duration;

use async_compression::tokio::bufread::{BrotliDecoder, GzipDecoder, ZstdDecoder};
use axum::{
    body::{Body, Bytes},
    http::{HeaderMap, Request, StatusCode},
    response::Response,
};
use futures_util::{TryStreamExt, stream};
use gateway::{config::Settings, http, server::Gateway};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader},
    sync::mpsc,
};
use tokio_util::io::StreamReader;
use tower::ServiceExt;

use crate::{MELANOMA, rules, send};

const CODINGS: [&str; 3] = ["gzip", "br", "zstd"];

/// Returns the decompressed body of a response.
fn decoded(response: Response) -> Box<dyn AsyncRead + Send + Unpin> {
    let coding = response.headers().get("content-encoding").map(|coding| coding.to_str().unwrap().to_owned());
    let body = StreamReader::new(response.into_body().into_data_stream().map_err(std::io::Error::other));
    match coding.as_deref() {
        None => Box::new(body),
        Some("gzip") => Box::new(GzipDecoder::new(body)),
        Some("br") => Box::new(BrotliDecoder::new(body)),
        other => {
            assert_eq!(other, Some("zstd"));
            Box::new(ZstdDecoder::new(body))
        }
    }
}

async fn text_of(response: Response) -> String {
    let mut text = String::new();
    decoded(response).read_to_string(&mut text).await.unwrap();
    text
}

fn request(method: &str, path: &str, kind: &str, accept: &str, body: impl Into<Body>) -> Request<Body> {
    let request = Request::builder().method(method).uri(path).header("content-type", kind);
    request.header("accept-encoding", accept).body(body.into()).unwrap()
}

#[tokio::test]
async fn answers_are_compressed_for_clients_that_accept_it() {
    let router = rules();
    let note = json!({"text": MELANOMA}).to_string();
    let batch = json!({"notes": [{"text": MELANOMA}, {"text": MELANOMA}]}).to_string();
    for (method, path, kind, body) in [
        ("POST", "/api/v1/extract", "application/json", note.clone()),
        ("POST", "/api/v1/extract/batch", "application/json", batch.clone()),
        ("POST", "/api/v1/extract/lines", "application/x-ndjson", note.clone()),
        ("POST", "/api/v1/patient", "application/json", batch),
        ("GET", "/openapi.json", "", String::new()),
        ("GET", "/metrics", "", String::new()),
        ("GET", "/ui", "", String::new()),
    ] {
        let plain = router.clone().oneshot(request(method, path, kind, "identity", body.clone())).await.unwrap();
        let mut varies = plain.headers().get_all("vary").iter().map(|value| value.to_str().unwrap().to_lowercase());
        assert!(varies.any(|value| value.contains("accept-encoding")), "{path}");
        assert!(!plain.headers().contains_key("content-encoding"), "{path}");
        let plain = text_of(plain).await;
        for coding in CODINGS {
            let response = router.clone().oneshot(request(method, path, kind, coding, body.clone())).await.unwrap();
            assert_eq!(response.status(), StatusCode::OK);
            assert_eq!(response.headers()["content-encoding"], coding, "{path}");
            let text = text_of(response).await;
            let is_complete = !text.is_empty() && text.chars().last() == plain.chars().last();
            assert!(is_complete && text.len().abs_diff(plain.len()) < plain.len() / 3, "{path} {coding}");
        }
    }
    // An answer too short to gain from compression, events, and an error of a few bytes.
    for (method, path, kind, body) in [
        ("GET", "/health", "", String::new()),
        ("POST", "/api/v1/extract/stream", "application/json", note),
        ("POST", "/api/v1/extract", "application/json", "{}".to_owned()),
    ] {
        let response = router.clone().oneshot(request(method, path, kind, "gzip, br, zstd", body)).await.unwrap();
        assert!(!response.headers().contains_key("content-encoding"), "{path}");
    }
}

#[tokio::test]
async fn a_compressed_line_is_sent_when_its_note_is_done() {
    for coding in CODINGS {
        let app = Gateway::new(Settings::default()).unwrap().app;
        let router = http::router(app.clone(), Vec::new());
        let (lines, body) = mpsc::channel::<Bytes>(4);
        let body =
            stream::unfold(body, async |mut body| Some((Ok::<_, std::convert::Infallible>(body.recv().await?), body)));
        let send_note = async |id: usize| {
            lines.send(format!("{}\n", json!({"id": id, "text": MELANOMA})).into()).await.unwrap();
        };
        send_note(0).await;
        let asked = request("POST", "/api/v1/extract/lines", "application/x-ndjson", coding, Body::from_stream(body));
        let response = router.oneshot(asked).await.unwrap();
        assert_eq!(response.headers()["content-encoding"], coding);
        let mut answers = BufReader::new(decoded(response)).lines();
        for id in 0..3 {
            if id > 0 {
                send_note(id).await;
            }
            // The body of the request is still open, and the next line is not sent before this one is answered.
            let line = tokio::time::timeout(Duration::from_secs(30), answers.next_line()).await;
            let line: Value =
                serde_json::from_str(&line.unwrap_or_else(|_| panic!("{coding} holds lines back")).unwrap().unwrap())
                    .unwrap();
            assert_eq!((line["id"].as_u64(), &line["status"]), (Some(id as u64), &json!(200)), "{coding}");
        }
        // The encoder counts.
        assert!(app.state.memory.reserved() >= 1 << 20, "{}", app.state.memory.reserved());
        drop(lines);
        assert_eq!(answers.next_line().await.unwrap(), None);
        drop(answers);
        assert_eq!(app.state.memory.reserved(), 0, "{coding}");
    }
}

#[tokio::test]
async fn without_memory_for_an_encoder_the_answer_is_not_compressed() {
    let mut settings = Settings::default();
    settings.limits.memory = Some(bytesize::ByteSize::mib(1));
    let router = http::router(Gateway::new(settings).unwrap().app, Vec::new());
    let line = json!({"text": MELANOMA}).to_string();
    let asked = request("POST", "/api/v1/extract/lines", "application/x-ndjson", "gzip", line);
    let response = router.oneshot(asked).await.unwrap();
    assert!(response.status() == StatusCode::OK && !response.headers().contains_key("content-encoding"));
    assert!(text_of(response).await.contains("\"IV\""));
}

#[tokio::test]
async fn files_are_kept_by_their_hash() {
    let router = rules();
    let get = async |path: &str, headers: &[(&str, &str)]| -> (StatusCode, HeaderMap, Vec<u8>) {
        let mut request = Request::get(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        send(&router, request.body(Body::empty()).unwrap()).await
    };
    for path in [
        "/docs/swagger-ui-bundle.js",
        "/docs/swagger-ui.css",
        "/docs/",
        "/ui/app.js",
        "/openapi.json",
        "/openapi-3.0.json",
    ] {
        let (status, headers, plain) = get(path, &[]).await;
        assert_eq!((status, &headers["cache-control"]), (StatusCode::OK, &"no-cache".parse().unwrap()), "{path}");
        let tag = headers["etag"].to_str().unwrap().to_owned();
        for given in [tag.clone(), format!("\"x\", {tag}"), tag.trim_start_matches("W/").to_owned(), "*".to_owned()] {
            let (status, headers, body) = get(path, &[("if-none-match", &given)]).await;
            assert_eq!(
                (status, &headers["etag"], body.len()),
                (StatusCode::NOT_MODIFIED, &tag.parse().unwrap(), 0),
                "{path}"
            );
        }
        assert_eq!(get(path, &[("if-none-match", "\"other\"")]).await.0, StatusCode::OK, "{path}");
        let (_, headers, small) = get(path, &[("accept-encoding", "gzip")]).await;
        if plain.len() > 2_000 {
            assert!(headers["content-encoding"] == "gzip" && small.len() < plain.len() / 2, "{path}");
        }
    }
    // Answers about notes are never kept.
    let (_, headers, _) = get("/api/v1/models", &[]).await;
    assert!(headers["cache-control"] == "no-store" && !headers.contains_key("etag"));
    let (status, _, _) = get("/docs/nope.js", &[]).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    let (status, headers, _) = get("/docs", &[]).await;
    assert_eq!((status, &headers["location"]), (StatusCode::SEE_OTHER, &"docs/".parse().unwrap()));
}
