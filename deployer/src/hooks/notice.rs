//! Sends the notice to a webhook. The webhook's address is a secret: it comes from the environment or a file and is
//! never printed.

use std::time::Duration;

use serde_json::json;

use super::Event;
use crate::{
    config,
    context::{DeployContext, Ports},
    secret::Secret,
    webhook,
};

/// The time limit of the request, because a slow receiver must not delay a deploy.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Sends the notice if an address is set. Warns if it cannot be sent.
pub(super) async fn send<P: Ports>(context: &DeployContext<'_, P>, event: &Event) {
    let sent = match config::webhook(&context.config_file) {
        Ok(None) => return,
        Ok(Some(address)) => post(&address, event).await,
        Err(why) => Err(why),
    };
    if let Err(why) = sent {
        context.console.warn(&format!("the notice to the webhook was not sent: {why}"));
    }
}

async fn post(address: &Secret, event: &Event) -> Result<(), String> {
    let mut body = json!(event);
    // Chat services show the key `text`.
    if let Some(body) = body.as_object_mut() {
        body.insert("text".to_owned(), event.shown().into());
    }
    webhook::post(address, &body, TIMEOUT).await
}
