//! The gate: which routes are open, whose key came with a request to the others, and from where.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use axum::{
    extract::{ConnectInfo, Request},
    http::{HeaderMap, HeaderName, Uri, header, uri::PathAndQuery},
};
use ipnet::IpNet;

use super::{
    App,
    error::{ErrorCode, Problem},
    host, service,
};
use crate::{
    access::{self, Channel, Principal},
    telemetry::AuthFailure,
};

/// What anybody may ask: what the service is, and whether it lives. Every other path needs a key.
pub(super) const OPEN: [&str; 8] =
    ["/", "/ui", "/health", "/health/live", "/health/ready", "/api/v1/schema", "/docs", "/openapi.json"];
/// The files of the two pages.
const OPEN_BELOW: [&str; 2] = ["/docs/", "/ui/"];
/// Without keys it answers callers on this machine. With keys it wants one: a proxy on this machine would open it to all of
/// its callers.
const METRICS: &str = "/metrics";
/// What a key with the word `metrics` opens.
const FOR_METRICS_KEYS: [&str; 2] = [METRICS, "/health"];
const METRICS_KEY: &str = "This key opens /metrics and /health?verbose=1 only, and reads no notes.";
/// What health checks ask.
const PROBED: [&str; 3] = ["/health", "/health/live", "/health/ready"];
/// Before the path of a client that can send no header: `/t/KEY/api/v1/extract`.
const KEY_IN_PATH: &str = "/t/";

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// A key that stood in the path; the path is without it from here on.
#[derive(Clone)]
struct KeyOfPath(Arc<[u8]>);

/// By which of the two ports a request came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ListenerKind {
    /// `listen`: every route, with keys where they are set.
    Public,
    /// `metrics.listen`: metrics and health, without a key. Who reaches it is the operator's choice.
    Metrics,
}

/// Lets a request in that is well-formed, names a host that it may name, and needs no key or has one: then it is from then
/// on its owner's.
pub(super) fn enter(
    app: &App,
    entrance: ListenerKind,
    request: &mut Request,
    id: &str,
) -> Result<Option<Principal>, Box<Problem>> {
    let refused = |code: ErrorCode| Box::new(code.problem(id));
    host::check_head(request).map_err(refused)?;
    let keys = app.keys.as_deref().filter(|_| entrance == ListenerKind::Public);
    // A page of a stranger has no key to send.
    let Some(keys) = keys else {
        host::check_host(request, &app.allowed_hosts).map_err(refused)?;
        let far = entrance == ListenerKind::Public && request.uri().path() == METRICS && is_remote(request);
        return if far { Err(refused(ErrorCode::Unauthorized)) } else { Ok(None) };
    };
    if is_open(request) {
        return Ok(None);
    }
    let of_path = request.extensions().get::<KeyOfPath>();
    let presented = key_of(request.headers()).map(|key| (key, Channel::Header));
    let presented = presented.or_else(|| of_path.map(|key| (&*key.0, Channel::Path)));
    let Some(principal) = presented.and_then(|(key, channel)| keys.principal(key, channel)) else {
        let failure = if presented.is_some() { AuthFailure::UnknownKey } else { AuthFailure::NoKey };
        app.metrics.refused_stranger(failure);
        return Err(refused(ErrorCode::Unauthorized));
    };
    if principal.is_for_metrics() && !FOR_METRICS_KEYS.contains(&request.uri().path()) {
        return Err(Box::new(ErrorCode::Unauthorized.problem(id).saying(METRICS_KEY)));
    }
    request.extensions_mut().insert(principal.clone());
    Ok(Some(principal))
}

/// Takes a key out of the path before anything routes by it or writes it down.
pub(super) fn take_key_of_path(request: &mut Request) {
    let Some((key, rest)) = request.uri().path().strip_prefix(KEY_IN_PATH).and_then(|rest| {
        let at = rest.find('/')?;
        rest.split_at_checked(at)
    }) else {
        return;
    };
    let key = KeyOfPath(Arc::from(key.as_bytes()));
    let query = request.uri().query().map(|query| format!("?{query}")).unwrap_or_default();
    let rest = format!("{rest}{query}");
    let mut parts = request.uri().clone().into_parts();
    parts.path_and_query = PathAndQuery::try_from(rest).ok();
    if let Ok(uri) = Uri::from_parts(parts) {
        *request.uri_mut() = uri;
        request.extensions_mut().insert(key);
    }
}

/// Whether a path is open to everybody, by the list.
pub(super) fn is_open_path(path: &str) -> bool {
    OPEN.contains(&path) || OPEN_BELOW.iter().any(|start| path.starts_with(start))
}

fn is_open(request: &Request) -> bool {
    let path = request.uri().path();
    // The verbose form tells how busy the service is.
    let telling = path == "/health" && service::is_verbose(request.uri().query());
    is_open_path(path) && !telling
}

/// Whether this is a health check from this machine, such as the container's own, which asks every few seconds.
pub(super) fn is_own_probe(request: &Request) -> bool {
    PROBED.contains(&request.uri().path()) && is_local(request)
}

/// Whether a request came over a connection from another machine.
fn is_remote(request: &Request) -> bool {
    peer(request).is_some() && !is_local(request)
}

/// Whether a caller is on this machine. One whose request a proxy here passed on is not, where the proxy says so: nothing
/// that keys guard is opened by this.
fn is_local(request: &Request) -> bool {
    let forwarded = [FORWARDED_FOR, header::FORWARDED].iter().any(|name| request.headers().contains_key(name));
    !forwarded && peer(request).is_some_and(|peer| peer.is_loopback())
}

fn peer(request: &Request) -> Option<IpAddr> {
    request.extensions().get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(peer)| peer.ip().to_canonical())
}

/// The address of the caller: the peer's, or where that is a trusted proxy, the last one in
/// `X-Forwarded-For` that is none. Callers of whom a proxy says nothing share the proxy's own.
pub(super) fn address(request: &Request, trusted: &[IpNet]) -> Option<IpAddr> {
    let is_trusted = |address: &IpAddr| trusted.iter().any(|network| network.contains(address));
    let peer = peer(request)?;
    if !is_trusted(&peer) {
        return Some(peer);
    }
    let lines: Vec<_> = request.headers().get_all(FORWARDED_FOR).iter().collect();
    // Each proxy appends the address that it saw, so the end is the trustworthy part, whatever a caller wrote
    // before it.
    for part in lines.into_iter().rev().flat_map(|line| line.as_bytes().rsplit(|&byte| byte == b',')) {
        match written_address(part) {
            Some(address) if is_trusted(&address) => {}
            // What no proxy writes is nobody's address: then all of these callers are one.
            found => return Some(found.unwrap_or(peer)),
        }
    }
    Some(peer)
}

/// An address as proxies write it: alone, or with a port.
fn written_address(part: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(part).ok()?.trim();
    let alone = text.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>().ok();
    alone
        .or_else(|| text.parse::<SocketAddr>().ok().map(|with_port| with_port.ip()))
        .map(|address| address.to_canonical())
}

/// Who calls, where that is known.
pub(super) fn principal(request: &Request) -> Option<Principal> {
    request.extensions().get::<Principal>().cloned()
}

/// What the caller of work that is ended for its key is told.
const KEY_REVOKED: &str = "The key of this request was taken out of the key file while it was under way: what was not \
                           answered before is not read. Ask the operator for a new key.";

/// The problem of a request whose key is no longer in the key file.
pub(super) fn key_revoked(id: &str) -> Problem {
    ErrorCode::Unauthorized.problem(id).saying(KEY_REVOKED)
}

/// Ends with the reason once the work for a caller must end although it is not done: the drain time is over, or the key is
/// no longer in the key file.
pub(super) async fn must_end(app: &App, caller: Option<&Principal>, id: &str) -> Problem {
    tokio::select! {
        biased;
        () = app.in_flight.is_cut_off() => ErrorCode::Draining.problem(id),
        () = access::revoked(caller) => key_revoked(id),
    }
}

/// Ends with the reason once nothing more is taken from a caller: the service shuts down, or the key is no longer in the
/// key file.
pub(super) async fn must_stop(app: &App, caller: Option<&Principal>) -> ErrorCode {
    tokio::select! {
        biased;
        () = app.in_flight.is_closing() => ErrorCode::Draining,
        () = access::revoked(caller) => ErrorCode::Unauthorized,
    }
}

/// The key that came with a request: `Authorization: Bearer KEY` or `X-API-Key: KEY`.
fn key_of(headers: &HeaderMap) -> Option<&[u8]> {
    let bearer = headers.get(header::AUTHORIZATION).and_then(|value| {
        let (scheme, key) = value.as_bytes().split_at_checked(7)?;
        scheme.eq_ignore_ascii_case(b"bearer ").then(|| key.trim_ascii())
    });
    bearer.or_else(|| headers.get(API_KEY).map(|value| value.as_bytes().trim_ascii()))
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    #[test]
    fn the_address_of_a_caller() {
        let trusted: Vec<IpNet> = vec!["10.0.0.0/8".parse().unwrap(), "127.0.0.1/32".parse().unwrap()];
        for (peer, forwarded, expected) in [
            ("192.0.2.1", vec!["198.51.100.9"], "192.0.2.1"),
            ("10.0.0.1", vec!["198.51.100.9"], "198.51.100.9"),
            ("10.0.0.1", vec!["6.6.6.6, 198.51.100.9, 10.1.1.1"], "198.51.100.9"),
            ("10.0.0.1", vec!["6.6.6.6", "198.51.100.9"], "198.51.100.9"),
            ("10.0.0.1", vec!["198.51.100.9, nonsense"], "10.0.0.1"),
            ("10.0.0.1", vec!["\u{e9}, 198.51.100.9:4711"], "198.51.100.9"),
            ("10.0.0.1", vec!["[2001:db8::1]:443"], "2001:db8::1"),
            ("10.0.0.1", vec![], "10.0.0.1"),
            ("10.0.0.1", vec!["10.0.0.2"], "10.0.0.1"),
            ("::ffff:127.0.0.1", vec!["2001:db8::1"], "2001:db8::1"),
        ] {
            let mut request = Request::builder();
            for line in &forwarded {
                request = request.header("x-forwarded-for", line.as_bytes());
            }
            let mut request = request.body(Body::empty()).unwrap();
            let peer_address = SocketAddr::new(peer.parse().unwrap(), 1);
            request.extensions_mut().insert(ConnectInfo(peer_address));
            assert_eq!(address(&request, &trusted), expected.parse().ok(), "{peer} {forwarded:?}");
            assert_eq!(is_local(&request), forwarded.is_empty() && peer.ends_with("127.0.0.1"), "{peer}");
        }
    }

    #[test]
    fn a_key_leaves_the_path() {
        for (path, rest, key) in [
            ("/t/abc/api/v1/extract?x=1", "/api/v1/extract?x=1", Some("abc")),
            ("/t//api", "/api", Some("")),
            ("/t/abc", "/t/abc", None),
            ("/health", "/health", None),
        ] {
            let mut request = Request::get(path).body(Body::empty()).unwrap();
            take_key_of_path(&mut request);
            assert_eq!(request.uri().to_string(), rest);
            let taken = request.extensions().get::<KeyOfPath>().map(|key| String::from_utf8(key.0.to_vec()).unwrap());
            assert_eq!(taken.as_deref(), key);
        }
    }
}
