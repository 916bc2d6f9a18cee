//! Who asked what when: one JSON line for each extraction, without the note.
//!
//! Lines are written by a thread of their own: a request never waits for the disk. What cannot be written is
//! counted and complained of, in the log, in `/health` and in the metrics; requests go on.

mod file;

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

use self::file::RotatedFile;
use crate::{config::AuditSettings, extraction::Field, files};

/// Lines that may wait for the disk.
const WAITING: usize = 16_384;
/// So many that wait mean that the disk does not answer.
const MANY_WAITING: u64 = 1_000;
/// So long the last lines may take.
const LAST_LINES: Duration = Duration::from_secs(2);
/// Between two complaints in the log.
const COMPLAIN_EVERY: Duration = Duration::from_secs(30);
/// A shorter secret could be guessed.
const SHORTEST_SECRET: usize = 16;

/// One line. Holds nothing of the note: its size, and an HMAC that tells equal notes.
#[derive(Clone, Debug, Serialize)]
pub struct Entry {
    /// When the request came, RFC 3339, UTC.
    pub time: String,
    /// Its id.
    pub request_id: Arc<str>,
    /// The name of the caller's key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub principal: Option<String>,
    /// The route's template.
    pub route: &'static str,
    /// The answer's status; 499 where the caller left before.
    pub status: u16,
    /// `ok`, the error's code, or `caller_vanished`.
    pub code: &'static str,
    /// Bytes of the body.
    pub body_bytes: usize,
    /// Code points of the note.
    pub note_chars: usize,
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
    /// The fields that the record fills: their names, never their values.
    pub fields: Vec<Field>,
    /// Whether a lesser engine answered.
    pub degraded: bool,
    /// Whether the answer was one that was given before.
    pub cached: bool,
    /// Tokens, as the model server counts them.
    pub tokens: u32,
    /// From arrival to answer.
    pub milliseconds: u64,
}

/// The audit of this process.
pub struct Audit {
    sender: Mutex<Option<SyncSender<Entry>>>,
    /// Ends when the thread that writes does.
    written: Mutex<Receiver<()>>,
    state: Arc<State>,
    secret: Hmac<Sha256>,
}

/// How the audit is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AuditState {
    /// Lines written since the start.
    pub written: u64,
    /// Lines that were not.
    pub lost: u64,
    /// Whether the last line was one of those.
    pub failing: bool,
}

#[derive(Debug, Default)]
struct State {
    told: AtomicU64,
    written: AtomicU64,
    lost: AtomicU64,
    failing: AtomicBool,
}

impl State {
    /// Lines that are neither written nor given up.
    fn waiting(&self) -> u64 {
        self.told.load(Relaxed).saturating_sub(self.written.load(Relaxed) + self.lost.load(Relaxed))
    }
}

/// Why there can be no audit.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// The file cannot be opened for appending.
    #[error("the audit file {}: {cause}", path.display())]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// Why not.
        cause: std::io::Error,
    },
    /// The secret cannot be read.
    #[error("audit.key_file {}: {cause}", path.display())]
    NoSecret {
        /// The file.
        path: PathBuf,
        /// Why not.
        cause: std::io::Error,
    },
    /// The secret could be guessed.
    #[error("audit.key_file holds fewer than {SHORTEST_SECRET} bytes")]
    WeakSecret,
    /// The system gave no random bytes, or no thread.
    #[error("the audit cannot be set up: {0}")]
    System(String),
}

impl Audit {
    /// Opens the file and begins to write; nothing where no file is set.
    pub fn open(settings: &AuditSettings) -> Result<Option<Self>, AuditError> {
        let Some(path) = &settings.path else { return Ok(None) };
        let secret = secret(settings)?;
        let most = settings.max_bytes.as_u64();
        let (theirs, keep) = (path.clone(), settings.keep);
        let file = files::in_time(files::READ_WITHIN, move || RotatedFile::open(theirs, most, keep));
        let file = file.flatten().map_err(|cause| AuditError::Unwritable { path: path.clone(), cause })?;
        let (sender, entries) = sync_channel(WAITING);
        let state = Arc::new(State::default());
        let theirs = Arc::clone(&state);
        let (ended, written) = sync_channel(0);
        std::thread::Builder::new()
            .name("audit".to_owned())
            .spawn(move || {
                write(file, &entries, &theirs);
                drop::<SyncSender<()>>(ended);
            })
            .map_err(|error| AuditError::System(error.to_string()))?;
        Ok(Some(Self { sender: Mutex::new(Some(sender)), written: Mutex::new(written), state, secret }))
    }

    /// Looks whether a file could be opened, without making one.
    pub fn check(settings: &AuditSettings) -> Result<(), AuditError> {
        let Some(path) = &settings.path else { return Ok(()) };
        secret(settings)?;
        let theirs = path.clone();
        let checked = files::in_time(files::READ_WITHIN, move || {
            let folder = theirs.parent().filter(|folder| !folder.as_os_str().is_empty());
            if theirs.exists() {
                std::fs::OpenOptions::new().append(true).open(&theirs).map(drop)
            } else {
                folder.map_or(Ok(()), |folder| std::fs::read_dir(folder).map(drop))
            }
        });
        checked.flatten().map_err(|cause| AuditError::Unwritable { path: path.clone(), cause })
    }

    /// Writes a line, soon. Never waits.
    pub fn tell(&self, entry: Entry) {
        self.state.told.fetch_add(1, Relaxed);
        let sender = self.sender.lock().unwrap_or_else(PoisonError::into_inner);
        if sender.as_ref().is_none_or(|sender| sender.try_send(entry).is_err()) {
            self.state.lost.fetch_add(1, Relaxed);
            self.state.failing.store(true, Relaxed);
        }
    }

    /// The HMAC by which equal notes are told.
    #[must_use]
    pub fn hmac(&self, note: &str) -> String {
        use fmt::Write as _;
        let mut mac = self.secret.clone();
        mac.update(note.as_bytes());
        mac.finalize().into_bytes().iter().fold(String::with_capacity(64), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
    }

    /// How it is.
    #[must_use]
    pub fn state(&self) -> AuditState {
        let failing = self.state.failing.load(Relaxed) || self.state.waiting() > MANY_WAITING;
        AuditState { written: self.state.written.load(Relaxed), lost: self.state.lost.load(Relaxed), failing }
    }

    /// Takes no more lines and waits a moment until those that wait are written. Says how many were lost in
    /// all: those too that a disk which does not answer has not taken.
    pub fn close(&self) -> u64 {
        self.sender.lock().unwrap_or_else(PoisonError::into_inner).take();
        let _ = self.written.lock().unwrap_or_else(PoisonError::into_inner).recv_timeout(LAST_LINES);
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
        let theirs = path.clone();
        let bytes = files::in_time(files::READ_WITHIN, move || files::read(&theirs)).flatten();
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

fn write(mut file: RotatedFile, entries: &Receiver<Entry>, state: &State) {
    let mut complained: Option<Instant> = None;
    while let Ok(entry) = entries.recv() {
        let written = serde_json::to_vec(&entry).map_err(std::io::Error::from).and_then(|mut line| {
            line.push(b'\n');
            file.append(&line)
        });
        match written {
            Ok(()) => {
                state.written.fetch_add(1, Relaxed);
                if state.failing.swap(false, Relaxed) {
                    complained = None;
                    tracing::info!(lost = state.lost.load(Relaxed), "audit lines can be written again");
                }
            }
            Err(error) => {
                let lost = state.lost.fetch_add(1, Relaxed) + 1;
                state.failing.store(true, Relaxed);
                if complained.is_none_or(|last| last.elapsed() >= COMPLAIN_EVERY) {
                    complained = Some(Instant::now());
                    tracing::error!(%error, lost, "audit lines cannot be written: requests are answered without a trace");
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
