//! Checks the size of a request's head, its `Host` header and, where no keys are set, the host that it names.
//!
//! The check of the host prevents DNS rebinding: an attacker's web page makes its own name resolve to this machine and
//! then reads, in the visitor's browser, the answers of a service without keys. Such requests still name the attacker's
//! host, which is always a public name. So addresses, `localhost` and names without a dot (of a container network) are
//! safe.

use std::net::Ipv4Addr;

use axum::{
    extract::{ConnectInfo, Request},
    http::{HeaderMap, HeaderValue, Version, header, uri::Authority},
};

use super::error::ErrorCode;
use crate::config::HostName;

/// Most bytes of a request line with its headers. hyper refuses far larger heads itself, but not a head that arrives in
/// one piece.
const MAX_HEAD_BYTES: usize = 64 << 10;
/// Bytes of `: ` and of the end of the line, for each header.
const HEADER_OVERHEAD: usize = 4;

/// Refuses a request with a head that is too large, with no `Host` header or with several. A request without a
/// connection, as in a test, may omit the header.
pub(super) fn check_head<B>(request: &axum::http::Request<B>) -> Result<(), ErrorCode> {
    let headers = request.headers();
    let lines = headers.iter().map(|(name, value)| name.as_str().len() + value.len() + HEADER_OVERHEAD);
    let target = request.uri().path_and_query().map_or(0, |target| target.as_str().len());
    if lines.sum::<usize>() + target > MAX_HEAD_BYTES {
        return Err(ErrorCode::HeadTooLarge);
    }
    let over_the_wire = request.extensions().get::<ConnectInfo<std::net::SocketAddr>>().is_some();
    match headers.get_all(header::HOST).iter().count() {
        1 => Ok(()),
        // HTTP/1.0 does not require the header.
        0 if !over_the_wire || request.version() == Version::HTTP_10 => Ok(()),
        // HTTP/2 names the host in the target.
        0 if request.version() == Version::HTTP_2 && request.uri().authority().is_some() => Ok(()),
        _ => Err(ErrorCode::InvalidHost),
    }
}

/// Refuses a request that names a host that is not allowed, in its `Host` header or in its target.
pub(super) fn check_host(request: &Request, allowed: &[HostName]) -> Result<(), ErrorCode> {
    for authority in [host_header(request.headers())?, request.uri().authority().cloned()].into_iter().flatten() {
        if !is_allowed(authority.host(), allowed) {
            return Err(ErrorCode::HostNotAllowed);
        }
    }
    Ok(())
}

/// Parses the `Host` header. None where it is missing or empty.
fn host_header(headers: &HeaderMap) -> Result<Option<Authority>, ErrorCode> {
    let Some(host) = headers.get(header::HOST).map(HeaderValue::as_bytes).filter(|host| !host.is_empty()) else {
        return Ok(None);
    };
    if host.contains(&b'@') {
        return Err(ErrorCode::InvalidHost);
    }
    Authority::try_from(host).map(Some).map_err(|_| ErrorCode::InvalidHost)
}

fn is_allowed(host: &str, allowed: &[HostName]) -> bool {
    let is_address = host.starts_with('[') || host.parse::<Ipv4Addr>().is_ok();
    let name = HostName::folded(host);
    is_address || !name.contains('.') || name.ends_with(".localhost") || allowed.iter().any(|known| known.is(&name))
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    #[test]
    fn check_host_refuses_hosts_that_are_not_allowed() {
        let allowed = ["Gateway.Example.org.".parse().unwrap()];
        let (foreign, invalid) = (Err(ErrorCode::HostNotAllowed), Err(ErrorCode::InvalidHost));
        for (host, expected) in [
            ("localhost:8080", Ok(())),
            ("LOCALHOST.", Ok(())),
            ("app.localhost", Ok(())),
            ("127.0.0.1:1", Ok(())),
            ("203.0.113.9", Ok(())),
            ("[::1]:8080", Ok(())),
            ("gateway:8080", Ok(())),
            ("gateway.example.ORG:443", Ok(())),
            ("gateway.example.org.", Ok(())),
            ("", Ok(())),
            ("evil.example", foreign),
            ("evil.example:8080", foreign),
            ("127.0.0.1.evil.example", foreign),
            ("localhost.evil.example", foreign),
            ("xlocalhost.example", foreign),
            ("x.gateway.example.org", foreign),
            ("evil.example.", foreign),
            ("localhost@evil.example", invalid),
            ("a b", invalid),
        ] {
            let request = Request::get("/metrics").header("host", host).body(Body::empty()).unwrap();
            assert_eq!(check_host(&request, &allowed), expected, "{host:?}");
        }
        // The target of a request takes precedence over the header, so both must be allowed.
        let request = Request::get("http://evil.example/").header("host", "localhost").body(Body::empty()).unwrap();
        assert_eq!(check_host(&request, &allowed), foreign);
    }
}
