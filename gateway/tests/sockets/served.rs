//! A gateway on a real socket, and a client for it.

use std::time::Duration;

use gateway::{
    config::Settings,
    http::App,
    server::{Gateway, ModelSwitch, ServerError},
};
use reqwest::{Client, RequestBuilder};
use serde_json::{Value, json};
use tokio::{sync::oneshot, task::JoinHandle};

/// Waits until a condition holds. Fails after a minute.
pub(crate) async fn until<F: Future<Output = bool>>(what: &str, condition: impl Fn() -> F) {
    let waiting = async {
        while !condition().await {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    assert!(tokio::time::timeout(Duration::from_mins(1), waiting).await.is_ok(), "timed out: {what}");
}

/// A gateway that serves until [`stop`](Self::stop).
pub(crate) struct Served {
    pub(crate) app: App,
    pub(crate) address: std::net::SocketAddr,
    /// The port that serves metrics without a key.
    pub(crate) metrics_address: std::net::SocketAddr,
    pub(crate) client: Client,
    pub(crate) model_switch: ModelSwitch,
    stop: Option<oneshot::Sender<()>>,
    now: Option<oneshot::Sender<()>>,
    serving: JoinHandle<Result<(), ServerError>>,
}

impl Served {
    /// Starts a gateway and waits until it is ready.
    pub(crate) async fn ready(settings: Settings) -> Self {
        let served = Self::start(settings).await;
        until("the gateway is ready", async || served.app.state.readiness.reason().is_none()).await;
        served
    }

    pub(crate) async fn start(mut settings: Settings) -> Self {
        settings.listen = "127.0.0.1:0".parse().unwrap();
        settings.metrics.listen = Some(settings.listen);
        let gateway = Gateway::new(settings).unwrap();
        let (app, model_switch) = (gateway.app.clone(), gateway.model_switch.clone());
        let bound = gateway.bind().await.unwrap();
        let (address, metrics_address) = (bound.address(), bound.metrics_address().unwrap());
        let ((stop, stop_signal), (now, now_signal)) = (oneshot::channel::<()>(), oneshot::channel::<()>());
        let graceful = async move { _ = stop_signal.await };
        let immediate = async move {
            if now_signal.await.is_err() {
                std::future::pending::<()>().await;
            }
        };
        let serving = tokio::spawn(bound.serve(graceful, immediate));
        gateway::tls::install();
        let client = Client::builder().no_proxy().build().unwrap();
        Self { app, address, metrics_address, client, model_switch, stop: Some(stop), now: Some(now), serving }
    }

    pub(crate) fn get(&self, path: &str) -> RequestBuilder {
        self.client.get(format!("http://{}{path}", self.address))
    }

    pub(crate) fn extract(&self, text: &str) -> RequestBuilder {
        self.client.post(format!("http://{}/api/v1/extract", self.address)).json(&json!({"text": text}))
    }

    /// Sends a note and returns the status and the error code of the answer, or `ok`.
    pub(crate) async fn code(&self, text: &str) -> (u16, String) {
        code(self.extract(text)).await
    }

    /// Returns a metric of `/metrics`, summed over its labels.
    pub(crate) async fn metric(&self, name: &str) -> f64 {
        let text = self
            .client
            .get(format!("http://{}/metrics", self.metrics_address))
            .send()
            .await
            .unwrap()
            .text()
            .await
            .unwrap();
        let values = text.lines().filter_map(|line| {
            let (labelled, value) = line.rsplit_once(' ')?;
            (labelled.split('{').next() == Some(name)).then(|| value.parse::<f64>().unwrap())
        });
        values.sum()
    }

    /// Returns the share of each model, as `/metrics` has it.
    pub(crate) async fn shares(&self) -> std::collections::BTreeMap<String, u64> {
        let url = format!("http://{}/metrics", self.metrics_address);
        let text = self.client.get(url).send().await.unwrap().text().await.unwrap();
        let shares = text.lines().filter_map(|line| {
            let (model, share) = line.strip_prefix("gateway_model_share{model=\"")?.split_once("\"} ")?;
            Some((model.to_owned(), share.parse().unwrap()))
        });
        shares.collect()
    }

    /// Does what SIGTERM does.
    pub(crate) fn stop(&mut self) {
        self.stop.take().unwrap().send(()).unwrap();
    }

    /// Does what a second signal does: ends at once.
    pub(crate) fn now(&mut self) {
        self.now.take().unwrap().send(()).unwrap();
    }

    /// Waits until the gateway has ended, for at most a minute.
    pub(crate) async fn ended(self) -> Result<(), ServerError> {
        drop((self.stop, self.now, self.client));
        tokio::time::timeout(Duration::from_mins(1), self.serving).await.unwrap().unwrap()
    }
}

/// Sends a request and returns the status and the error code of the answer, or `ok`.
pub(crate) async fn code(request: RequestBuilder) -> (u16, String) {
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    let body: Value = response.json().await.unwrap();
    (status, body["code"].as_str().unwrap_or("ok").to_owned())
}

pub(crate) fn with_model(addresses: &[std::net::SocketAddr]) -> Settings {
    let urls: Vec<String> = addresses.iter().map(|address| format!("http://{address}")).collect();
    let mut settings = Settings::default();
    settings.vllm.url = Some(urls.join(","));
    settings
}

pub(crate) fn pair(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}
