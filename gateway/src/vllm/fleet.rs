//! The model servers: which of them is called, and which is left out.
//!
//! The less loaded of two that are ready, drawn at random. A server that fails is left out until its watcher
//! sees it ready again; where none is ready all are tried, so that the last one is never left out.

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
    trial::Trial,
    watch::{self, Probe, Task},
};
use crate::{
    config::Vllm,
    extraction::EngineError,
    readiness::{Readiness, Replica, Upstream},
    telemetry::{Attempt, Metrics},
};

/// After so many failures in a row that a server survived, another is preferred for a while.
const PATIENCE: u32 = 3;
/// How long a server is left alone after its first failure; twice as long after each further one in a row.
const FIRST_REST: Duration = Duration::from_millis(100);
const LONGEST_REST: Duration = Duration::from_secs(20);
/// A call that was given up after less says nothing of the server: its caller had little time.
const LATE: Duration = Duration::from_secs(5);

/// All model servers.
#[derive(Debug)]
pub(super) struct Fleet {
    members: RwLock<Arc<[Arc<Member>]>>,
    readiness: Arc<Readiness>,
    metrics: Arc<Metrics>,
    model: String,
    trial: Option<Arc<Trial>>,
    /// What every request to a server is authorised with.
    key: Option<Arc<ServerKey>>,
    /// One for each URL of the settings.
    origins: Mutex<Vec<Vec<Arc<Member>>>>,
}

/// One model server.
#[derive(Debug)]
pub(super) struct Member {
    probe: Arc<Probe>,
    address: Option<SocketAddr>,
    in_flight: AtomicUsize,
    failures: AtomicU32,
    _watcher: Task,
}

/// A call to a model server, counted until it is dropped.
#[derive(Debug)]
pub(super) struct ReplicaCall {
    member: Arc<Member>,
    fleet: Arc<Fleet>,
    began: Instant,
    judged: AtomicBool,
}

impl Fleet {
    /// The key of the servers, where they ask for one.
    pub(super) fn key(&self) -> Option<&Arc<ServerKey>> {
        self.key.as_ref()
    }

    /// The servers of the settings, and their watchers; call it in a runtime.
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

    /// Looks up the names among the URLs again and again, for as long as the tasks are kept.
    pub(super) fn resolve(self: &Arc<Self>, urls: &[Url], resolving: &ResolverSettings) -> Vec<Task> {
        let named = urls.iter().enumerate().filter_map(|(at, url)| match url.host()? {
            // This machine's own name has two addresses and is one machine.
            Host::Domain(host) if host != "localhost" => Some((at, url.clone(), host.to_owned())),
            _ => None,
        });
        let watch = |(at, url, host): (usize, Url, String)| {
            let (fleet, resolving) = (Arc::downgrade(self), resolving.clone());
            Task::spawn(async move {
                let port = url.port_or_known_default().unwrap_or(80);
                loop {
                    let found = resolving.names.look_up(&host, port).await;
                    let Some(fleet) = fleet.upgrade() else { return };
                    // A resolver that is away changes nothing: the servers may well be there.
                    if let Ok(addresses) = found {
                        fleet.found(at, &url, &names::servers(&addresses));
                    }
                    drop(fleet);
                    tokio::time::sleep(resolving.every).await;
                }
            })
        };
        named.map(watch).collect()
    }

    /// A name stands for these servers from now on. Those that stay keep their state.
    fn found(self: &Arc<Self>, at: usize, url: &Url, servers: &[Option<SocketAddr>]) {
        {
            let mut origins = self.origins.lock().unwrap_or_else(PoisonError::into_inner);
            let Some(known) = origins.get_mut(at) else { return };
            if known.iter().map(|member| member.address).eq(servers.iter().copied()) {
                return;
            }
            let kept = |address: &Option<SocketAddr>| known.iter().find(|member| member.address == *address).cloned();
            // Numbers that are taken stay so: two servers of one name could not be told apart.
            let taken: Vec<String> =
                servers.iter().filter_map(kept).map(|member| member.probe.seat.name().to_owned()).collect();
            let mut free = (0..).filter(|&number| !taken.contains(&name(at, true, number)));
            let made = |address: &Option<SocketAddr>| match kept(address) {
                Some(member) => Ok(member),
                None => self.member(at, url, *address, free.next().unwrap_or_default()),
            };
            match servers.iter().map(made).collect() {
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
        let probe = Arc::new(Probe::new(
            client(url, address)?,
            url,
            self.model.clone(),
            self.trial.clone(),
            self.key.clone(),
            Replica::new(name),
        ));
        let watcher = watch::spawn(Arc::clone(&probe), Arc::clone(&self.readiness));
        Ok(Arc::new(Member {
            probe,
            address,
            in_flight: AtomicUsize::new(0),
            failures: AtomicU32::new(0),
            _watcher: watcher,
        }))
    }

    fn publish(&self) {
        // Held until the list is stored, so that a later one is never overwritten by an earlier one.
        let origins = self.origins.lock().unwrap_or_else(PoisonError::into_inner);
        let members: Arc<[Arc<Member>]> = origins.iter().flatten().cloned().collect();
        self.readiness.watch(members.iter().map(|member| Arc::clone(&member.probe.seat)).collect());
        *self.members.write().unwrap_or_else(PoisonError::into_inner) = members;
    }

    /// A server to call for a model: the less loaded of two that are ready, or of all where none is. Not `failed`, if
    /// there is another. Never one that does not list the model: what it would answer is another model's.
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
        Ok(ReplicaCall { member, fleet, began: Instant::now(), judged: AtomicBool::new(false) })
    }

    /// Leaves a server out, unless it is the only one that is ready. Either way its watcher looks at it.
    fn leave_out(&self, member: &Member, rest: Duration) {
        // One at a time: two that fail at the same moment must not each take the other for the one that is left.
        let _judging = self.origins.lock().unwrap_or_else(PoisonError::into_inner);
        let members = Arc::clone(&self.members.read().unwrap_or_else(PoisonError::into_inner));
        let others = members.iter().filter(|other| other.is_ready() && !std::ptr::eq(&raw const ***other, member));
        let last = others.count() == 0;
        if member.is_ready() && !last {
            self.readiness.saw(&member.probe.seat, Upstream::Unreachable);
            self.metrics.ejected(member.probe.seat.name());
            tracing::warn!(replica = member.probe.seat.name(), "a model server is left out until it is ready again");
        }
        member.probe.look_after(if last { FIRST_REST } else { rest });
    }
}

/// What a server is called: by its place, never by its address.
fn name(at: usize, of_several: bool, number: usize) -> String {
    if of_several { format!("vllm-{}.{}", at + 1, number + 1) } else { format!("vllm-{}", at + 1) }
}

/// The less loaded of two at random, or the only one.
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
        self.probe.seat.state() == Upstream::Ready
    }

    /// Whether it lists a model, or what it lists is not known.
    fn may_serve(&self, model: &str) -> bool {
        self.probe.models().is_none_or(|models| models.lists(model))
    }
}

impl ReplicaCall {
    /// A request to a path, with the server's key.
    pub(super) fn post(&self, path: Path) -> RequestBuilder {
        self.member.probe.post(path)
    }

    /// The context of a model there, in tokens, where the server says it.
    pub(super) fn context(&self, model: &str) -> Option<u32> {
        self.member.probe.models()?.context(model)
    }

    /// Whether a completion that names `own` is one of the model that was asked for. Where it is not, that is said once
    /// in the log.
    pub(super) fn is_of(&self, own: &str, asked: &str) -> bool {
        let same = own == asked || self.member.probe.models().is_some_and(|models| models.same(own, asked));
        if !same {
            self.member.probe.other_model();
        }
        same
    }

    /// Notes how the call went, for the next choice and for the metrics.
    pub(super) fn went(&self, attempt: Attempt) {
        self.judged.store(true, Relaxed);
        self.fleet.metrics.attempted(attempt);
        tracing::debug!(replica = self.member.probe.seat.name(), ?attempt, "a model server was called");
        let member = &self.member;
        let failed_again = || member.failures.fetch_add(1, Relaxed) + 1;
        match attempt {
            Attempt::Answered | Attempt::Rejected => member.failures.store(0, Relaxed),
            Attempt::Overloaded => {}
            Attempt::Unreachable | Attempt::Busy => self.fleet.leave_out(member, rest(failed_again())),
            Attempt::Late if self.began.elapsed() < LATE => {}
            Attempt::Failed | Attempt::Late => {
                let failures = failed_again();
                if failures >= PATIENCE {
                    self.fleet.leave_out(member, rest(failures));
                }
            }
        }
    }
}

fn rest(failures: u32) -> Duration {
    let doubled = 1_u32.checked_shl(failures.saturating_sub(1)).unwrap_or(u32::MAX);
    FIRST_REST.saturating_mul(doubled).min(LONGEST_REST)
}

impl Drop for ReplicaCall {
    fn drop(&mut self) {
        // Given up by its caller: after long enough that tells as much as a deadline that passed.
        if !self.judged.load(Relaxed) && self.began.elapsed() >= LATE {
            self.went(Attempt::Late);
        }
        self.member.in_flight.fetch_sub(1, Relaxed);
    }
}

/// The client of one server, bound to an address where its name has several.
fn client(url: &Url, address: Option<SocketAddr>) -> Result<Client, reqwest::Error> {
    let builder = Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(Duration::from_secs(3))
        // vLLM closes connections that idle for 5 s: ours must go first.
        .pool_idle_timeout(Duration::from_secs(4))
        // Tells a host that is gone from one that thinks.
        .tcp_keepalive(Duration::from_secs(15))
        .tcp_nodelay(true);
    // Plain HTTP needs no certificates, and where the binary is all there is there are none.
    let builder = if url.scheme() == "http" { builder.tls_certs_only([]) } else { builder };
    match (url.domain(), address) {
        (Some(host), Some(address)) => builder.resolve(host, address).build(),
        _ => builder.build(),
    }
}
