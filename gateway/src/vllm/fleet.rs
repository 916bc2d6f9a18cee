//! Chooses the model server to call, and leaves out servers that fail.
//!
//! Each call goes to the less loaded of two ready servers, drawn at random. A server that fails is left out until its
//! watcher sees it ready again. If no server is ready, all are tried, so the last one is never left out.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError, RwLock,
        atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use reqwest::{Client, RequestBuilder};
use url::{Host, Url};

use super::{
    key::ServerKey,
    names::{self, ResolverSettings},
    paths::Path,
    probe::Probe,
    trial::Trial,
    watch::{self, AbortOnDrop},
};
use crate::{
    config::Vllm,
    extraction::EngineError,
    readiness::{Readiness, Replica, UpstreamState},
    telemetry::{Attempt, Metrics},
};

/// Failed or late calls in a row after which a server that can still be reached is left out for a while.
const MAX_FAILURES: u32 = 3;
/// How long a server is not checked after its first failure; the time doubles with each further failure in a row.
const FIRST_BACKOFF: Duration = Duration::from_millis(100);
const LONGEST_BACKOFF: Duration = Duration::from_secs(20);
/// A call that was given up sooner than this says nothing about the server, because its caller allowed little time.
const SLOW_CALL: Duration = Duration::from_secs(5);

/// All model servers.
#[derive(Debug)]
pub(super) struct Fleet {
    members: RwLock<Arc<[Arc<Member>]>>,
    readiness: Arc<Readiness>,
    metrics: Arc<Metrics>,
    model: String,
    trial: Option<Arc<Trial>>,
    /// The key that every request to a server carries.
    key: Option<Arc<ServerKey>>,
    /// The servers of each URL of the settings.
    origins: Mutex<Vec<Vec<Arc<Member>>>>,
}

/// One model server.
#[derive(Debug)]
pub(super) struct Member {
    probe: Arc<Probe>,
    address: Option<SocketAddr>,
    in_flight: AtomicUsize,
    failures: AtomicU32,
    _watcher: AbortOnDrop,
}

/// A call to a model server, counted until it is dropped.
#[derive(Debug)]
pub(super) struct ReplicaCall {
    member: Arc<Member>,
    fleet: Arc<Fleet>,
    started: Instant,
    outcome_recorded: AtomicBool,
}

impl Fleet {
    /// Returns the key of the servers; `None` if they need none.
    pub(super) fn key(&self) -> Option<&Arc<ServerKey>> {
        self.key.as_ref()
    }

    /// Returns the servers of the settings, and starts their watchers. It must be called in a runtime.
    pub(super) fn new(
        urls: &[Url],
        settings: &Vllm,
        key: Option<Arc<ServerKey>>,
        readiness: &Arc<Readiness>,
        metrics: &Arc<Metrics>,
    ) -> Result<Arc<Self>, reqwest::Error> {
        let fleet = Arc::new(Self {
            members: RwLock::new(Arc::from([])),
            readiness: Arc::clone(readiness),
            metrics: Arc::clone(metrics),
            model: settings.model.clone(),
            trial: Trial::of(settings).map(Arc::new),
            key,
            origins: Mutex::new(Vec::new()),
        });
        for (at, url) in urls.iter().enumerate() {
            let member = fleet.member(at, url, None, 0)?;
            fleet.origins.lock().unwrap_or_else(PoisonError::into_inner).push(vec![member]);
        }
        fleet.publish();
        Ok(fleet)
    }

    /// Regularly looks up the host names in the URLs until the returned tasks are dropped.
    pub(super) fn resolve(self: &Arc<Self>, urls: &[Url], settings: &ResolverSettings) -> Vec<AbortOnDrop> {
        let named = urls.iter().enumerate().filter_map(|(at, url)| match url.host()? {
            // `localhost` has two addresses but is one machine.
            Host::Domain(host) if host != "localhost" => Some((at, url.clone(), host.to_owned())),
            _ => None,
        });
        let watch = |(at, url, host): (usize, Url, String)| {
            let (fleet, settings) = (Arc::downgrade(self), settings.clone());
            AbortOnDrop::spawn(async move {
                let port = url.port_or_known_default().unwrap_or(80);
                loop {
                    let result = settings.resolver.look_up(&host, port).await;
                    let Some(fleet) = fleet.upgrade() else { return };
                    // After a failed lookup the known servers are kept, because they may still run.
                    if let Ok(addresses) = result {
                        fleet.update_origin(at, &url, &names::servers(&addresses));
                    }
                    drop(fleet);
                    tokio::time::sleep(settings.interval).await;
                }
            })
        };
        named.map(watch).collect()
    }

    /// Replaces the servers of one URL. Servers that are still among them keep their state.
    fn update_origin(self: &Arc<Self>, at: usize, url: &Url, servers: &[Option<SocketAddr>]) {
        {
            let mut origins = self.origins.lock().unwrap_or_else(PoisonError::into_inner);
            let Some(known) = origins.get_mut(at) else { return };
            if known.iter().map(|member| member.address).eq(servers.iter().copied()) {
                return;
            }
            let kept = |address: &Option<SocketAddr>| known.iter().find(|member| member.address == *address).cloned();
            // A kept server keeps its number, and a new one gets a free number, so that no two servers share a name.
            let used_names: Vec<String> =
                servers.iter().filter_map(kept).map(|member| member.probe.replica.name().to_owned()).collect();
            let mut free_numbers = (0..).filter(|&number| !used_names.contains(&name(at, true, number)));
            let member = |address: &Option<SocketAddr>| match kept(address) {
                Some(member) => Ok(member),
                None => self.member(at, url, *address, free_numbers.next().unwrap_or_default()),
            };
            match servers.iter().map(member).collect() {
                Ok(members) => *known = members,
                Err(error) => {
                    tracing::error!(%error, "the client of a model server cannot be made");
                    return;
                }
            }
        }
        tracing::info!(origin = at + 1, servers = servers.len(), "the name of a model server has other addresses");
        self.publish();
    }

    fn member(
        self: &Arc<Self>,
        at: usize,
        url: &Url,
        address: Option<SocketAddr>,
        number: usize,
    ) -> Result<Arc<Member>, reqwest::Error> {
        let name = name(at, address.is_some(), number);
        let probe =
            Arc::new(Probe::new(client(url, address)?, url, self.model.clone(), self.key.clone(), Replica::new(name)));
        let watcher = watch::spawn(Arc::clone(&probe), self.trial.clone(), Arc::clone(&self.readiness));
        Ok(Arc::new(Member {
            probe,
            address,
            in_flight: AtomicUsize::new(0),
            failures: AtomicU32::new(0),
            _watcher: watcher,
        }))
    }

    fn publish(&self) {
        // The lock is held until the list is stored, so that an older list never replaces a newer one.
        let origins = self.origins.lock().unwrap_or_else(PoisonError::into_inner);
        let members: Arc<[Arc<Member>]> = origins.iter().flatten().cloned().collect();
        self.readiness.watch(members.iter().map(|member| Arc::clone(&member.probe.replica)).collect());
        *self.members.write().unwrap_or_else(PoisonError::into_inner) = members;
    }

    /// Returns a server to call for a model: the less loaded of two ready servers, or of any two if none is ready.
    ///
    /// It avoids the server of the call `failed` if there is another one. It never returns a server that does not list
    /// the model, because another model would answer there.
    pub(super) fn call(
        self: &Arc<Self>,
        model: &str,
        failed: Option<&ReplicaCall>,
    ) -> Result<ReplicaCall, EngineError> {
        let members = Arc::clone(&self.members.read().unwrap_or_else(PoisonError::into_inner));
        let serves = |member: &&Arc<Member>| member.may_serve(model);
        let other = |member: &&Arc<Member>| failed.is_none_or(|call| !Arc::ptr_eq(&call.member, member));
        let member = pick(|| members.iter().filter(|member| member.is_ready()).filter(serves).filter(other))
            .or_else(|| pick(|| members.iter().filter(serves).filter(other)))
            .or_else(|| members.iter().find(serves));
        let Some(member) = member else {
            if members.is_empty() {
                return Err(EngineError::Unavailable);
            }
            tracing::warn!("no model server lists the model that is asked for: no note was sent");
            return Err(EngineError::Rejected);
        };
        member.in_flight.fetch_add(1, Relaxed);
        let (member, fleet) = (Arc::clone(member), Arc::clone(self));
        Ok(ReplicaCall { member, fleet, started: Instant::now(), outcome_recorded: AtomicBool::new(false) })
    }

    /// Leaves a server out, unless it is the only ready one. In both cases its watcher checks it after a while.
    fn leave_out(&self, member: &Member, backoff: Duration) {
        // The lock lets one server be left out at a time. Of two that fail at once, each could take the other for
        // ready.
        let _lock = self.origins.lock().unwrap_or_else(PoisonError::into_inner);
        let members = Arc::clone(&self.members.read().unwrap_or_else(PoisonError::into_inner));
        let others = members.iter().filter(|other| other.is_ready() && !std::ptr::eq(&raw const ***other, member));
        let last = others.count() == 0;
        if member.is_ready() && !last {
            self.readiness.set_state(&member.probe.replica, UpstreamState::Unreachable);
            self.metrics.ejected(member.probe.replica.name());
            tracing::warn!(replica = member.probe.replica.name(), "a model server is left out until it is ready again");
        }
        member.probe.check_after(if last { FIRST_BACKOFF } else { backoff });
    }
}

/// Returns the server's name in logs and metrics, which has its position in the settings and never its address.
fn name(at: usize, of_several: bool, number: usize) -> String {
    if of_several { format!("vllm-{}.{}", at + 1, number + 1) } else { format!("vllm-{}", at + 1) }
}

/// Returns the less loaded of two random candidates, or the only one.
fn pick<'a, I: Iterator<Item = &'a Arc<Member>>>(candidates: impl Fn() -> I) -> Option<&'a Arc<Member>> {
    let count = candidates().count();
    if count < 2 {
        return candidates().next();
    }
    let first = fastrand::usize(..count);
    let second = (first + fastrand::usize(1..count)) % count;
    let load = |member: &Arc<Member>| member.in_flight.load(Relaxed);
    let (first, second) = (candidates().nth(first)?, candidates().nth(second)?);
    Some(if load(second) < load(first) { second } else { first })
}

impl Member {
    fn is_ready(&self) -> bool {
        self.probe.replica.state() == UpstreamState::Ready
    }

    /// Returns whether the server lists the model; true if its list is unknown.
    fn may_serve(&self, model: &str) -> bool {
        self.probe.models().is_none_or(|models| models.lists(model))
    }
}

impl ReplicaCall {
    /// Returns a POST request to a path, with the server's key.
    pub(super) fn post(&self, path: Path) -> RequestBuilder {
        self.member.probe.post(path)
    }

    /// Returns the context length of a model at this server, in tokens; `None` if the server does not state it.
    pub(super) fn context(&self, model: &str) -> Option<u32> {
        self.member.probe.models()?.context(model)
    }

    /// Returns whether `answering`, the model that a completion names, is the requested model. If it is not, this is
    /// logged once.
    pub(super) fn is_requested_model(&self, answering: &str, requested: &str) -> bool {
        let same = answering == requested
            || self.member.probe.models().is_some_and(|models| models.same(answering, requested));
        if !same {
            self.member.probe.log_other_model();
        }
        same
    }

    /// Records the outcome of the call, for the choice of servers and for the metrics.
    pub(super) fn record_outcome(&self, attempt: Attempt) {
        self.outcome_recorded.store(true, Relaxed);
        self.fleet.metrics.count_attempt(attempt);
        tracing::debug!(replica = self.member.probe.replica.name(), ?attempt, "a model server was called");
        let member = &self.member;
        let add_failure = || member.failures.fetch_add(1, Relaxed) + 1;
        match attempt {
            Attempt::Answered | Attempt::Rejected => member.failures.store(0, Relaxed),
            Attempt::Overloaded => {}
            Attempt::Unreachable | Attempt::Busy => self.fleet.leave_out(member, backoff(add_failure())),
            Attempt::Late if self.started.elapsed() < SLOW_CALL => {}
            Attempt::Failed | Attempt::Late => {
                let failures = add_failure();
                if failures >= MAX_FAILURES {
                    self.fleet.leave_out(member, backoff(failures));
                }
            }
        }
    }
}

fn backoff(failures: u32) -> Duration {
    let factor = 1_u32.checked_shl(failures.saturating_sub(1)).unwrap_or(u32::MAX);
    FIRST_BACKOFF.saturating_mul(factor).min(LONGEST_BACKOFF)
}

impl Drop for ReplicaCall {
    fn drop(&mut self) {
        // The caller has given up the call. If the call took long, this says as much as a passed deadline.
        if !self.outcome_recorded.load(Relaxed) && self.started.elapsed() >= SLOW_CALL {
            self.record_outcome(Attempt::Late);
        }
        self.member.in_flight.fetch_sub(1, Relaxed);
    }
}

/// Returns the HTTP client of one server. It connects only to `address` if that is set, which it is for a host name
/// with several addresses.
fn client(url: &Url, address: Option<SocketAddr>) -> Result<Client, reqwest::Error> {
    let builder = Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(Duration::from_secs(3))
        // vLLM closes connections that are idle for 5 s, so the client closes them before that.
        .pool_idle_timeout(Duration::from_secs(4))
        // Distinguishes a host that is gone from one that still computes.
        .tcp_keepalive(Duration::from_secs(15))
        .tcp_nodelay(true);
    // Plain HTTP needs no certificates, and a container image with only the binary has none.
    let builder = if url.scheme() == "http" { builder.tls_certs_only([]) } else { builder };
    match (url.domain(), address) {
        (Some(host), Some(address)) => builder.resolve(host, address).build(),
        _ => builder.build(),
    }
}
