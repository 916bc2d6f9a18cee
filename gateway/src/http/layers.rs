//! The layers around every route, outermost last.

use std::any::Any;

use axum::{
    Router,
    extract::{Request, State},
    http::{HeaderValue, Method, StatusCode, Uri, header, uri::PathAndQuery},
    middleware::{self, Next},
    response::{IntoResponse, Response},
};
use tower_http::catch_panic::CatchPanicLayer;

use super::{
    App,
    access::{self, ListenerKind},
    body,
    context::{self, X_REQUEST_ID},
    cors,
    encoding::{self, Encoding},
    error::{ErrorCode, Problem, Violation},
    jobs, metrics, query,
    request_record::{NO_ROUTE, RequestRecord},
};
use crate::{config::OriginPattern, telemetry::Route};

/// The content security policy of a page that has no stricter one: it may load only files of this service. Swagger UI
/// also needs inline styles and images in data URLs.
const PAGE_POLICY: &str = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
                           base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Adds the layers, outermost last: the panic handler, [`edge`] and, if origins are set, CORS.
///
/// [`edge`] is a single layer: a layer for each of its steps costs a request 6 us of its 50 us.
pub(super) fn wrap(router: Router, app: App, listener: ListenerKind, origins: Vec<OriginPattern>) -> Router {
    let with_panic_handler = router.layer(CatchPanicLayer::custom(panicked));
    // A router matches the path before its layers run. So `edge`, which changes the path, wraps an outer router.
    let with_edge =
        Router::new().fallback_service(with_panic_handler).layer(middleware::from_fn_with_state((app, listener), edge));
    if origins.is_empty() { with_edge } else { with_edge.layer(cors::layer(origins)) }
}

/// Runs these steps for every request, in this order: request id, normalized path, discarding of unread bodies, head
/// and host, keys, names in the query; then the route; then JSON for every error, headers, compression, metrics and log.
async fn edge(State((app, listener)): State<(App, ListenerKind)>, mut request: Request, next: Next) -> Response {
    let mut record = RequestRecord::begin(app, request.headers(), method_name(request.method()));
    normalize(&mut request, record.app.access.keys.is_some());
    record.route = super::route(request.uri().path()).unwrap_or(NO_ROUTE);
    record.own_probe = access::is_own_probe(&request);
    let context = record.context.clone();
    request.extensions_mut().insert(context.clone());
    let mut request = body::discard_leftovers(request);
    let accepted = Encoding::accepted(request.headers());
    let mut response = match access::authorize(&record.app, listener, &mut request, (record.route, &context.id)) {
        Ok(principal) => {
            record.principal = principal;
            add_host_header(&mut request);
            match check_query_and_session(record.route, &request) {
                Ok(()) => context.span.run(next.run(request)).await,
                Err(unknown) => Problem::invalid(unknown, &context.id).into_response(),
            }
        }
        Err(problem) => problem.into_response(),
    };
    if is_bare_error(&response) {
        response = with_problem(&response, &context.id);
    }
    let headers = response.headers_mut();
    // A file with a hash sets its own caching time.
    if !headers.contains_key(header::ETAG) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    // The address may hold a key: `/t/KEY/docs`.
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    if let Ok(value) = HeaderValue::from_str(&context.id) {
        headers.insert(X_REQUEST_ID, value);
    }
    if headers.get(header::CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"text/html")) {
        let policy = HeaderValue::from_static(PAGE_POLICY);
        headers.entry(header::CONTENT_SECURITY_POLICY).or_insert(policy);
    }
    let response = encoding::compress(&record.app, accepted, record.principal.as_ref(), response).await;
    record.end_with(response)
}

/// Returns the violations of a request's query and, for a route that reads notes, of its session.
fn check_query_and_session(route: Route, request: &Request) -> Result<(), Vec<Violation>> {
    query::check(route, request.uri().query())?;
    if metrics::NOTE_ROUTES.contains(&route) { context::check_session(request.headers()) } else { Ok(()) }
}

fn panicked(_: Box<dyn Any + Send + 'static>) -> Response {
    StatusCode::INTERNAL_SERVER_ERROR.into_response()
}

/// Normalizes the path and the method of a request before routing.
fn normalize(request: &mut Request, keys_in_paths: bool) {
    collapse_slashes(request);
    if keys_in_paths {
        access::extract_path_key(request);
    }
    trim_slash(request);
    replace_plain_options(request);
}

/// Turns `/api/v1/extract/` into `/api/v1/extract`, if the path without its last slash is one of this service. The pages
/// keep theirs: `/ui/` and `/docs/` are addresses of their own, relative to which a browser looks for their files.
fn trim_slash(request: &mut Request) {
    let path = request.uri().path();
    let Some(trimmed) = path.strip_suffix('/').filter(|trimmed| !matches!(*trimmed, "/ui" | "/docs")) else { return };
    let has_id = |route| matches!(route, jobs::ONE | jobs::RESULTS);
    if super::route(trimmed).is_some_and(|route| route == trimmed || has_id(route)) {
        let trimmed = trimmed.to_owned();
        set_path(request, trimmed);
    }
}

/// Turns `//api/v1/extract` into `/api/v1/extract`: clients often set a base URL that ends with a slash.
fn collapse_slashes(request: &mut Request) {
    let path = request.uri().path();
    if !path.contains("//") {
        return;
    }
    let mut collapsed = String::with_capacity(path.len());
    for c in path.chars() {
        if !(c == '/' && collapsed.ends_with('/')) {
            collapsed.push(c);
        }
    }
    set_path(request, collapsed);
}

/// Names the host of an HTTP/2 request in a header too, as HTTP/1.1 does.
fn add_host_header(request: &mut Request) {
    let host = request.uri().authority().and_then(|host| HeaderValue::from_str(host.as_str()).ok());
    if let Some(host) = host.filter(|_| !request.headers().contains_key(header::HOST)) {
        request.headers_mut().insert(header::HOST, host);
    }
}

/// Replaces the path of a request and keeps its query.
fn set_path(request: &mut Request, mut path: String) {
    if let Some(query) = request.uri().query() {
        path.push('?');
        path.push_str(query);
    }
    let mut parts = request.uri().clone().into_parts();
    parts.path_and_query = PathAndQuery::try_from(path).ok();
    if let Ok(uri) = Uri::from_parts(parts) {
        *request.uri_mut() = uri;
    }
}

/// Replaces the method of an OPTIONS request that is not a CORS preflight by TRACE, which no route has. So it gets a
/// 404 or 405 with JSON; the CORS layer would answer any OPTIONS with an empty 200.
fn replace_plain_options(request: &mut Request) {
    let preflight = request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    if request.method() == Method::OPTIONS && !preflight {
        *request.method_mut() = Method::TRACE;
    }
}

/// Returns a fixed name for a method, so that no text of the caller gets into metrics and log.
fn method_name(method: &Method) -> &'static str {
    const KNOWN: [&str; 7] = ["GET", "POST", "HEAD", "OPTIONS", "PUT", "PATCH", "DELETE"];
    KNOWN.into_iter().find(|known| method.as_str() == *known).unwrap_or("other")
}

/// Returns whether a response is an error without a problem document: a rejection by axum or a panic.
fn is_bare_error(response: &Response) -> bool {
    let status = response.status();
    let has_error_code = || response.extensions().get::<ErrorCode>().is_some();
    let is_json = || response.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind == "application/json");
    (status.is_client_error() || status.is_server_error()) && !has_error_code() && !is_json()
}

/// Returns the same error with a problem document as its body.
fn with_problem(bare: &Response, id: &str) -> Response {
    let code = match bare.status() {
        StatusCode::NOT_FOUND => ErrorCode::NotFound,
        StatusCode::METHOD_NOT_ALLOWED => ErrorCode::MethodNotAllowed,
        StatusCode::PAYLOAD_TOO_LARGE => ErrorCode::BodyTooLarge,
        StatusCode::UNSUPPORTED_MEDIA_TYPE => ErrorCode::UnsupportedMediaType,
        StatusCode::BAD_REQUEST => ErrorCode::InvalidJson,
        StatusCode::UNPROCESSABLE_ENTITY => ErrorCode::InvalidRequest,
        _ => ErrorCode::Internal,
    };
    if code == ErrorCode::Internal {
        tracing::error!(request_id = id, "a request ended in an internal error");
    }
    let mut response = code.problem(id).into_response();
    if let Some(allow) = bare.headers().get(header::ALLOW) {
        response.headers_mut().insert(header::ALLOW, allow.clone());
    }
    response
}
