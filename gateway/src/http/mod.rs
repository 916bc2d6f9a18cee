//! The HTTP edge: one list of routes, one ordered list of layers.

mod access;
mod audit_record;
mod batch;
mod body;
mod cache;
mod context;
pub mod cors;
pub mod error;
mod extract;
pub mod host;
mod layers;
mod limits;
mod note;
mod openapi;
mod pace;
pub mod request;
mod service;
mod stream;
mod ui;

use std::{
    sync::{Arc, LazyLock},
    time::Duration,
};

use axum::{Extension, Router, body::Bytes, http::header::CONTENT_TYPE, routing::get};
use ipnet::IpNet;
use tokio::sync::Semaphore;
use utoipa_axum::{router::OpenApiRouter, routes};

use self::{access::ListenerKind, context::RequestContext, error::ErrorCode, request::Rules};
pub use self::{
    cache::ResponseCache,
    openapi::{Documented, document},
};
use crate::{
    access::Keys,
    audit::Audit,
    config::{HostName, OriginPattern},
    extraction::Pipeline,
    in_flight::InFlightTracker,
    memory::Memory,
    rates::Rates,
    readiness::Readiness,
    telemetry::{Metrics, Route},
};

/// What the routes work with.
#[derive(Debug)]
pub struct App {
    /// Reads notes.
    pub pipeline: Pipeline,
    /// Whether notes can be read now.
    pub readiness: Arc<Readiness>,
    /// Counts.
    pub metrics: Arc<Metrics>,
    /// What requests are checked against.
    pub rules: Rules,
    /// Longest time from arrival to answer.
    pub deadline: Duration,
    /// Largest body of one note, in bytes.
    pub body_limit: usize,
    /// Largest batch, in bytes.
    pub batch_limit: usize,
    /// Longest time from the first note of a batch to the last that is taken.
    pub batch_time: Duration,
    /// What requests may take together.
    pub memory: Memory,
    /// Notes of one batch that are under way at once.
    pub batch_width: usize,
    /// The cores that batches may use where notes are read by the rules; the others are for single notes.
    pub batch_cores: Semaphore,
    /// The batches that may have notes under way at once.
    pub batches: Arc<Semaphore>,
    /// Who may call; everybody where there are no keys.
    pub keys: Option<Arc<Keys>>,
    /// Whether everybody may call who reaches an address beyond this machine: said in `/health`.
    pub open_to_all: bool,
    /// How much may be asked in how much time.
    pub rates: Rates,
    /// Hosts that requests may name where there are no keys, beside addresses and names without dots.
    pub allowed_hosts: Vec<HostName>,
    /// Proxies whose word on the caller's address counts.
    pub trusted_proxies: Vec<IpNet>,
    /// Answers that are given again.
    pub response_cache: Option<ResponseCache>,
    /// Who asked what when.
    pub audit: Option<Audit>,
    /// The extractions under way.
    pub in_flight: InFlightTracker,
}

impl App {
    /// Largest batch in one JSON body: it is in memory as a whole.
    fn list_limit(&self) -> usize {
        self.batch_limit.min(self.memory.largest_body())
    }
}

/// The list of routes.
fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(extract::extract))
        .routes(routes!(batch::batch))
        .routes(routes!(stream::stream))
        .routes(routes!(service::models))
        .routes(routes!(service::schema))
        .routes(routes!(service::health))
        .routes(routes!(service::live))
        .routes(routes!(service::ready))
        .routes(routes!(service::vllm))
        .routes(routes!(service::metrics))
        .routes(routes!(service::root))
}

/// The template of a path as metrics and log name it; nothing for a path that is none of ours.
fn route(path: &str) -> Option<Route> {
    const PLAIN: [Route; 14] = [
        "/api/v1/extract",
        "/api/v1/extract/batch",
        "/api/v1/extract/stream",
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
    const BELOW: [(&str, Route); 2] = [("/docs/", "/docs/{*rest}"), ("/ui/", "/ui/{file}")];
    let below = || BELOW.into_iter().find(|(start, _)| path.starts_with(start)).map(|(_, route)| route);
    PLAIN.into_iter().find(|known| *known == path).or_else(below)
}

/// The whole service: routes, documentation, layers.
pub fn router(app: Arc<App>, origins: Vec<OriginPattern>) -> Router {
    let documented = Documented {
        models: app.rules.models.clone(),
        max_note_chars: app.rules.limits.max_note_chars,
        batch_notes: app.rules.limits.batch_notes,
        guarded: app.keys.is_some(),
    };
    // Written when it is first asked for: most services never are, and it would be in the way of their start.
    let written = Arc::new(LazyLock::new(move || Bytes::from(document(&documented).to_string())));
    let (router, _) = routes().split_for_parts();
    let swagger = utoipa_swagger_ui::SwaggerUi::new("/docs")
        .config(utoipa_swagger_ui::Config::from("/openapi.json").validator_url("none"));
    let router = router
        .route("/openapi.json", get(async move || ([(CONTENT_TYPE, "application/json")], Bytes::clone(&written))))
        .merge(Router::from(swagger))
        .merge(ui::routes());
    layers::wrap(with_fallbacks(router, &app), app, ListenerKind::Public, origins)
}

/// What `metrics.listen` serves: metrics and health, without keys.
pub fn metrics_router(app: Arc<App>) -> Router {
    let router = Router::new()
        .route("/metrics", get(service::metrics))
        .route("/health", get(service::health))
        .route("/health/live", get(service::live))
        .route("/health/ready", get(service::ready));
    layers::wrap(with_fallbacks(router, &app), app, ListenerKind::Metrics, Vec::new())
}

fn with_fallbacks(router: Router<Arc<App>>, app: &Arc<App>) -> Router {
    router
        .fallback(async |Extension(context): Extension<RequestContext>| ErrorCode::NotFound.problem(&context.id))
        .method_not_allowed_fallback(async |Extension(context): Extension<RequestContext>| {
            ErrorCode::MethodNotAllowed.problem(&context.id)
        })
        .with_state(Arc::clone(app))
}
