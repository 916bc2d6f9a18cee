//! The HTTP client that `smoke`, the monitor and `webhook` share. No error text contains an address or a key.

use std::{error::Error, time::Duration};

use reqwest::{Client, ClientBuilder, Response, header::HeaderValue, redirect::Policy};

use crate::{failure::Failure, secret::Secret};

/// Returns a builder for a client that follows no redirects. `timeout`: the time limit of a request. `is_plain_http`:
/// whether all its requests are plain HTTP.
pub(crate) fn builder(timeout: Duration, is_plain_http: bool) -> ClientBuilder {
    // Returns an error, and changes nothing, when a provider is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let builder = Client::builder().timeout(timeout).redirect(Policy::none());
    // A minimal container has no CA certificates, which fails the builder; plain HTTP does not need them.
    if is_plain_http { builder.tls_certs_only([]) } else { builder }
}

/// Returns the client of a builder.
pub(crate) fn build(builder: ClientBuilder, timeout: Duration) -> Result<Client, Failure> {
    builder.build().map_err(|error| {
        Failure::unchanged(
            format!("cannot make requests: {}", describe(error, timeout)),
            "Install this machine's CA certificates (ca-certificates).",
        )
    })
}

/// Returns the value of the `Authorization` header for an API key. It is marked as sensitive, so that debug output does
/// not show it.
pub(crate) fn bearer(key: &Secret) -> Result<HeaderValue, Failure> {
    let mut value = HeaderValue::try_from(format!("Bearer {}", key.expose())).map_err(|_| {
        Failure::usage(
            "the API key contains characters that a key cannot contain",
            "The file must contain only the key, on one line.",
        )
    })?;
    value.set_sensitive(true);
    Ok(value)
}

/// Reads the body of a response of at most `most_bytes` bytes. `timeout`: that of the request, for the error text.
pub(crate) async fn body(mut response: Response, most_bytes: usize, timeout: Duration) -> Result<Vec<u8>, String> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| describe(error, timeout))? {
        body.extend_from_slice(&chunk);
        if body.len() > most_bytes {
            return Err(format!("the answer is longer than {most_bytes} bytes"));
        }
    }
    Ok(body)
}

/// Returns the kind of an error with its innermost cause, without the address. `timeout`: that of the request.
pub(crate) fn describe(error: reqwest::Error, timeout: Duration) -> String {
    if error.is_timeout() {
        return format!("no answer in {} s", timeout.as_secs());
    }
    let what = if error.is_connect() { "no connection" } else { "the answer broke off" };
    let error = error.without_url();
    let cause = std::iter::successors(error.source(), |&error| error.source()).last();
    // The cause may quote the server's bytes, which could control the terminal.
    let plain = |cause: &dyn Error| cause.to_string().replace(char::is_control, "?");
    cause.map_or_else(|| what.to_owned(), |cause| format!("{what}: {}", plain(cause)))
}
