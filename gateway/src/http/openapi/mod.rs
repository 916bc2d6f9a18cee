//! Builds the OpenAPI 3.1 document: the descriptions at the routes, with every error status of every route, and its
//! rendition as OpenAPI 3.0.

mod events;
mod examples;
mod headers;
mod v3_0;

use serde_json::Value;
use utoipa::{
    OpenApi,
    openapi::{
        ContentBuilder, Ref, RefOr, ResponseBuilder, SecurityRequirement, Server,
        extensions::Extensions,
        path::{Operation, PathItem},
        security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme},
    },
};

use super::{
    access,
    batch::NoteOutcome,
    error::{ErrorCode, NestedProblem, Problem},
    route, routes,
};
use crate::extraction::{Field, ModelName, Record};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Extraction gateway",
        description = "Seven structured oncology fields from a free-text note, each with its evidence. For research \
                       and registry support with human review; not a medical device, not for diagnosis.",
        contact(name = "The operator of this service"),
        license(name = "MIT", identifier = "MIT"),
    ),
    tags(
        (name = "extraction", description = "Read notes"),
        (name = "questions", description = "Ask about a note"),
        (name = "jobs", description = "Read many notes without a connection"),
        (name = "service", description = "State of the service"),
    ),
    components(schemas(Problem, Record, NoteOutcome, Field, NestedProblem)),
)]
struct OpenApiBase;

/// The settings of this service that the document contains.
#[derive(Clone, Debug)]
pub struct DocumentSettings {
    /// The models that may be named, the default first.
    pub models: Vec<ModelName>,
    /// Longest note, in code points.
    pub max_note_chars: usize,
    /// Most notes of a batch in one JSON body.
    pub batch_notes: usize,
    /// Whether the service has keys. If so, the document says which routes need one.
    pub guarded: bool,
}

impl Default for DocumentSettings {
    fn default() -> Self {
        let crate::config::Limits { max_note_chars, batch_notes, .. } = crate::config::Limits::default();
        Self { models: vec![ModelName::from("medical-ie")], max_note_chars, batch_notes, guarded: false }
    }
}

/// Returns the document for `/openapi.json`, `/docs` and `gateway openapi`.
#[must_use]
pub fn document(settings: &DocumentSettings) -> Value {
    let mut document = without_examples(settings);
    if let Some(paths) = document.pointer_mut("/paths").and_then(Value::as_object_mut) {
        examples::add(paths);
    }
    document
}

/// Returns the document without the examples of answers.
fn without_examples(settings: &DocumentSettings) -> Value {
    let mut document = serde_json::to_value(build(settings.guarded)).unwrap_or_default();
    let mut set = |schema: &str, key: &str, value: Value| {
        let property = document.pointer_mut(&format!("/components/schemas/{schema}")).and_then(Value::as_object_mut);
        if let Some(property) = property {
            property.insert(key.to_owned(), value);
        }
    };
    // The models of this server are an example and not a list of the valid values: a client may be made on another
    // server.
    let default = settings.models.first().map_or(Value::Null, |name| Value::from(&**name));
    for request in ["ExtractRequest", "BatchRequest"] {
        set(&format!("{request}/properties/model"), "example", default.clone());
    }
    for text in ["ExtractRequest/properties/text", "BatchNote/properties/text", "AskRequest/properties/text"] {
        set(text, "maxLength", Value::from(settings.max_note_chars));
    }
    set("BatchRequest/properties/notes", "maxItems", Value::from(settings.batch_notes));
    events::add(&mut document);
    document
}

/// Returns the document as OpenAPI 3.0, for `/openapi-3.0.json` and `gateway openapi --spec 3.0`.
#[must_use]
pub fn document_3_0(settings: &DocumentSettings) -> Value {
    // Validators of 3.0 reject a null in an example of a schema with a reference, so it has none of the examples of answers.
    v3_0::converted(&without_examples(settings))
}

fn build(guarded: bool) -> utoipa::openapi::OpenApi {
    let (_, mut document) = utoipa_axum::router::OpenApiRouter::<super::App>::with_openapi(OpenApiBase::openapi())
        .merge(routes())
        .split_for_parts();
    for (path, item) in &mut document.paths.paths {
        for operation in operations(item) {
            for &code in errors_of(path).iter().chain(&ERRORS_OF_ALL) {
                add_error(operation, code);
            }
            if !guarded {
                add_error(operation, ErrorCode::HostNotAllowed);
            }
            let needs_key = guarded && !access::is_open_path(path);
            if needs_key && path != "/metrics" {
                add_error(operation, ErrorCode::Unauthorized);
            }
            if needs_key {
                add_error(operation, ErrorCode::InsufficientScope);
            }
            // Every operation states its security, also if it needs none, so that no generator has to guess.
            let schemes = ["bearer", "api_key"].map(|scheme| SecurityRequirement::new(scheme, [""; 0]));
            operation.security = Some(if needs_key { schemes.to_vec() } else { Vec::new() });
            // Not a role of the requirement: only 3.1 allows it there, and linters interpret it as a scope of OAuth.
            if let Some(scope) = route(path).and_then(access::needed_scope).filter(|_| needs_key) {
                operation.extensions = Some(Extensions::from_iter([("x-scope", scope.name())]));
            }
            if operation.description.is_none() {
                operation.description.clone_from(&operation.summary);
            }
            for (status, response) in &mut operation.responses.responses {
                if let RefOr::T(response) = response {
                    headers::add(response, path, status);
                }
            }
        }
    }
    // Relative to the address of the document, because a proxy may serve this service under a path prefix.
    document.servers = Some(vec![Server::new(".")]);
    if guarded && let Some(components) = &mut document.components {
        let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build();
        components.add_security_scheme("bearer", SecurityScheme::Http(bearer));
        let header = ApiKeyValue::new("X-API-Key");
        components.add_security_scheme("api_key", SecurityScheme::ApiKey(ApiKey::Header(header)));
    }
    document
}

/// The error codes that every route can answer.
pub(super) const ERRORS_OF_ALL: [ErrorCode; 2] = [ErrorCode::InvalidHost, ErrorCode::HeadTooLarge];

/// Returns the error codes that a route can answer, in addition to those of every route.
pub(super) fn errors_of(path: &str) -> &'static [ErrorCode] {
    const EXTRACT: &[ErrorCode] = &[
        ErrorCode::InvalidJson,
        ErrorCode::BodyTooLarge,
        ErrorCode::UnsupportedMediaType,
        ErrorCode::InvalidRequest,
        ErrorCode::RateLimited,
        ErrorCode::BudgetExhausted,
        ErrorCode::Internal,
        ErrorCode::UpstreamRejected,
        ErrorCode::UpstreamFailed,
        ErrorCode::OutputUnusable,
        ErrorCode::OutputTruncated,
        ErrorCode::UpstreamUnavailable,
        ErrorCode::ModelLoading,
        ErrorCode::Overloaded,
        ErrorCode::Draining,
        ErrorCode::DeadlineExceeded,
    ];
    const BATCH: &[ErrorCode] = &[
        ErrorCode::InvalidJson,
        ErrorCode::BodyTooLarge,
        ErrorCode::UnsupportedMediaType,
        ErrorCode::InvalidRequest,
        ErrorCode::RateLimited,
        ErrorCode::Internal,
        ErrorCode::Overloaded,
        ErrorCode::Draining,
        ErrorCode::DeadlineExceeded,
    ];
    const JOB: &[ErrorCode] =
        &[ErrorCode::JobsOff, ErrorCode::NotFound, ErrorCode::InvalidRequest, ErrorCode::Internal];
    const JOBS: &[ErrorCode] = &[
        ErrorCode::JobsOff,
        ErrorCode::InvalidJson,
        ErrorCode::BodyTooLarge,
        ErrorCode::UnsupportedMediaType,
        ErrorCode::InvalidRequest,
        ErrorCode::Internal,
        ErrorCode::Overloaded,
        ErrorCode::Draining,
        ErrorCode::DeadlineExceeded,
    ];
    const TRANSCRIBE: &[ErrorCode] = &[
        ErrorCode::TranscribeOff,
        ErrorCode::BodyTooLarge,
        ErrorCode::UnsupportedMediaType,
        ErrorCode::InvalidRequest,
        ErrorCode::NoSpeech,
        ErrorCode::RateLimited,
        ErrorCode::BudgetExhausted,
        ErrorCode::Internal,
        ErrorCode::UpstreamRejected,
        ErrorCode::UpstreamFailed,
        ErrorCode::UpstreamUnavailable,
        ErrorCode::Overloaded,
        ErrorCode::Draining,
        ErrorCode::DeadlineExceeded,
    ];
    const SCAN: &[ErrorCode] = &[
        ErrorCode::ScanOff,
        ErrorCode::BodyTooLarge,
        ErrorCode::UnsupportedMediaType,
        ErrorCode::InvalidRequest,
        ErrorCode::NoText,
        ErrorCode::RateLimited,
        ErrorCode::Internal,
        ErrorCode::UpstreamRejected,
        ErrorCode::UpstreamFailed,
        ErrorCode::UpstreamUnavailable,
        ErrorCode::Overloaded,
        ErrorCode::Draining,
        ErrorCode::DeadlineExceeded,
    ];
    match path {
        "/api/v1/scan" => SCAN,
        "/api/v1/transcribe" => TRANSCRIBE,
        "/api/v1/jobs" => JOBS,
        "/api/v1/jobs/{id}" | "/api/v1/jobs/{id}/results" => JOB,
        "/api/v1/extract/batch" | "/api/v1/extract/lines" | "/api/v1/patient" => BATCH,
        "/api/v1/extract" | "/api/v1/extract/stream" | "/api/v1/ask" | "/api/v1/ask/stream" => EXTRACT,
        "/api/v1/usage" => &[ErrorCode::UsageOff, ErrorCode::InvalidRequest, ErrorCode::Internal],
        "/metrics" => &[ErrorCode::Unauthorized, ErrorCode::Internal],
        "/api/v1/models" | "/api/v1/schema" => &[ErrorCode::InvalidRequest, ErrorCode::Internal],
        _ => &[ErrorCode::Internal],
    }
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [item.get.as_mut(), item.post.as_mut(), item.delete.as_mut()].into_iter().flatten()
}

/// Adds an error code to the responses of an operation. Codes with the same status share a response.
fn add_error(operation: &mut Operation, code: ErrorCode) {
    let (name, status, title, _) = code.row();
    let status = status.to_string();
    let other_codes = match operation.responses.responses.get(&status) {
        Some(RefOr::T(response)) => format!("{}; ", response.description),
        _ => String::new(),
    };
    let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
    let response = ResponseBuilder::new()
        .description(format!("{other_codes}{title} (`{name}`)"))
        .content("application/problem+json", content)
        .build();
    operation.responses.responses.insert(status, RefOr::T(response));
}
