//! Watches the model server in the background: is it there, does it list the model, how long is its
//! context. No request of a caller waits for this.

use std::{sync::Arc, time::Duration};

use reqwest::Client;
use serde::Deserialize;
use tokio::task::AbortHandle;

use crate::readiness::{Readiness, Upstream};

/// Between looks: short while the server is not ready, long once it is.
const EAGER: Duration = Duration::from_millis(500);
const CALM: Duration = Duration::from_secs(5);

#[derive(Deserialize)]
struct Models {
    data: Vec<Model>,
}

#[derive(Deserialize)]
struct Model {
    id: String,
    max_model_len: Option<u32>,
}

/// Stops the watcher when the engine goes.
#[derive(Debug)]
pub(super) struct Watcher(AbortHandle);

impl Drop for Watcher {
    fn drop(&mut self) {
        self.0.abort();
    }
}

pub(super) fn spawn(client: Client, base: String, model: String, readiness: Arc<Readiness>) -> Watcher {
    let watching = async move {
        let mut before = None;
        loop {
            let seen = look(&client, &base, &model, &readiness).await;
            readiness.saw(seen);
            if before != Some(seen) {
                tracing::info!(state = ?seen, "model server");
            }
            before = Some(seen);
            tokio::time::sleep(if seen == Upstream::Ready { CALM } else { EAGER }).await;
        }
    };
    Watcher(tokio::spawn(watching).abort_handle())
}

async fn look(client: &Client, base: &str, model: &str, readiness: &Readiness) -> Upstream {
    let request = client.get(format!("{base}/v1/models")).timeout(Duration::from_secs(5));
    let Ok(response) = request.send().await else { return Upstream::Unreachable };
    let Ok(body) = response.bytes().await else { return Upstream::Unreachable };
    let Ok(models) = serde_json::from_slice::<Models>(&body) else { return Upstream::Unreachable };
    let context = models.data.iter().filter_map(|listed| listed.max_model_len).min();
    if let Some(tokens) = context {
        readiness.learned_context(tokens);
    }
    if models.data.iter().any(|listed| listed.id == model) { Upstream::Ready } else { Upstream::ModelMissing }
}
