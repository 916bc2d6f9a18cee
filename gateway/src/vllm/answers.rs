//! Reads and decodes the bodies of vLLM's answers, whole or token by token. Incomplete or invalid bodies give `None`.

use reqwest::Response;
use serde::Deserialize;
use serde_json::Value;

use super::{
    body::{self, Body, LARGEST_ANSWER},
    envelope::{Envelope, is_present},
    events::EventDecoder,
    finite,
    logprobs::Logprobs,
    wire::{self, CompletionBody, Usage},
};
use crate::extraction::{FieldSink, Finish, StreamingParser};

/// Reads one kind of answer from a response.
pub(super) trait ResponseDecoder: Sync {
    /// The decoded answer.
    type Answer: Send;

    /// Reads and decodes the body; `None` if it is incomplete or not an answer of this kind.
    fn decode(&self, response: Response) -> impl Future<Output = Option<Self::Answer>> + Send;
}

/// Decodes a completion in one piece.
pub(super) struct Completion;

/// Decodes the token count of `/tokenize`.
pub(super) struct TokenCount;

/// Decodes a completion that is streamed token by token, and sends its fields to a sink as they arrive.
pub(super) struct Streamed<'a> {
    pub(super) sink: &'a FieldSink,
}

impl ResponseDecoder for Completion {
    type Answer = CompletionBody;

    async fn decode(&self, response: Response) -> Option<CompletionBody> {
        wire::parse_completion(&body::read(response, LARGEST_ANSWER).await.ok()?)
    }
}

impl ResponseDecoder for TokenCount {
    type Answer = u32;

    async fn decode(&self, response: Response) -> Option<u32> {
        wire::parse_token_count(&body::read(response, LARGEST_ANSWER).await.ok()?)
    }
}

impl ResponseDecoder for Streamed<'_> {
    type Answer = CompletionBody;

    async fn decode(&self, response: Response) -> Option<CompletionBody> {
        let mut completion = StreamedCompletion {
            parser: StreamingParser::new(self.sink),
            finish: None,
            usage: Usage::default(),
            logprobs: None,
            invalid_logprobs: false,
            envelope: Envelope::default(),
        };
        let (mut events, mut body) = (EventDecoder::default(), Body::of(response, LARGEST_ANSWER).ok()?);
        while let Some(bytes) = body.chunk().await.ok()? {
            events.feed(&bytes);
            while let Some(data) = events.next() {
                if data == b"[DONE]" {
                    return completion.into_body();
                }
                completion.add(&data)?;
            }
        }
        // Without `[DONE]` the completion still counts as whole if it has a finish reason. A body without events has
        // none.
        completion.into_body()
    }
}

/// The part of a streamed completion that has arrived.
struct StreamedCompletion<'a> {
    parser: StreamingParser<'a>,
    finish: Option<Finish>,
    usage: Usage,
    logprobs: Option<Logprobs>,
    /// Whether some log-probabilities could not be read. Then none is used, because those of some tokens are missing.
    invalid_logprobs: bool,
    envelope: Envelope,
}

/// One chunk of a streamed completion.
#[derive(Deserialize)]
struct CompletionChunk {
    choices: Vec<Choice>,
    usage: Option<Value>,
    model: Option<Value>,
    error: Option<Value>,
}

#[derive(Deserialize)]
struct Choice {
    index: Option<Value>,
    delta: Option<Delta>,
    text: Option<String>,
    finish_reason: Option<String>,
    /// Parsed separately, so that an invalid list does not make the answer unusable.
    logprobs: Option<Value>,
}

#[derive(Deserialize)]
struct Delta {
    content: Option<String>,
    refusal: Option<Value>,
    tool_calls: Option<Value>,
}

impl StreamedCompletion<'_> {
    /// Adds one chunk. Returns `None` if the data is not a chunk or reports an error.
    fn add(&mut self, data: &[u8]) -> Option<()> {
        let chunk: CompletionChunk = finite::parse(data)?;
        if is_present(chunk.error.as_ref()) {
            // The text before an error may be incomplete, even if the stream continues.
            return None;
        }
        if let Some(usage) = chunk.usage.as_ref().filter(|usage| usage.is_object()) {
            self.usage = wire::usage_of(usage);
        }
        self.envelope.completion(chunk.model.as_ref(), chunk.usage.as_ref(), chunk.error.as_ref());
        self.envelope.choices(chunk.choices.len());
        // The last chunk has only the token count.
        let Some(choice) = chunk.choices.into_iter().next() else { return Some(()) };
        self.envelope.index(choice.index.as_ref());
        if let Some(delta) = &choice.delta {
            self.envelope.message(delta.refusal.as_ref(), delta.tool_calls.as_ref());
        }
        self.envelope.finish(choice.finish_reason.as_deref());
        if let Some(text) = choice.delta.and_then(|delta| delta.content).or(choice.text) {
            self.parser.write(&text);
        }
        if let Some(reason) = choice.finish_reason {
            let finish = wire::finish_of(&reason)?;
            // A later finish reason does not change that the model ran out of tokens.
            if self.finish != Some(Finish::OutOfTokens) {
                self.finish = Some(finish);
            }
        }
        if let Some(logprobs) = choice.logprobs.filter(|logprobs| !logprobs.is_null()) {
            match serde_json::from_value::<Logprobs>(logprobs) {
                Ok(next) => self.logprobs.get_or_insert_default().append(next),
                Err(_) => self.invalid_logprobs = true,
            }
        }
        Some(())
    }

    /// Returns the completion; `None` if it has no finish reason.
    fn into_body(self) -> Option<CompletionBody> {
        let (finish, text) = (self.finish?, self.parser.into_text());
        let logprobs = self.logprobs.filter(|_| !self.invalid_logprobs);
        let likelihoods = logprobs.and_then(|logprobs| logprobs.align(&text));
        Some(CompletionBody { text, finish, usage: self.usage, likelihoods, envelope: self.envelope })
    }
}
