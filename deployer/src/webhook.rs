//! Posts JSON to a webhook of the operator. Its address is a secret: anyone who knows it can post to the channel. No
//! error message contains it.

use std::time::Duration;

use reqwest::Url;
use serde_json::Value;

use crate::{http, secret::Secret};

/// Posts a JSON document. The receiver must answer with success within the limit.
pub(crate) async fn post(address: &Secret, body: &Value, limit: Duration) -> Result<(), String> {
    let url = address_of(address)?;
    let is_plain_http = url.scheme() == "http";
    let builder = http::builder(limit, is_plain_http);
    let builder = if is_plain_http { builder.no_proxy() } else { builder };
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
    let refused = || "its address is not an https address".to_owned();
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
