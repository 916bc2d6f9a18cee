//! Tests the page `/ui` over HTTP: which clients are sent to it, its security policy, and that its files need no key.

use axum::{
    body::Body,
    http::{Request, StatusCode},
};

use crate::{keys::guarded, rules, send};

async fn get(router: &axum::Router, path: &str, accept: &str) -> (StatusCode, axum::http::HeaderMap, String) {
    let request = Request::get(path).header("accept", accept).body(Body::empty()).unwrap();
    let (status, headers, body) = send(router, request).await;
    (status, headers, String::from_utf8(body).unwrap())
}

#[tokio::test]
async fn only_a_browser_is_redirected_to_the_page() {
    let router = rules();
    let (status, headers, body) = get(&router, "/", "text/html,*/*;q=0.8").await;
    assert_eq!((status, &headers["location"]), (StatusCode::SEE_OTHER, &"ui".parse().unwrap()));
    let (plain_status, plain_headers, plain_body) = get(&router, "/", "*/*").await;
    assert_eq!((plain_status, &plain_headers["content-type"]), (StatusCode::OK, &"application/json".parse().unwrap()));
    assert_eq!(body, plain_body);
    for headers in [headers, plain_headers] {
        let vary: Vec<_> = headers.get_all("vary").iter().map(|value| value.to_str().unwrap().to_lowercase()).collect();
        assert!(vary.join(",").contains("accept"), "{vary:?}");
    }
}

#[tokio::test]
async fn the_page_and_the_documentation_have_their_own_policies() {
    let router = rules();
    let (status, headers, html) = get(&router, "/ui", "text/html").await;
    let policy = headers["content-security-policy"].to_str().unwrap();
    assert_eq!((status, &headers["content-type"]), (StatusCode::OK, &"text/html; charset=utf-8".parse().unwrap()));
    assert!(!policy.contains("unsafe") && !policy.contains('*') && !policy.contains("data:"), "{policy}");
    for part in ["default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", "trusted-types 'none'"] {
        assert!(policy.split("; ").any(|directive| directive == part), "{part}: {policy}");
    }
    assert!(html.contains("data-max-note-chars=\"100000\" data-engine=\"rules\" data-guarded=\"no\""));
    // The address may contain a key, which linked pages must not receive as the referrer.
    for path in ["/ui", "/ui/app.js", "/docs", "/docs/", "/docs/swagger-ui.css", "/openapi.json", "/", "/nope"] {
        let (_, headers, _) = get(&router, path, "text/html").await;
        assert_eq!(headers["referrer-policy"], "no-referrer", "{path}");
    }
    let (_, docs, _) = get(&router, "/docs/", "text/html").await;
    assert!(docs["content-security-policy"].to_str().unwrap().contains("style-src 'self' 'unsafe-inline'"));
}

#[tokio::test]
async fn only_the_page_and_its_files_need_no_key() {
    let (router, _key, _file) = guarded();
    let (status, _, html) = get(&router, "/ui", "*/*").await;
    assert!(status == StatusCode::OK && html.contains("data-guarded=\"yes\""));
    for (file, kind) in [("app.js", "text/javascript"), ("style.css", "text/css"), ("icon.svg", "image/svg+xml")] {
        let (status, headers, body) = get(&router, &format!("/ui/{file}"), "*/*").await;
        assert!(status == StatusCode::OK && !body.is_empty(), "{file}");
        assert!(headers["content-type"].to_str().unwrap().starts_with(kind), "{file}");
    }
    for path in ["/ui/nope.js", "/ui/../api/v1/models", "/ui/review.html", "/ui/a/b", "/uix"] {
        let (status, headers, _) = get(&router, path, "*/*").await;
        let expected = if path == "/uix" { StatusCode::UNAUTHORIZED } else { StatusCode::NOT_FOUND };
        assert_eq!(
            (status, &headers["content-type"]),
            (expected, &"application/problem+json".parse().unwrap()),
            "{path}"
        );
    }
}
