//! The sections of the settings file, but for the model servers'.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use bytesize::ByteSize;
use serde::Deserialize;

use super::{origin::OriginPattern, words::list};
use crate::limiter::Rate;

/// Sizes.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Longest note, in Unicode code points.
    pub max_note_chars: usize,
    /// Largest request body, and largest line of a batch.
    pub body_bytes: ByteSize,
    /// Most notes of a batch in one JSON body.
    pub batch_notes: usize,
    /// Largest batch; in one JSON body also a quarter of `memory` at most.
    pub batch_bytes: ByteSize,
    /// Longest time that a batch takes notes.
    #[serde(with = "humantime_serde")]
    pub batch_time: Duration,
    /// What bodies, notes under way, answers that wait to be read and the cache may take together. Without it, half of what the
    /// process's cgroup may use, or 512 MiB.
    pub memory: Option<ByteSize>,
    /// Most tokens of an answer that a caller may ask for, 1 to 8192; also of the second attempt at one that was cut off.
    pub max_tokens: u32,
    /// Highest temperature that a caller may ask for, 0.0 to 2.0.
    pub max_temperature: f32,
}

/// Defaults of decoding.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Generation {
    /// Most tokens of an answer, 1 to `limits.max_tokens`.
    pub max_tokens: u32,
    /// 0.0 to `limits.max_temperature`.
    pub temperature: f32,
}

/// Long notes.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ChunkSettings {
    /// Most code points of one upstream call; a longer note is read in parts.
    pub max_chars: usize,
}

/// Slots at the GPU and time.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AdmissionSettings {
    /// Upstream calls at once.
    pub in_flight: usize,
    /// Upstream calls that may wait.
    pub queue: usize,
    /// Time from arrival to answer.
    #[serde(with = "humantime_serde")]
    pub deadline: Duration,
    /// Time for running requests to end after SIGTERM.
    #[serde(with = "humantime_serde")]
    pub drain: Duration,
}

/// Cross-origin requests.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Cors {
    /// Origins that may call from a browser; `https://*.vercel.app` matches one label.
    #[serde(deserialize_with = "list")]
    pub origins: Vec<OriginPattern>,
}

/// Notes in so much time; none is a limit.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RateSettings {
    /// Of all callers together, such as `50/s`.
    pub global: Option<Rate>,
    /// Of each key whose line in the key file has no `rate=` of its own.
    pub per_key: Option<Rate>,
    /// Of each address; needs `trusted_proxies`, because behind a proxy all callers have its address.
    pub per_address: Option<Rate>,
}

/// A port of their own for metrics and verbose health.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MetricsSettings {
    /// Address that gives `/metrics` and `/health`, verbose too, without a key; none is opened without it.
    pub listen: Option<SocketAddr>,
}

/// Who asked what when, without the notes.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AuditSettings {
    /// File of JSON lines; none is written without it.
    pub path: Option<PathBuf>,
    /// File with the secret of the notes' HMACs. Without it they can be compared only within one run.
    pub key_file: Option<PathBuf>,
    /// Size at which a new file is begun.
    pub max_bytes: ByteSize,
    /// How many full files are kept.
    pub keep: usize,
}

/// Answers that are given again.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CacheSettings {
    /// Most answers that are kept, in memory; 0 keeps none.
    pub entries: u64,
    /// How long they are.
    #[serde(with = "humantime_serde")]
    pub ttl: Duration,
}
