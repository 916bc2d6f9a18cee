//! Reads notes with vLLM: builds the request, sends it, and maps the answer or error to a draft or an engine error.

use std::{sync::Arc, time::Duration};

use super::{
    answers::{Completion, ResponseDecoder, Streamed, TokenCount},
    constraint::RECORD_CONSTRAINT,
    fleet::{Fleet, ReplicaCall},
    ids::CallIds,
    logprobs,
    paths::Path,
    prompt::{self, Prompt},
    watch::AbortOnDrop,
    wire::{self, Request, Streaming, TokenizeRequest},
};
use crate::{
    config::{PromptChoice, Vllm},
    extraction::{
        Deadline, Draft, DraftFuture, Engine, EngineError, EngineName, EngineRequest, Finish, ModelName, ModelText,
        Note, UnreadableText,
    },
    readiness::Readiness,
    routing::{Caller, Routing},
    server_key::ServerKey,
    telemetry::{Attempt, ModelCall, ModelCallResult, ModelCallSpan},
};
use bytes::Bytes;
use reqwest::{
    Response,
    header::{self, HeaderValue},
};

/// Least tokens that a record needs. If the context has room for fewer, the note is too long.
const LEAST_ANSWER: u32 = 256;
/// Upper bound on the tokens of the training prompt around the note.
const PROMPT_OVERHEAD: u32 = 96;
/// Tokens of 1,000 bytes of a note, estimated: the training notes have 3.65 bytes a token in the tokenizer of Llama 3.
const TOKENS_OF_1000_BYTES: u64 = 277;
/// Tokens of the training prompt around the note, about.
const FRAME_TOKENS: u64 = 40;
/// Longest pause before the only retry, in milliseconds.
const RETRY_PAUSE_MILLISECONDS: u64 = 200;

/// Reads notes with a language model.
#[derive(Debug)]
pub struct VllmEngine {
    fleet: Arc<Fleet>,
    routing: Arc<Routing>,
    prompt: PromptChoice,
    stop_token_ids: Vec<u32>,
    most_tokens: u32,
    ids: CallIds,
    readiness: Arc<Readiness>,
    _resolvers: Vec<AbortOnDrop>,
}

/// A POST to a model server for one request of a client.
struct Post<'a> {
    path: Path,
    body: Bytes,
    request: &'a EngineRequest,
    /// The span of a call that answers a note.
    span: Option<&'a ModelCallSpan>,
    deadline: Deadline,
}

/// A failed call, and whether the engine may try again.
struct CallFailure {
    error: EngineError,
    may_retry: bool,
}

impl CallFailure {
    /// Returns a failure after which the engine does not try again.
    fn of(error: EngineError) -> Self {
        Self { error, may_retry: false }
    }
}

impl VllmEngine {
    pub(super) fn with_fleet(
        fleet: Arc<Fleet>,
        settings: &Vllm,
        routing: Arc<Routing>,
        ids: CallIds,
        readiness: Arc<Readiness>,
        resolvers: Vec<AbortOnDrop>,
    ) -> Self {
        Self {
            fleet,
            routing,
            prompt: settings.prompt,
            stop_token_ids: settings.stop_token_ids.clone(),
            most_tokens: u32::MAX,
            ids,
            readiness,
            _resolvers: resolvers,
        }
    }

    /// Returns the key of the model servers, so that its file can be read again when the operator asks for it; `None`
    /// if the settings name no key file.
    #[must_use]
    pub fn key(&self) -> Option<Arc<ServerKey>> {
        self.fleet.key().cloned()
    }

    /// Returns whether every model server that is ready lists the model.
    #[must_use]
    pub fn is_listed(&self, model: &str) -> bool {
        self.fleet.is_listed(model)
    }

    /// Returns the engine with a limit of `most_tokens` tokens per answer, which also holds when a note is read again
    /// because its answer was cut off.
    #[must_use]
    pub fn with_max_tokens(self, most_tokens: u32) -> Self {
        Self { most_tokens, ..self }
    }

    /// Calls a server. If the call cannot have started there, it tries once more, at another server if there is one.
    async fn draft_with_retry(
        &self,
        note: &Note,
        request: &EngineRequest,
        deadline: Deadline,
    ) -> Result<Draft, EngineError> {
        let caller = Caller { session: None, principal: request.priority.principal.as_ref() };
        let chosen = || self.routing.resolve(None, caller, note.as_str());
        let model = request.model.clone().unwrap_or_else(chosen);
        // Only models of the settings are requested, because a model server may load any model that is requested from
        // its disk.
        if !self.routing.served().contains(&model) {
            return Err(EngineError::Rejected);
        }
        let background = request.priority.background;
        let call = self.fleet.call(&model, None, background)?;
        let first = match self.draft_at(&call, &model, note, request, deadline).await {
            Ok(draft) => return Ok(draft),
            Err(failure) if !failure.may_retry => return Err(failure.error),
            Err(failure) => failure,
        };
        let again = self.fleet.call(&model, Some(&call), background).map_err(|_| first.error)?;
        drop(call);
        let pause = Duration::from_millis(fastrand::u64(RETRY_PAUSE_MILLISECONDS / 2..=RETRY_PAUSE_MILLISECONDS));
        if deadline.bound(tokio::time::sleep(pause)).await.is_err() {
            return Err(EngineError::DeadlineExceeded);
        }
        self.draft_at(&again, &model, note, request, deadline).await.map_err(|failure| failure.error)
    }

    async fn draft_at(
        &self,
        call: &ReplicaCall,
        model: &ModelName,
        note: &Note,
        request: &EngineRequest,
        deadline: Deadline,
    ) -> Result<Draft, CallFailure> {
        let max_tokens = self.budget(call, note, model, request, deadline).await?;
        let (version, path) = prompt::version(self.prompt);
        let constrained = self.prompt == PromptChoice::Training;
        let body = Request {
            model,
            prompt: Prompt::of(self.prompt, note.as_str()),
            max_tokens,
            temperature: request.temperature,
            stop_token_ids: &self.stop_token_ids,
            seed: request.seed,
            cache_salt: &self.ids.salt(request.priority.principal.as_ref()),
            structured_outputs: constrained.then(|| &**RECORD_CONSTRAINT),
            logprobs: request.confidence.then(|| logprobs::request_member(self.prompt)),
            streaming: request.sink.as_ref().map(|_| Streaming::WITH_USAGE),
        };
        let body = wire::to_body(&body, note.as_str().len()).ok_or(CallFailure::of(EngineError::Failed))?;
        let model_call = ModelCall {
            operation: if path == Path::ChatCompletions { "chat" } else { "text_completion" },
            model,
            replica: call.replica_name(),
            max_tokens,
            temperature: request.temperature,
            seed: request.seed,
        };
        let span = ModelCallSpan::begin(&model_call, request.traceparent.as_deref());
        let post = Post { path, body, request, span: Some(&span), deadline };
        let completion = match &request.sink {
            Some(sink) => self.post(call, &post, &Streamed { sink }).await?,
            None => self.post(call, &post, &Completion).await?,
        };
        call.count_tokens(model, completion.usage);
        span.answered(ModelCallResult {
            prompt_tokens: completion.usage.prompt,
            answer_tokens: completion.usage.answer,
            finish_reason: if completion.finish == Finish::Complete { "stop" } else { "length" },
        });
        // An answer of another model must not be returned under the name of the requested one.
        if completion.envelope.model().is_some_and(|answering| !call.is_requested_model(answering, model)) {
            if let Some(sink) = &request.sink {
                sink.reset();
            }
            // Another server may have the model.
            return Err(CallFailure { error: EngineError::Rejected, may_retry: true });
        }
        let suspect = completion.envelope.is_suspect(note.as_str());
        Ok(Draft {
            text: ModelText::new(completion.text),
            finish: completion.finish,
            tokens_used: completion.usage.total,
            model: Arc::clone(model),
            prompt: Some(version),
            likelihoods: completion.likelihoods,
            withheld: Vec::new(),
            of_other_tumours: Vec::new(),
            tumours: None,
            note_context: None,
            recognised_terms: true,
            unreadable: UnreadableText::default(),
            suspect,
        })
    }

    /// Returns the answer's budget in tokens that fits the model's context at this server.
    ///
    /// A token has at least one byte, so most notes are known to fit by their length. Only near the limit it asks
    /// `/tokenize` for the exact count.
    async fn budget(
        &self,
        call: &ReplicaCall,
        note: &Note,
        model: &str,
        request: &EngineRequest,
        deadline: Deadline,
    ) -> Result<u32, CallFailure> {
        let wanted = request.budget.tokens().min(self.most_tokens);
        let Some(context) = call.context(model) else { return Ok(wanted) };
        let bytes = u32::try_from(note.as_str().len()).unwrap_or(u32::MAX);
        let most = bytes.saturating_add(PROMPT_OVERHEAD);
        if most.saturating_add(wanted) <= context {
            return Ok(wanted);
        }
        let body = TokenizeRequest { model, prompt: Prompt::of(self.prompt, note.as_str()) };
        let body = wire::to_body(&body, note.as_str().len()).ok_or(CallFailure::of(EngineError::Failed))?;
        let tokens =
            self.post(call, &Post { path: Path::Tokenize, body, request, span: None, deadline }, &TokenCount).await?;
        let left = context.saturating_sub(tokens);
        if left < LEAST_ANSWER.min(wanted) {
            Err(CallFailure::of(EngineError::NoteTooLong))
        } else {
            Ok(wanted.min(left))
        }
    }

    /// Sends one POST, reads the answer, and records the outcome.
    async fn post<U: ResponseDecoder>(
        &self,
        call: &ReplicaCall,
        post: &Post<'_>,
        decoder: &U,
    ) -> Result<U::Answer, CallFailure> {
        let failed = |attempt, error| (attempt, Err(CallFailure::of(error)));
        let answered = async {
            match self.send(call, post).await {
                Ok(response) => match decoder.decode(response).await {
                    Some(answer) => (Attempt::Answered, Ok(answer)),
                    None => failed(Attempt::Failed, EngineError::Failed),
                },
                Err((attempt, failure)) => (attempt, Err(failure)),
            }
        };
        let answered = post.deadline.bound(answered).await;
        let (attempt, outcome) = answered.unwrap_or_else(|_| failed(Attempt::Late, EngineError::DeadlineExceeded));
        call.record_outcome(attempt);
        if let Some(span) = post.span.filter(|_| attempt != Attempt::Answered) {
            span.failed(attempt);
        }
        outcome
    }

    /// Sends the POST and returns a response with status 200, whose body has not been read yet.
    async fn send(&self, call: &ReplicaCall, post: &Post<'_>) -> Result<Response, (Attempt, CallFailure)> {
        let Post { path, body, request, .. } = post;
        let mut http_request = call
            .post(*path)
            .header(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))
            .header("x-request-id", self.ids.next(&request.request_id))
            .body(body.clone());
        let own_parent = post.span.and_then(ModelCallSpan::traceparent);
        if let Some(parent) = own_parent.as_deref().or(request.traceparent.as_deref()) {
            http_request = http_request.header("traceparent", parent);
        }
        let response = http_request.send().await.map_err(|error| (Attempt::Unreachable, self.unreachable(&error)))?;
        let status = response.status().as_u16();
        if status != 200 {
            tracing::warn!(
                request_id = &*request.request_id,
                upstream_status = status,
                "the model server answered an error"
            );
        }
        let failed = |attempt, error, may_retry| Err((attempt, CallFailure { error, may_retry }));
        match status {
            200 => Ok(response),
            429 => failed(Attempt::Overloaded, EngineError::Overloaded, false),
            503 => failed(Attempt::Busy, EngineError::Unavailable, true),
            400..500 => failed(Attempt::Rejected, EngineError::Rejected, false),
            _ => failed(Attempt::Failed, EngineError::Failed, false),
        }
    }

    /// Returns the failure of a call whose connection was refused, was reset before the first byte of an answer, or
    /// failed in TLS.
    fn unreachable(&self, error: &reqwest::Error) -> CallFailure {
        if self.readiness.may_be_loading() && crate::tls::fault(error).is_none() {
            CallFailure { error: EngineError::Loading, may_retry: false }
        } else {
            CallFailure { error: EngineError::Unavailable, may_retry: true }
        }
    }
}

impl Engine for VllmEngine {
    fn name(&self) -> EngineName {
        EngineName::Vllm
    }

    fn needs_lease(&self) -> bool {
        true
    }

    fn prompt_tokens(&self, note: &Note) -> u64 {
        let bytes = u64::try_from(note.as_str().len()).unwrap_or(u64::MAX);
        bytes.saturating_mul(TOKENS_OF_1000_BYTES) / 1_000 + FRAME_TOKENS
    }

    fn draft<'a>(&'a self, note: &'a Note, request: &'a EngineRequest, deadline: Deadline) -> DraftFuture<'a> {
        Box::pin(self.draft_with_retry(note, request, deadline))
    }
}
