//! The layers around every route, outermost last.

use std::{any::Any, sync::Arc, time::Duration};

use axum::{
    Router,
    extract::{Request, State},
    http::{HeaderName, HeaderValue, Method, StatusCode, Uri, header, uri::PathAndQuery},
    middleware::{self, Next},
    response::{IntoResponse, Response},
};
use tower_http::catch_panic::CatchPanicLayer;

use super::{
    App,
    access::{self, ListenerKind},
    audit_record::{AuditRecord, CALLER_VANISHED, milliseconds},
    body,
    context::RequestContext,
    cors,
    error::ErrorCode,
};
use crate::{
    access::Principal,
    config::OriginPattern,
    telemetry::{Route, TraceParent},
};

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// What a page may load that says nothing stricter itself: nothing that is not ours. Swagger UI writes styles into its elements and holds its
/// pictures in data URLs.
const PAGE_POLICY: &str = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
                           base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
/// Where no route matched.
const NO_ROUTE: Route = "other";

/// Puts the layers on, outermost last: the panic fence, [`edge`], and CORS where origins are set.
///
/// [`edge`] is one layer and not a layer for each of its steps, because that costs each request 6 us of 50.
pub(super) fn wrap(router: Router, app: Arc<App>, entrance: ListenerKind, origins: Vec<OriginPattern>) -> Router {
    let fenced = router.layer(CatchPanicLayer::custom(panicked));
    // Routing looks at the path before any layer of its router runs, so `edge` stands around a second one.
    let edged = Router::new().fallback_service(fenced).layer(middleware::from_fn_with_state((app, entrance), edge));
    if origins.is_empty() { edged } else { edged.layer(cors::layer(origins)) }
}

/// What every request goes through, in this order: tidy path, request id, the rest of unread bodies, head and host, keys; the
/// route; then JSON for every error, headers, metrics and log.
async fn edge(State((app, entrance)): State<(Arc<App>, ListenerKind)>, mut request: Request, next: Next) -> Response {
    let context = RequestContext::now(request.headers());
    let method = known(request.method());
    tidy(&mut request, app.keys.is_some());
    let route = super::route(request.uri().path()).unwrap_or(NO_ROUTE);
    let own_probe = access::is_own_probe(&request);
    request.extensions_mut().insert(context.clone());
    let mut left = DisconnectGuard { app: &app, context: &context, method, route, answered: false };
    let mut request = body::discard_leftovers(request);
    let (principal, mut response) = match access::enter(&app, entrance, &mut request, &context.id) {
        Ok(principal) => (principal, context.span.run(next.run(request)).await),
        Err(problem) => (None, problem.into_response()),
    };
    left.answered = true;
    if is_bare_error(&response) {
        response = with_json(&response, &context.id);
    }
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
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
    tell(&app, &context, (method, route), own_probe, principal.as_ref(), &response);
    response
}

fn panicked(_: Box<dyn Any + Send + 'static>) -> Response {
    StatusCode::INTERNAL_SERVER_ERROR.into_response()
}

/// What is mended in a request before anything routes by it.
fn tidy(request: &mut Request, keys_in_paths: bool) {
    single_slashes(request);
    if keys_in_paths {
        access::take_key_of_path(request);
    }
    plain_options(request);
}

/// `//api/v1/extract` is `/api/v1/extract`: base URLs are often set with a slash at the end.
fn single_slashes(request: &mut Request) {
    let path = request.uri().path();
    if !path.contains("//") {
        return;
    }
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

/// The CORS layer answers every OPTIONS with an empty 200. One that is no preflight is a method like others:
/// it gets the name of none that a route has, and so the JSON of a 404 or 405.
fn plain_options(request: &mut Request) {
    let preflight = request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    if request.method() == Method::OPTIONS && !preflight {
        *request.method_mut() = Method::TRACE;
    }
}

/// Counts a caller who left, unless the answer came before.
struct DisconnectGuard<'a> {
    app: &'a App,
    context: &'a RequestContext,
    method: &'static str,
    route: Route,
    answered: bool,
}

impl Drop for DisconnectGuard<'_> {
    fn drop(&mut self) {
        if !self.answered {
            self.app.metrics.caller_vanished();
            let (status, code) = CALLER_VANISHED;
            let milliseconds = milliseconds(self.context.at.elapsed());
            let Self { method, route, .. } = *self;
            let request_id = &*self.context.id;
            tracing::info!(request_id, method, route, status, code, milliseconds, "request");
        }
    }
}

/// The metrics and the log line of a request. All of it are our words, or an id that was checked.
fn tell(
    app: &App,
    context: &RequestContext,
    (method, route): (&'static str, Route),
    own_probe: bool,
    principal: Option<&Principal>,
    response: &Response,
) {
    let told = response.extensions();
    let code = told.get::<ErrorCode>().map(|code| code.name());
    let (status, time) = (response.status().as_u16(), context.at.elapsed());
    app.metrics.answered(route, status, code, time);
    context.span.end(method, route, status, code);
    let principal = principal.map(Principal::name);
    let trace_id = context.trace.as_ref().map(TraceParent::id);
    let milliseconds = milliseconds(time);
    let (request_id, audit_record) = (&*context.id, told.get::<AuditRecord>());
    let Some(audit_record) = audit_record else {
        if own_probe {
            // 8,640 lines a day that say nothing: a change of the model server's state has a line of its own.
            tracing::debug!(request_id, method, route, status, code, milliseconds, "request");
            return;
        }
        tracing::info!(request_id, method, route, status, code, principal, trace_id, milliseconds, "request");
        return;
    };
    let AuditRecord { body_bytes, note_chars, cached, .. } = *audit_record;
    let stages = audit_record.stages.unwrap_or_default();
    let micros = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
    for (name, value) in [
        ("gateway.body_bytes", body_bytes as u64),
        ("gateway.note_chars", note_chars as u64),
        ("gateway.queue_us", micros(stages.queue)),
        ("gateway.engine_us", micros(stages.engine)),
        ("gateway.parse_us", micros(stages.parse)),
        ("gateway.ground_us", micros(stages.ground)),
    ] {
        context.span.tell(name, i64::try_from(value).unwrap_or(i64::MAX));
    }
    tracing::info!(
        request_id,
        method,
        route,
        status,
        code,
        principal,
        trace_id,
        milliseconds,
        body_bytes,
        note_chars,
        cached,
        queue_us = micros(stages.queue),
        engine_us = micros(stages.engine),
        parse_us = micros(stages.parse),
        ground_us = micros(stages.ground),
        "request"
    );
}

/// Methods that are no words of the caller's.
fn known(method: &Method) -> &'static str {
    const KNOWN: [&str; 7] = ["GET", "POST", "HEAD", "OPTIONS", "PUT", "PATCH", "DELETE"];
    KNOWN.into_iter().find(|known| method.as_str() == *known).unwrap_or("other")
}

/// Whether an answer is an error without a body of ours: an axum rejection or a panic.
fn is_bare_error(response: &Response) -> bool {
    let status = response.status();
    let is_ours = || response.extensions().get::<ErrorCode>().is_some();
    let is_json = || response.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind == "application/json");
    (status.is_client_error() || status.is_server_error()) && !is_ours() && !is_json()
}

/// The same error with a JSON body.
fn with_json(bare: &Response, id: &str) -> Response {
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
