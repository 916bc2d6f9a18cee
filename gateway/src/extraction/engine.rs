//! The port between the pipeline and whoever reads notes: note and request in, draft out.

use std::{
    fmt,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use serde::Serialize;
use utoipa::ToSchema;

use super::{Deadline, Field, FieldSink, Likelihoods, ModelText, Note};
use crate::admission::QueuePriority;

/// Which engine answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(example = "rules")]
pub enum EngineName {
    /// A language model behind an OpenAI-compatible vLLM server.
    Vllm,
    /// The embedded, deterministic rules.
    Rules,
}

impl EngineName {
    /// The name as the API writes it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Vllm => "vllm",
            Self::Rules => "rules",
        }
    }
}

/// The name of a configured model.
pub type ModelName = Arc<str>;

/// The version of a prompt, as the answer reports it, for example `training-v1`.
pub type PromptVersion = &'static str;

/// How many tokens an answer may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenBudget {
    /// Decoding stops by itself; the service may widen this when it proves too small.
    Adjustable(u32),
    /// The caller's hard cap.
    Fixed(u32),
}

impl TokenBudget {
    /// The number of tokens.
    #[must_use]
    pub const fn tokens(self) -> u32 {
        match self {
            Self::Adjustable(tokens) | Self::Fixed(tokens) => tokens,
        }
    }
}

/// One note's request to an engine.
#[derive(Clone, Debug)]
pub struct EngineRequest {
    /// Model to use; `None` is the engine's default.
    pub model: Option<ModelName>,
    /// 0.0 (deterministic) to 2.0.
    pub temperature: f32,
    /// Seed of the sampler; `None` leaves it to the engine.
    pub seed: Option<u64>,
    /// Most tokens of the answer.
    pub budget: TokenBudget,
    /// Whether the engine also returns the log-probabilities of its tokens.
    pub confidence: bool,
    /// Sent along, so that a log line upstream can be joined to ours.
    pub request_id: Arc<str>,
    /// W3C trace context for the upstream call, where the caller's request is part of a trace.
    pub traceparent: Option<Arc<str>>,
    /// Its place in the queue for the GPU.
    pub priority: QueuePriority,
    /// Time spent so far; the error of a missed deadline names it.
    pub timings: Arc<CallTimings>,
    /// Receives the fields while the model writes them; `None` outside of a stream.
    pub sink: Option<FieldSink>,
}

/// Time spent on one note, in all its calls together.
#[derive(Debug, Default)]
pub struct CallTimings {
    queue: AtomicU64,
    engine: AtomicU64,
}

impl CallTimings {
    pub(super) fn add(&self, queue: Duration, engine: Duration) {
        let micros = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        self.queue.fetch_add(micros(queue), Relaxed);
        self.engine.fetch_add(micros(engine), Relaxed);
    }

    /// Time spent waiting for a slot, and in the engine.
    #[must_use]
    pub fn queue_and_engine(&self) -> (Duration, Duration) {
        let time = |micros: &AtomicU64| Duration::from_micros(micros.load(Relaxed));
        (time(&self.queue), time(&self.engine))
    }
}

impl EngineRequest {
    /// Of nobody in particular: the defaults, deterministic.
    #[must_use]
    pub fn plain(budget: TokenBudget, request_id: Arc<str>) -> Self {
        let (traceparent, priority, timings) = (None, QueuePriority::default(), Arc::default());
        Self {
            model: None,
            temperature: 0.0,
            seed: None,
            budget,
            confidence: false,
            request_id,
            traceparent,
            priority,
            timings,
            sink: None,
        }
    }
}

impl EngineRequest {
    /// The same, with nobody listening.
    #[must_use]
    pub fn without_sink(&self) -> Self {
        Self { sink: None, ..self.clone() }
    }
}

/// How a draft ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finish {
    /// The engine ended it.
    Complete,
    /// The token budget ended it.
    OutOfTokens,
}

/// What stands in a note that an engine does not know how to read, so that what it says is of the rest alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unfamiliar {
    /// A part in another language.
    pub language: bool,
    /// Markup, encoded text or invisible characters.
    pub markup: bool,
}

/// What an engine said about a note, not yet parsed.
#[derive(Clone, Debug)]
pub struct Draft {
    /// The words, ideally a record in the training format.
    pub text: ModelText,
    /// How they ended.
    pub finish: Finish,
    /// Prompt and answer tokens together; 0 where none were counted.
    pub tokens_used: u32,
    /// The model that answered.
    pub model: ModelName,
    /// The prompt it was given; `None` where there is none.
    pub prompt: Option<PromptVersion>,
    /// Its tokens' log-probabilities, where they were asked for and the engine has them.
    pub likelihoods: Option<Likelihoods>,
    /// Values that the engine recognised and left out of the record because of what the note says of them.
    pub withheld: Vec<(Field, String)>,
    /// False only where the engine knows that it recognised no oncology term at all, or not enough of the language.
    pub recognised_terms: bool,
    /// What stands in the note that the engine does not know how to read.
    pub unfamiliar: Unfamiliar,
    /// Whether what the answer came in says that something went wrong: a refusal, an error, a second choice, a prompt
    /// that is too short for the note. It is no reason to doubt values that stand in the note, but one to doubt that
    /// there are none.
    pub suspect: bool,
}

impl Draft {
    /// Who wrote it: the model and the version of the prompt.
    #[must_use]
    pub fn author(&self) -> (String, Option<PromptVersion>) {
        (self.model.to_string(), self.prompt)
    }
}

/// Why there is no draft. Each is mapped to one status at the HTTP edge.
#[derive(Clone, Debug, thiserror::Error)]
pub enum EngineError {
    /// The model is being loaded and was never ready yet.
    #[error("the model server is still loading")]
    Loading,
    /// The server cannot be reached or refused for now.
    #[error("the model server is unavailable")]
    Unavailable,
    /// The server said that it has too much to do.
    #[error("the model server is overloaded")]
    Overloaded,
    /// The server refused this request: a fault of configuration or of this service.
    #[error("the model server refused the request")]
    Rejected,
    /// The server broke, or answered what it never should.
    #[error("the model server failed")]
    Failed,
    /// The note and the room for an answer exceed the model's context.
    #[error("the note does not fit the model's context")]
    NoteTooLong,
    /// The time was up.
    #[error("the deadline passed")]
    DeadlineExceeded,
}

/// A draft on its way.
pub type DraftFuture<'a> = Pin<Box<dyn Future<Output = Result<Draft, EngineError>> + Send + 'a>>;

/// Someone who reads notes. Dropping the future abandons the work, upstream too.
pub trait Engine: Send + Sync + fmt::Debug {
    /// Which engine this is.
    fn name(&self) -> EngineName;

    /// Whether each draft takes a slot at the GPU (a lease from admission).
    fn needs_lease(&self) -> bool;

    /// Drafts a record of the note.
    fn draft<'a>(&'a self, note: &'a Note, request: &'a EngineRequest, deadline: Deadline) -> DraftFuture<'a>;
}
