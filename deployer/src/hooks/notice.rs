//! Sends the notice to a webhook. The webhook's address is a secret: it comes from the environment or a file and is
//! never printed.

use std::time::Duration;

use reqwest::{Client, Url, redirect::Policy};
use serde_json::json;

use super::Event;
use crate::{
    config,
    context::{DeployContext, Ports},
    secret::Secret,
};

/// The time limit of the request, because a slow receiver must not delay a deploy.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Sends the notice if an address is set. Warns if it cannot be sent.
pub(super) async fn send<P: Ports>(context: &DeployContext<'_, P>, event: &Event) {
    let sent = match config::webhook(&context.written) {
        Ok(None) => return,
        Ok(Some(address)) => post(&address, event).await,
        Err(why) => Err(why),
    };
    if let Err(why) = sent {
        context.console.warn(&format!("the notice to the webhook was not sent: {why}"));
    }
}

async fn post(address: &Secret, event: &Event) -> Result<(), String> {
    let url = address_of(address)?;
    // Returns an error, and changes nothing, when a provider is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let builder = Client::builder().timeout(TIMEOUT).redirect(Policy::none());
    // A minimal container has no CA certificates, which fails the builder; plain HTTP does not need them.
    let builder = if url.scheme() == "http" { builder.no_proxy().tls_certs_only([]) } else { builder };
    let client = builder.build().map_err(|_| "this machine has no CA certificates (ca-certificates)".to_owned())?;
    let mut body = json!(event);
    // Chat services show the key `text`.
    if let Some(body) = body.as_object_mut() {
        body.insert("text".to_owned(), event.shown().into());
    }
    // The error of reqwest contains the address, so it is not passed on.
    let answer = client.post(url).json(&body).send().await.map_err(|error| {
        let why = if error.is_timeout() { "no answer in 5 s" } else { "no connection" };
        why.to_owned()
    })?;
    let status = answer.status();
    if status.is_success() { Ok(()) } else { Err(format!("it answered {}", status.as_u16())) }
}

/// Returns the address as a URL. Refuses everything but HTTPS, and plain HTTP to this machine.
fn address_of(address: &Secret) -> Result<Url, String> {
    let refused = || "its address is no https address".to_owned();
    let url = Url::parse(address.expose()).map_err(|_| refused())?;
    let is_loopback = matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
    match url.scheme() {
        "https" => Ok(url),
        "http" if is_loopback => Ok(url),
        _ => Err(refused()),
    }
}

#[cfg(test)]
mod tests {
    use zeroize::Zeroizing;

    use super::address_of;
    use crate::secret::Secret;

    #[test]
    fn an_address_is_https_or_on_this_machine() {
        for (address, good) in [
            ("https://hooks.example.org/services/T0/B0/secret", true),
            ("http://127.0.0.1:8000/x", true),
            ("http://hooks.example.org/services", false),
            ("http://127.0.0.1.example.org/", false),
            ("file:///etc/passwd", false),
            ("hooks.example.org", false),
        ] {
            let found = address_of(&Secret::new(Zeroizing::new(address.to_owned())));
            assert_eq!(found.is_ok(), good, "{address}");
            assert!(found.is_ok() || !found.unwrap_err().contains("example"), "{address}");
        }
    }
}
