//! Installs the TLS library of all HTTP clients, and describes TLS errors without host names, which the libraries' own
//! error texts contain.

use std::{error::Error, io, time::Duration};

use reqwest::{Client, ClientBuilder, redirect::Policy};
use rustls::CertificateError;
use url::Url;

/// The time limit for a connection to a server in the operator's network.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// How long an idle connection is kept. vLLM closes connections that are idle for 5 s, so the client closes them before
/// that.
const POOL_IDLE_TIMEOUT: Duration = Duration::from_secs(4);
/// The interval of probes that distinguish a host that is gone from one that still computes.
const KEEPALIVE: Duration = Duration::from_secs(15);

/// Installs ring as the TLS library. reqwest needs one before its first client. A second call changes nothing.
pub fn install() {
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// Returns a builder for clients of a server that the operator runs for the gateway: the model server, the transcription
/// server or the OCR server. They use no proxy and follow no redirect, so that a note reaches only that server.
pub(crate) fn client_builder(url: &Url) -> ClientBuilder {
    install();
    let builder = Client::builder()
        .no_proxy()
        .redirect(Policy::none())
        .connect_timeout(CONNECT_TIMEOUT)
        .pool_idle_timeout(POOL_IDLE_TIMEOUT)
        .tcp_keepalive(KEEPALIVE)
        .tcp_nodelay(true);
    // Plain HTTP needs no certificates, and a container image with only the binary has none.
    if url.scheme() == "http" { builder.tls_certs_only([]) } else { builder }
}

/// Returns the reason for a failed connection if it is a TLS error: a bad certificate, or a server that does not use
/// TLS. `None` for any other error. Retrying does not help against a TLS error.
pub(crate) fn fault(error: &reqwest::Error) -> Option<&'static str> {
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<rustls::Error>() {
            return Some(description(error));
        }
        // `source` of an I/O error skips the error that it wraps, so that one is read with `get_ref`.
        cause = match error.downcast_ref::<io::Error>() {
            Some(error) => error.get_ref().map(|inner| inner as &(dyn Error + 'static)),
            None => error.source(),
        };
    }
    None
}

fn description(error: &rustls::Error) -> &'static str {
    use CertificateError as Bad;
    match error {
        rustls::Error::InvalidCertificate(bad) => match bad {
            Bad::Expired | Bad::ExpiredContext { .. } => "its certificate has expired",
            Bad::NotValidYet | Bad::NotValidYetContext { .. } => "its certificate is not valid yet",
            Bad::NotValidForName | Bad::NotValidForNameContext { .. } => {
                "its certificate is issued for another name than the one in vllm.url"
            }
            Bad::UnknownIssuer => {
                "its certificate is not signed by an authority that is known here; set SSL_CERT_FILE to a file with \
                 your authority's certificate"
            }
            Bad::Revoked => "its certificate is revoked",
            _ => "its certificate is not accepted",
        },
        _ => {
            "it does not use TLS, or no version that is accepted here; check whether vllm.url should begin with http://"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_fault_names_its_remedy() {
        for (error, expected) in [
            (rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer), "SSL_CERT_FILE"),
            (rustls::Error::InvalidCertificate(CertificateError::NotValidForName), "another name"),
            (rustls::Error::InvalidCertificate(CertificateError::Expired), "expired"),
            (rustls::Error::InvalidCertificate(CertificateError::NotValidYet), "not valid yet"),
            (rustls::Error::InvalidCertificate(CertificateError::BadSignature), "certificate is not accepted"),
            (rustls::Error::InvalidMessage(rustls::InvalidMessage::InvalidContentType), "http://"),
        ] {
            assert!(description(&error).contains(expected), "{error}");
        }
    }
}
