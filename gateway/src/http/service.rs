//! The routes about the service itself: health, models, schema.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Request, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use super::{AccessControl, Extractor, ServiceState, ui};
use crate::{
    ask::Asker,
    dictation::Dictation,
    extraction::{EngineName, ModelName, Record},
    readiness::{Readiness, Reason},
    telemetry,
};

/// The state of the service.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({"status": "healthy", "vllm_available": true, "version": "0.1.0", "engine": "vllm"}))]
pub(super) struct Health {
    /// `healthy`, `starting`, `degraded` or `draining`.
    #[schema(example = "healthy")]
    status: &'static str,
    /// Whether a model server is ready; false with the rules engine.
    #[schema(example = false)]
    vllm_available: bool,
    /// The version of the gateway.
    #[schema(example = "0.1.0")]
    version: &'static str,
    /// The engine that reads notes.
    engine: EngineName,
    /// What an operator should know: `auth_off` (every client that reaches the port may call), `audit_failing`
    /// (no audit records are written).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(example = json!(["auth_off"]))]
    notices: Vec<&'static str>,
    /// The resident memory of this process; only with `verbose=1`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    rss_bytes: Option<u64>,
    /// Seconds since the last note was read, or since the start; 0 while a note is being read; only with `verbose=1`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    idle_seconds: Option<u64>,
    /// The model servers and their states; only with `verbose=1`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    replicas: Option<Vec<ReplicaHealth>>,
    /// Calls to the engine that are running; only with `verbose=1`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    in_flight: Option<usize>,
    /// Calls to the engine that are waiting; only with `verbose=1`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    queued: Option<usize>,
    /// Seconds since the start; only with `verbose=1`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    uptime_seconds: Option<u64>,
}

/// One model server. Its name is its position in the settings, never its address.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Replica)]
pub(super) struct ReplicaHealth {
    /// Its position in `vllm.url`; for a host name with several addresses, also the position of the address.
    #[schema(example = "vllm-1")]
    name: String,
    /// `ready`, `loading`, `model_missing`, `untrusted` (its certificate is not accepted) or `unreachable`.
    #[schema(example = "ready")]
    state: &'static str,
}

fn replicas(readiness: &Readiness) -> Vec<ReplicaHealth> {
    readiness.report().into_iter().map(|replica| ReplicaHealth { name: replica.name, state: replica.state }).collect()
}

/// Options of `GET /health`.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "only for the document: a health check must not fail because of its query")]
pub(super) struct HealthQuery {
    /// `1` for more details.
    #[param(value_type = Option<String>, nullable = false, example = "1")]
    verbose: String,
}

/// Returns whether a query asks for the verbose form. Other parameters are ignored.
pub(super) fn is_verbose(query: Option<&str>) -> bool {
    let pairs = url::form_urlencoded::parse(query.unwrap_or_default().as_bytes());
    pairs.into_iter().any(|(name, value)| name == "verbose" && matches!(&*value, "1" | "true" | ""))
}

/// Returns the state of the service; 200 while the process is alive.
#[utoipa::path(get, path = "/health", tag = "service", operation_id = "getHealth", params(HealthQuery),
    responses((status = 200, description = "State of the service", body = Health)))]
pub(super) async fn health(
    State(extractor): State<Arc<Extractor>>,
    State(state): State<Arc<ServiceState>>,
    State(access): State<Arc<AccessControl>>,
    request: Request,
) -> Json<Health> {
    let verbose = is_verbose(request.uri().query());
    let counts = extractor.pipeline.admission().counts();
    let audit_failing = state.audit.as_ref().is_some_and(|audit| audit.state().failing);
    let notices = [(access.open_to_all, "auth_off"), (audit_failing, "audit_failing")];
    let status = state.readiness.status();
    Json(Health {
        status: if audit_failing && status == "healthy" { "degraded" } else { status },
        vllm_available: extractor.pipeline.engine() == EngineName::Vllm && state.readiness.reason().is_none(),
        version: env!("CARGO_PKG_VERSION"),
        engine: extractor.pipeline.engine(),
        notices: notices.into_iter().filter_map(|(is_on, notice)| is_on.then_some(notice)).collect(),
        rss_bytes: if verbose { telemetry::rss_bytes() } else { None },
        idle_seconds: verbose.then(|| state.readiness.idle().as_secs()),
        replicas: verbose.then(|| replicas(&state.readiness)),
        in_flight: verbose.then_some(counts.in_flight),
        queued: verbose.then_some(counts.queued),
        uptime_seconds: verbose.then(|| state.readiness.uptime().as_secs()),
    })
}

/// Whether the service can read notes.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({"ready": true, "reason": null}))]
pub(super) struct Ready {
    /// Whether the service can read notes now.
    #[schema(example = true)]
    ready: bool,
    /// Why it cannot: `loading`, `model_missing`, `unreachable` or `draining`; null if it is ready.
    #[schema(required = true, value_type = Option<String>, example = json!(null))]
    reason: Option<Reason>,
}

fn ready_now(readiness: &Readiness) -> Ready {
    let reason = readiness.reason();
    Ready { ready: reason.is_none(), reason }
}

/// The process is alive.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({"live": true}))]
pub(super) struct Live {
    /// Always true: a process that is not alive sends no answer.
    live: bool,
}

/// Returns 200 while the process is alive.
#[utoipa::path(get, path = "/health/live", tag = "service", operation_id = "getLiveness",
    responses((status = 200, description = "The process is alive", body = Live)))]
pub(super) async fn live() -> Json<Live> {
    Json(Live { live: true })
}

/// Returns 200 if the service can read notes, else 503 with the reason.
#[utoipa::path(get, path = "/health/ready", tag = "service", operation_id = "getReadiness",
    responses((status = 200, description = "Ready", body = Ready), (status = 503, description = "Not ready", body = Ready)))]
pub(super) async fn ready(State(state): State<Arc<ServiceState>>) -> Response {
    let ready = ready_now(&state.readiness);
    let status = if ready.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(ready)).into_response()
}

/// The state of all model servers together.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({"configured": true, "ready": true, "reason": null, "max_model_len": 8192}))]
pub(super) struct Upstream {
    /// Whether the settings name a model server.
    configured: bool,
    /// Whether at least one model server can read notes now.
    ready: bool,
    /// Why it cannot: `loading`, `model_missing`, `unreachable` or `draining`; null if it is ready.
    #[schema(required = true, value_type = Option<String>)]
    reason: Option<Reason>,
    /// The context length of the model in tokens; null until it is known.
    #[schema(required = true)]
    max_model_len: Option<u32>,
}

/// Returns the state of the model servers, without their addresses.
#[utoipa::path(get, path = "/health/vllm", tag = "service", operation_id = "getModelServers",
    responses((status = 200, description = "State of the model servers", body = Upstream)))]
pub(super) async fn vllm(
    State(extractor): State<Arc<Extractor>>,
    State(state): State<Arc<ServiceState>>,
) -> Json<Upstream> {
    let configured = extractor.pipeline.engine() == EngineName::Vllm;
    let Ready { ready, reason } = ready_now(&state.readiness);
    Json(Upstream { configured, ready: configured && ready, reason, max_model_len: state.readiness.max_model_len() })
}

/// The engine and its models.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({"engine": "rules", "default": "medical-ie", "models": ["medical-ie"],
    "ask": {"record": "rules", "model": null}, "transcribe": {"model": "whisper-1", "language": "en"}}))]
pub(super) struct ModelList {
    /// The engine that reads notes.
    engine: EngineName,
    /// The model for requests that name none.
    #[schema(value_type = String)]
    default: ModelName,
    /// The models that a request may name, the default first.
    #[schema(value_type = Vec<String>)]
    models: Vec<ModelName>,
    /// What answers questions at `POST /api/v1/ask`.
    ask: AskModels,
    /// What transcribes recordings at `POST /api/v1/transcribe`; null if `transcribe.url` is not set.
    #[schema(required = true, value_type = Option<TranscribeModel>)]
    transcribe: Option<TranscribeModel>,
}

/// What transcribes recordings.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct TranscribeModel {
    /// The model.
    #[schema(example = "whisper-1")]
    model: String,
    /// The language that is spoken.
    #[schema(example = "en")]
    language: String,
}

/// What answers questions about a note.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AskModels {
    /// The engine that reads the record for questions about its seven fields.
    record: EngineName,
    /// The model for other questions; null if `ask.url` is not set, so that they get no answer.
    #[schema(required = true, value_type = Option<String>, example = json!(null))]
    model: Option<ModelName>,
}

/// Returns the models that a request may name, the default first.
#[utoipa::path(get, path = "/api/v1/models", tag = "extraction", operation_id = "listModels",
    responses((status = 200, description = "Engines and models", body = ModelList)))]
pub(super) async fn models(
    State(extractor): State<Arc<Extractor>>,
    State(asker): State<Arc<Asker>>,
    State(dictation): State<Option<Arc<Dictation>>>,
) -> Json<ModelList> {
    let models = extractor.policy.models.clone();
    let default = models.first().cloned().unwrap_or_else(|| ModelName::from(""));
    let ask = AskModels { record: EngineName::Rules, model: asker.model().cloned() };
    let transcribe = dictation.as_ref().map(|dictation| TranscribeModel {
        model: dictation.model().to_owned(),
        language: dictation.language().to_owned(),
    });
    Json(ModelList { engine: extractor.pipeline.engine(), default, models, ask, transcribe })
}

/// Returns the JSON Schema of the record.
#[utoipa::path(get, path = "/api/v1/schema", tag = "extraction", operation_id = "getRecordSchema",
    responses((status = 200, description = "JSON Schema 2020-12", body = std::collections::BTreeMap<String, Value>,
        example = json!({"type": "object"}))))]
pub(super) async fn schema() -> Json<Value> {
    Json(Record::json_schema())
}

/// The service and its addresses.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({"service": "extraction-gateway", "version": "0.1.0", "engine": "rules", "ui": "/ui", "docs": "/docs",
    "openapi": "/openapi.json", "extract": "/api/v1/extract"}))]
pub(super) struct About {
    /// Always `extraction-gateway`.
    service: &'static str,
    /// The version of the gateway.
    version: &'static str,
    /// The engine that reads notes.
    engine: EngineName,
    /// The path of the page for people.
    ui: &'static str,
    /// The path of the documentation.
    docs: &'static str,
    /// The path of the OpenAPI document.
    openapi: &'static str,
    /// The path that reads a note.
    extract: &'static str,
}

/// Describes the service and its addresses. Redirects browsers, which ask for HTML, to the page `/ui`.
#[utoipa::path(get, path = "/", tag = "service", operation_id = "getService",
    responses((status = 200, description = "Service information", body = About),
        (status = 303, description = "The page is at `/ui`; the same information", body = About)))]
pub(super) async fn root(State(extractor): State<Arc<Extractor>>, headers: HeaderMap) -> Response {
    let about = Json(About {
        service: "extraction-gateway",
        version: env!("CARGO_PKG_VERSION"),
        engine: extractor.pipeline.engine(),
        ui: "/ui",
        docs: "/docs",
        openapi: "/openapi.json",
        extract: "/api/v1/extract",
    });
    let vary = [(header::VARY, "Accept")];
    if ui::prefers_page(&headers) {
        // Relative, because a proxy may serve this service under a path prefix.
        return (StatusCode::SEE_OTHER, vary, [(header::LOCATION, "ui")], about).into_response();
    }
    (vary, about).into_response()
}
