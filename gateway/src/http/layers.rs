//! The layers around every route, outermost last.

use std::{any::Any, sync::Arc};

use axum::{
    Router,
    extract::{MatchedPath, Request, State},
    http::{HeaderName, HeaderValue, Method, StatusCode, Uri, header, uri::PathAndQuery},
    middleware::{self, Next},
    response::{IntoResponse, Response},
};
use tower_http::catch_panic::CatchPanicLayer;

use super::{
    App, access,
    account::{Account, CALLER_VANISHED, milliseconds},
    arrival::Arrival,
    body,
    cors::{self, OriginPattern},
    error::ErrorCode,
};
use crate::{
    access::Principal,
    telemetry::{Route, TraceParent},
};

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Where no route matched.
const NO_ROUTE: Route = "other";

/// Puts the layers on: panic fence, JSON for every error, keys, headers, CORS, bodies that nobody reads, request
/// id and log; and before routing, tidy paths.
pub(super) fn wrap(router: Router, app: Arc<App>, origins: Vec<OriginPattern>) -> Router {
    let keys_in_paths = app.keys.is_some();
    let inner = router
        .layer(CatchPanicLayer::custom(panicked))
        .layer(middleware::from_fn(json_errors))
        .layer(middleware::from_fn_with_state(Arc::clone(&app), access::gate))
        .layer(middleware::from_fn(response_headers))
        .layer(cors::layer(origins))
        .layer(middleware::from_fn(body::discard_leftovers))
        .layer(middleware::from_fn_with_state(app, identify));
    // Routing looks at the path before any layer of its router runs, so this one stands outside.
    Router::new().fallback_service(inner).layer(middleware::from_fn_with_state(keys_in_paths, tidy))
}

/// What is mended in a request before anything routes by it.
async fn tidy(State(keys_in_paths): State<bool>, mut request: Request, next: Next) -> Response {
    single_slashes(&mut request);
    if keys_in_paths {
        access::take_key_of_path(&mut request);
    }
    plain_options(&mut request);
    next.run(request).await
}

fn panicked(_: Box<dyn Any + Send + 'static>) -> Response {
    StatusCode::INTERNAL_SERVER_ERROR.into_response()
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
struct Left<'a> {
    app: &'a App,
    arrival: &'a Arrival,
    answered: bool,
}

impl Drop for Left<'_> {
    fn drop(&mut self) {
        if !self.answered {
            self.app.metrics.caller_vanished();
            let (status, code) = CALLER_VANISHED;
            let milliseconds = milliseconds(self.arrival.at.elapsed());
            tracing::info!(request_id = &*self.arrival.id, status, code, milliseconds, "request");
        }
    }
}

/// Takes or makes the request id, hands it on and back, and writes the one line per request.
async fn identify(State(app): State<Arc<App>>, mut request: Request, next: Next) -> Response {
    let arrival = Arrival::now(request.headers());
    let method = known(request.method());
    request.extensions_mut().insert(arrival.clone());
    let mut left = Left { app: &app, arrival: &arrival, answered: false };
    let mut response = next.run(request).await;
    left.answered = true;
    if let Ok(value) = HeaderValue::from_str(&arrival.id) {
        response.headers_mut().insert(X_REQUEST_ID, value);
    }
    tell(&app, &arrival, method, &response);
    response
}

/// The metrics and the log line of a request. All of it are our words, or an id that was checked.
fn tell(app: &App, arrival: &Arrival, method: &'static str, response: &Response) {
    let told = response.extensions();
    let route = told.get::<Matched>().map_or(NO_ROUTE, |matched| matched.0);
    let code = told.get::<ErrorCode>().map(|code| code.name());
    let (status, time) = (response.status().as_u16(), arrival.at.elapsed());
    app.metrics.answered(route, status, code, time);
    let principal = told.get::<Principal>().map(Principal::name);
    let trace_id = arrival.trace.as_ref().map(TraceParent::id);
    let milliseconds = milliseconds(time);
    let (request_id, account) = (&*arrival.id, told.get::<Account>());
    let Some(account) = account else {
        tracing::info!(request_id, method, route, status, code, principal, trace_id, milliseconds, "request");
        return;
    };
    let Account { body_bytes, note_chars, cached, .. } = *account;
    let stages = account.stages.unwrap_or_default();
    let micros = |time: std::time::Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
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

/// The template of the route that matched.
#[derive(Clone)]
struct Matched(Route);

/// Gives a JSON body to every error that has none of ours: axum's rejections and panics.
async fn json_errors(request: Request, next: Next) -> Response {
    let arrival = request.extensions().get::<Arrival>().cloned();
    let matched =
        request.extensions().get::<MatchedPath>().and_then(|path| Some(Matched(super::route(path.as_str())?)));
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
        let id = arrival.as_ref().map_or("", |arrival| &arrival.id);
        if code == ErrorCode::Internal {
            tracing::error!(request_id = id, "a request ended in an internal error");
        }
        let allow = response.headers().get(header::ALLOW).cloned();
        response = code.problem(id).into_response();
        if let Some(allow) = allow {
            response.headers_mut().insert(header::ALLOW, allow);
        }
    }
    if let Some(matched) = matched {
        response.extensions_mut().insert(matched);
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
