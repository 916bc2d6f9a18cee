//! Asks the gateway for `/health` and `/metrics`. No error has the address or the key.

use std::{error::Error, time::Duration};

use reqwest::{RequestBuilder, Response, StatusCode, header, redirect::Policy};
use serde_json::Value;
use tokio::{
    sync::{mpsc, watch},
    time::{MissedTickBehavior, interval},
};

use super::{Update, exposition::Exposition, plain, sample::GatewaySample, snapshot::GatewayHealth};
use crate::{failure::Failure, secret::Secret};

/// The time limit of a request: a gateway answers both within milliseconds.
pub const TIMEOUT: Duration = Duration::from_secs(10);
/// The largest answer that is read, in bytes.
const LONGEST_ANSWER: usize = 16 << 20;

/// Asks one gateway, whose address may change.
#[derive(Clone)]
pub struct GatewayClient {
    http: reqwest::Client,
    /// `http://HOST:PORT`; `None` while there is none.
    url: watch::Receiver<Option<String>>,
    /// `Bearer ...`, marked as sensitive.
    key: Option<header::HeaderValue>,
}

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Question {
    /// `/health`, which needs no key.
    Health,
    /// `/metrics`, which needs a key with the role `metrics` if the gateway has keys.
    Metrics,
}

impl GatewayClient {
    /// Returns a client.
    pub fn new(url: watch::Receiver<Option<String>>, key: Option<&Secret>) -> Result<Self, Failure> {
        // Returns an error, and changes nothing, when a provider is installed already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let builder = reqwest::Client::builder().timeout(TIMEOUT).redirect(Policy::none());
        // A minimal container has no CA certificates, which fails the builder; plain HTTP does not need them.
        let in_the_clear = url.borrow().as_ref().is_some_and(|url| url.starts_with("http://"));
        let builder = if in_the_clear { builder.tls_certs_only([]) } else { builder };
        let http = builder.build().map_err(|error| {
            Failure::unchanged(
                format!("cannot make requests: {}", describe(error)),
                "Install this machine's CA certificates (ca-certificates).",
            )
        })?;
        let key = key.map(|key| header::HeaderValue::try_from(format!("Bearer {}", key.expose()))).transpose();
        let mut key = key.map_err(|_| {
            Failure::usage("the key has characters that no key has", "The file must hold the key alone, on one line.")
        })?;
        if let Some(key) = &mut key {
            key.set_sensitive(true);
        }
        Ok(Self { http, url, key })
    }

    /// Asks once.
    pub async fn ask(&self, question: Question) -> Update {
        match question {
            Question::Health => Update::Health(self.health().await),
            Question::Metrics => Update::Metrics(self.metrics().await.map(Box::new)),
        }
    }

    /// Asks again and again, until nobody receives the answers. Each question has its own loop, so that one that hangs
    /// does not delay the other.
    pub async fn follow(self, question: Question, every: Duration, updates: mpsc::UnboundedSender<Update>) {
        let mut ticks = interval(every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            if updates.send(self.ask(question).await).is_err() {
                return;
            }
        }
    }

    fn get(&self, path: &str) -> Result<RequestBuilder, String> {
        let url = self.url.borrow();
        let url = url.as_ref().ok_or("the address of the box is not known")?;
        Ok(self.http.get(format!("{url}{path}")))
    }

    async fn health(&self) -> Result<GatewayHealth, String> {
        let response = self.get("/health")?.send().await.map_err(describe)?;
        let status = response.status();
        let body = body(response).await?;
        let health: Value = serde_json::from_slice(&body).unwrap_or_default();
        let text = |key: &str| health.get(key).and_then(Value::as_str).map(plain);
        match (text("status"), text("version"), text("engine")) {
            (Some(found), Some(version), Some(engine)) if status.is_success() => {
                Ok(GatewayHealth { status: found, version, engine })
            }
            _ if status.is_success() => Err("/health is not that of the gateway".to_owned()),
            _ => Err(format!("{} at /health", status.as_u16())),
        }
    }

    async fn metrics(&self) -> Result<GatewaySample, String> {
        let request = self.get("/metrics")?.header(header::ACCEPT, "text/plain;version=0.0.4");
        let request = match &self.key {
            Some(key) => request.header(header::AUTHORIZATION, key.clone()),
            None => request,
        };
        let response = request.send().await.map_err(describe)?;
        match response.status() {
            StatusCode::OK => {}
            status @ (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) => {
                let need = "a key with the role metrics is needed (--key-file)";
                return Err(format!("{} at /metrics: {need}", status.as_u16()));
            }
            status => return Err(format!("{} at /metrics", status.as_u16())),
        }
        let body = body(response).await?;
        let text = std::str::from_utf8(&body).map_err(|_| "/metrics is no text".to_owned())?;
        GatewaySample::read(&Exposition::parse(text)?)
    }
}

async fn body(mut response: Response) -> Result<Vec<u8>, String> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(describe)? {
        body.extend_from_slice(&chunk);
        if body.len() > LONGEST_ANSWER {
            return Err("the answer does not end".to_owned());
        }
    }
    Ok(body)
}

/// Returns the kind of an error with its innermost cause, without the address.
fn describe(error: reqwest::Error) -> String {
    if error.is_timeout() {
        return format!("no answer in {} s", TIMEOUT.as_secs());
    }
    let what = if error.is_connect() { "no connection" } else { "the answer broke off" };
    let error = error.without_url();
    let cause = std::iter::successors(error.source(), |&error| error.source()).last();
    cause.map_or_else(|| what.to_owned(), |cause| format!("{what}: {}", plain(&cause.to_string())))
}
