//! Runs the server: creates the services, binds the ports, serves requests and drains at shutdown.

mod caller;
mod code_files;
mod connections;
mod model_switch;
mod open_requests;
mod optional;
mod slots;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use bytesize::ByteSize;
use tokio::{
    net::{TcpListener, TcpSocket},
    sync::Semaphore,
};

use self::connections::Connections;
pub use self::{code_files::CodeFilesError, model_switch::ModelSwitch};

use crate::{
    access::{KeyFileRules, Keys, KeysError},
    audit::{Audit, AuditError},
    config::{EngineChoice, Fallback, Settings, SpoolSettings},
    dictation::{Dictation, DictationSetupError},
    extraction::{CpuPool, Engine, EngineName, ModelName, Pipeline},
    http::{
        self, AccessControl, App, BatchLimits, Extractor, ResponseCache, ServiceState, Shadow, request::RequestPolicy,
    },
    in_flight::InFlightTracker,
    jobs::{Jobs, JobsError},
    memory::{self, Memory},
    rate_limits::RateLimits,
    readiness::Readiness,
    routing::Routing,
    rules::RulesEngine,
    scan::{ScanReader, ScanSetupError},
    server_key::ServerKey,
    spool::SpoolSpace,
    telemetry::Metrics,
    vllm::{InstructModel, VllmEngine, VllmError, dns::ResolverSettings},
};

/// Connections that may wait to be accepted. A client above this limit retries after a second.
const BACKLOG: u32 = 4_096;
/// Batches that may have notes in flight at once.
const MAX_BATCHES: usize = 16;
/// Jobs that may be read at once. Each may have as many notes in flight as a batch.
const MAX_JOBS: usize = 4;
/// The time that callers have at shutdown to read their last answers.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);
/// The same after a second signal: enough for callers that are reading.
const HURRIED_CLOSE_TIMEOUT: Duration = Duration::from_millis(100);

/// Why the server cannot start or continue.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The server cannot listen on the address.
    #[error("cannot listen on {0}: {1}")]
    Bind(SocketAddr, std::io::Error),
    /// The engine for the model servers cannot be created.
    #[error(transparent)]
    Vllm(#[from] VllmError),
    /// The key file cannot be used.
    #[error(transparent)]
    Keys(#[from] KeysError),
    /// The audit cannot be written.
    #[error(transparent)]
    Audit(#[from] AuditError),
    /// The jobs cannot be kept.
    #[error(transparent)]
    Jobs(#[from] JobsError),
    /// The files of codes cannot be used.
    #[error(transparent)]
    CodeFiles(#[from] CodeFilesError),
    /// The dictation cannot start.
    #[error(transparent)]
    Dictation(#[from] DictationSetupError),
    /// Scans cannot be read.
    #[error(transparent)]
    Scan(#[from] ScanSetupError),
    /// The system gave no random bytes.
    #[error("the system gives no random bytes: {0}")]
    NoEntropy(#[from] getrandom::Error),
    /// The system does not report the address of the listener.
    #[error("cannot read the address of the listener: {0}")]
    Address(#[from] std::io::Error),
    /// Requests were interrupted when the drain time was over.
    #[error("{0} request(s) were interrupted at shutdown")]
    CutOff(usize),
}

impl ServerError {
    /// Returns whether a file that the settings name cannot be used. That is a mistake of the operator and not a
    /// failure of the program.
    #[must_use]
    pub fn is_usage(&self) -> bool {
        matches!(
            self,
            Self::Keys(_)
                | Self::Audit(_)
                | Self::Jobs(_)
                | Self::CodeFiles(_)
                | Self::Vllm(VllmError::Key(_))
                | Self::Dictation(DictationSetupError::Key(_))
        )
    }
}

/// A gateway with all services created, but no port bound.
#[derive(Debug)]
pub struct Gateway {
    /// The services that the routes use.
    pub app: App,
    /// The keys of the model servers, whose files the operator can reload.
    pub server_keys: Vec<Arc<ServerKey>>,
    /// Changes the models behind the public name.
    pub model_switch: ModelSwitch,
    settings: Settings,
}

impl Gateway {
    /// Creates the services. With the `vllm` engine it starts to watch the model servers, so it must be called in a
    /// runtime.
    pub fn new(settings: Settings) -> Result<Self, ServerError> {
        let routing = Arc::new(Routing::of(&settings.vllm, &settings.routing));
        let with_model = settings.effective_engine() == EngineChoice::Vllm;
        let engine = if with_model { EngineName::Vllm } else { EngineName::Rules };
        let mut known_models = routing.served().to_vec();
        known_models.extend(settings.ask.url.is_some().then(|| ModelName::from(settings.ask.model.as_str())));
        let metrics = Arc::new(Metrics::new(&http::known_labels(engine, &known_models)));
        let cpu_pool = CpuPool::new(available_cores(), settings.admission.queue);
        let (cpu_pool_of_asker, cpu_pool_of_scans) = (cpu_pool.clone(), cpu_pool.clone());
        let mut vllm = None;
        let (engine, readiness): (Arc<dyn Engine>, _) = if with_model {
            let startup = Duration::from_secs(60 * settings.vllm.startup_minutes);
            let readiness = Arc::new(Readiness::of_vllm(startup));
            let resolver = ResolverSettings::default();
            let engine = VllmEngine::new(&settings.vllm, &routing, &resolver, &readiness, &metrics)?;
            let engine = Arc::new(engine.with_max_tokens(settings.limits.max_tokens));
            vllm = Some(Arc::clone(&engine));
            (engine, readiness)
        } else {
            (Arc::new(RulesEngine::warming_up().with_cpu_pool(cpu_pool.clone())), Arc::new(Readiness::of_rules()))
        };
        let admission = slots::of_model_calls(&settings.admission, &readiness);
        let mut pipeline = Pipeline::new(engine, admission, settings.chunk.max_chars)
            .with_cpu_pool(cpu_pool.clone())
            .with_code_table(code_files::load(&settings.codes)?);
        if with_model {
            pipeline = pipeline.with_routing(Arc::clone(&routing));
            let rules = Arc::new(RulesEngine::warming_up().with_cpu_pool(cpu_pool));
            pipeline = pipeline.with_second_reader(Arc::<RulesEngine>::clone(&rules));
            pipeline = pipeline.with_tumour_reader(Arc::<RulesEngine>::clone(&rules));
            if settings.cross_check {
                pipeline = pipeline.with_checker(Arc::<RulesEngine>::clone(&rules));
            }
            if settings.fallback == Fallback::Rules {
                pipeline = pipeline.with_fallback(rules);
            }
        }
        let (asker, asker_key) = optional::asker(&settings, &metrics, cpu_pool_of_asker)?;
        let dictation = optional::dictation(&settings)?;
        let rate = settings.rate;
        let keys =
            settings.keys_file().map(|path| Keys::read(path, key_file_rules(&settings)).map(Arc::new)).transpose()?;
        let budget = settings.limits.memory.map_or_else(memory::default_budget, bytes);
        let response_cache = ResponseCache::new(&settings.cache, budget / 4)?;
        let memory = Memory::new(budget - response_cache.as_ref().map_or(0, ResponseCache::most_bytes));
        let app = App {
            extractor: Arc::new(Extractor {
                pipeline,
                policy: RequestPolicy {
                    limits: settings.limits,
                    generation: settings.generation,
                    models: routing.names(),
                },
                routing: Arc::clone(&routing),
                shadow: Shadow::default(),
                deadline: settings.admission.deadline,
                // A body that can never fit into the memory budget is too large; waiting would not help.
                body_limit: bytes(settings.limits.body_bytes).min(memory.largest_body()),
                response_cache,
            }),
            asker: Arc::new(asker),
            state: Arc::new(ServiceState {
                readiness,
                in_flight: InFlightTracker::default(),
                memory,
                metrics,
                audit: Audit::open(&settings.audit)?,
                month_cost: settings.usage.month_cost,
            }),
            access: Arc::new(AccessControl {
                open_to_all: keys.is_none() && !settings.listen.ip().is_loopback(),
                keys,
                rate_limits: RateLimits::new(rate.global, rate.per_address),
                allowed_hosts: settings.allowed_hosts.clone(),
                trusted_proxies: settings.trusted_proxies.clone(),
            }),
            batch: Arc::new(BatchLimits {
                body_limit: bytes(settings.limits.batch_bytes),
                time: settings.limits.batch_time,
                width: batch_width(&settings),
                cores: Semaphore::new(available_cores().saturating_sub(1).max(1)),
                running: Arc::new(Semaphore::new(MAX_BATCHES)),
                jobs: Arc::new(Semaphore::new(MAX_JOBS)),
                spool: Arc::new(spool_space(&settings.spool)),
            }),
            jobs: Jobs::open(&settings.jobs)?.map(Arc::new),
            dictation,
            scan_reader: optional::scan_reader(&settings, cpu_pool_of_scans)?,
        };
        let dictation_key = app.dictation.as_ref().and_then(|dictation| dictation.key());
        let server_keys = [vllm.as_ref().and_then(|engine| engine.key()), asker_key, dictation_key];
        let server_keys = server_keys.into_iter().flatten().collect();
        Ok(Self { app, server_keys, model_switch: ModelSwitch { routing, engine: vllm }, settings })
    }

    /// Checks that the files in the settings can be used, without serving.
    pub fn check(settings: &Settings) -> Result<(), ServerError> {
        if let Some(path) = settings.keys_file() {
            Keys::read(path, key_file_rules(settings))?;
        }
        let with_model = settings.effective_engine() == EngineChoice::Vllm;
        if let Some(path) = settings.vllm.api_key_file.as_deref().filter(|_| with_model) {
            ServerKey::read(VllmEngine::KEY_SETTING, path).map_err(VllmError::from)?;
        }
        if let Some(path) = settings.ask.api_key_file.as_deref() {
            ServerKey::read(InstructModel::KEY_SETTING, path).map_err(VllmError::from)?;
        }
        code_files::load(&settings.codes)?;
        Dictation::new(&settings.transcribe, 0)?;
        ScanReader::new(&settings.scan, 0)?;
        Audit::check(&settings.audit)?;
        Ok(())
    }

    /// Binds the addresses of the settings. From now on clients can connect, and wait until [`BoundGateway::serve`]
    /// runs.
    #[expect(clippy::unused_async, reason = "it needs a runtime, and async makes that visible")]
    pub async fn bind(self) -> Result<BoundGateway, ServerError> {
        let listener = Port::bind(self.settings.listen)?;
        let metrics = self.settings.metrics.listen.map(Port::bind).transpose()?;
        Ok(BoundGateway { listener, metrics, app: self.app, settings: self.settings })
    }
}

/// A port with its listener.
#[derive(Debug)]
struct Port {
    listener: TcpListener,
    address: SocketAddr,
}

impl Port {
    fn bind(requested: SocketAddr) -> Result<Self, ServerError> {
        let listener = listen(requested).map_err(|error| ServerError::Bind(requested, error))?;
        Ok(Self { address: listener.local_addr()?, listener })
    }
}

/// A gateway with its ports bound.
#[derive(Debug)]
pub struct BoundGateway {
    listener: Port,
    metrics: Option<Port>,
    app: App,
    settings: Settings,
}

impl BoundGateway {
    /// Returns the address of the listener. If port 0 was requested, it has the port that the system assigned.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.listener.address
    }

    /// Returns the address of the metrics, if they have their own port.
    #[must_use]
    pub fn metrics_address(&self) -> Option<SocketAddr> {
        self.metrics.as_ref().map(|port| port.address)
    }

    /// Writes the addresses of the listeners to the log.
    pub fn log_addresses(&self) {
        let address = self.address();
        let engine = self.app.extractor.pipeline.engine().as_str();
        let metrics_address = self.metrics_address().map(tracing::field::display);
        tracing::info!(%address, metrics_address, engine, docs = %format!("http://{address}/docs"), "listening");
    }

    /// Serves until `stop` ends, then drains: new notes are refused because the service is shutting down, and running
    /// notes may finish within the drain time. Those that do not finish are answered with `draining` and counted in
    /// [`ServerError::CutOff`]. Once `now` ends, the server no longer waits for notes.
    pub async fn serve(
        self,
        stop: impl Future<Output = ()> + Send,
        now: impl Future<Output = ()> + Send,
    ) -> Result<(), ServerError> {
        if self.app.access.open_to_all {
            tracing::warn!("auth is off: every client that reaches the port may call");
        }
        let app = self.app.clone();
        http::start_jobs(&app);
        let (readiness, in_flight) = (&app.state.readiness, &app.state.in_flight);
        let metrics_router = http::metrics_router(self.app.clone());
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
        tracing::info!(running = in_flight.running(), "draining: no more notes are accepted, running notes may finish");
        let drain = tokio::time::sleep(self.settings.admission.drain);
        let mut now = std::pin::pin!(now);
        let mut hurry = false;
        let cut_off = tokio::select! {
            never = accept() => match never {},
            () = in_flight.until_ended() => 0,
            () = drain => in_flight.running(),
            () = now.as_mut() => {
                hurry = true;
                in_flight.running()
            }
        };
        in_flight.cut_off();
        // Writes the last answers and closes idle connections, but does not wait for callers that do not read.
        let close = async {
            let metrics = async {
                if let Some(metrics) = metrics {
                    metrics.close().await;
                }
            };
            tokio::join!(connections.close(), metrics);
        };
        let closed = tokio::time::timeout(if hurry { HURRIED_CLOSE_TIMEOUT } else { CLOSE_TIMEOUT }, close);
        if hurry {
            let _ = closed.await;
        } else {
            tokio::select! { _ = closed => {}, () = now => {} }
        }
        // Every note that was interrupted needs its line in the audit. Its task may have to wait for a core on a busy
        // machine.
        let _ = tokio::time::timeout(CLOSE_TIMEOUT, in_flight.until_ended()).await;
        let audit_lost = app.state.audit.as_ref().map(Audit::close);
        tracing::info!(cut_off, audit_lost, "stopped");
        if cut_off == 0 { Ok(()) } else { Err(ServerError::CutOff(cut_off)) }
    }
}

fn spool_space(settings: &SpoolSettings) -> SpoolSpace {
    let folder = settings.folder.clone().unwrap_or_else(std::env::temp_dir);
    SpoolSpace::new(folder, settings.bytes.as_u64())
}

fn key_file_rules(settings: &Settings) -> KeyFileRules {
    KeyFileRules { default_rate: settings.rate.per_key, allows_budgets: Audit::can_be_read_again(&settings.audit) }
}

fn bytes(size: ByteSize) -> usize {
    usize::try_from(size.as_u64()).unwrap_or(usize::MAX)
}

/// Returns how many notes of one batch may be in flight at once: more than there are slots, so that a note always waits
/// for a free slot. For the rules engine: more than there are cores.
fn batch_width(settings: &Settings) -> usize {
    let most = match settings.effective_engine() {
        EngineChoice::Vllm => settings.admission.in_flight,
        _ => available_cores(),
    };
    most + most.div_ceil(2)
}

/// Returns the number of cores that this process may use; at least one.
pub(crate) fn available_cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

fn listen(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // After a restart the port must be available although connections of the previous process are in TIME_WAIT.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}
