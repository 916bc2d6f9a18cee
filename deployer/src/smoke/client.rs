//! Sends one request and returns the answer. Its error texts contain no address and no key.

use std::time::{Duration, Instant};

use reqwest::{Method, RequestBuilder, StatusCode, header};
use serde_json::Value;

use super::SmokeTarget;
use crate::{failure::Failure, http};

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
        let builder = http::builder(TIMEOUT, target.url.text().starts_with("http://"));
        let http = http::build(builder.connect_timeout(Duration::from_secs(10)), TIMEOUT)?;
        let key = target.key.as_ref().map(http::bearer).transpose()?;
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
    pub(super) async fn get_with_key(&self, path: &str) -> Result<HttpAnswer, String> {
        answer(self.with_key(self.request(Method::GET, path))).await
    }

    /// Sends a note with `POST`, without the key.
    pub(super) async fn post(&self, path: &str, body: &Value) -> Result<HttpAnswer, String> {
        answer(self.request(Method::POST, path).json(body)).await
    }

    /// Sends a note with `POST` and the key.
    pub(super) async fn post_with_key(&self, path: &str, body: &Value) -> Result<HttpAnswer, String> {
        answer(self.with_key(self.request(Method::POST, path)).json(body)).await
    }

    /// Sends the CORS preflight that a browser sends before a `POST` from a page of this origin.
    pub(super) async fn preflight(&self, path: &str, origin: &str) -> Result<HttpAnswer, String> {
        let request = self.request(Method::OPTIONS, path);
        let request = request.header(header::ORIGIN, origin).header(header::ACCESS_CONTROL_REQUEST_METHOD, "POST");
        answer(request.header(header::ACCESS_CONTROL_REQUEST_HEADERS, "content-type")).await
    }

    fn with_key(&self, request: RequestBuilder) -> RequestBuilder {
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
            ("", _) if self.body.is_null() => {
                format!("{} without JSON: the answer is not from the gateway", self.status)
            }
            ("", _) => format!("{}", self.status),
            (code, "") => format!("{} {code}", self.status),
            (code, detail) => format!("{} {code}: {detail}", self.status),
        }
    }
}

async fn answer(request: RequestBuilder) -> Result<HttpAnswer, String> {
    let started = Instant::now();
    let response = request.send().await.map_err(|error| http::describe(error, TIMEOUT))?;
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let body = http::body(response, LONGEST_ANSWER, TIMEOUT).await?;
    let milliseconds = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    Ok(HttpAnswer { status, body: serde_json::from_slice(&body).unwrap_or_default(), headers, milliseconds })
}
