//! The HTTP client of a gateway: its address, the key, the requests. The key is never in an argument, an error or a
//! log.

use std::{path::Path, time::Duration};

use reqwest::{
    Response, StatusCode, Url,
    header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER},
    redirect::Policy,
};
use serde_json::{Value, json};

use crate::{
    bulk::{BulkError, status::print_status},
    http::error::ErrorCode,
};

/// Timeout for a connection to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Timeout without a byte of an answer. The deadline of a server is far shorter.
const READ_TIMEOUT: Duration = Duration::from_mins(5);
/// Bytes of a problem after which reading stops.
const MAX_PROBLEM: usize = 64 << 10;

/// A gateway that reads notes.
#[derive(Debug)]
pub(super) struct Client {
    http: reqwest::Client,
    base: Url,
    model: Option<String>,
}

/// Why a note has no answer, as it is written to the output.
#[derive(Clone, Debug)]
pub(super) struct NoteFailure {
    pub(super) status: u16,
    pub(super) code: String,
    pub(super) problem: Value,
    pub(super) retry_after: Option<Duration>,
}

/// Why a batch was refused as a whole.
#[derive(Debug)]
pub(super) enum BatchRefusal {
    /// No answer came. The text is the cause.
    Unreachable(String),
    /// The server answered with a problem.
    Answered(NoteFailure),
}

impl Client {
    /// Returns a client of the server at `url`. Nothing is sent yet.
    pub(super) fn new(url: &str, key_file: Option<&Path>, model: Option<&str>) -> Result<Self, BulkError> {
        let invalid = "--server must be an address such as http://127.0.0.1:8080";
        let mut base = Url::parse(url).map_err(|_| BulkError::Usage(invalid.to_owned()))?;
        if !matches!(base.scheme(), "http" | "https") || base.host_str().is_none() || base.query().is_some() {
            return Err(BulkError::Usage(invalid.to_owned()));
        }
        if !base.username().is_empty() || base.password().is_some() {
            return Err(BulkError::Usage(
                "--server must not contain a user or password: give --api-key-file".to_owned(),
            ));
        }
        if !base.path().ends_with('/') {
            base.set_path(&format!("{}/", base.path()));
        }
        let local = is_local(&base);
        let mut headers = HeaderMap::new();
        if let Some(file) = key_file {
            headers.insert(AUTHORIZATION, bearer(file)?);
        }
        if base.scheme() == "http" && !local {
            print_status(
                "warning: notes are sent to this server unencrypted; use https:// outside a network that you trust",
            );
        }
        crate::tls::install();
        // A redirect would send notes to another server.
        let builder = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .read_timeout(READ_TIMEOUT)
            .redirect(Policy::none());
        let builder = if local { builder.no_proxy() } else { builder };
        let http = builder.default_headers(headers).user_agent(concat!("gateway-extract/", env!("CARGO_PKG_VERSION")));
        let http =
            http.build().map_err(|error| BulkError::Failed(format!("the HTTP client cannot be created: {error}")))?;
        Ok(Self { http, base, model: model.map(str::to_owned) })
    }

    /// Returns host and port for messages. The path is left out, because it may contain a key.
    fn place(&self) -> String {
        let host = self.base.host_str().unwrap_or_default();
        self.base.port_or_known_default().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
    }

    /// Returns an error if no gateway answers at `/health/live`. Called before anything is written.
    pub(super) async fn look(&self) -> Result<(), BulkError> {
        let place = self.place();
        let advice = "Nothing was read. Is it running, and is the address right?";
        let url = self.url("health/live")?;
        let answer = self.http.get(url).timeout(CONNECT_TIMEOUT).send().await;
        let answer = answer.map_err(|error| BulkError::Failed(format!("{place}: {}. {advice}", cause(&error))))?;
        if answer.status().is_success() {
            return Ok(());
        }
        Err(BulkError::Failed(format!(
            "{place} answers {} to /health/live: this is not a gateway, or the address is wrong. Nothing was read",
            answer.status().as_u16()
        )))
    }

    /// Posts lines and returns the answer as soon as its headers are there.
    pub(super) async fn post(&self, lines: Vec<u8>) -> Result<Response, BatchRefusal> {
        let mut url = self.url("api/v1/extract/batch").map_err(|error| BatchRefusal::Unreachable(error.to_string()))?;
        if let Some(model) = &self.model {
            url.query_pairs_mut().append_pair("model", model);
        }
        let request = self.http.post(url).header(CONTENT_TYPE, "application/x-ndjson").body(lines);
        let answer = request.send().await.map_err(|error| BatchRefusal::Unreachable(cause(&error)))?;
        if answer.status() == StatusCode::OK { Ok(answer) } else { Err(BatchRefusal::Answered(refusal(answer).await)) }
    }

    fn url(&self, path: &str) -> Result<Url, BulkError> {
        self.base.join(path).map_err(|_| BulkError::Usage("--server is not a valid address".to_owned()))
    }
}

fn is_local(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

fn bearer(file: &Path) -> Result<HeaderValue, BulkError> {
    let shown = file.display();
    let text = std::fs::read_to_string(file)
        .map_err(|cause| BulkError::Usage(format!("--api-key-file {shown} cannot be read: {}", cause.kind())))?;
    let key = text.lines().next().unwrap_or_default().trim();
    if key.is_empty() {
        return Err(BulkError::Usage(format!("--api-key-file {shown}: its first line is empty")));
    }
    let value = HeaderValue::from_str(&format!("Bearer {key}"));
    let mut value =
        value.map_err(|_| BulkError::Usage(format!("--api-key-file {shown}: its first line is not a key")))?;
    value.set_sensitive(true);
    Ok(value)
}

/// Returns why a request failed, without its URL.
pub(super) fn cause(error: &reqwest::Error) -> String {
    let kind = if error.is_timeout() {
        "no answer in time"
    } else if error.is_connect() {
        "no connection"
    } else {
        "the connection broke"
    };
    let mut last: &dyn std::error::Error = error;
    while let Some(source) = last.source() {
        last = source;
    }
    // The last error of a chain is the one of the operating system.
    if std::ptr::addr_eq(last, std::ptr::from_ref(error)) { kind.to_owned() } else { format!("{kind} ({last})") }
}

/// Returns the problem of a note for which the server gave none.
pub(super) fn unreachable(detail: &str) -> NoteFailure {
    let code = "server_unreachable";
    let problem = json!({
        "type": "about:blank", "title": "Server unreachable", "status": 503, "detail": detail, "code": code,
        "request_id": "",
    });
    NoteFailure { status: 503, code: code.to_owned(), problem, retry_after: None }
}

/// Reads the problem that the server answered instead of results.
async fn refusal(mut answer: Response) -> NoteFailure {
    let status = answer.status().as_u16();
    let header = answer.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.trim().parse().ok());
    let mut body = Vec::new();
    while let Ok(Some(chunk)) = answer.chunk().await {
        body.extend_from_slice(&chunk);
        if body.len() > MAX_PROBLEM {
            break;
        }
    }
    let mut why = NoteFailure::of(status, serde_json::from_slice(&body).unwrap_or_default());
    why.retry_after = header.map(Duration::from_secs).or(why.retry_after);
    why
}

impl NoteFailure {
    /// Returns the failure for a problem of the server, or a `server_unreachable` failure if the problem has no code.
    pub(super) fn of(status: u16, problem: Value) -> Self {
        let code = problem.get("code").and_then(Value::as_str).map(str::to_owned);
        let retry_after = problem.get("retry_after").and_then(Value::as_u64).map(Duration::from_secs);
        if let Some(code) = code {
            return Self { status, code, problem, retry_after };
        }
        let why = unreachable(&format!("The server answered {status} without the problem that a gateway gives."));
        Self { status, ..why }
    }

    /// Returns whether the server is busy or not ready and may read the note later.
    pub(super) fn is_busy(&self) -> bool {
        // A budget is renewed next month, and no run waits that long.
        matches!(self.status, 429 | 503 | 504) && self.code != ErrorCode::BudgetExhausted.name()
    }
}
