//! The HTTP service: one list of routes, and one list of layers (`layers.rs`), whose `edge` has the checks of every request.

mod accept;
mod access;
mod app;
mod ask;
mod assets;
mod audit_record;
mod batch;
mod body;
mod cache;
mod context;
pub mod cors;
mod decoding;
mod docs;
mod encoding;
pub mod error;
mod event_stream;
mod extract;
pub mod host;
mod jobs;
mod layers;
mod media;
mod metrics;
mod minimum_rate;
mod note;
mod openapi;
mod pending_request;
mod query;
mod rate_limit;
pub mod request;
mod request_record;
mod scan;
mod service;
mod shadow;
mod stream;
mod transcribe;
mod ui;
mod upload;
mod usage;

use std::sync::{Arc, LazyLock};

use axum::{
    Extension, Router,
    body::Bytes,
    http::{HeaderMap, StatusCode},
    response::IntoResponse,
    routing::{MethodRouter, get},
};
use utoipa_axum::{router::OpenApiRouter, routes};

use self::{access::ListenerKind, assets::Asset, context::RequestContext, error::ErrorCode};
pub use self::{
    app::{AccessControl, App, BatchLimits, Extractor, ServiceState, Shadow},
    cache::ResponseCache,
    metrics::known_labels,
    openapi::{DocumentSettings, document, document_3_0},
};
use crate::{config::OriginPattern, telemetry::Route};

/// Returns the routes that the OpenAPI document describes.
fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(extract::extract))
        .routes(routes!(batch::batch))
        .routes(routes!(batch::lines))
        .routes(routes!(batch::patient::patient))
        .routes(routes!(stream::stream))
        .routes(routes!(ask::ask))
        .routes(routes!(ask::stream::stream))
        .routes(routes!(transcribe::transcribe))
        .routes(routes!(scan::read_scan))
        .routes(routes!(jobs::create_job, jobs::list_jobs))
        .routes(routes!(jobs::get_job, jobs::delete_job))
        .routes(routes!(jobs::job_results))
        .routes(routes!(usage::usage))
        .routes(routes!(service::models))
        .routes(routes!(service::schema))
        .routes(routes!(service::health))
        .routes(routes!(service::live))
        .routes(routes!(service::ready))
        .routes(routes!(service::vllm))
        .routes(routes!(metrics::metrics))
        .routes(routes!(service::root))
}

/// The paths of this service.
const EXACT: [Route; 25] = [
    "/api/v1/extract",
    "/api/v1/extract/batch",
    "/api/v1/extract/lines",
    "/api/v1/extract/stream",
    "/api/v1/patient",
    ask::ROUTE,
    ask::stream::ROUTE,
    "/api/v1/transcribe",
    "/api/v1/scan",
    jobs::ROUTE,
    jobs::ONE,
    jobs::RESULTS,
    "/health",
    "/health/live",
    "/health/ready",
    "/health/vllm",
    "/metrics",
    "/api/v1/models",
    "/api/v1/schema",
    usage::ROUTE,
    "/openapi.json",
    "/openapi-3.0.json",
    "/docs",
    "/ui",
    "/",
];
/// The prefixes of its other paths, each with the name of its route.
const PREFIXES: [(&str, Route); 2] = [("/docs/", "/docs/{*rest}"), ("/ui/", "/ui/{file}")];

/// Returns the route of a path, as metrics and the log name it; `None` for a path that this service does not have.
fn route(path: &str) -> Option<Route> {
    if let Some(rest) = path.strip_prefix("/api/v1/jobs/") {
        return Some(if rest.ends_with("/results") { jobs::RESULTS } else { jobs::ONE });
    }
    let by_prefix = || PREFIXES.into_iter().find(|(start, _)| path.starts_with(start)).map(|(_, route)| route);
    EXACT.into_iter().find(|known| *known == path).or_else(by_prefix)
}

/// Returns the public service: routes, documentation and layers.
pub fn router(app: App, origins: Vec<OriginPattern>) -> Router {
    let settings = DocumentSettings {
        models: app.extractor.policy.models.clone(),
        max_note_chars: app.extractor.policy.limits.max_note_chars,
        batch_notes: app.extractor.policy.limits.batch_notes,
        guarded: app.access.keys.is_some(),
    };
    let (router, _) = routes().split_for_parts();
    let for_3_0 = settings.clone();
    let router = router
        .route("/openapi.json", asset(move || document(&settings)))
        .route("/openapi-3.0.json", asset(move || document_3_0(&for_3_0)))
        .merge(docs::routes())
        .merge(ui::routes());
    layers::wrap(with_fallbacks(router, &app), app, ListenerKind::Public, origins)
}

/// Returns a route that serves a JSON document. It is built at the first request for it, because most services never get
/// one and it would delay their start.
fn asset(build: impl FnOnce() -> serde_json::Value + Send + 'static) -> MethodRouter<App> {
    let json = move || Asset::new("application/json", Bytes::from(build().to_string()));
    let asset = Arc::new(LazyLock::new(json));
    get(move |headers: HeaderMap| {
        let asset = Arc::clone(&asset);
        async move {
            let answer = (*asset).as_ref().map(|asset| asset.answer(&headers));
            answer.unwrap_or_else(|| StatusCode::INTERNAL_SERVER_ERROR.into_response())
        }
    })
}

/// Starts what runs without a request: the jobs that were not finished when the gateway ended.
pub fn start_jobs(app: &App) {
    jobs::resume(app);
}

/// Returns the service of `metrics.listen`: metrics and health, without keys.
pub fn metrics_router(app: App) -> Router {
    let router = Router::new()
        .route("/metrics", get(metrics::metrics))
        .route("/health", get(service::health))
        .route("/health/live", get(service::live))
        .route("/health/ready", get(service::ready));
    layers::wrap(with_fallbacks(router, &app), app, ListenerKind::Metrics, Vec::new())
}

fn with_fallbacks(router: Router<App>, app: &App) -> Router {
    router
        .fallback(async |Extension(context): Extension<RequestContext>| ErrorCode::NotFound.problem(&context.id))
        .method_not_allowed_fallback(async |Extension(context): Extension<RequestContext>| {
            ErrorCode::MethodNotAllowed.problem(&context.id)
        })
        .with_state(app.clone())
}
