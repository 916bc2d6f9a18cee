//! Writes the audit file: one JSON line per extraction with the client, the time and the result, without the note.
//!
//! A separate thread writes the lines, so a request never waits for the disk. Lines that cannot be written are counted
//! and reported in the log, in `/health` and in the metrics. Requests are still answered.

mod file;
mod ledger;
pub mod usage;

use std::{
    fmt,
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    time::{Duration, Instant},
};

use hmac::{Hmac, KeyInit, Mac};
use serde::Serialize;
use sha2::Sha256;

pub use self::ledger::{Budget, BudgetHold, BudgetUse, Exhausted, Ledger, end_of_month, format_time, month_of};
use self::{file::RotatedFile, usage::UsageError};
use crate::{config::AuditSettings, extraction::Field, files};

/// Most lines that may wait for the disk.
const QUEUE_CAPACITY: usize = 16_384;
/// If more lines than this wait, the disk does not respond and the audit counts as failing.
const MANY_WAITING: u64 = 1_000;
/// Time limit for writing the last lines at shutdown.
const LAST_LINES: Duration = Duration::from_secs(2);
/// Shortest time between two error messages in the log.
const LOG_INTERVAL: Duration = Duration::from_secs(30);
/// Shortest secret, in bytes; a shorter one could be guessed.
const SHORTEST_SECRET: usize = 16;

/// One line. It has the note's size and an HMAC by which equal notes can be recognised, but none of its text.
#[derive(Clone, Debug, Serialize)]
pub struct AuditEntry {
    /// The time at which the request arrived, in RFC 3339 and UTC.
    pub time: String,
    /// The request's id.
    pub request_id: Arc<str>,
    /// The name of the caller's key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub principal: Option<String>,
    /// The route's template.
    pub route: &'static str,
    /// The HTTP status of the answer; 499 if the caller disconnected before it.
    pub status: u16,
    /// `ok`, the error's code, or `caller_vanished`.
    pub code: &'static str,
    /// Length of the request body, in bytes.
    pub body_bytes: usize,
    /// Length of the note, in code points; 0 for a recording or a scan.
    pub note_chars: usize,
    /// Whether a valid note, recording or scan had arrived, so that its reading began.
    pub has_note: bool,
    /// HMAC-SHA-256 of the note, hexadecimal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note_hmac: Option<String>,
    /// The engine that answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub engine: Option<&'static str>,
    /// The model that answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The prompt's version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prompt: Option<&'static str>,
    /// The names of the fields that have a value in the record, never the values.
    pub fields: Vec<Field>,
    /// Whether the fallback engine answered.
    pub degraded: bool,
    /// Whether the answer came from the cache.
    pub cached: bool,
    /// Tokens, as the model server counts them.
    pub tokens: u32,
    /// Time from the request's arrival to the answer, in milliseconds.
    pub milliseconds: u64,
    /// Time at the engine, in milliseconds; 0 for an answer from the cache. All attempts and chunks count.
    pub engine_milliseconds: u64,
}

/// Writes the audit file of this process.
pub struct Audit {
    sender: Mutex<Option<SyncSender<AuditEntry>>>,
    /// Disconnects when the writing thread ends.
    thread_end: Mutex<Receiver<()>>,
    state: Arc<State>,
    secret: Hmac<Sha256>,
    ledger: Arc<Ledger>,
}

/// State of the audit, for `/health` and the metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AuditState {
    /// Lines written since the start.
    pub written: u64,
    /// Lines lost since the start.
    pub lost: u64,
    /// Whether the last line was lost, or too many lines wait for the disk.
    pub failing: bool,
}

#[derive(Debug, Default)]
struct State {
    submitted: AtomicU64,
    written: AtomicU64,
    lost: AtomicU64,
    failing: AtomicBool,
}

impl State {
    /// Returns the number of lines that are neither written nor lost.
    fn waiting(&self) -> u64 {
        self.submitted.load(Relaxed).saturating_sub(self.written.load(Relaxed) + self.lost.load(Relaxed))
    }
}

/// Errors that prevent the audit from starting.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// The file cannot be opened for appending.
    #[error("the audit file {}: {cause}", path.display())]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// The error of the system.
        cause: std::io::Error,
    },
    /// The lines of an earlier run cannot be read, so what the keys have used is not known.
    #[error(transparent)]
    Usage(#[from] UsageError),
    /// The secret cannot be read.
    #[error("audit.key_file {}: {cause}", path.display())]
    NoSecret {
        /// The file.
        path: PathBuf,
        /// The error of the system.
        cause: std::io::Error,
    },
    /// The secret is so short that it could be guessed.
    #[error("audit.key_file holds fewer than {SHORTEST_SECRET} bytes")]
    WeakSecret,
    /// The system provided no random bytes or no thread.
    #[error("the audit cannot be set up: {0}")]
    System(String),
}

impl Audit {
    /// Adds up the lines of earlier runs, opens the file and starts the thread that writes to it. Returns `None` if the
    /// settings name no file.
    pub fn open(settings: &AuditSettings) -> Result<Option<Self>, AuditError> {
        let Some(path) = &settings.path else { return Ok(None) };
        let secret = secret(settings)?;
        let max_bytes = settings.max_bytes.as_u64();
        let ledger = Arc::new(Ledger::restore(path, settings.keep)?);
        let (thread_path, keep) = (path.clone(), settings.keep);
        let file = files::with_timeout(files::READ_WITHIN, move || RotatedFile::open(thread_path, max_bytes, keep));
        let file = file.flatten().map_err(|cause| AuditError::Unwritable { path: path.clone(), cause })?;
        let (sender, entries) = sync_channel(QUEUE_CAPACITY);
        let state = Arc::new(State::default());
        let thread_state = Arc::clone(&state);
        let (ended, thread_end) = sync_channel(0);
        std::thread::Builder::new()
            .name("audit".to_owned())
            .spawn(move || {
                write(file, &entries, &thread_state);
                drop::<SyncSender<()>>(ended);
            })
            .map_err(|error| AuditError::System(error.to_string()))?;
        Ok(Some(Self { sender: Mutex::new(Some(sender)), thread_end: Mutex::new(thread_end), state, secret, ledger }))
    }

    /// Checks that the audit file could be opened, without creating it.
    pub fn check(settings: &AuditSettings) -> Result<(), AuditError> {
        let Some(path) = &settings.path else { return Ok(()) };
        secret(settings)?;
        let thread_path = path.clone();
        let checked = files::with_timeout(files::READ_WITHIN, move || {
            let folder = thread_path.parent().filter(|folder| !folder.as_os_str().is_empty());
            if thread_path.exists() {
                std::fs::OpenOptions::new().append(true).open(&thread_path).map(drop)
            } else {
                folder.map_or(Ok(()), |folder| std::fs::read_dir(folder).map(drop))
            }
        });
        checked.flatten().map_err(|cause| AuditError::Unwritable { path: path.clone(), cause })
    }

    /// Returns whether the settings name a file from which a later run can read its lines again: a device or a pipe is
    /// not such a file.
    #[must_use]
    pub fn can_be_read_again(settings: &AuditSettings) -> bool {
        settings.path.as_ref().is_some_and(|path| path.is_file() || !path.exists())
    }

    /// Returns what the keys have used.
    #[must_use]
    pub const fn ledger(&self) -> &Arc<Ledger> {
        &self.ledger
    }

    /// Queues a line for writing, and never waits. A line that does not fit into the queue is lost and counted. Ends the
    /// reservation of its note.
    pub fn record(&self, entry: AuditEntry, reservation: Option<BudgetHold>) {
        self.ledger.add(&entry, reservation);
        self.state.submitted.fetch_add(1, Relaxed);
        let sender = self.sender.lock().unwrap_or_else(PoisonError::into_inner);
        if sender.as_ref().is_none_or(|sender| sender.try_send(entry).is_err()) {
            self.state.lost.fetch_add(1, Relaxed);
            self.state.failing.store(true, Relaxed);
        }
    }

    /// Returns the HMAC of a note, in hexadecimal; equal notes have equal HMACs.
    #[must_use]
    pub fn hmac(&self, note: &str) -> String {
        let mut mac = self.secret.clone();
        mac.update(note.as_bytes());
        hex::encode(mac.finalize().into_bytes())
    }

    /// Returns the current state.
    #[must_use]
    pub fn state(&self) -> AuditState {
        let failing = self.state.failing.load(Relaxed) || self.state.waiting() > MANY_WAITING;
        AuditState { written: self.state.written.load(Relaxed), lost: self.state.lost.load(Relaxed), failing }
    }

    /// Stops accepting lines and waits up to `LAST_LINES` until the waiting ones are written.
    ///
    /// Returns the number of lines lost since the start, including those that the disk has not taken in time.
    pub fn close(&self) -> u64 {
        self.sender.lock().unwrap_or_else(PoisonError::into_inner).take();
        let _ = self.thread_end.lock().unwrap_or_else(PoisonError::into_inner).recv_timeout(LAST_LINES);
        self.state.lost.load(Relaxed) + self.state.waiting()
    }
}

impl fmt::Debug for Audit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Audit").field(&self.state()).finish()
    }
}

fn secret(settings: &AuditSettings) -> Result<Hmac<Sha256>, AuditError> {
    let system = |error: &dyn fmt::Display| AuditError::System(error.to_string());
    let secret = if let Some(path) = &settings.key_file {
        let thread_path = path.clone();
        let bytes = files::with_timeout(files::READ_WITHIN, move || files::read(&thread_path)).flatten();
        let bytes = bytes.map_err(|cause| AuditError::NoSecret { path: path.clone(), cause })?;
        bytes.trim_ascii().to_vec()
    } else {
        let mut bytes = vec![0; 32];
        getrandom::fill(&mut bytes).map_err(|error| system(&error))?;
        bytes
    };
    if secret.len() < SHORTEST_SECRET {
        return Err(AuditError::WeakSecret);
    }
    Hmac::new_from_slice(&secret).map_err(|error| system(&error))
}

fn write(mut file: RotatedFile, entries: &Receiver<AuditEntry>, state: &State) {
    let mut last_logged: Option<Instant> = None;
    while let Ok(entry) = entries.recv() {
        let written = serde_json::to_vec(&entry).map_err(std::io::Error::from).and_then(|mut line| {
            line.push(b'\n');
            file.append(&line)
        });
        match written {
            Ok(()) => {
                state.written.fetch_add(1, Relaxed);
                if state.failing.swap(false, Relaxed) {
                    last_logged = None;
                    tracing::info!(lost = state.lost.load(Relaxed), "audit lines can be written again");
                }
            }
            Err(error) => {
                let lost = state.lost.fetch_add(1, Relaxed) + 1;
                state.failing.store(true, Relaxed);
                if last_logged.is_none_or(|last| last.elapsed() >= LOG_INTERVAL) {
                    last_logged = Some(Instant::now());
                    tracing::error!(%error, lost, "audit lines cannot be written: requests are still answered, but are \
                                                   missing from the audit file; check the disk and the permissions of \
                                                   audit.path");
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
