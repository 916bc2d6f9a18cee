//! The HTTP service: one list of routes, one ordered list of layers.

mod access;
mod app;
mod audit_record;
mod batch;
mod body;
mod cache;
mod context;
pub mod cors;
pub mod error;
mod extract;
pub mod host;
mod jobs;
mod layers;
mod minimum_rate;
mod note;
mod openapi;
mod rate_limit;
pub mod request;
mod service;
mod stream;
mod ui;

use std::sync::{Arc, LazyLock};

use axum::{Extension, Router, body::Bytes, http::header::CONTENT_TYPE, routing::get};
use utoipa_axum::{router::OpenApiRouter, routes};

use self::{access::ListenerKind, context::RequestContext, error::ErrorCode};
pub use self::{
    app::{AccessControl, App, BatchLimits, Extractor, ServiceState},
    cache::ResponseCache,
    openapi::{DocumentSettings, document},
};
use crate::{config::OriginPattern, telemetry::Route};

/// Returns the routes that the OpenAPI document describes.
fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(extract::extract))
        .routes(routes!(batch::batch))
        .routes(routes!(batch::patient::patient))
        .routes(routes!(stream::stream))
        .routes(routes!(jobs::create_job, jobs::list_jobs))
        .routes(routes!(jobs::get_job, jobs::delete_job))
        .routes(routes!(jobs::job_results))
        .routes(routes!(service::models))
        .routes(routes!(service::schema))
        .routes(routes!(service::health))
        .routes(routes!(service::live))
        .routes(routes!(service::ready))
        .routes(routes!(service::vllm))
        .routes(routes!(service::metrics))
        .routes(routes!(service::root))
}

/// Returns the route of a path, as metrics and the log name it; `None` for a path that this service does not have.
fn route(path: &str) -> Option<Route> {
    const EXACT: [Route; 16] = [
        "/api/v1/extract",
        "/api/v1/extract/batch",
        "/api/v1/extract/stream",
        "/api/v1/patient",
        jobs::ROUTE,
        "/health",
        "/health/live",
        "/health/ready",
        "/health/vllm",
        "/metrics",
        "/api/v1/models",
        "/api/v1/schema",
        "/openapi.json",
        "/docs",
        "/ui",
        "/",
    ];
    const PREFIXES: [(&str, Route); 2] = [("/docs/", "/docs/{*rest}"), ("/ui/", "/ui/{file}")];
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
    // Built at the first request for it, because most services never get one and it would delay their start.
    let openapi = Arc::new(LazyLock::new(move || Bytes::from(document(&settings).to_string())));
    let (router, _) = routes().split_for_parts();
    let swagger = utoipa_swagger_ui::SwaggerUi::new("/docs")
        .config(utoipa_swagger_ui::Config::from("/openapi.json").validator_url("none"));
    let router = router
        .route("/openapi.json", get(async move || ([(CONTENT_TYPE, "application/json")], Bytes::clone(&openapi))))
        .merge(Router::from(swagger))
        .merge(ui::routes());
    layers::wrap(with_fallbacks(router, &app), app, ListenerKind::Public, origins)
}

/// Starts what runs without a request: the jobs that were not finished when the gateway ended.
pub fn start_jobs(app: &App) {
    jobs::resume(app);
}

/// Returns the service of `metrics.listen`: metrics and health, without keys.
pub fn metrics_router(app: App) -> Router {
    let router = Router::new()
        .route("/metrics", get(service::metrics))
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
