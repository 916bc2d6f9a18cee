//! Dictation: a recording goes to a transcription server, and a transcript comes back for a person to check.
//!
//! A transcript never becomes a record by itself. Nothing of a recording or a transcript is stored, logged or counted.

mod answer;
mod audio;
mod numbers;
mod transcript;
mod upstream;
mod vocabulary;

use std::{sync::Arc, time::Duration};

use url::Url;

use self::{answer::AnswerFault, upstream::Upstream};
pub use self::{
    audio::{Audio, AudioFault, AudioFormat},
    transcript::{ReviewReason, Segment, Transcript, WordToReview},
};
use crate::{
    admission::{Admission, AdmissionError, QueuePriority},
    config::Transcribe,
    extraction::Deadline,
    server_key::{ServerKey, ServerKeyError},
};

/// Sends recordings to a transcription server.
#[derive(Debug)]
pub struct Dictation {
    upstream: Upstream,
    admission: Arc<Admission>,
    /// Maximum size of a recording, in bytes.
    pub max_bytes: usize,
    /// Maximum length of a recording.
    pub max_length: Duration,
    /// Maximum time from the arrival of a request to its answer.
    pub timeout: Duration,
    review_below: f64,
}

/// Why a recording has no transcript.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DictationError {
    /// All slots and all places in the queue are taken.
    #[error("too many recordings wait")]
    QueueFull,
    /// The server refuses connections, resets them, or says that it is not ready.
    #[error("the transcription server cannot be reached")]
    Unavailable,
    /// The server has too much to do.
    #[error("the transcription server is overloaded")]
    Overloaded,
    /// The server refuses the request.
    #[error("the transcription server refused the request")]
    Rejected,
    /// The server answers an error, or something that is not a transcript.
    #[error("the transcription server gave no usable answer")]
    Failed,
    /// The server read only a part of the recording.
    #[error("the transcription server read only a part of the recording")]
    Incomplete,
    /// The deadline passed.
    #[error("no transcript came in time")]
    DeadlineExceeded,
    /// The recording has no speech.
    #[error("no speech was recognised")]
    NoSpeech,
}

/// Why dictation cannot start.
#[derive(Debug, thiserror::Error)]
pub enum DictationSetupError {
    /// The file with the key of the server cannot be used.
    #[error(transparent)]
    Key(#[from] ServerKeyError),
    /// The HTTP client cannot be made.
    #[error("cannot make the client of the transcription server: {0}")]
    Client(#[from] reqwest::Error),
}

impl Dictation {
    /// The setting that names the file with the key of the server.
    pub const KEY_SETTING: &'static str = "transcribe.api_key_file";

    /// Returns the dictation of the settings; none if they name no server.
    pub fn new(settings: &Transcribe, queue: usize) -> Result<Option<Self>, DictationSetupError> {
        let Some(url) = settings.url.as_deref().and_then(|url| Url::parse(url).ok()) else { return Ok(None) };
        let key = settings.api_key_file.as_deref().map(|path| ServerKey::read(Self::KEY_SETTING, path));
        let key = key.transpose()?.map(Arc::new);
        Ok(Some(Self {
            upstream: Upstream::new(&url, key, settings.model.clone(), settings.language.clone())?,
            admission: Admission::new(settings.in_flight, queue),
            max_bytes: usize::try_from(settings.max_bytes.as_u64()).unwrap_or(usize::MAX),
            max_length: settings.max_length,
            timeout: settings.timeout,
            review_below: settings.review_below,
        }))
    }

    /// Returns the key of the server, if it requires one.
    #[must_use]
    pub fn key(&self) -> Option<Arc<ServerKey>> {
        self.upstream.key()
    }

    /// Returns the model that transcribes, as the server names it.
    #[must_use]
    pub fn model(&self) -> &str {
        self.upstream.model()
    }

    /// Returns the language that is spoken, as ISO 639-1 writes it.
    #[must_use]
    pub fn language(&self) -> &str {
        self.upstream.language()
    }

    /// Returns the time after which a refused caller can try again.
    #[must_use]
    pub fn retry_after(&self) -> Duration {
        self.admission.retry_after()
    }

    /// Transcribes a recording. Takes no longer than the deadline.
    pub async fn transcribe(
        &self,
        bytes: &[u8],
        audio: Audio,
        request_id: &str,
        priority: &QueuePriority,
        deadline: Deadline,
    ) -> Result<Transcript, DictationError> {
        let lease = self.admission.acquire(priority, deadline).await.map_err(|error| match error {
            AdmissionError::QueueFull => DictationError::QueueFull,
            AdmissionError::DeadlineExceeded => DictationError::DeadlineExceeded,
        })?;
        let answer = self.upstream.transcribe(bytes, audio.format, request_id, deadline).await;
        lease.end();
        let seconds = audio.length.as_secs_f64();
        let heard = answer::parse(&answer?, seconds).map_err(|fault| match fault {
            AnswerFault::Incomplete => DictationError::Incomplete,
            AnswerFault::NoAnswer | AnswerFault::TooLong => DictationError::Failed,
        })?;
        let reviewed = transcript::review(heard, self.review_below).ok_or(DictationError::NoSpeech)?;
        Ok(Transcript {
            transcript: reviewed.transcript,
            segments: reviewed.segments,
            words_to_review: reviewed.words_to_review,
            needs_review: true,
            duration: seconds,
            model: self.upstream.model().to_owned(),
            request_id: request_id.to_owned(),
        })
    }
}
