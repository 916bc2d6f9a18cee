//! What goes to vLLM and what comes back, as JSON.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::{Value, value::RawValue};

use super::{envelope::Envelope, finite, logprobs::Logprobs, prompt::Prompt};
use crate::extraction::{Finish, Likelihoods};

/// Bytes of a request beside the note: prompt, constraint, parameters.
const AROUND_A_NOTE: usize = 2 << 10;

/// What is asked of vLLM.
#[derive(Serialize)]
pub(super) struct Request<'a> {
    pub(super) model: &'a str,
    #[serde(flatten)]
    pub(super) prompt: Prompt<'a>,
    pub(super) max_tokens: u32,
    pub(super) temperature: f32,
    pub(super) stop_token_ids: &'a [u32],
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) seed: Option<u64>,
    pub(super) cache_salt: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) structured_outputs: Option<&'static RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) logprobs: Option<Value>,
    #[serde(flatten)]
    pub(super) streaming: Option<Streaming>,
}

/// That the answer is wanted token by token, and the count of tokens at its end.
#[derive(Serialize)]
pub(super) struct Streaming {
    stream: bool,
    stream_options: StreamOptions,
}

#[derive(Serialize)]
struct StreamOptions {
    include_usage: bool,
}

impl Streaming {
    pub(super) const WANTED: Self = Self { stream: true, stream_options: StreamOptions { include_usage: true } };
}

#[derive(Serialize)]
pub(super) struct TokenizeRequest<'a> {
    pub(super) model: &'a str,
    #[serde(flatten)]
    pub(super) prompt: Prompt<'a>,
}

#[derive(Deserialize)]
struct Completion {
    choices: Vec<Choice>,
    /// Parsed by itself, like `logprobs`: a count that is none must not cost the answer.
    usage: Option<Value>,
    model: Option<Value>,
    error: Option<Value>,
}

#[derive(Deserialize)]
struct Choice {
    index: Option<Value>,
    message: Option<Message>,
    text: Option<String>,
    finish_reason: Option<String>,
    /// Parsed by itself: an odd list of these must not cost the answer.
    logprobs: Option<Value>,
}

#[derive(Deserialize)]
struct Message {
    content: Option<String>,
    refusal: Option<Value>,
    tool_calls: Option<Value>,
}

#[derive(Deserialize)]
struct Tokens {
    count: u32,
}

/// A request as bytes. `note` is the length of the note in it, which makes up most of them.
pub(super) fn written(request: &impl Serialize, note: usize) -> Option<Bytes> {
    let mut bytes = Vec::with_capacity(note + note / 8 + AROUND_A_NOTE);
    serde_json::to_writer(&mut bytes, request).ok()?;
    Some(bytes.into())
}

/// A completion, as far as it matters.
pub(super) struct CompletionBody {
    pub(super) text: String,
    pub(super) finish: Finish,
    pub(super) tokens: u32,
    pub(super) likelihoods: Option<Likelihoods>,
    pub(super) envelope: Envelope,
}

/// What a completion says; nothing where it is none, or ended as none should.
pub(super) fn said(answer: &[u8]) -> Option<CompletionBody> {
    let completion: Completion = finite::parse(answer)?;
    let mut envelope = Envelope::default();
    envelope.completion(completion.model.as_ref(), completion.usage.as_ref(), completion.error.as_ref());
    envelope.choices(completion.choices.len());
    let choice = completion.choices.into_iter().next()?;
    envelope.index(choice.index.as_ref());
    if let Some(message) = &choice.message {
        envelope.message(message.refusal.as_ref(), message.tool_calls.as_ref());
    }
    envelope.finish(choice.finish_reason.as_deref());
    let text = choice.message.and_then(|message| message.content).or(choice.text)?;
    let logprobs = choice.logprobs.and_then(|odd| serde_json::from_value::<Logprobs>(odd).ok());
    let likelihoods = logprobs.and_then(|logprobs| logprobs.along(&text));
    let finish = choice.finish_reason.as_deref().map_or(Some(Finish::Complete), finish_of)?;
    Some(CompletionBody { text, finish, tokens: completion.usage.as_ref().map_or(0, tokens_of), likelihoods, envelope })
}

/// How an answer ended; nothing where it ended as none should.
pub(super) fn finish_of(reason: &str) -> Option<Finish> {
    match reason {
        "length" => Some(Finish::OutOfTokens),
        "stop" => Some(Finish::Complete),
        _ => None,
    }
}

/// The count of tokens that `/tokenize` gives.
pub(super) fn count(answer: &[u8]) -> Option<u32> {
    serde_json::from_slice::<Tokens>(answer).ok().map(|tokens| tokens.count)
}

/// The count of tokens in vLLM's `usage`; 0 where there is none that is one.
pub(super) fn tokens_of(usage: &Value) -> u32 {
    usage.get("total_tokens").and_then(Value::as_u64).and_then(|tokens| u32::try_from(tokens).ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn completions() {
        let text = |answer: Value| said(answer.to_string().as_bytes()).map(|said| (said.text, said.tokens));
        let choice = json!({"message": {"content": "x"}, "finish_reason": "stop"});
        for (answer, expected) in [
            (json!({"choices": [choice], "usage": {"total_tokens": 7}}), Some(7)),
            (json!({"choices": [choice], "usage": {"total_tokens": -7}}), Some(0)),
            (json!({"choices": [choice], "usage": "many"}), Some(0)),
            (json!({"choices": [choice], "usage": null}), Some(0)),
            (json!({"choices": [choice, {}]}), Some(0)),
            (json!({"choices": [{"text": "x", "logprobs": 5}]}), Some(0)),
            (json!({"choices": [{"message": {"content": null}}]}), None),
            (json!({"choices": [{"message": {"content": "x"}, "finish_reason": "abort"}]}), None),
            (json!({"choices": []}), None),
            (json!({"choices": [5]}), None),
            (json!({"error": {"message": "x"}}), None),
            (json!([]), None),
        ] {
            assert_eq!(text(answer.clone()), expected.map(|tokens| ("x".to_owned(), tokens)), "{answer}");
        }
    }
}
