//! The record of a job, as it is kept. It has no text of notes and no ids of notes.

use std::{fmt, str::FromStr, time::Duration};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The id of a job. Later jobs have higher ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct JobId(pub(super) u128);

/// The state of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobState {
    /// Its notes still arrive.
    Receiving,
    /// Its notes are read, or wait.
    Running,
    /// Every note has its outcome.
    Done,
}

/// A job.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Job {
    /// Its id.
    pub id: JobId,
    /// The name of the key that sent it; none without keys.
    pub owner: Option<String>,
    /// Its state.
    pub state: JobState,
    /// When it was sent and when it is deleted, in milliseconds since 1970.
    pub created: u64,
    /// See `created`.
    pub expires: u64,
    /// Its number of notes.
    pub notes: u64,
    /// Notes that were read.
    pub ok: u64,
    /// Notes that were not read, each with an error.
    pub failed: u64,
    /// Bytes of its notes.
    pub bytes: u64,
    /// Bytes of its results so far.
    #[serde(default)]
    pub result_bytes: u64,
    /// HMAC of its `Idempotency-Key`, if it has one.
    pub idempotency: Option<String>,
    /// HMAC of its notes and options.
    pub digest: String,
}

impl JobId {
    /// Returns a new id. Its random part is from the system.
    pub(super) fn new(milliseconds: u64) -> Result<Self, getrandom::Error> {
        let mut random = [0; 10];
        getrandom::fill(&mut random)?;
        Ok(Self(uuid::Builder::from_unix_timestamp_millis(milliseconds, &random).into_uuid().as_u128()))
    }
}

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Uuid::from_u128(self.0).fmt(f)
    }
}

impl FromStr for JobId {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Uuid::parse_str(text).map(|id| Self(id.as_u128()))
    }
}

impl TryFrom<String> for JobId {
    type Error = uuid::Error;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<JobId> for String {
    fn from(id: JobId) -> Self {
        id.to_string()
    }
}

/// Returns a time in whole milliseconds.
pub(super) fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
