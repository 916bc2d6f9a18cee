//! Posts JSON to a webhook of the operator. Its address is a secret: whoever has it can post to the channel behind it. No
//! error has it.

use std::time::Duration;

use reqwest::{Client, Url, redirect::Policy};
use serde_json::Value;

use crate::secret::Secret;

/// Posts a JSON document. The receiver must answer with success within the limit.
pub(crate) async fn post(address: &Secret, body: &Value, limit: Duration) -> Result<(), String> {
    let url = address_of(address)?;
    // Returns an error, and changes nothing, when a provider is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let builder = Client::builder().timeout(limit).redirect(Policy::none());
    // A minimal container has no CA certificates, which fails the builder; plain HTTP does not need them.
    let builder = if url.scheme() == "http" { builder.no_proxy().tls_certs_only([]) } else { builder };
    let client = builder.build().map_err(|_| "this machine has no CA certificates (ca-certificates)".to_owned())?;
    // The error of reqwest contains the address, so it is not passed on.
    let answer = client.post(url).json(body).send().await.map_err(|error| {
        if error.is_timeout() { format!("no answer in {} s", limit.as_secs()) } else { "no connection".to_owned() }
    })?;
    let status = answer.status();
    if status.is_success() { Ok(()) } else { Err(format!("it answered {}", status.as_u16())) }
}

/// Returns an error unless the address is HTTPS, or plain HTTP to this machine.
pub(crate) fn check(address: &Secret) -> Result<(), String> {
    address_of(address).map(drop)
}

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
