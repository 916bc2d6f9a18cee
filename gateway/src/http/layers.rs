//! The layers around every route, outermost last.

use std::{any::Any, sync::Arc, time::Instant};

use axum::{
    Router,
    extract::{DefaultBodyLimit, MatchedPath, Request, State},
    http::{HeaderName, HeaderValue, StatusCode, Uri, header, uri::PathAndQuery},
    middleware::{self, Next},
    response::{IntoResponse, Response},
};
use tower_http::catch_panic::CatchPanicLayer;
use uuid::Uuid;

use super::{
    App, RequestId, access,
    cors::{self, OriginPattern},
    error::{ErrorCode, Problem},
};

use crate::access::Principal;

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Puts the layers on: body cap, panic fence, JSON for every error, keys, headers, CORS, request id and log;
/// and before routing, the tolerance for doubled slashes.
pub(super) fn wrap(router: Router, app: App, origins: Vec<OriginPattern>, body_limit: usize) -> Router {
    let inner = router
        .layer(DefaultBodyLimit::max(body_limit))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(middleware::from_fn(json_errors))
        .layer(middleware::from_fn_with_state(app.keys.clone(), access::gate))
        .layer(middleware::from_fn(response_headers))
        .layer(cors::layer(origins))
        .layer(middleware::from_fn_with_state(app, identify));
    // Routing looks at the path before any layer of its router runs, so this one stands outside.
    Router::new().fallback_service(inner).layer(middleware::from_fn(single_slashes))
}

fn panicked(_: Box<dyn Any + Send + 'static>) -> Response {
    StatusCode::INTERNAL_SERVER_ERROR.into_response()
}

/// `//api/v1/extract` is `/api/v1/extract`: base URLs are often set with a slash at the end.
async fn single_slashes(mut request: Request, next: Next) -> Response {
    let path = request.uri().path();
    if path.contains("//") {
        let mut single = String::with_capacity(path.len());
        for c in path.chars() {
            if !(c == '/' && single.ends_with('/')) {
                single.push(c);
            }
        }
        if let Some(query) = request.uri().query() {
            single.push('?');
            single.push_str(query);
        }
        let mut parts = request.uri().clone().into_parts();
        parts.path_and_query = PathAndQuery::try_from(single).ok();
        if let Ok(uri) = Uri::from_parts(parts) {
            *request.uri_mut() = uri;
        }
    }
    next.run(request).await
}

/// Takes or makes the request id, hands it on and back, and writes the one line per request.
async fn identify(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let arrived = Instant::now();
    let given = request.headers().get(X_REQUEST_ID).and_then(|id| id.to_str().ok()).filter(|id| is_id(id));
    let id: Arc<str> = given.map_or_else(|| Uuid::now_v7().to_string().into(), Arc::from);
    let method = request.method().clone();
    request.extensions_mut().insert(RequestId(Arc::clone(&id)));
    let mut response = next.run(request).await;
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(X_REQUEST_ID, value);
    }
    let route = response.extensions().get::<Route>().map_or("other", |route| route.0.as_str()).to_owned();
    let code = response.extensions().get::<ErrorCode>().map(|code| code.row().0);
    let (status, time) = (response.status().as_u16(), arrived.elapsed());
    app.metrics.answered(&route, status, time);
    let milliseconds = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    // Paths and other methods are a caller's words; templates and the known methods are ours.
    let method = match method.as_str() {
        known @ ("GET" | "POST" | "HEAD" | "OPTIONS" | "PUT" | "PATCH" | "DELETE") => known.to_owned(),
        _ => "other".to_owned(),
    };
    let principal = response.extensions().get::<Principal>().map(|principal| principal.name().to_owned());
    tracing::info!(request_id = %id, method, route, status, code, principal, milliseconds, "request");
    response
}

/// A caller's id is kept where it is harmless in headers, logs and upstream.
fn is_id(id: &str) -> bool {
    (1..=64).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
}

#[derive(Clone)]
struct Route(String);

/// Gives a JSON body to every error that has none of ours: axum's rejections and panics.
async fn json_errors(request: Request, next: Next) -> Response {
    let id = request.extensions().get::<RequestId>().cloned();
    let route = request.extensions().get::<MatchedPath>().map(|path| Route(path.as_str().to_owned()));
    let mut response = next.run(request).await;
    let status = response.status();
    let is_problem = response.extensions().get::<ErrorCode>().is_some();
    let is_json = response.headers().get(header::CONTENT_TYPE).is_some_and(|value| value == "application/json");
    if (status.is_client_error() || status.is_server_error()) && !is_problem && !is_json {
        let code = match status {
            StatusCode::NOT_FOUND => ErrorCode::NotFound,
            StatusCode::METHOD_NOT_ALLOWED => ErrorCode::MethodNotAllowed,
            StatusCode::PAYLOAD_TOO_LARGE => ErrorCode::BodyTooLarge,
            StatusCode::UNSUPPORTED_MEDIA_TYPE => ErrorCode::UnsupportedMediaType,
            StatusCode::BAD_REQUEST => ErrorCode::InvalidJson,
            StatusCode::UNPROCESSABLE_ENTITY => ErrorCode::InvalidRequest,
            _ => ErrorCode::Internal,
        };
        if code == ErrorCode::Internal {
            tracing::error!(request_id = id.as_ref().map(|id| &*id.0), "a request ended in an internal error");
        }
        let allow = response.headers().get(header::ALLOW).cloned();
        response = Problem::new(code, id.as_ref().map_or("", |id| &id.0)).into_response();
        if let Some(allow) = allow {
            response.headers_mut().insert(header::ALLOW, allow);
        }
    }
    if let Some(route) = route {
        response.extensions_mut().insert(route);
    }
    response
}

/// Headers that belong on every answer: nothing is stored, nothing is guessed.
async fn response_headers(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}
