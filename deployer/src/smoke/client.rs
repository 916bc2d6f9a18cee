//! Sends one request and returns the answer. Its error texts contain no address and no key.

use std::{
    error::Error,
    time::{Duration, Instant},
};

use reqwest::{Method, RequestBuilder, StatusCode, header, redirect::Policy};
use serde_json::Value;

use super::SmokeTarget;
use crate::failure::Failure;

/// The time limit of a request. The service answers within 55 s, even if only with an error.
const TIMEOUT: Duration = Duration::from_secs(65);
/// The largest answer that is read, in bytes: far more than the answer to the note.
const LONGEST_ANSWER: usize = 1 << 20;

pub(super) struct Client {
    http: reqwest::Client,
    base: String,
    /// `Bearer ...`, marked as sensitive so that debug output does not show it.
    key: Option<header::HeaderValue>,
}

/// The answer to a request.
pub(super) struct HttpAnswer {
    pub(super) status: u16,
    /// The JSON of the body; null if the body is not JSON.
    pub(super) body: Value,
    headers: header::HeaderMap,
    pub(super) milliseconds: u64,
}

impl Client {
    pub(super) fn new(target: &SmokeTarget) -> Result<Self, Failure> {
        // Returns an error, and changes nothing, when a provider is installed already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let builder = reqwest::Client::builder()
            .timeout(TIMEOUT)
            .connect_timeout(Duration::from_secs(10))
            .redirect(Policy::none());
        // A minimal container has no CA certificates, which fails the builder; plain HTTP does not need them.
        let is_http = target.url.text().starts_with("http://");
        let builder = if is_http { builder.tls_certs_only([]) } else { builder };
        let http = builder.build().map_err(|error| {
            Failure::unchanged(
                format!("cannot make requests: {}", describe(error)),
                "Install this machine's CA certificates (ca-certificates).",
            )
        })?;
        let key = match &target.key {
            Some(key) => Some(bearer(key.expose())?),
            None => None,
        };
        Ok(Self { http, base: target.url.text().to_owned(), key })
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.base))
    }

    /// Sends a `GET` without the key.
    pub(super) async fn get(&self, path: &str) -> Result<HttpAnswer, String> {
        answer(self.request(Method::GET, path)).await
    }

    /// Sends a `GET` with the key.
    pub(super) async fn get_known(&self, path: &str) -> Result<HttpAnswer, String> {
        answer(self.known(self.request(Method::GET, path))).await
    }

    /// Sends a note with `POST`, without the key.
    pub(super) async fn post(&self, path: &str, body: &Value) -> Result<HttpAnswer, String> {
        answer(self.request(Method::POST, path).json(body)).await
    }

    /// Sends a note with `POST` and the key.
    pub(super) async fn post_known(&self, path: &str, body: &Value) -> Result<HttpAnswer, String> {
        answer(self.known(self.request(Method::POST, path)).json(body)).await
    }

    /// Sends the CORS preflight that a browser sends before a `POST` from a page of this origin.
    pub(super) async fn preflight(&self, path: &str, origin: &str) -> Result<HttpAnswer, String> {
        let request = self.request(Method::OPTIONS, path);
        let request = request.header(header::ORIGIN, origin).header(header::ACCESS_CONTROL_REQUEST_METHOD, "POST");
        answer(request.header(header::ACCESS_CONTROL_REQUEST_HEADERS, "content-type")).await
    }

    fn known(&self, request: RequestBuilder) -> RequestBuilder {
        match &self.key {
            Some(key) => request.header(header::AUTHORIZATION, key.clone()),
            None => request,
        }
    }
}

impl HttpAnswer {
    /// Returns the text of a header; empty if it is missing.
    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// Returns the text of a key of the body; empty if it is missing or not a text.
    pub(super) fn text(&self, key: &str) -> &str {
        self.body.get(key).and_then(Value::as_str).unwrap_or_default()
    }

    pub(super) const fn is_ok(&self) -> bool {
        self.status == StatusCode::OK.as_u16()
    }

    /// Returns the status with the problem's code and detail: `503 model_loading: The model is being loaded.`
    pub(super) fn said(&self) -> String {
        match (self.text("code"), self.text("detail")) {
            ("", _) if self.body.is_null() => format!("{} without JSON: that is not the gateway", self.status),
            ("", _) => format!("{}", self.status),
            (code, "") => format!("{} {code}", self.status),
            (code, detail) => format!("{} {code}: {detail}", self.status),
        }
    }
}

fn bearer(key: &str) -> Result<header::HeaderValue, Failure> {
    let mut value = header::HeaderValue::try_from(format!("Bearer {key}")).map_err(|_| {
        Failure::usage("the API key has characters that no key has", "The file must hold the key alone, on one line.")
    })?;
    value.set_sensitive(true);
    Ok(value)
}

async fn answer(request: RequestBuilder) -> Result<HttpAnswer, String> {
    let started = Instant::now();
    let mut response = request.send().await.map_err(describe)?;
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(describe)? {
        body.extend_from_slice(&chunk);
        if body.len() > LONGEST_ANSWER {
            return Err("the answer does not end".to_owned());
        }
    }
    let milliseconds = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    Ok(HttpAnswer { status, body: serde_json::from_slice(&body).unwrap_or_default(), headers, milliseconds })
}

/// Returns the kind of an error with its innermost cause, without the address.
fn describe(error: reqwest::Error) -> String {
    let what = if error.is_timeout() {
        "no answer in time"
    } else if error.is_connect() {
        "no connection"
    } else {
        "the answer broke off"
    };
    let error = error.without_url();
    let cause = std::iter::successors(error.source(), |&error| error.source()).last();
    cause.map_or_else(|| what.to_owned(), |cause| format!("{what}: {cause}"))
}
