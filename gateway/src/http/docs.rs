//! Serves Swagger UI at `/docs/`, from files in this program.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use axum::{
    Extension, Router,
    body::{Body, Bytes},
    extract::{Path, Request},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use utoipa_swagger_ui::Config;

use super::{App, assets::Asset, context::RequestContext, encoding::Encoding, error::ErrorCode};

/// Swagger UI, with its configuration and the files that were asked for.
struct SwaggerUi {
    config: Arc<Config<'static>>,
    files: Mutex<HashMap<String, Arc<File>>>,
}

/// A file and its gzip form. The largest has 1.5 MB, so it is compressed once and not for each request.
struct File {
    plain: Asset,
    gzip: Bytes,
}

impl SwaggerUi {
    fn new() -> Self {
        // Relative, because a proxy may serve this service under a path prefix.
        let config = Config::from("../openapi.json").validator_url("none");
        Self { config: Arc::new(config), files: Mutex::default() }
    }

    /// Returns a file; none if Swagger UI has none of this name.
    async fn file(&self, name: &str) -> Option<Arc<File>> {
        let known = self.files.lock().unwrap_or_else(PoisonError::into_inner).get(name).cloned();
        if known.is_some() {
            return known;
        }
        let file = utoipa_swagger_ui::serve(name, Arc::clone(&self.config)).ok().flatten()?;
        let plain = Asset::new(&file.content_type, Bytes::from(file.bytes.into_owned()))?;
        let gzip = Bytes::from(Encoding::Gzip.compress(plain.content()).await.ok()?);
        let file = Arc::new(File { plain, gzip });
        self.files.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), Arc::clone(&file));
        Some(file)
    }
}

pub(super) fn routes() -> Router<App> {
    let redirect = async || (StatusCode::SEE_OTHER, [(header::LOCATION, "docs/")]);
    Router::new()
        .route("/docs", get(redirect))
        .route("/docs/", get(file))
        .route("/docs/{*rest}", get(file))
        .layer(Extension(Arc::new(SwaggerUi::new())))
}

async fn file(
    name: Option<Path<String>>,
    Extension(swagger): Extension<Arc<SwaggerUi>>,
    Extension(context): Extension<RequestContext>,
    request: Request,
) -> Response {
    let name = name.map_or_else(|| "index.html".to_owned(), |Path(name)| name);
    let Some(file) = swagger.file(&name).await else {
        return ErrorCode::NotFound.problem(&context.id).into_response();
    };
    let accepts_gzip = Encoding::Gzip.is_accepted(request.headers());
    let mut response = file.plain.answer(request.headers());
    if accepts_gzip && response.status() == StatusCode::OK && file.gzip.len() < file.plain.content().len() {
        response.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        *response.body_mut() = Body::from(Bytes::clone(&file.gzip));
    }
    response.headers_mut().insert(header::VARY, HeaderValue::from_static("Accept-Encoding"));
    response
}
