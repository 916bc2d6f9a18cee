//! The services that the routes use, in parts, so that each route names only the parts that it needs.

use std::{
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

use axum::extract::FromRef;
use ipnet::IpNet;
use tokio::sync::Semaphore;

use super::{cache::ResponseCache, request::RequestPolicy};
use crate::{
    access::Keys, ask::Asker, audit::Audit, config::HostName, dictation::Dictation, extraction::Pipeline,
    in_flight::InFlightTracker, jobs::Jobs, memory::Memory, rate_limits::RateLimits, readiness::Readiness,
    routing::Routing, scan::ScanReader, spool::SpoolSpace, telemetry::Metrics,
};

/// Notes that the shadow model reads at once.
const MOST_SHADOW_NOTES: usize = 4;

/// All services of one process.
#[derive(Clone, Debug)]
pub struct App {
    /// Reads notes.
    pub extractor: Arc<Extractor>,
    /// Answers questions about notes.
    pub asker: Arc<Asker>,
    /// The state of the process.
    pub state: Arc<ServiceState>,
    /// Decides which requests may enter.
    pub access: Arc<AccessControl>,
    /// The limits of batches.
    pub batch: Arc<BatchLimits>,
    /// The jobs, if the settings have a folder for them.
    pub jobs: Option<Arc<Jobs>>,
    /// The dictation, if the settings have a server for it.
    pub dictation: Option<Arc<Dictation>>,
    /// The reader of scans, if the settings have an OCR server for it.
    pub scan_reader: Option<Arc<ScanReader>>,
}

/// Reads notes, and checks the requests that bring them.
#[derive(Debug)]
pub struct Extractor {
    /// Reads a note.
    pub pipeline: Pipeline,
    /// The models behind the public name.
    pub routing: Arc<Routing>,
    /// The readings of the shadow model that run now.
    pub shadow: Shadow,
    /// The rules for requests.
    pub policy: RequestPolicy,
    /// Maximum time from the arrival of a request to its answer.
    pub deadline: Duration,
    /// Maximum body of one note, in bytes.
    pub body_limit: usize,
    /// Answers that are kept for equal requests.
    pub response_cache: Option<ResponseCache>,
}

/// The readings of the shadow model that run now.
#[derive(Debug)]
pub struct Shadow {
    /// A permit for each note that it may read at once.
    pub running: Arc<Semaphore>,
    /// Whether the log already reports that no model server has the shadow model.
    pub absence_logged: AtomicBool,
}

impl Default for Shadow {
    fn default() -> Self {
        Self { running: Arc::new(Semaphore::new(MOST_SHADOW_NOTES)), absence_logged: AtomicBool::new(false) }
    }
}

/// The state of the process: what runs, what it occupies, and what is recorded about it.
#[derive(Debug)]
pub struct ServiceState {
    /// Whether notes can be read now.
    pub readiness: Arc<Readiness>,
    /// The extractions in flight.
    pub in_flight: InFlightTracker,
    /// The memory that requests may occupy together.
    pub memory: Memory,
    /// The metrics.
    pub metrics: Arc<Metrics>,
    /// The audit log, if the settings ask for one.
    pub audit: Option<Audit>,
    /// What the service costs in a month, if the settings say so.
    pub month_cost: Option<f64>,
}

/// Decides which requests may enter.
#[derive(Debug)]
pub struct AccessControl {
    /// The API keys; without keys every client may call.
    pub keys: Option<Arc<Keys>>,
    /// Whether every client beyond this machine may call without a key, which `/health` reports.
    pub open_to_all: bool,
    /// The rate limits of all clients together and of each address.
    pub rate_limits: RateLimits,
    /// Host names that requests may name if there are no keys, besides addresses and names without dots.
    pub allowed_hosts: Vec<HostName>,
    /// Proxies whose `X-Forwarded-For` is trusted.
    pub trusted_proxies: Vec<IpNet>,
}

/// The limits of batches.
#[derive(Debug)]
pub struct BatchLimits {
    /// Maximum size of a batch, in bytes.
    pub body_limit: usize,
    /// Maximum time from the first note of a batch to the last one that is accepted.
    pub time: Duration,
    /// Notes of one batch that may be in flight at once.
    pub width: usize,
    /// Cores that batches may use if the rules engine reads; the remaining core is for single notes.
    pub cores: Semaphore,
    /// Batches that may have notes in flight at once.
    pub running: Arc<Semaphore>,
    /// Jobs that may be read at once.
    pub jobs: Arc<Semaphore>,
    /// The space for notes that wait because their callers do not read the answers.
    pub spool: Arc<SpoolSpace>,
}

impl App {
    /// Returns the maximum size of a batch in one JSON body, in bytes. Such a body is in memory as a whole.
    pub(super) fn list_limit(&self) -> usize {
        self.batch.body_limit.min(self.state.memory.largest_body())
    }
}

impl FromRef<App> for Arc<Extractor> {
    fn from_ref(app: &App) -> Self {
        Self::clone(&app.extractor)
    }
}

impl FromRef<App> for Arc<Asker> {
    fn from_ref(app: &App) -> Self {
        Self::clone(&app.asker)
    }
}

impl FromRef<App> for Arc<ServiceState> {
    fn from_ref(app: &App) -> Self {
        Self::clone(&app.state)
    }
}

impl FromRef<App> for Arc<AccessControl> {
    fn from_ref(app: &App) -> Self {
        Self::clone(&app.access)
    }
}

impl FromRef<App> for Option<Arc<Dictation>> {
    fn from_ref(app: &App) -> Self {
        app.dictation.clone()
    }
}
