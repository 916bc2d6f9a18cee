//! The JSON of requests to vLLM and of its answers.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::{Value, value::RawValue};

use super::{envelope::Envelope, finite, logprobs::Logprobs, prompt::Prompt};
use crate::extraction::{Finish, Likelihoods};

/// Bytes of a request without its note: prompt, constraint and parameters.
const AROUND_A_NOTE: usize = 2 << 10;

/// The body of a completion request.
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

/// Asks for the answer token by token, with the token count at its end.
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
    pub(super) const WITH_USAGE: Self = Self { stream: true, stream_options: StreamOptions { include_usage: true } };
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
    /// Parsed separately, like `logprobs`, so that an invalid count does not make the answer unusable.
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
    /// Parsed separately, so that an invalid list does not make the answer unusable.
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

/// Returns a request as bytes. `note` is the length of its note in bytes, which are most of the request's.
pub(super) fn to_body(request: &impl Serialize, note: usize) -> Option<Bytes> {
    let mut bytes = Vec::with_capacity(note + note / 8 + AROUND_A_NOTE);
    serde_json::to_writer(&mut bytes, request).ok()?;
    Some(bytes.into())
}

/// A decoded completion.
pub(super) struct CompletionBody {
    pub(super) text: String,
    pub(super) finish: Finish,
    pub(super) usage: Usage,
    pub(super) likelihoods: Option<Likelihoods>,
    pub(super) envelope: Envelope,
}

/// Decodes a completion; `None` if it is invalid or has an unexpected finish reason.
pub(super) fn parse_completion(answer: &[u8]) -> Option<CompletionBody> {
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
    let logprobs = choice.logprobs.and_then(|logprobs| serde_json::from_value::<Logprobs>(logprobs).ok());
    let likelihoods = logprobs.and_then(|logprobs| logprobs.align(&text));
    let finish = choice.finish_reason.as_deref().map_or(Some(Finish::Complete), finish_of)?;
    Some(CompletionBody {
        text,
        finish,
        usage: completion.usage.as_ref().map_or_else(Usage::default, usage_of),
        likelihoods,
        envelope,
    })
}

/// Returns how an answer ended; `None` for an unexpected finish reason.
pub(super) fn finish_of(reason: &str) -> Option<Finish> {
    match reason {
        "length" => Some(Finish::OutOfTokens),
        "stop" => Some(Finish::Complete),
        _ => None,
    }
}

/// Returns the token count in an answer of `/tokenize`.
pub(super) fn parse_token_count(answer: &[u8]) -> Option<u32> {
    serde_json::from_slice::<Tokens>(answer).ok().map(|tokens| tokens.count)
}

/// The tokens of one call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Usage {
    /// Tokens of the prompt and of the answer.
    pub(super) total: u32,
    /// Tokens of the prompt.
    pub(super) prompt: u32,
    /// Tokens of the answer.
    pub(super) answer: u32,
}

/// Returns the token counts in vLLM's `usage`; 0 for each that is missing or invalid.
pub(super) fn usage_of(usage: &Value) -> Usage {
    let count = |name| usage.get(name).and_then(Value::as_u64).and_then(|tokens| u32::try_from(tokens).ok());
    let [total, prompt, answer] =
        ["total_tokens", "prompt_tokens", "completion_tokens"].map(|name| count(name).unwrap_or(0));
    Usage { total, prompt, answer }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn completions_are_decoded() {
        let text =
            |answer: Value| parse_completion(answer.to_string().as_bytes()).map(|body| (body.text, body.usage.total));
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
