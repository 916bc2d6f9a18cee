//! The sections of the settings file, except the section of the model servers.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use bytesize::ByteSize;
use serde::Deserialize;

use super::{listen_address::optional_listen, origin::OriginPattern, words::list};
use crate::rate_limiter::Rate;

/// The section `limits`: the limits of requests and answers.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Maximum length of a note, in Unicode code points.
    pub max_note_chars: usize,
    /// Maximum size of a request body, and of a line of a batch.
    pub body_bytes: ByteSize,
    /// Maximum notes of a batch in one JSON body.
    pub batch_notes: usize,
    /// Maximum size of a batch; in one JSON body also at most a quarter of `memory`.
    pub batch_bytes: ByteSize,
    /// Maximum time during which a batch accepts notes.
    #[serde(with = "humantime_serde")]
    pub batch_time: Duration,
    /// Memory that request bodies, notes in flight, answers that wait for their clients and the cache may occupy
    /// together. If it is not set: half of the memory that the process's cgroup may use, or 512 MiB.
    pub memory: Option<ByteSize>,
    /// Maximum tokens of an answer that a caller may ask for, 1 to 8192; also of the second attempt after an answer was
    /// cut off.
    pub max_tokens: u32,
    /// Maximum temperature that a caller may ask for, 0.0 to 2.0.
    pub max_temperature: f32,
}

/// The section `generation`: the defaults of decoding.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Generation {
    /// Maximum tokens of an answer, 1 to `limits.max_tokens`.
    pub max_tokens: u32,
    /// Temperature, 0.0 to `limits.max_temperature`.
    pub temperature: f32,
}

/// The section `chunk`: how long notes are read.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ChunkSettings {
    /// Maximum code points of one call to the engine; a longer note is read in chunks.
    pub max_chars: usize,
}

/// The section `codes`: codes of terminologies that the gateway may not ship.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CodesSettings {
    /// CSV files with the columns `system,code,display,match`. They are read at the start only.
    #[serde(deserialize_with = "list")]
    pub files: Vec<PathBuf>,
}

/// The section `admission`: the calls to the engine and their time limits.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AdmissionSettings {
    /// Maximum calls to the engine at once.
    pub in_flight: usize,
    /// Maximum calls that may wait.
    pub queue: usize,
    /// Maximum tokens of the calls that run at once, estimated; 0 means no limit, and `None` means the capacity of the
    /// KV caches that the model servers report.
    pub tokens: Option<u64>,
    /// Maximum time from the arrival of a request to its answer.
    #[serde(with = "humantime_serde")]
    pub deadline: Duration,
    /// Time that running requests have to end after SIGTERM.
    #[serde(with = "humantime_serde")]
    pub drain: Duration,
}

/// The section `cors`: cross-origin requests.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Cors {
    /// Origins that may call from a browser; `https://*.vercel.app` matches one label.
    #[serde(deserialize_with = "list")]
    pub origins: Vec<OriginPattern>,
}

/// The section `rate`: the rate limits of notes. A limit that is not set does not apply.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RateSettings {
    /// Limit of all callers together, such as `50/s`.
    pub global: Option<Rate>,
    /// Limit of each key without a `rate=` in its line of the key file.
    pub per_key: Option<Rate>,
    /// Limit of each address. It needs `trusted_proxies`, because behind a proxy all callers have the proxy's address.
    pub per_address: Option<Rate>,
}

/// The section `metrics`: a separate port for metrics and verbose health.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MetricsSettings {
    /// Address that serves `/metrics` and `/health`, also verbose, without a key. If it is not set, no port is opened.
    #[serde(deserialize_with = "optional_listen")]
    pub listen: Option<SocketAddr>,
}

/// The section `audit`: a record of each extraction, without the text of the note.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AuditSettings {
    /// File of JSON lines. If it is not set, no records are written.
    pub path: Option<PathBuf>,
    /// File with the secret for the HMACs of notes. Without it the HMACs can be compared only within one run of the
    /// process.
    pub key_file: Option<PathBuf>,
    /// Size at which a new file begins.
    pub max_bytes: ByteSize,
    /// Number of full files to keep.
    pub keep: usize,
}

/// The section `usage`: the usage reports of the keys.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct UsageSettings {
    /// What the service costs in a month, in any currency. The keys share it by their time at the engine. If it is not
    /// set, no cost is shown.
    pub month_cost: Option<f64>,
}

/// The section `spool`: the temporary files for notes of batches that wait. The files have no names and are encrypted
/// with a key that is only in memory.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SpoolSettings {
    /// Folder of the files. If it is not set: the folder that the system has for temporary files.
    pub folder: Option<PathBuf>,
    /// Maximum size of all files together; 0 keeps all waiting notes in memory.
    pub bytes: ByteSize,
}

/// The section `jobs`: notes that are read without a connection.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct JobSettings {
    /// Folder of the file with the jobs. If it is not set, there are no jobs.
    pub folder: Option<PathBuf>,
    /// File with the secret that encrypts the jobs, at least 32 bytes.
    pub key_file: Option<PathBuf>,
    /// Time after which a job is deleted with its results.
    #[serde(with = "humantime_serde")]
    pub ttl: Duration,
    /// Maximum jobs of a key, or of all callers together if there are no keys.
    pub per_key: usize,
    /// Maximum size of the notes of all jobs together.
    pub bytes: ByteSize,
    /// Maximum size of the results of all jobs together.
    pub result_bytes: ByteSize,
    /// Whether a job is deleted once its last result was sent.
    pub delete_on_fetch: bool,
}

/// The section `cache`: answers that are kept for equal requests.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CacheSettings {
    /// Maximum answers that are kept in memory; 0 keeps none.
    pub entries: u64,
    /// Time for which an answer is kept.
    #[serde(with = "humantime_serde")]
    pub ttl: Duration,
}
