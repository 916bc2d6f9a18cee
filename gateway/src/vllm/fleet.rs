//! Chooses the replica (one of several model servers) to call, and leaves out replicas that fail.
//!
//! Each call goes to the less loaded of two ready replicas, drawn at random. A replica that fails is left out until its
//! watcher sees it ready again. If no replica is ready, all are tried, so the last one is never left out.

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
    dns::{self, ResolverSettings},
    paths::Path,
    probe::Probe,
    trial::Trial,
    watch::{self, AbortOnDrop},
    wire::Usage,
};
use crate::{
    config::Vllm,
    extraction::EngineError,
    readiness::{Readiness, ReplicaState, ReplicaStatus},
    routing::Routing,
    server_key::ServerKey,
    telemetry::{Attempt, Metrics},
    tls,
};

/// Number of consecutive failed or late calls after which a replica that can still be reached is left out for a while.
const MAX_FAILURES: u32 = 3;
/// How long a replica is not checked after its first failure; the time doubles with each further failure in a row.
const FIRST_BACKOFF: Duration = Duration::from_millis(100);
const LONGEST_BACKOFF: Duration = Duration::from_secs(20);
/// A call that was cancelled or reached its deadline sooner than this is not counted against the replica, because its
/// caller allowed little time.
const SLOW_CALL: Duration = Duration::from_secs(5);

/// All replicas.
#[derive(Debug)]
pub(super) struct Fleet {
    replicas: RwLock<Arc<[Arc<Replica>]>>,
    readiness: Arc<Readiness>,
    metrics: Arc<Metrics>,
    routing: Arc<Routing>,
    trial: Option<Arc<Trial>>,
    /// The key that every request to a replica carries.
    key: Option<Arc<ServerKey>>,
    /// The replicas of each URL of the settings.
    by_url: Mutex<Vec<Vec<Arc<Replica>>>>,
}

/// One model server of several, with its client and its watcher.
#[derive(Debug)]
pub(super) struct Replica {
    probe: Arc<Probe>,
    address: Option<SocketAddr>,
    in_flight: AtomicUsize,
    failures: AtomicU32,
    _watcher: AbortOnDrop,
}

/// A call to a model server, counted until it is dropped.
#[derive(Debug)]
pub(super) struct ReplicaCall {
    replica: Arc<Replica>,
    fleet: Arc<Fleet>,
    started: Instant,
    /// Whether no caller waits for the call. Its failures must not take the replica from the callers.
    background: bool,
    outcome_recorded: AtomicBool,
}

impl Fleet {
    /// Returns the key of the replicas; `None` if they need none.
    pub(super) fn key(&self) -> Option<&Arc<ServerKey>> {
        self.key.as_ref()
    }

    /// Returns the replicas of the settings, and starts their watchers. It must be called in a runtime.
    pub(super) fn new(
        urls: &[Url],
        settings: &Vllm,
        key: Option<Arc<ServerKey>>,
        routing: &Arc<Routing>,
        readiness: &Arc<Readiness>,
        metrics: &Arc<Metrics>,
    ) -> Result<Arc<Self>, reqwest::Error> {
        let fleet = Arc::new(Self {
            replicas: RwLock::new(Arc::from([])),
            readiness: Arc::clone(readiness),
            metrics: Arc::clone(metrics),
            routing: Arc::clone(routing),
            trial: Trial::of(settings, &routing.targets()).map(Arc::new),
            key,
            by_url: Mutex::new(Vec::new()),
        });
        for (at, url) in urls.iter().enumerate() {
            let replica = fleet.start_replica(at, url, None, 0)?;
            fleet.by_url.lock().unwrap_or_else(PoisonError::into_inner).push(vec![replica]);
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
                    // After a failed lookup the known replicas are kept, because they may still run.
                    if let Ok(addresses) = result {
                        fleet.update_url(at, &url, &dns::replica_addresses(&addresses));
                    }
                    drop(fleet);
                    tokio::time::sleep(settings.interval).await;
                }
            })
        };
        named.map(watch).collect()
    }

    /// Replaces the replicas of one URL. Replicas that are still among them keep their state.
    fn update_url(self: &Arc<Self>, at: usize, url: &Url, addresses: &[Option<SocketAddr>]) {
        {
            let mut by_url = self.by_url.lock().unwrap_or_else(PoisonError::into_inner);
            let Some(known) = by_url.get_mut(at) else { return };
            if known.iter().map(|replica| replica.address).eq(addresses.iter().copied()) {
                return;
            }
            let kept = |address: &Option<SocketAddr>| known.iter().find(|replica| replica.address == *address).cloned();
            // A kept replica keeps its number, and a new one gets a free number, so that no two replicas share a name.
            let used_names: Vec<String> =
                addresses.iter().filter_map(kept).map(|replica| replica.probe.status.name().to_owned()).collect();
            let mut free_numbers = (0..).filter(|&number| !used_names.contains(&name(at, true, number)));
            let replica = |address: &Option<SocketAddr>| match kept(address) {
                Some(replica) => Ok(replica),
                None => self.start_replica(at, url, *address, free_numbers.next().unwrap_or_default()),
            };
            match addresses.iter().map(replica).collect() {
                Ok(replicas) => *known = replicas,
                Err(error) => {
                    tracing::error!(%error, "the client of a model server cannot be made");
                    return;
                }
            }
        }
        tracing::info!(
            url_number = at + 1,
            replicas = addresses.len(),
            "the name of a model server has other addresses"
        );
        self.publish();
    }

    fn start_replica(
        self: &Arc<Self>,
        at: usize,
        url: &Url,
        address: Option<SocketAddr>,
        number: usize,
    ) -> Result<Arc<Replica>, reqwest::Error> {
        let name = name(at, address.is_some(), number);
        let probe = Arc::new(Probe::new(
            client(url, address)?,
            url,
            Arc::clone(&self.routing),
            self.key.clone(),
            ReplicaStatus::new(name),
        ));
        let watcher = watch::spawn(Arc::clone(&probe), self.trial.clone(), Arc::clone(&self.readiness));
        Ok(Arc::new(Replica {
            probe,
            address,
            in_flight: AtomicUsize::new(0),
            failures: AtomicU32::new(0),
            _watcher: watcher,
        }))
    }

    fn publish(&self) {
        // The lock is held until the list is stored, so that an older list never replaces a newer one.
        let by_url = self.by_url.lock().unwrap_or_else(PoisonError::into_inner);
        let replicas: Arc<[Arc<Replica>]> = by_url.iter().flatten().cloned().collect();
        self.readiness.watch(replicas.iter().map(|replica| Arc::clone(&replica.probe.status)).collect());
        *self.replicas.write().unwrap_or_else(PoisonError::into_inner) = replicas;
    }

    /// Returns a call to a replica for a model: to the less loaded of two ready replicas, or of any two if none is ready.
    ///
    /// It avoids the replica of the call `failed` if there is another one. It never returns a replica that does not list
    /// the model, because another model would answer there.
    pub(super) fn call(
        self: &Arc<Self>,
        model: &str,
        failed: Option<&ReplicaCall>,
        background: bool,
    ) -> Result<ReplicaCall, EngineError> {
        let replicas = Arc::clone(&self.replicas.read().unwrap_or_else(PoisonError::into_inner));
        let serves = |replica: &&Arc<Replica>| replica.may_serve(model);
        let other = |replica: &&Arc<Replica>| failed.is_none_or(|call| !Arc::ptr_eq(&call.replica, replica));
        let replica = pick(|| replicas.iter().filter(|replica| replica.is_ready()).filter(serves).filter(other))
            .or_else(|| pick(|| replicas.iter().filter(serves).filter(other)))
            .or_else(|| replicas.iter().find(serves));
        let Some(replica) = replica else {
            if replicas.is_empty() {
                return Err(EngineError::Unavailable);
            }
            if !background {
                tracing::warn!("no model server lists the requested model: no note was sent");
            }
            return Err(EngineError::Rejected);
        };
        replica.in_flight.fetch_add(1, Relaxed);
        let (replica, fleet) = (Arc::clone(replica), Arc::clone(self));
        let (started, outcome_recorded) = (Instant::now(), AtomicBool::new(false));
        Ok(ReplicaCall { replica, fleet, started, background, outcome_recorded })
    }

    /// Returns whether every ready replica lists the model.
    pub(super) fn is_listed(&self, model: &str) -> bool {
        let replicas = Arc::clone(&self.replicas.read().unwrap_or_else(PoisonError::into_inner));
        replicas.iter().filter(|replica| replica.is_ready()).all(|replica| replica.may_serve(model))
    }

    /// Leaves a replica out, unless it is the only ready one. In both cases its watcher checks it after a while.
    fn leave_out(&self, replica: &Replica, backoff: Duration) {
        // The lock lets one replica be left out at a time. Of two that fail at once, each could take the other for
        // ready.
        let _lock = self.by_url.lock().unwrap_or_else(PoisonError::into_inner);
        let replicas = Arc::clone(&self.replicas.read().unwrap_or_else(PoisonError::into_inner));
        let others = replicas.iter().filter(|other| other.is_ready() && !std::ptr::eq(&raw const ***other, replica));
        let last = others.count() == 0;
        if replica.is_ready() && !last {
            self.readiness.set_state(&replica.probe.status, ReplicaState::Unreachable);
            self.metrics.ejected(replica.probe.status.name());
            tracing::warn!(replica = replica.probe.status.name(), "a model server is left out until it is ready again");
        }
        replica.probe.check_after(if last { FIRST_BACKOFF } else { backoff });
    }
}

/// Returns the replica's name in logs and metrics, which has its position in the settings and never its address.
fn name(at: usize, of_several: bool, number: usize) -> String {
    if of_several { format!("vllm-{}.{}", at + 1, number + 1) } else { format!("vllm-{}", at + 1) }
}

/// Returns the less loaded of two random candidates, or the only one.
fn pick<'a, I: Iterator<Item = &'a Arc<Replica>>>(candidates: impl Fn() -> I) -> Option<&'a Arc<Replica>> {
    let count = candidates().count();
    if count < 2 {
        return candidates().next();
    }
    let first = fastrand::usize(..count);
    let second = (first + fastrand::usize(1..count)) % count;
    let load = |replica: &Arc<Replica>| replica.in_flight.load(Relaxed);
    let (first, second) = (candidates().nth(first)?, candidates().nth(second)?);
    Some(if load(second) < load(first) { second } else { first })
}

impl Replica {
    fn is_ready(&self) -> bool {
        self.probe.status.state() == ReplicaState::Ready
    }

    /// Returns whether the replica lists the model; true if its list is unknown.
    fn may_serve(&self, model: &str) -> bool {
        self.probe.models().is_none_or(|models| models.lists(model))
    }
}

impl ReplicaCall {
    /// Returns a POST request to a path, with the replica's key.
    pub(super) fn post(&self, path: Path) -> RequestBuilder {
        self.replica.probe.post(path)
    }

    /// Returns the context length of a model at this replica, in tokens; `None` if the replica does not state it.
    pub(super) fn context(&self, model: &str) -> Option<u32> {
        self.replica.probe.models()?.context(model)
    }

    /// Returns whether `answering`, the model that a completion names, is the requested model. If it is not, this is
    /// logged once.
    pub(super) fn is_requested_model(&self, answering: &str, requested: &str) -> bool {
        let same = answering == requested
            || self.replica.probe.models().is_some_and(|models| models.same(answering, requested));
        if !same {
            self.replica.probe.log_other_model();
        }
        same
    }

    /// Returns the name of the replica.
    pub(super) fn replica_name(&self) -> &str {
        self.replica.probe.status.name()
    }

    /// Counts the tokens of the call.
    pub(super) fn count_tokens(&self, model: &str, usage: Usage) {
        self.fleet.metrics.count_tokens(model, usage.prompt, usage.answer);
    }

    /// Records the outcome of the call, for the choice of replicas and for the metrics.
    pub(super) fn record_outcome(&self, attempt: Attempt) {
        self.outcome_recorded.store(true, Relaxed);
        if self.background {
            return;
        }
        self.fleet.metrics.count_attempt(attempt);
        tracing::debug!(replica = self.replica.probe.status.name(), ?attempt, "a call to a model server ended");
        let replica = &self.replica;
        let add_failure = || replica.failures.fetch_add(1, Relaxed) + 1;
        match attempt {
            Attempt::Answered | Attempt::Rejected => replica.failures.store(0, Relaxed),
            Attempt::Overloaded => {}
            Attempt::Unreachable | Attempt::Busy => self.fleet.leave_out(replica, backoff(add_failure())),
            Attempt::Late if self.started.elapsed() < SLOW_CALL => {}
            Attempt::Failed | Attempt::Late => {
                let failures = add_failure();
                if failures >= MAX_FAILURES {
                    self.fleet.leave_out(replica, backoff(failures));
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
        // The caller has cancelled the call. If the call took long, it is counted like one whose deadline passed.
        if !self.outcome_recorded.load(Relaxed) && self.started.elapsed() >= SLOW_CALL {
            self.record_outcome(Attempt::Late);
        }
        self.replica.in_flight.fetch_sub(1, Relaxed);
    }
}

/// Returns the HTTP client of one replica. It connects only to `address` if that is set, which it is for a host name
/// with several addresses.
pub(super) fn client(url: &Url, address: Option<SocketAddr>) -> Result<Client, reqwest::Error> {
    let builder = tls::client_builder(url);
    match (url.domain(), address) {
        (Some(host), Some(address)) => builder.resolve(host, address).build(),
        _ => builder.build(),
    }
}
