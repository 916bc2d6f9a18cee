//! The OCR server, `gateway ocr`: runs Debian's tesseract over a scan and answers with its table of words.
//!
//! A scan may be made to harm what reads it. So each program reads it from a pipe and in a process with limits on
//! memory and time, and nothing of a scan is written or logged. Without keys: only the gateway may reach this server.

mod document;
mod program;

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use tokio::{net::TcpListener, sync::Semaphore, time::timeout_at};

pub use self::program::run_limited;
use self::{
    document::{Document, OcrFault},
    program::RunLimits,
};
use crate::scan::ScanFormat;

/// The settings of the server.
#[derive(Clone, Debug, clap::Args)]
pub struct OcrArguments {
    /// Maximum scans that are read at once; more wait
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=64))]
    places: u16,
    /// Maximum seconds from the arrival of a scan to its answer
    #[arg(long, default_value_t = 80, value_parser = clap::value_parser!(u16).range(1..=3600))]
    seconds: u16,
    /// Maximum memory of a program that reads a scan, in MiB
    #[arg(long, default_value_t = 512, value_parser = clap::value_parser!(u16).range(64..=16_384))]
    memory: u16,
    /// Maximum pages of a scan
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=1_000))]
    pages: u16,
    /// Maximum bytes of a scan, in MiB
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u16).range(1..=256))]
    mebibytes: u16,
    /// Languages of the text, as tesseract names them, such as eng or eng+deu
    #[arg(long, default_value = "eng")]
    language: String,
}

/// Why the server cannot start.
#[derive(Debug, thiserror::Error)]
pub enum OcrSetupError {
    /// A program is missing.
    #[error("{0} cannot be started ({1}): install Debian's tesseract-ocr and poppler-utils")]
    Missing(&'static str, io::Error),
    /// Tesseract has no data for the language.
    #[error(
        "tesseract has no data for the language {0}: install Debian's tesseract-ocr-{0}, or choose another --language"
    )]
    Language(String),
}

/// Reads scans.
#[derive(Debug)]
pub struct OcrServer {
    arguments: OcrArguments,
    /// The program that reads, with its version.
    engine: String,
    places: Arc<Semaphore>,
}

impl OcrServer {
    /// Returns a server, once its programs are known to be there.
    pub fn new(arguments: OcrArguments) -> Result<Self, OcrSetupError> {
        let version = program::version("tesseract", "--version")?;
        for name in ["pdfinfo", "pdftoppm"] {
            program::version(name, "-v")?;
        }
        let known = program::version("tesseract", "--list-langs")?;
        let is_known = |name: &&str| known.lines().any(|line| line.trim() == *name);
        if let Some(missing) = arguments.language.split('+').find(|name| !is_known(name)) {
            return Err(OcrSetupError::Language(missing.to_owned()));
        }
        let engine = version.lines().next().unwrap_or_default().chars().filter(|c| matches!(c, ' '..='~')).take(60);
        let engine = engine.collect();
        let places = Arc::new(Semaphore::new(arguments.places.into()));
        Ok(Self { arguments, engine, places })
    }

    /// Answers requests until `stop`.
    pub async fn serve(self, listener: TcpListener, stop: impl Future<Output = ()> + Send + 'static) -> io::Result<()> {
        let router = Router::new()
            .route("/v1/ocr", post(read))
            // As the gateway has it, so that `gateway healthcheck` asks this server too.
            .route("/health/ready", get(async || "{\"ready\": true}\n"))
            .with_state(Arc::new(self));
        axum::serve(listener, router).with_graceful_shutdown(stop).await
    }

    /// Reads a scan.
    async fn read(&self, body: Body) -> Result<Vec<u8>, OcrFault> {
        let deadline = Instant::now() + Duration::from_secs(self.arguments.seconds.into());
        let until = tokio::time::Instant::from_std(deadline);
        let in_time = async {
            let most = usize::from(self.arguments.mebibytes) << 20;
            let bytes = to_bytes(body, most).await.map_err(|_| OcrFault::TooLarge)?;
            let format = ScanFormat::of(&bytes).ok_or(OcrFault::NoScan)?;
            let place = Arc::clone(&self.places).acquire_owned().await.map_err(|_| OcrFault::TooSlow)?;
            let cancelled = CancelOnDrop::default();
            let document = Document {
                format,
                language: self.arguments.language.clone(),
                most_pages: self.arguments.pages.into(),
                limits: RunLimits {
                    memory: u64::from(self.arguments.memory) << 20,
                    deadline,
                    cancelled: Arc::clone(&cancelled.0),
                },
            };
            let reading = tokio::task::spawn_blocking(move || {
                let table = document.read(&bytes);
                drop(place);
                table
            });
            reading.await.unwrap_or(Err(OcrFault::Broken))
        };
        timeout_at(until, in_time).await.unwrap_or(Err(OcrFault::TooSlow))
    }
}

/// Ends the programs of a scan if its client disconnects.
#[derive(Default)]
struct CancelOnDrop(Arc<AtomicBool>);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Relaxed);
    }
}

async fn read(State(server): State<Arc<OcrServer>>, headers: HeaderMap, body: Body) -> Response {
    let began = Instant::now();
    let outcome = server.read(body).await;
    let id =
        headers.get("x-request-id").and_then(|id| id.to_str().ok()).filter(|id| id.len() <= 64).unwrap_or_default();
    let milliseconds = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    match outcome {
        Ok(table) => {
            tracing::info!(request_id = id, milliseconds, "read a scan");
            let headers = [
                ("content-type", "text/tab-separated-values; charset=utf-8"),
                ("cache-control", "no-store"),
                ("x-ocr-engine", &server.engine),
            ];
            (headers, table).into_response()
        }
        Err(fault) => {
            tracing::warn!(request_id = id, milliseconds, cause = %fault, "did not read a scan");
            let status = match fault {
                OcrFault::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
                OcrFault::NoScan => StatusCode::UNSUPPORTED_MEDIA_TYPE,
                OcrFault::Unreadable => StatusCode::UNPROCESSABLE_ENTITY,
                OcrFault::TooSlow => StatusCode::GATEWAY_TIMEOUT,
                OcrFault::Broken => StatusCode::INTERNAL_SERVER_ERROR,
            };
            (status, format!("{fault}\n")).into_response()
        }
    }
}
