//! The bodies of vLLM's answers, read and understood: whole or token by token. What is none, or broke off, is
//! nothing.

use reqwest::Response;
use serde::Deserialize;
use serde_json::Value;

use super::{
    body::{self, Body, LARGEST_ANSWER},
    envelope::{Envelope, says},
    events::Events,
    finite,
    logprobs::Logprobs,
    wire::{self, CompletionBody},
};
use crate::extraction::{FieldSink, Finish, StreamingParser};

/// What an answer has to be.
pub(super) trait ResponseDecoder: Sync {
    /// What it then says.
    type Answer: Send;

    /// Reads a body. Nothing where it is not what it has to be.
    fn of(&self, response: Response) -> impl Future<Output = Option<Self::Answer>> + Send;
}

/// A completion in one piece.
pub(super) struct Completion;

/// The count of tokens of `/tokenize`.
pub(super) struct Count;

/// A completion token by token, of which somebody hears the fields.
pub(super) struct Streamed<'a> {
    pub(super) sink: &'a FieldSink,
}

impl ResponseDecoder for Completion {
    type Answer = CompletionBody;

    async fn of(&self, response: Response) -> Option<CompletionBody> {
        wire::said(&body::read(response, LARGEST_ANSWER).await.ok()?)
    }
}

impl ResponseDecoder for Count {
    type Answer = u32;

    async fn of(&self, response: Response) -> Option<u32> {
        wire::count(&body::read(response, LARGEST_ANSWER).await.ok()?)
    }
}

impl ResponseDecoder for Streamed<'_> {
    type Answer = CompletionBody;

    async fn of(&self, response: Response) -> Option<CompletionBody> {
        let mut telling = StreamedCompletion {
            live: StreamingParser::new(self.sink),
            finish: None,
            tokens: 0,
            logprobs: None,
            odd_logprobs: false,
            envelope: Envelope::default(),
        };
        let (mut events, mut body) = (Events::default(), Body::of(response, LARGEST_ANSWER).ok()?);
        while let Some(bytes) = body.chunk().await.ok()? {
            events.feed(&bytes);
            while let Some(data) = events.next() {
                if data == b"[DONE]" {
                    return telling.said();
                }
                telling.hear(&data)?;
            }
        }
        // Not cut off as long as it says how it ended; what has no events in it says nothing.
        telling.said()
    }
}

/// A streamed completion, as far as it has come.
struct StreamedCompletion<'a> {
    live: StreamingParser<'a>,
    finish: Option<Finish>,
    tokens: u32,
    logprobs: Option<Logprobs>,
    /// Some of them could not be read: those of one token that is not known are nobody's.
    odd_logprobs: bool,
    envelope: Envelope,
}

/// One piece of a completion.
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
    /// Parsed by itself: an odd list of these must not cost the answer.
    logprobs: Option<Value>,
}

#[derive(Deserialize)]
struct Delta {
    content: Option<String>,
    refusal: Option<Value>,
    tool_calls: Option<Value>,
}

impl StreamedCompletion<'_> {
    /// One piece more. Nothing where it is none: an error in the middle of the stream, for example.
    fn hear(&mut self, data: &[u8]) -> Option<()> {
        let piece: CompletionChunk = finite::parse(data)?;
        if says(piece.error.as_ref()) {
            // What was said so far may be half of what was meant, however the stream goes on.
            return None;
        }
        if let Some(usage) = piece.usage.as_ref().filter(|usage| usage.is_object()) {
            self.tokens = wire::tokens_of(usage);
        }
        self.envelope.completion(piece.model.as_ref(), piece.usage.as_ref(), piece.error.as_ref());
        self.envelope.choices(piece.choices.len());
        // The last piece holds only the count of tokens.
        let Some(choice) = piece.choices.into_iter().next() else { return Some(()) };
        self.envelope.index(choice.index.as_ref());
        if let Some(delta) = &choice.delta {
            self.envelope.message(delta.refusal.as_ref(), delta.tool_calls.as_ref());
        }
        self.envelope.finish(choice.finish_reason.as_deref());
        if let Some(text) = choice.delta.and_then(|delta| delta.content).or(choice.text) {
            self.live.write(&text);
        }
        if let Some(reason) = choice.finish_reason {
            let finish = wire::finish_of(&reason)?;
            // Out of tokens is out of tokens, whatever is said after it.
            if self.finish != Some(Finish::OutOfTokens) {
                self.finish = Some(finish);
            }
        }
        if let Some(odd) = choice.logprobs.filter(|odd| !odd.is_null()) {
            match serde_json::from_value::<Logprobs>(odd) {
                Ok(next) => self.logprobs.get_or_insert_default().followed_by(next),
                Err(_) => self.odd_logprobs = true,
            }
        }
        Some(())
    }

    fn said(self) -> Option<CompletionBody> {
        let (finish, text) = (self.finish?, self.live.into_text());
        let logprobs = self.logprobs.filter(|_| !self.odd_logprobs);
        let likelihoods = logprobs.and_then(|logprobs| logprobs.along(&text));
        Some(CompletionBody { text, finish, tokens: self.tokens, likelihoods, envelope: self.envelope })
    }
}
