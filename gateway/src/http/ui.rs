//! Serves the page `/ui` and its files, which are in `ui/`. It does not read notes.

use std::sync::LazyLock;

use axum::{
    Extension, Router,
    body::Bytes,
    extract::{Path, State},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};

use super::{App, accept, assets::Asset, context::RequestContext, error::ErrorCode};
use crate::ui;

/// The content security policy of the page. The page may load its own files and call this service, nothing else. It has
/// no inline scripts or styles, and cannot turn text into markup (`trusted-types`).
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
                      require-trusted-types-for 'script'; trusted-types 'none'";
const OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");

pub(super) fn routes() -> Router<App> {
    // The page uses relative paths for its files, so that it works under any path prefix of a proxy.
    Router::new()
        .route("/ui", get(page))
        .route("/ui/", get(async || (StatusCode::PERMANENT_REDIRECT, [(header::LOCATION, "../ui")])))
        .route("/ui/{file}", get(file))
}

async fn page(State(app): State<App>) -> Response {
    let html = ui::page(&ui::Service {
        max_note_chars: app.extractor.policy.limits.max_note_chars,
        engine: app.extractor.pipeline.engine().as_str(),
        guarded: app.access.keys.is_some(),
        dictation: app.dictation.is_some(),
        scans: app.scan_reader.is_some(),
    });
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
        (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
        (OPENER_POLICY, HeaderValue::from_static("same-origin")),
    ];
    (headers, html).into_response()
}

async fn file(Path(name): Path<String>, Extension(context): Extension<RequestContext>, request: HeaderMap) -> Response {
    static FILES: LazyLock<Vec<(&str, Option<Asset>)>> = LazyLock::new(|| {
        ui::FILES
            .iter()
            .map(|file| (file.name, Asset::new(file.kind, Bytes::from_static(file.body.as_bytes()))))
            .collect()
    });
    match FILES.iter().find(|(known, _)| *known == name) {
        Some((_, Some(file))) => file.answer(&request),
        _ => ErrorCode::NotFound.problem(&context.id).into_response(),
    }
}

/// Returns whether the `Accept` header gives HTML a higher quality than JSON, as browsers do. A range such as `*/*` is
/// not used for either.
pub(super) fn prefers_page(headers: &HeaderMap) -> bool {
    let (mut html, mut json) = (0.0, 0.0);
    for range in accept::ranges(headers) {
        if range.is("text/html") {
            html = range.quality();
        } else if range.is("application/json") {
            json = range.quality();
        }
    }
    html > json
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefers_page_only_if_html_ranks_above_json() {
        for (accept, page) in [
            ("text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8", true),
            ("TEXT/HTML; q=0.5", true),
            ("*/*", false),
            ("", false),
            ("text/*", false),
            ("application/json, text/html;q=0.9", false),
            ("application/json;q=0.1, text/html", true),
            ("application/json, text/html", false),
            ("text/html;q=0", false),
            ("application/json", false),
        ] {
            let mut headers = HeaderMap::new();
            assert!(!prefers_page(&headers));
            headers.insert(header::ACCEPT, accept.parse().unwrap());
            assert_eq!(prefers_page(&headers), page, "{accept}");
        }
    }
}
