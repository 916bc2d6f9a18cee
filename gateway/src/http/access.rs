//! Access control at the edge: which routes are open, which key a request carries, and which address it comes from.

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
    host,
    request_record::NO_ROUTE,
    service,
};
use crate::{
    access::{self, Channel, Principal, Scope},
    telemetry::{AuthFailure, Route},
};

/// Paths that need no key: they describe the service and report whether it is alive. Every other path needs one.
pub(super) const OPEN: [&str; 9] = [
    "/",
    "/ui",
    "/health",
    "/health/live",
    "/health/ready",
    "/api/v1/schema",
    "/docs",
    "/openapi.json",
    "/openapi-3.0.json",
];
/// Prefixes of the files of the two pages, which need no key either.
const OPEN_PREFIXES: [&str; 2] = ["/docs/", "/ui/"];
/// The metrics. Without a key file they answer only callers on this machine. With a key file they need a key: otherwise
/// a proxy on this machine would open them to all of its callers.
const METRICS: &str = "/metrics";
/// What the keys have used.
pub(super) const USAGE: Route = "/api/v1/usage";
/// The paths that health checks request.
const PROBE_PATHS: [&str; 3] = ["/health", "/health/live", "/health/ready"];
/// The prefix of a path with a key, for clients that cannot send a header: `/t/KEY/api/v1/extract`.
const KEY_PATH_PREFIX: &str = "/t/";

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// The key that [`extract_path_key`] took out of the path, kept as a request extension.
#[derive(Clone)]
struct PathKey(Arc<[u8]>);

/// Returns the scope that a key needs for a route; `None` for an unknown path, because any key may learn that there is
/// no such path. An open route has a scope too, for its guarded part, such as the details of `/health`.
pub(super) fn needed_scope(route: Route) -> Option<Scope> {
    match route {
        NO_ROUTE => None,
        METRICS | "/health" => Some(Scope::Metrics),
        USAGE => Some(Scope::Usage),
        _ => Some(Scope::Extract),
    }
}

/// Returns the problem of a request whose key lacks the scope that it needs.
pub(super) fn insufficient_scope(needed: Scope, principal: &Principal, id: &str) -> Problem {
    let detail = format!(
        "This needs a key with the scope `{}`; this key has: {}. The operator names the scopes in the key's line of the key \
         file.",
        needed.name(),
        principal.scopes()
    );
    ErrorCode::InsufficientScope.problem(id).with_detail(&detail)
}

/// The port on which a request arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ListenerKind {
    /// `listen`: every route, with keys where they are set.
    Public,
    /// `metrics.listen`: metrics and health, without a key. The operator decides which clients can reach this port.
    Metrics,
}

/// Returns the principal of a request, or none where the request needs no key. Stores the principal in the request.
///
/// Refuses a request with a malformed head, one without the key that it needs, and one whose key lacks the scope of the
/// route. If the port needs no keys, it also refuses a request for a host that is not allowed.
pub(super) fn authorize(
    app: &App,
    listener: ListenerKind,
    request: &mut Request,
    (route, id): (Route, &str),
) -> Result<Option<Principal>, Box<Problem>> {
    let refused = |code: ErrorCode| Box::new(code.problem(id));
    host::check_head(request).map_err(refused)?;
    let keys = app.access.keys.as_deref().filter(|_| listener == ListenerKind::Public);
    // The host matters only without keys: a web page that attacks by DNS rebinding has no key to send.
    let Some(keys) = keys else {
        host::check_host(request, &app.access.allowed_hosts).map_err(refused)?;
        let remote_scrape = listener == ListenerKind::Public && request.uri().path() == METRICS && is_remote(request);
        return if remote_scrape { Err(refused(ErrorCode::Unauthorized)) } else { Ok(None) };
    };
    if is_open(request) {
        return Ok(None);
    }
    let path_key = request.extensions().get::<PathKey>();
    let presented = key_of(request.headers()).map(|key| (key, Channel::Header));
    let presented = presented.or_else(|| path_key.map(|key| (&*key.0, Channel::Path)));
    let Some(principal) = presented.and_then(|(key, channel)| keys.principal(key, channel)) else {
        let failure = if presented.is_some() { AuthFailure::UnknownKey } else { AuthFailure::NoKey };
        app.state.metrics.count_auth_failure(failure);
        return Err(refused(ErrorCode::Unauthorized));
    };
    if let Some(needed) = needed_scope(route).filter(|&needed| !principal.may(needed)) {
        app.state.metrics.count_auth_failure(AuthFailure::Scope);
        return Err(Box::new(insufficient_scope(needed, &principal, id)));
    }
    request.extensions_mut().insert(principal.clone());
    Ok(Some(principal))
}

/// Moves a key from the path to a request extension, before the path is used for routing or written to a log.
pub(super) fn extract_path_key(request: &mut Request) {
    let Some((key, rest)) = request.uri().path().strip_prefix(KEY_PATH_PREFIX).and_then(|rest| {
        let at = rest.find('/')?;
        rest.split_at_checked(at)
    }) else {
        return;
    };
    let key = PathKey(Arc::from(key.as_bytes()));
    let query = request.uri().query().map(|query| format!("?{query}")).unwrap_or_default();
    let rest = format!("{rest}{query}");
    let mut parts = request.uri().clone().into_parts();
    parts.path_and_query = PathAndQuery::try_from(rest).ok();
    if let Ok(uri) = Uri::from_parts(parts) {
        *request.uri_mut() = uri;
        request.extensions_mut().insert(key);
    }
}

/// Returns whether a path needs no key, by [`OPEN`] and [`OPEN_PREFIXES`].
pub(super) fn is_open_path(path: &str) -> bool {
    OPEN.contains(&path) || OPEN_PREFIXES.iter().any(|start| path.starts_with(start))
}

fn is_open(request: &Request) -> bool {
    let path = request.uri().path();
    // The verbose form reveals how busy the service is.
    let is_verbose_health = path == "/health" && service::is_verbose(request.uri().query());
    is_open_path(path) && !is_verbose_health
}

/// Returns whether a request is a health check from this machine. The container sends one every few seconds.
pub(super) fn is_own_probe(request: &Request) -> bool {
    PROBE_PATHS.contains(&request.uri().path()) && is_local(request)
}

/// Returns whether a request came over a connection from another machine.
fn is_remote(request: &Request) -> bool {
    peer(request).is_some() && !is_local(request)
}

/// Returns whether the caller is on this machine. A request that a proxy on this machine forwarded does not count, if
/// the proxy sets `X-Forwarded-For` or `Forwarded`. A proxy may omit both, so nothing that keys guard depends on this.
fn is_local(request: &Request) -> bool {
    let forwarded = [FORWARDED_FOR, header::FORWARDED].iter().any(|name| request.headers().contains_key(name));
    !forwarded && peer(request).is_some_and(|peer| peer.is_loopback())
}

fn peer(request: &Request) -> Option<IpAddr> {
    request.extensions().get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(peer)| peer.ip().to_canonical())
}

/// Returns the address of the caller: the peer's address or, if the peer is a trusted proxy, the last address in
/// `X-Forwarded-For` that is not a trusted proxy. If a proxy names no caller, the result is the proxy's own address.
pub(super) fn address(request: &Request, trusted: &[IpNet]) -> Option<IpAddr> {
    let is_trusted = |address: &IpAddr| trusted.iter().any(|network| network.contains(address));
    let peer = peer(request)?;
    if !is_trusted(&peer) {
        return Some(peer);
    }
    let lines: Vec<_> = request.headers().get_all(FORWARDED_FOR).iter().collect();
    // Each proxy appends the address that it saw. So the end of the list is reliable, and a caller can forge only the
    // start.
    for part in lines.into_iter().rev().flat_map(|line| line.as_bytes().rsplit(|&byte| byte == b',')) {
        match parse_forwarded(part) {
            Some(address) if is_trusted(&address) => {}
            // No proxy writes text that is not an address. All callers with such a header share the proxy's address.
            found => return Some(found.unwrap_or(peer)),
        }
    }
    Some(peer)
}

/// Parses an address in a form that proxies write: alone, or with a port.
fn parse_forwarded(part: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(part).ok()?.trim();
    let alone = text.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>().ok();
    alone
        .or_else(|| text.parse::<SocketAddr>().ok().map(|with_port| with_port.ip()))
        .map(|address| address.to_canonical())
}

/// Returns the principal of a request. None where the request needed no key.
pub(super) fn principal(request: &Request) -> Option<Principal> {
    request.extensions().get::<Principal>().cloned()
}

/// The error text for a request that ends because its key was removed from the key file, or lost a scope.
const KEY_REVOKED: &str = "The key of this request was removed from the key file, or lost a scope, while the request \
                           was running. Notes that have no answer yet are not read. Ask the operator for a new key.";

/// Returns the problem of a request whose key is no longer in the key file.
pub(super) fn key_revoked(id: &str) -> Problem {
    ErrorCode::Unauthorized.problem(id).with_detail(KEY_REVOKED)
}

/// Waits until unfinished work for a caller must end, and returns the reason: the drain time is over, or the key is no
/// longer in the key file.
async fn until_cut_off(app: &App, caller: Option<&Principal>, id: &str) -> Problem {
    tokio::select! {
        biased;
        () = app.state.in_flight.until_cut_off() => ErrorCode::Draining.problem(id),
        () = access::revoked(caller) => key_revoked(id),
    }
}

/// Waits for an answer. Returns a problem instead if the caller's work must end before the answer is there.
pub(super) async fn answer_unless_cut_off<T>(
    app: &App,
    caller: Option<&Principal>,
    id: &str,
    answer: impl Future<Output = Result<T, Box<Problem>>>,
) -> Result<T, Box<Problem>> {
    tokio::select! {
        biased;
        outcome = answer => outcome,
        problem = until_cut_off(app, caller, id) => Err(Box::new(problem)),
    }
}

/// Waits until no more input is accepted from a caller, and returns the reason: the service shuts down, or the key is
/// no longer in the key file.
pub(super) async fn until_closed(app: &App, caller: Option<&Principal>) -> ErrorCode {
    tokio::select! {
        biased;
        () = app.state.in_flight.until_closed() => ErrorCode::Draining,
        () = access::revoked(caller) => ErrorCode::Unauthorized,
    }
}

/// Returns the key in the headers of a request: `Authorization: Bearer KEY` or `X-API-Key: KEY`.
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
    fn address_is_the_last_forwarded_one_that_is_not_a_trusted_proxy() {
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
    fn extract_path_key_removes_the_key_from_the_path() {
        for (path, rest, key) in [
            ("/t/abc/api/v1/extract?x=1", "/api/v1/extract?x=1", Some("abc")),
            ("/t//api", "/api", Some("")),
            ("/t/abc", "/t/abc", None),
            ("/health", "/health", None),
        ] {
            let mut request = Request::get(path).body(Body::empty()).unwrap();
            extract_path_key(&mut request);
            assert_eq!(request.uri().to_string(), rest);
            let taken = request.extensions().get::<PathKey>().map(|key| String::from_utf8(key.0.to_vec()).unwrap());
            assert_eq!(taken.as_deref(), key);
        }
    }
}
