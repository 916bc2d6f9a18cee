//! Tests API keys: every route that is not open refuses a request without a key, and no answer contains the key.

use axum::{
    Router,
    body::Body,
    http::{Request, StatusCode},
};
use gateway::{
    access,
    config::{Flags, Settings},
    http,
    server::Gateway,
};
use serde_json::Value;

use crate::send;

/// The routes that need no key.
const OPEN: [&str; 6] = ["/", "/health", "/health/live", "/health/ready", "/api/v1/schema", "/openapi.json"];

pub(crate) fn guarded() -> (Router, String, tempfile::NamedTempFile) {
    let key = access::new_key().unwrap();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), access::line_for("frontend", &key).unwrap()).unwrap();
    let mut settings = Settings::load(&Flags::default()).unwrap();
    settings.auth_keys_file = Some(file.path().to_owned());
    (http::router(Gateway::new(settings).unwrap().app, Vec::new()), key, file)
}

async fn ask(router: &Router, method: &str, path: &str, header: Option<(&str, &str)>) -> (StatusCode, Vec<u8>) {
    let mut request = Request::builder().method(method).uri(path).header("content-type", "application/json");
    if let Some((name, value)) = header {
        request = request.header(name, value);
    }
    let body = Body::from("{\"text\": \"Stage IV lung cancer.\"}");
    let (status, headers, body) = send(router, request.body(body).unwrap()).await;
    if status == StatusCode::UNAUTHORIZED {
        assert_eq!(
            (&headers["www-authenticate"], &headers["content-type"]),
            (&"Bearer".parse().unwrap(), &"application/problem+json".parse().unwrap())
        );
    }
    (status, body)
}

#[tokio::test]
async fn every_documented_route_but_the_open_ones_needs_a_key() {
    let (router, key, _file) = guarded();
    let document = http::document(&http::DocumentSettings { guarded: true, ..http::DocumentSettings::default() });
    let bearer = format!("bearer {key}");
    let mut refused = 0;
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let method = method.to_uppercase();
            let (status, _) = ask(&router, &method, path, None).await;
            let open = OPEN.contains(&path.as_str());
            // These requests have no peer address, so that none of them counts as local.
            assert_eq!(status == StatusCode::UNAUTHORIZED, !open, "{method} {path}");
            assert_eq!(!operation["security"].as_array().unwrap().is_empty(), !open, "{method} {path}");
            assert!(open || operation["responses"].get("401").is_some(), "{method} {path}");
            refused += usize::from(!open);
            let (status, _) = ask(&router, &method, path, Some(("Authorization", &bearer))).await;
            assert_ne!(status, StatusCode::UNAUTHORIZED, "{method} {path}");
        }
    }
    assert!(refused >= 4, "{refused}");
}

#[tokio::test]
async fn only_the_right_key_in_the_right_header_is_accepted() {
    let (router, key, _file) = guarded();
    for (header, is_accepted) in [
        (("X-API-Key", key.clone()), true),
        (("Authorization", format!("Bearer {key}")), true),
        (("Authorization", format!("Basic {key}")), false),
        (("Authorization", key.clone()), false),
        (("Authorization", "Bearer ".to_owned()), false),
        (("X-API-Key", format!("{key}0")), false),
        (("X-API-Key", String::new()), false),
    ] {
        let (status, body) = ask(&router, "POST", "/api/v1/extract", Some((header.0, &header.1))).await;
        assert_eq!(status, if is_accepted { StatusCode::OK } else { StatusCode::UNAUTHORIZED }, "{header:?}");
        assert!(!String::from_utf8(body).unwrap().contains(&key));
    }
    // An unknown path also needs a key, and extra slashes do not bypass the check.
    for path in ["/nope", "//api/v1/models", "/health?verbose=1", "/metrics", "/health/vllm"] {
        assert_eq!(ask(&router, "GET", path, None).await.0, StatusCode::UNAUTHORIZED, "{path}");
    }
    assert_eq!(ask(&router, "GET", "/docs/../api/v1/models", None).await.0, StatusCode::NOT_FOUND);
    assert_eq!(ask(&router, "GET", "/docs/", None).await.0, StatusCode::OK);
    let (_, body) = ask(&router, "GET", "/openapi.json", None).await;
    let document: Value = serde_json::from_slice(&body).unwrap();
    assert!(document["components"]["securitySchemes"]["bearer"].is_object());
}
