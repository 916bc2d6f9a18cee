//! Wiring and life of the server: bind, say where, serve, drain.

mod caller;
mod connections;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use bytesize::ByteSize;
use tokio::{
    net::{TcpListener, TcpSocket},
    sync::Semaphore,
};

use self::connections::Connections;

use crate::{
    access::{Keys, KeysError},
    admission::Admission,
    audit::{Audit, AuditError},
    config::{EngineChoice, Fallback, Settings},
    extraction::{Cores, Engine, Pipeline},
    http::{self, App, ResponseCache, request::Rules},
    in_flight::InFlightTracker,
    memory::{self, Memory},
    rates::Rates,
    readiness::Readiness,
    rules::RulesEngine,
    telemetry::Metrics,
    vllm::{ServerKey, VllmEngine, VllmError, names::ResolverSettings},
};

/// Connections that may wait to be accepted: a caller over it waits a second for his next try.
const BACKLOG: u32 = 4_096;
/// Batches that may have notes under way at once.
const BATCHES: usize = 16;
/// So long callers have for reading their last answers.
const LAST_ANSWERS: Duration = Duration::from_secs(2);
/// The same after a second signal: enough for those who are there.
const HURRIED_ANSWERS: Duration = Duration::from_millis(100);

/// Why the server cannot start or go on.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The address cannot be listened on.
    #[error("cannot listen on {0}: {1}")]
    Bind(SocketAddr, std::io::Error),
    /// There can be no engine on the model servers.
    #[error(transparent)]
    Vllm(#[from] VllmError),
    /// The key file cannot be used.
    #[error(transparent)]
    Keys(#[from] KeysError),
    /// The audit cannot be written.
    #[error(transparent)]
    Audit(#[from] AuditError),
    /// The system gave no random bytes.
    #[error("the system gives no random bytes: {0}")]
    NoEntropy(#[from] getrandom::Error),
    /// The system does not say which address was given.
    #[error("the address that was given cannot be told: {0}")]
    Address(#[from] std::io::Error),
    /// Requests were cut off when the drain time was over.
    #[error("{0} request(s) were cut off at shutdown")]
    CutOff(usize),
}

/// A gateway that is wired but not bound.
#[derive(Debug)]
pub struct Gateway {
    /// What the routes work with.
    pub app: Arc<App>,
    /// The key of the model servers, to be read again when the operator says so.
    pub server_key: Option<Arc<ServerKey>>,
    settings: Settings,
}

impl Gateway {
    /// Wires the services. With the `vllm` engine it begins to watch the model servers: call it in a runtime.
    pub fn new(settings: Settings) -> Result<Self, ServerError> {
        let metrics = Arc::new(Metrics::default());
        let admission = Admission::new(settings.admission.in_flight, settings.admission.queue);
        let with_model = settings.effective_engine() == EngineChoice::Vllm;
        let cores = Cores::new(own_cores(), settings.admission.queue);
        let mut server_key = None;
        let (engine, readiness): (Arc<dyn Engine>, _) = if with_model {
            let startup = Duration::from_secs(60 * settings.vllm.startup_minutes);
            let readiness = Arc::new(Readiness::of_vllm(startup));
            let engine = VllmEngine::new(&settings.vllm, &ResolverSettings::default(), &readiness, &metrics)?;
            server_key = engine.key();
            (Arc::new(engine.at_most(settings.limits.max_tokens)), readiness)
        } else {
            (Arc::new(RulesEngine::ready().on(cores.clone())), Arc::new(Readiness::of_rules()))
        };
        let mut models = vec![Arc::from(settings.vllm.model.as_str())];
        models.extend(settings.vllm.models.iter().map(|name| Arc::from(name.as_str())));
        let mut pipeline = Pipeline::new(engine, admission, settings.chunk.max_chars).on(cores.clone());
        if with_model {
            let rules = Arc::new(RulesEngine::ready().on(cores));
            pipeline = pipeline.doubted_by(Arc::<RulesEngine>::clone(&rules));
            if settings.cross_check {
                pipeline = pipeline.checked_by(Arc::<RulesEngine>::clone(&rules));
            }
            if settings.fallback == Fallback::Rules {
                pipeline = pipeline.with_fallback(rules);
            }
        }
        let rate = settings.rate;
        let keys = settings.keys_file().map(|path| Keys::read(path, rate.per_key).map(Arc::new)).transpose()?;
        let budget = settings.limits.memory.map_or_else(memory::default_budget, bytes);
        let response_cache = ResponseCache::new(&settings.cache, budget / 4)?;
        let memory = Memory::new(budget - response_cache.as_ref().map_or(0, ResponseCache::most_bytes));
        let app = App {
            pipeline,
            readiness,
            metrics,
            rules: Rules { limits: settings.limits, generation: settings.generation, models },
            deadline: settings.admission.deadline,
            // What never fits is too large, and no matter of waiting.
            body_limit: bytes(settings.limits.body_bytes).min(memory.largest_body()),
            batch_limit: bytes(settings.limits.batch_bytes),
            batch_time: settings.limits.batch_time,
            memory,
            batch_width: batch_width(&settings),
            batch_cores: Semaphore::new(own_cores().saturating_sub(1).max(1)),
            batches: Arc::new(Semaphore::new(BATCHES)),
            open_to_all: keys.is_none() && !settings.listen.ip().is_loopback(),
            keys,
            rates: Rates::new(rate.global, rate.per_address),
            allowed_hosts: settings.allowed_hosts.clone(),
            trusted_proxies: settings.trusted_proxies.clone(),
            response_cache,
            audit: Audit::open(&settings.audit)?,
            in_flight: InFlightTracker::default(),
        };
        Ok(Self { app: Arc::new(app), server_key, settings })
    }

    /// Looks whether the files that the settings name can be used, without serving.
    pub fn check(settings: &Settings) -> Result<(), ServerError> {
        if let Some(path) = settings.keys_file() {
            Keys::read(path, settings.rate.per_key)?;
        }
        let with_model = settings.effective_engine() == EngineChoice::Vllm;
        if let Some(path) = settings.vllm.api_key_file.as_deref().filter(|_| with_model) {
            ServerKey::read(path).map_err(VllmError::from)?;
        }
        Audit::check(&settings.audit)?;
        Ok(())
    }

    /// Takes the address of the settings. From here on callers connect, and wait until it serves.
    #[expect(clippy::unused_async, reason = "it needs a runtime, and says so")]
    pub async fn bind(self) -> Result<BoundGateway, ServerError> {
        let listener = Port::take(self.settings.listen)?;
        let metrics = self.settings.metrics.listen.map(Port::take).transpose()?;
        Ok(BoundGateway { listener, metrics, app: self.app, settings: self.settings })
    }
}

/// A port that is listened on.
#[derive(Debug)]
struct Port {
    listener: TcpListener,
    address: SocketAddr,
}

impl Port {
    fn take(asked: SocketAddr) -> Result<Self, ServerError> {
        let listener = listen(asked).map_err(|error| ServerError::Bind(asked, error))?;
        Ok(Self { address: listener.local_addr()?, listener })
    }
}

/// A gateway that has its port.
#[derive(Debug)]
pub struct BoundGateway {
    listener: Port,
    metrics: Option<Port>,
    app: Arc<App>,
    settings: Settings,
}

impl BoundGateway {
    /// Where it listens; the port that was given where port 0 was asked for.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.listener.address
    }

    /// Where it gives its metrics, where they have a port of their own.
    #[must_use]
    pub fn metrics_address(&self) -> Option<SocketAddr> {
        self.metrics.as_ref().map(|port| port.address)
    }

    /// Serves until `stop` ends. Then callers are told that the service is shutting down, and what runs may
    /// end within the drain time; what has not is answered with `draining` and counted. Once `now` ends,
    /// nothing is waited for any more.
    pub async fn serve(
        self,
        stop: impl Future<Output = ()> + Send,
        now: impl Future<Output = ()> + Send,
    ) -> Result<(), ServerError> {
        let address = self.address();
        let engine = self.app.pipeline.engine().as_str();
        let metrics_address = self.metrics_address().map(tracing::field::display);
        tracing::info!(%address, metrics_address, engine, docs = %format!("http://{address}/docs"), "listening");
        if self.app.open_to_all {
            tracing::warn!("auth is off: everybody who reaches the port may call");
        }
        let app = Arc::clone(&self.app);
        let (readiness, in_flight) = (&app.readiness, &app.in_flight);
        let metrics_router = http::metrics_router(Arc::clone(&self.app));
        let router = http::router(self.app, self.settings.cors.origins);
        let connections = Connections::new(self.listener.listener, router);
        let metrics = self.metrics.map(|port| Connections::new(port.listener, metrics_router));
        let accept = async || match &metrics {
            None => connections.accept().await,
            Some(metrics) => {
                tokio::select! { never = connections.accept() => never, never = metrics.accept() => never }
            }
        };
        tokio::select! { never = accept() => match never {}, () = stop => {} }

        readiness.drain();
        in_flight.close();
        tracing::info!(running = in_flight.running(), "draining: no more notes are taken, running ones may end");
        let drain = tokio::time::sleep(self.settings.admission.drain);
        let mut now = std::pin::pin!(now);
        let mut hurry = false;
        let cut_off = tokio::select! {
            never = accept() => match never {},
            () = in_flight.ended() => 0,
            () = drain => in_flight.running(),
            () = now.as_mut() => {
                hurry = true;
                in_flight.running()
            }
        };
        in_flight.cut_off();
        // Answers are written, idle connections closed. Who does not read his answer is not waited for.
        let close = async {
            let metrics = async {
                if let Some(metrics) = metrics {
                    metrics.close().await;
                }
            };
            tokio::join!(connections.close(), metrics);
        };
        let closed = tokio::time::timeout(if hurry { HURRIED_ANSWERS } else { LAST_ANSWERS }, close);
        if hurry {
            let _ = closed.await;
        } else {
            tokio::select! { _ = closed => {}, () = now => {} }
        }
        // Each note that was cut off has its line in the audit: it ends as soon as it has a turn on a busy machine.
        let _ = tokio::time::timeout(LAST_ANSWERS, in_flight.ended()).await;
        let audit_lost = app.audit.as_ref().map(Audit::close);
        tracing::info!(cut_off, audit_lost, "stopped");
        if cut_off == 0 { Ok(()) } else { Err(ServerError::CutOff(cut_off)) }
    }
}

fn bytes(size: ByteSize) -> usize {
    usize::try_from(size.as_u64()).unwrap_or(usize::MAX)
}

/// Notes of one batch at once: some more than there are slots, so that a slot that comes free finds one waiting;
/// of the rules, some more than there are cores.
fn batch_width(settings: &Settings) -> usize {
    let most = match settings.effective_engine() {
        EngineChoice::Vllm => settings.admission.in_flight,
        _ => own_cores(),
    };
    most + most.div_ceil(2)
}

fn own_cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

fn listen(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // A restart must not wait until the connections of the process before are forgotten.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}
