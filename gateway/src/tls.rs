//! Installs the TLS library of all HTTP clients, and describes TLS errors without host names, which the libraries' own
//! error texts contain.

use std::{error::Error, io};

use rustls::CertificateError;

/// Installs ring as the TLS library. reqwest needs one before its first client. A second call changes nothing.
pub fn install() {
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// Returns the reason for a failed connection if it is a TLS error: a bad certificate, or a server that does not speak
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
                "its certificate is made out to another name than the one in vllm.url"
            }
            Bad::UnknownIssuer => {
                "its certificate is signed by no authority that is known here; SSL_CERT_FILE names a file with yours"
            }
            Bad::Revoked => "its certificate is revoked",
            _ => "its certificate is not accepted",
        },
        _ => "it speaks no TLS, or none that is accepted here; see whether vllm.url should begin with http://",
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
