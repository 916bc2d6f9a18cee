//! Asks the gateway for `/health` and `/metrics`. No error has the address or the key.

use std::time::Duration;

use reqwest::{RequestBuilder, StatusCode, header};
use serde_json::Value;
use tokio::{
    sync::{mpsc, watch},
    time::{MissedTickBehavior, interval},
};

use super::{Update, exposition::Exposition, plain, sample::GatewaySample, snapshot::GatewayHealth};
use crate::{failure::Failure, http, secret::Secret};

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

/// The requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Question {
    /// `/health`, which needs no key.
    Health,
    /// `/metrics`, which needs a key with the scope `metrics` if the gateway has keys.
    Metrics,
}

impl GatewayClient {
    /// Returns a client.
    pub fn new(url: watch::Receiver<Option<String>>, key: Option<&Secret>) -> Result<Self, Failure> {
        let is_plain_http = url.borrow().as_ref().is_some_and(|url| url.starts_with("http://"));
        let http = http::build(http::builder(TIMEOUT, is_plain_http), TIMEOUT)?;
        let key = key.map(http::bearer).transpose()?;
        Ok(Self { http, url, key })
    }

    /// Asks once.
    pub async fn ask(&self, question: Question) -> Update {
        match question {
            Question::Health => Update::Health(self.health().await),
            Question::Metrics => Update::Metrics(self.metrics().await.map(Box::new)),
        }
    }

    /// Asks again and again, until the receiver of the answers is dropped. Each request has its own loop, so that one
    /// that hangs does not delay the other.
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
        let response = self.get("/health")?.send().await.map_err(|error| http::describe(error, TIMEOUT))?;
        let status = response.status();
        let body = http::body(response, LONGEST_ANSWER, TIMEOUT).await?;
        let health: Value = serde_json::from_slice(&body).unwrap_or_default();
        let text = |key: &str| health.get(key).and_then(Value::as_str).map(plain);
        match (text("status"), text("version"), text("engine")) {
            (Some(found), Some(version), Some(engine)) if status.is_success() => {
                Ok(GatewayHealth { status: found, version, engine })
            }
            _ if status.is_success() => Err("/health did not return the gateway's health".to_owned()),
            _ => Err(format!("{} at /health", status.as_u16())),
        }
    }

    async fn metrics(&self) -> Result<GatewaySample, String> {
        let request = self.get("/metrics")?.header(header::ACCEPT, "text/plain;version=0.0.4");
        let request = match &self.key {
            Some(key) => request.header(header::AUTHORIZATION, key.clone()),
            None => request,
        };
        let response = request.send().await.map_err(|error| http::describe(error, TIMEOUT))?;
        match response.status() {
            StatusCode::OK => {}
            status @ (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) => {
                let need = "a key with the scope metrics is needed (--key-file)";
                return Err(format!("{} at /metrics: {need}", status.as_u16()));
            }
            status => return Err(format!("{} at /metrics", status.as_u16())),
        }
        let body = http::body(response, LONGEST_ANSWER, TIMEOUT).await?;
        let text = std::str::from_utf8(&body).map_err(|_| "/metrics is not text".to_owned())?;
        GatewaySample::read(&Exposition::parse(text)?)
    }
}
