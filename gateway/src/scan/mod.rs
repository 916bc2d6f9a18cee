//! Scans: the picture of a page goes to an OCR server, and a text comes back for a person to check.
//!
//! A text never becomes a record by itself. Nothing of a scan or its text is stored, logged or counted.

mod format;
mod reading;
mod tsv;
mod upstream;

use std::{sync::Arc, time::Duration};

use url::Url;

pub use self::{
    format::{ScanFault, ScanFormat},
    reading::{ScanReviewReason, ScannedLine, ScannedPart, ScannedText, ScannedWord},
};
use self::{tsv::TableFault, upstream::Upstream};
use crate::{
    admission::{Admission, AdmissionError, QueuePriority},
    config::ScanSettings,
    extraction::{CpuPool, Deadline, EngineError, run_on_cpu},
    memory::MemoryReservation,
};

/// Sends scans to an OCR server.
#[derive(Debug)]
pub struct ScanReader {
    upstream: Upstream,
    admission: Arc<Admission>,
    cpu_pool: Option<CpuPool>,
    /// Maximum size of a scan, in bytes.
    pub max_bytes: usize,
    /// Maximum time from the arrival of a request to its answer.
    pub timeout: Duration,
    limits: ReviewLimits,
}

/// Confidences below which a person must check, 0 to 1.
#[derive(Clone, Copy, Debug)]
struct ReviewLimits {
    word: f64,
    heading: f64,
}

/// Why a scan has no text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScanError {
    /// All slots and all places in the queue are taken.
    #[error("too many scans wait")]
    QueueFull,
    /// The answer of the server does not fit into the memory budget now.
    #[error("the memory budget has no room for the text")]
    NoMemory,
    /// The server refuses connections, resets them, or says that it is not ready.
    #[error("the OCR server cannot be reached")]
    Unavailable,
    /// The server has too much to do.
    #[error("the OCR server is overloaded")]
    Overloaded,
    /// The server refuses the request.
    #[error("the OCR server refused the request")]
    Rejected,
    /// The server answers an error, or something that is not a table of words.
    #[error("the OCR server gave no usable answer")]
    Failed,
    /// The scan cannot be read within the limits of memory and time, or has a password.
    #[error("the scan cannot be read")]
    Unreadable,
    /// The scan has more pages, words or bytes than the server takes, or than a text may have.
    #[error("the scan is too long")]
    TooLarge,
    /// The deadline passed.
    #[error("no text came in time")]
    DeadlineExceeded,
    /// No page has a word.
    #[error("no text was recognised")]
    NoText,
}

/// Why scans cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ScanSetupError {
    /// The HTTP client cannot be made.
    #[error("cannot make the client of the OCR server: {0}")]
    Client(#[from] reqwest::Error),
}

impl ScanReader {
    /// Returns the reader of the settings; none if they name no server.
    pub fn new(settings: &ScanSettings, queue: usize) -> Result<Option<Self>, ScanSetupError> {
        let Some(url) = settings.url.as_deref().and_then(|url| Url::parse(url).ok()) else { return Ok(None) };
        Ok(Some(Self {
            upstream: Upstream::new(&url)?,
            admission: Admission::new(settings.in_flight, queue),
            cpu_pool: None,
            max_bytes: usize::try_from(settings.max_bytes.as_u64()).unwrap_or(usize::MAX),
            timeout: settings.timeout,
            limits: ReviewLimits { word: settings.review_below, heading: settings.heading_below },
        }))
    }

    /// Returns the reader set up to make long texts on these cores, outside the async workers.
    #[must_use]
    pub fn with_cpu_pool(self, cpu_pool: CpuPool) -> Self {
        Self { cpu_pool: Some(cpu_pool), ..self }
    }

    /// Returns the time after which a refused caller can try again.
    #[must_use]
    pub fn retry_after(&self) -> Duration {
        self.admission.retry_after()
    }

    /// Reads a scan, and returns a [`ScannedText`] in JSON. Takes no longer than the deadline. `reservation` grows by the
    /// memory that the text occupies.
    pub async fn read(
        &self,
        bytes: bytes::Bytes,
        format: ScanFormat,
        request_id: &str,
        priority: &QueuePriority,
        deadline: Deadline,
        reservation: &mut MemoryReservation,
    ) -> Result<Vec<u8>, ScanError> {
        let lease = self.admission.acquire(priority, deadline).await.map_err(|error| match error {
            AdmissionError::QueueFull => ScanError::QueueFull,
            AdmissionError::DeadlineExceeded => ScanError::DeadlineExceeded,
        })?;
        let answer = self.upstream.read(bytes, format, request_id, deadline, reservation).await;
        lease.end();
        let answer = answer?;
        let (limits, id, size) = (self.limits, request_id.to_owned(), answer.table.len());
        let review = move || {
            let pages = tsv::parse(&answer.table)?;
            let text = reading::review(&pages, limits, answer.engine, &id).ok_or(ScanError::NoText)?;
            serde_json::to_vec(&text).map_err(|_| ScanError::Failed)
        };
        run_on_cpu(self.cpu_pool.as_ref(), size, priority, deadline, review).await.map_err(|error| match error {
            EngineError::Overloaded => ScanError::QueueFull,
            _ => ScanError::DeadlineExceeded,
        })?
    }
}

impl From<TableFault> for ScanError {
    fn from(fault: TableFault) -> Self {
        match fault {
            TableFault::NoTable => Self::Failed,
            TableFault::TooLong => Self::TooLarge,
        }
    }
}
