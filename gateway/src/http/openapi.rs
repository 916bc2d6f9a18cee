//! Builds the OpenAPI 3.1 document: the descriptions at the routes, with every error status of every route.

use serde_json::Value;
use utoipa::{
    OpenApi,
    openapi::{
        ContentBuilder, Ref, RefOr, ResponseBuilder, SecurityRequirement,
        path::{Operation, PathItem},
        security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme},
    },
};

use super::{
    access,
    batch::NoteOutcome,
    error::{ErrorCode, Problem},
    routes,
    stream::FieldEvent,
};
use crate::extraction::{ModelName, Record};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Extraction gateway",
        description = "Seven structured oncology fields from a free-text note, each with its evidence. For research \
                       and registry support with human review; not a medical device, not for diagnosis.",
        license(name = "MIT", identifier = "MIT"),
    ),
    tags(
        (name = "extraction", description = "Read notes"),
        (name = "jobs", description = "Read many notes without a connection"),
        (name = "service", description = "State of the service"),
    ),
    components(schemas(Problem, Record, NoteOutcome, FieldEvent)),
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
    let mut document = serde_json::to_value(build(settings.guarded)).unwrap_or_default();
    let mut set = |schema: &str, key: &str, value: Value| {
        let property = document.pointer_mut(&format!("/components/schemas/{schema}")).and_then(Value::as_object_mut);
        if let Some(property) = property {
            property.insert(key.to_owned(), value);
        }
    };
    let names: Value = settings.models.iter().map(|name| Value::from(&**name)).chain([Value::Null]).collect();
    let default = settings.models.first().map_or(Value::Null, |name| Value::from(&**name));
    for request in ["ExtractRequest", "BatchRequest"] {
        set(&format!("{request}/properties/model"), "enum", names.clone());
        set(&format!("{request}/properties/model"), "example", default.clone());
    }
    for text in ["ExtractRequest/properties/text", "BatchNote/properties/text"] {
        set(text, "maxLength", Value::from(settings.max_note_chars));
    }
    set("BatchRequest/properties/notes", "maxItems", Value::from(settings.batch_notes));
    for path in ["~1api~1v1~1extract~1batch", "~1api~1v1~1patient", "~1api~1v1~1jobs"] {
        let parameters = document.pointer_mut(&format!("/paths/{path}/post/parameters"));
        for parameter in parameters.and_then(Value::as_array_mut).into_iter().flatten() {
            if parameter.get("name").is_some_and(|name| name == "model")
                && let Some(schema) = parameter.get_mut("schema").and_then(Value::as_object_mut)
            {
                schema.insert("enum".to_owned(), settings.models.iter().map(|name| Value::from(&**name)).collect());
            }
        }
    }
    document
}

fn build(guarded: bool) -> utoipa::openapi::OpenApi {
    let (_, mut document) = utoipa_axum::router::OpenApiRouter::<super::App>::with_openapi(OpenApiBase::openapi())
        .merge(routes())
        .split_for_parts();
    for (path, item) in &mut document.paths.paths {
        for operation in operations(item) {
            for &code in errors_of(path).iter().chain(&[ErrorCode::InvalidHost, ErrorCode::HeadTooLarge]) {
                add_error(operation, code);
            }
            if !guarded {
                add_error(operation, ErrorCode::HostNotAllowed);
            }
            if guarded && !access::is_open_path(path) {
                if path != "/metrics" {
                    add_error(operation, ErrorCode::Unauthorized);
                }
                let none: [String; 0] = [];
                operation.security = Some(vec![
                    SecurityRequirement::new("bearer", none.clone()),
                    SecurityRequirement::new("api_key", none),
                ]);
            }
        }
    }
    if guarded && let Some(components) = &mut document.components {
        let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build();
        components.add_security_scheme("bearer", SecurityScheme::Http(bearer));
        let header = ApiKeyValue::new("X-API-Key");
        components.add_security_scheme("api_key", SecurityScheme::ApiKey(ApiKey::Header(header)));
    }
    document
}

/// Returns the error codes that a route can answer, in addition to those of every route.
fn errors_of(path: &str) -> &'static [ErrorCode] {
    const EXTRACT: &[ErrorCode] = &[
        ErrorCode::InvalidJson,
        ErrorCode::BodyTooLarge,
        ErrorCode::UnsupportedMediaType,
        ErrorCode::InvalidRequest,
        ErrorCode::RateLimited,
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
    match path {
        "/api/v1/jobs" => JOBS,
        "/api/v1/jobs/{id}" | "/api/v1/jobs/{id}/results" => JOB,
        "/api/v1/extract/batch" | "/api/v1/patient" => BATCH,
        "/api/v1/extract" | "/api/v1/extract/stream" => EXTRACT,
        "/metrics" => &[ErrorCode::Unauthorized, ErrorCode::Internal],
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
