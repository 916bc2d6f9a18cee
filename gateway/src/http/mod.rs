//! The HTTP edge: one list of routes, one ordered list of layers.

mod access;
pub mod cors;
pub mod error;
mod extract;
mod layers;
mod openapi;
pub mod request;
mod service;

use std::{sync::Arc, time::Duration};

use axum::{Extension, Router, response::IntoResponse, routing::get};
use utoipa_axum::{router::OpenApiRouter, routes};

pub use openapi::document;

use self::{
    cors::OriginPattern,
    error::{ErrorCode, Problem},
    request::Rules,
};
use crate::{access::Keys, extraction::Pipeline, readiness::Readiness, telemetry::Metrics};

/// What the routes work with.
#[derive(Clone, Debug)]
pub struct App {
    /// Reads notes.
    pub pipeline: Pipeline,
    /// Whether notes can be read now.
    pub readiness: Arc<Readiness>,
    /// Counts.
    pub metrics: Arc<Metrics>,
    /// What requests are checked against.
    pub rules: Arc<Rules>,
    /// Time from arrival to answer.
    pub deadline: Duration,
    /// Who may call; everybody where there are no keys.
    pub keys: Option<Arc<Keys>>,
}

/// The id of one request.
#[derive(Clone, Debug)]
struct RequestId(Arc<str>);

/// The list of routes.
fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(extract::extract))
        .routes(routes!(service::models))
        .routes(routes!(service::schema))
        .routes(routes!(service::health))
        .routes(routes!(service::live))
        .routes(routes!(service::ready))
        .routes(routes!(service::vllm))
        .routes(routes!(service::metrics))
        .routes(routes!(service::root))
}

/// The whole service: routes, documentation, layers.
pub fn router(app: App, origins: Vec<OriginPattern>) -> Router {
    let document = Arc::new(document(&app.rules.models, app.keys.is_some()));
    let (router, _) = routes().split_for_parts();
    let swagger = utoipa_swagger_ui::SwaggerUi::new("/docs")
        .config(utoipa_swagger_ui::Config::from("/openapi.json").validator_url("none"));
    let body_limit = usize::try_from(app.rules.limits.body_bytes.as_u64()).unwrap_or(usize::MAX);
    let router = router
        .route("/openapi.json", get(async move || axum::Json(Arc::clone(&document)).into_response()))
        .merge(Router::from(swagger))
        .fallback(async |Extension(id): Extension<RequestId>| Problem::new(ErrorCode::NotFound, &id.0))
        .method_not_allowed_fallback(async |Extension(id): Extension<RequestId>| {
            Problem::new(ErrorCode::MethodNotAllowed, &id.0)
        })
        .with_state(app.clone());
    layers::wrap(router, app, origins, body_limit)
}
