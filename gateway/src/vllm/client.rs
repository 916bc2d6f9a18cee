//! One call to vLLM: build the body, send, and map whatever comes back.

use std::{sync::Arc, time::Duration};

use reqwest::{Client, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    constraint::RECORD_REGEX,
    logprobs::{self, Logprobs},
    prompt,
    watch::Watcher,
};
use crate::{
    config::{PromptChoice, Vllm},
    extraction::{
        Ask, Deadline, Draft, DraftFuture, Engine, EngineError, EngineName, Finish, ModelName, ModelText, Note,
    },
    readiness::Readiness,
};

/// Tokens that a record needs at least; less room than this is no room.
const LEAST_ANSWER: u32 = 256;
/// Tokens of the training prompt around the note, generously.
const PROMPT_OVERHEAD: u32 = 96;
/// Largest answer of vLLM that is read.
const LARGEST_ANSWER: usize = 8 << 20;
/// Pause before the one retry, at most.
const RETRY_PAUSE_MILLISECONDS: u64 = 200;

/// Reads notes with a language model.
#[derive(Debug)]
pub struct VllmEngine {
    client: Client,
    base: String,
    model: ModelName,
    prompt: PromptChoice,
    stop_token_ids: Vec<u32>,
    readiness: Arc<Readiness>,
    _watcher: Watcher,
}

#[derive(Deserialize)]
struct Completion {
    choices: Vec<Choice>,
    usage: Option<Usage>,
}

#[derive(Deserialize)]
struct Choice {
    message: Option<Message>,
    text: Option<String>,
    finish_reason: Option<String>,
    /// Parsed by itself: an odd list of these must not cost the answer.
    logprobs: Option<Value>,
}

#[derive(Deserialize)]
struct Message {
    content: Option<String>,
}

#[derive(Deserialize)]
struct Usage {
    total_tokens: Option<u32>,
}

#[derive(Deserialize)]
struct Tokens {
    count: u32,
}

/// Whether a failed call may be made again.
struct Failure {
    error: EngineError,
    may_retry: bool,
}

impl VllmEngine {
    pub(super) fn wired(
        client: Client,
        base: String,
        settings: &Vllm,
        readiness: Arc<Readiness>,
        watcher: Watcher,
    ) -> Self {
        Self {
            client,
            base,
            model: Arc::from(settings.model.as_str()),
            prompt: settings.prompt,
            stop_token_ids: settings.stop_token_ids.clone(),
            readiness,
            _watcher: watcher,
        }
    }

    async fn ask(&self, note: &Note, ask: &Ask, deadline: Deadline) -> Result<Draft, EngineError> {
        let model = ask.model.clone().unwrap_or_else(|| Arc::clone(&self.model));
        let max_tokens = self.budget(note, &model, ask, deadline).await?;
        let (key, prompt_value) = prompt::body(self.prompt, note.as_str());
        let (version, path) = prompt::version(self.prompt);
        let mut body = json!({
            "model": model,
            key: prompt_value,
            "max_tokens": max_tokens,
            "temperature": ask.temperature,
            "stop_token_ids": self.stop_token_ids,
        });
        if let (Some(seed), Some(object)) = (ask.seed, body.as_object_mut()) {
            object.insert("seed".to_owned(), Value::from(seed));
        }
        if let (PromptChoice::Training, Some(object)) = (self.prompt, body.as_object_mut()) {
            object.insert("structured_outputs".to_owned(), json!({"regex": RECORD_REGEX.as_str()}));
        }
        if let (true, Some(object)) = (ask.confidence, body.as_object_mut()) {
            object.insert("logprobs".to_owned(), logprobs::wanted(self.prompt));
        }
        let answer = self.call(path, &body, &ask.request_id, deadline).await?;
        let completion: Completion = serde_json::from_slice(&answer).map_err(|_| EngineError::Failed)?;
        let choice = completion.choices.into_iter().next().ok_or(EngineError::Failed)?;
        let text = choice.message.and_then(|message| message.content).or(choice.text).ok_or(EngineError::Failed)?;
        let logprobs = choice.logprobs.and_then(|odd| serde_json::from_value::<Logprobs>(odd).ok());
        let likelihoods = logprobs.and_then(|logprobs| logprobs.along(&text));
        let finish = match choice.finish_reason.as_deref() {
            Some("length") => Finish::OutOfTokens,
            Some("stop") | None => Finish::Complete,
            Some(_) => return Err(EngineError::Failed),
        };
        Ok(Draft {
            text: ModelText::new(text),
            finish,
            tokens_used: completion.usage.and_then(|usage| usage.total_tokens).unwrap_or(0),
            model,
            prompt: Some(version),
            likelihoods,
            withheld: Vec::new(),
            recognised_terms: true,
        })
    }

    /// The answer's budget that fits the context. A token has at least one byte, so most notes fit
    /// without a question; only near the limit is `/tokenize` asked.
    async fn budget(&self, note: &Note, model: &str, ask: &Ask, deadline: Deadline) -> Result<u32, EngineError> {
        let wanted = ask.budget.tokens();
        let Some(context) = self.readiness.max_model_len() else { return Ok(wanted) };
        let bytes = u32::try_from(note.as_str().len()).unwrap_or(u32::MAX);
        let most = bytes.saturating_add(PROMPT_OVERHEAD);
        if most.saturating_add(wanted) <= context {
            return Ok(wanted);
        }
        let (key, prompt_value) = prompt::body(self.prompt, note.as_str());
        let body = json!({"model": model, key: prompt_value});
        let answer = self.call("/tokenize", &body, &ask.request_id, deadline).await?;
        let tokens: Tokens = serde_json::from_slice(&answer).map_err(|_| EngineError::Failed)?;
        let left = context.saturating_sub(tokens.count);
        if left < LEAST_ANSWER.min(wanted) { Err(EngineError::NoteTooLong) } else { Ok(wanted.min(left)) }
    }

    /// Posts, once more where the first cannot have started.
    async fn call(
        &self,
        path: &str,
        body: &Value,
        request_id: &str,
        deadline: Deadline,
    ) -> Result<Vec<u8>, EngineError> {
        let first = match deadline.bound(self.post(path, body, request_id)).await {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(failure)) => failure,
            Err(_) => return Err(EngineError::DeadlineExceeded),
        };
        if !first.may_retry {
            return Err(first.error);
        }
        let pause = Duration::from_millis(fastrand::u64(RETRY_PAUSE_MILLISECONDS / 2..=RETRY_PAUSE_MILLISECONDS));
        let again = async {
            tokio::time::sleep(pause).await;
            self.post(path, body, request_id).await
        };
        match deadline.bound(again).await {
            Ok(answer) => answer.map_err(|failure| failure.error),
            Err(_) => Err(EngineError::DeadlineExceeded),
        }
    }

    async fn post(&self, path: &str, body: &Value, request_id: &str) -> Result<Vec<u8>, Failure> {
        let request = self.client.post(format!("{}{path}", self.base)).header("x-request-id", request_id).json(body);
        let response = request.send().await.map_err(|_| self.unreachable())?;
        let status = response.status().as_u16();
        if status != 200 {
            tracing::warn!(request_id, upstream_status = status, "the model server answered an error");
        }
        match status {
            200 => read(response).await.map_err(|()| Failure { error: EngineError::Failed, may_retry: false }),
            400 | 401 | 404 | 422 => Err(Failure { error: EngineError::Rejected, may_retry: false }),
            429 => Err(Failure { error: EngineError::Overloaded, may_retry: false }),
            503 => Err(Failure { error: EngineError::Unavailable, may_retry: true }),
            _ => Err(Failure { error: EngineError::Failed, may_retry: false }),
        }
    }

    /// Refused, or reset before a byte of an answer.
    fn unreachable(&self) -> Failure {
        if self.readiness.may_be_loading() {
            Failure { error: EngineError::Loading, may_retry: false }
        } else {
            Failure { error: EngineError::Unavailable, may_retry: true }
        }
    }
}

async fn read(mut response: Response) -> Result<Vec<u8>, ()> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|_| ())? {
        if body.len() + chunk.len() > LARGEST_ANSWER {
            return Err(());
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

impl Engine for VllmEngine {
    fn name(&self) -> EngineName {
        EngineName::Vllm
    }

    fn needs_lease(&self) -> bool {
        true
    }

    fn draft<'a>(&'a self, note: &'a Note, ask: &'a Ask, deadline: Deadline) -> DraftFuture<'a> {
        Box::pin(self.ask(note, ask, deadline))
    }
}
