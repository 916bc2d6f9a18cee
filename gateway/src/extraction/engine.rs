//! Defines the port between the pipeline and the engines: an engine takes a note and a request, and returns a draft.

use std::{
    fmt,
    ops::Range,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use serde::Serialize;
use utoipa::ToSchema;

use super::{Context, Deadline, Field, FieldSink, Likelihoods, ModelText, Note, Tumours};
use crate::admission::QueuePriority;

/// The engine that answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(example = "rules")]
pub enum EngineName {
    /// A language model served by an OpenAI-compatible vLLM server.
    Vllm,
    /// The embedded, deterministic rules engine.
    Rules,
}

impl EngineName {
    /// Every engine.
    pub const ALL: [Self; 2] = [Self::Vllm, Self::Rules];

    /// Returns the name in the API.
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

/// Maximum number of tokens of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenBudget {
    /// The gateway's limit. Decoding normally ends before it, and the gateway doubles it once if it proves too small.
    Adjustable(u32),
    /// A limit that the caller set and that never changes.
    Fixed(u32),
}

impl TokenBudget {
    /// Returns the number of tokens.
    #[must_use]
    pub const fn tokens(self) -> u32 {
        match self {
            Self::Adjustable(tokens) | Self::Fixed(tokens) => tokens,
        }
    }
}

/// A request to an engine for one note.
#[derive(Clone, Debug)]
pub struct EngineRequest {
    /// The model to use; `None` is the engine's default.
    pub model: Option<ModelName>,
    /// The sampling temperature, 0.0 (deterministic) to 2.0.
    pub temperature: f32,
    /// The seed of the sampler; `None` leaves it to the engine.
    pub seed: Option<u64>,
    /// Maximum number of tokens of the answer.
    pub budget: TokenBudget,
    /// Whether the engine also returns the log-probabilities of its tokens.
    pub confidence: bool,
    /// Sent to the model server, so that its log lines can be matched with the gateway's.
    pub request_id: Arc<str>,
    /// The W3C trace context for the upstream call, where the caller's request is part of a trace.
    pub traceparent: Option<Arc<str>>,
    /// Its place in the queue for the GPU.
    pub priority: QueuePriority,
    /// Time spent so far, which the error for a missed deadline reports.
    pub timings: Arc<CallTimings>,
    /// Receives the fields while the model writes them; `None` for requests without streaming.
    pub sink: Option<FieldSink>,
}

/// Time spent on one note, summed over all its calls.
#[derive(Debug, Default)]
pub struct CallTimings {
    queue: AtomicU64,
    engine: AtomicU64,
}

impl CallTimings {
    pub(super) fn add(&self, queue: Duration, engine: Duration) {
        self.queue.fetch_add(micros(queue), Relaxed);
        self.engine.fetch_add(micros(engine), Relaxed);
    }

    /// Returns the time spent waiting for a slot, and the time in the engine.
    #[must_use]
    pub fn queue_and_engine(&self) -> (Duration, Duration) {
        let time = |micros: &AtomicU64| Duration::from_micros(micros.load(Relaxed));
        (time(&self.queue), time(&self.engine))
    }
}

/// Returns a time in whole microseconds.
pub(crate) fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

impl EngineRequest {
    /// Returns a request with the defaults: deterministic, without streaming and without a trace.
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
    /// Returns the same request without streaming.
    #[must_use]
    pub fn without_sink(&self) -> Self {
        Self { sink: None, ..self.clone() }
    }
}

/// How a draft ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finish {
    /// The engine finished it.
    Complete,
    /// The token budget cut it off.
    OutOfTokens,
}

/// The kinds of text in a note that an engine cannot read. Its draft covers only the other text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UnreadableText {
    /// A part in another language.
    pub language: bool,
    /// Markup, encoded text or invisible characters.
    pub markup: bool,
}

/// Facts that an engine found in a note and that `judge` uses again.
#[derive(Clone, Debug)]
pub struct NoteContext {
    /// The sentences, sections and cues of the readable text.
    pub(crate) context: Context<'static>,
    /// Acronyms that mean something else, in bytes of the readable text. They support no value.
    pub(crate) homonyms: Vec<Range<usize>>,
    /// The clinical and the pathological stage, if they differ.
    pub(crate) stage_conflict: Vec<String>,
}

/// The answer of an engine to a note, before it is parsed.
#[derive(Clone, Debug)]
pub struct Draft {
    /// The text of the answer, normally a record in the training format.
    pub text: ModelText,
    /// How the text ended.
    pub finish: Finish,
    /// Prompt and answer tokens together; 0 if the engine does not count them.
    pub tokens_used: u32,
    /// The model that answered.
    pub model: ModelName,
    /// The version of the prompt; `None` for engines without a prompt.
    pub prompt: Option<PromptVersion>,
    /// The log-probabilities of its tokens, if the request asked for them and the engine has them.
    pub likelihoods: Option<Likelihoods>,
    /// Values that the engine recognised and left out of the record because of their assertions in the note.
    pub withheld: Vec<(Field, String)>,
    /// Values that the engine left out of the record because they are another tumour's.
    pub of_other_tumours: Vec<(Field, String)>,
    /// The tumours of the note, if the engine reads them itself.
    pub tumours: Option<Tumours>,
    /// What else the engine found in the note, if it reads the note itself.
    pub note_context: Option<NoteContext>,
    /// False only if the engine knows that it recognised no oncology term at all, or too little of the language.
    pub recognised_terms: bool,
    /// The kinds of text in the note that the engine cannot read.
    pub unreadable: UnreadableText,
    /// Whether the response shows a fault: a refusal, an error, a second choice, a prompt that is too short for the
    /// note. Values that the note supports stay credible then, but an empty record does not.
    pub suspect: bool,
}

impl Draft {
    /// Returns the model and the version of the prompt.
    #[must_use]
    pub fn author(&self) -> (String, Option<PromptVersion>) {
        (self.model.to_string(), self.prompt)
    }
}

/// Why an engine returned no draft. The HTTP layer maps each variant to one status.
#[derive(Clone, Debug, thiserror::Error)]
pub enum EngineError {
    /// The model server is loading the model and has never been ready.
    #[error("the model server is still loading")]
    Loading,
    /// The model server cannot be reached, or is temporarily unavailable.
    #[error("the model server is unavailable")]
    Unavailable,
    /// The model server reported that it is overloaded.
    #[error("the model server is overloaded")]
    Overloaded,
    /// The model server refused this request, because of its configuration or a fault of the gateway.
    #[error("the model server refused the request")]
    Rejected,
    /// The model server failed, or returned an invalid answer.
    #[error("the model server failed")]
    Failed,
    /// The note and the token budget of the answer together exceed the model's context.
    #[error("the note does not fit the model's context")]
    NoteTooLong,
    /// The deadline passed.
    #[error("the deadline passed")]
    DeadlineExceeded,
}

/// The future of a draft.
pub type DraftFuture<'a> = Pin<Box<dyn Future<Output = Result<Draft, EngineError>> + Send + 'a>>;

/// An engine that reads notes. Dropping the future of a draft cancels the work, also at the model server.
pub trait Engine: Send + Sync + fmt::Debug {
    /// Returns the name of this engine.
    fn name(&self) -> EngineName;

    /// Returns whether each draft needs a GPU slot (a lease from admission).
    fn needs_lease(&self) -> bool;

    /// Returns how many tokens the prompt of the note has, estimated; 0 for an engine that does not count tokens.
    fn prompt_tokens(&self, _note: &Note) -> u64 {
        0
    }

    /// Returns a draft of the note.
    fn draft<'a>(&'a self, note: &'a Note, request: &'a EngineRequest, deadline: Deadline) -> DraftFuture<'a>;
}
