//! Reads the log-probabilities in vLLM's answers, whose form differs between its two endpoints.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::{config::PromptChoice, extraction::Likelihoods};

/// Returns the member `logprobs` of a request for the log-probability of each chosen token and of no other token.
pub(super) fn request_member(choice: PromptChoice) -> Value {
    match choice {
        PromptChoice::Training => json!(true),
        PromptChoice::Legacy => json!(0),
    }
}

/// The log-probabilities of `/v1/chat/completions` (`content`) or of `/v1/completions` (two parallel lists).
#[derive(Default, Deserialize)]
pub(super) struct Logprobs {
    content: Option<Vec<ChosenToken>>,
    tokens: Option<Vec<String>>,
    #[serde(rename = "token_logprobs")]
    of_tokens: Option<Vec<f64>>,
}

/// One chosen token. `bytes` is exact even if the token is only a part of a character, which `token` cannot represent.
#[derive(Deserialize)]
struct ChosenToken {
    token: String,
    bytes: Option<Vec<u8>>,
    logprob: f64,
}

impl Logprobs {
    /// Appends the log-probabilities of the next chunk of the same answer.
    pub(super) fn append(&mut self, next: Self) {
        append(&mut self.content, next.content);
        append(&mut self.tokens, next.tokens);
        append(&mut self.of_tokens, next.of_tokens);
    }

    /// Assigns the log-probabilities to the text; `None` if the tokens do not make up the text or are incomplete.
    pub(super) fn align(&self, draft: &str) -> Option<Likelihoods> {
        if let Some(chosen) = &self.content {
            let tokens = chosen.iter().map(|one| (one.bytes.as_deref().unwrap_or(one.token.as_bytes()), one.logprob));
            return Likelihoods::along(draft, tokens);
        }
        let (tokens, logprobs) = (self.tokens.as_ref()?, self.of_tokens.as_ref()?);
        let pairs = tokens.iter().zip(logprobs).map(|(token, logprob)| (token.as_bytes(), *logprob));
        Likelihoods::along(draft, pairs)
    }
}

fn append<T>(all: &mut Option<Vec<T>>, next: Option<Vec<T>>) {
    match (all.as_mut(), next) {
        (Some(all), Some(next)) => all.extend(next),
        (None, next) => *all = next,
        (Some(_), None) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_are_read_and_others_are_refused() {
        for (shape, fits) in [
            (json!({"content": [{"token": "a", "bytes": [97], "logprob": -0.5}, {"token": "b", "logprob": -1}]}), true),
            (json!({"content": [{"token": "x", "bytes": [120], "logprob": -0.5}]}), false),
            (json!({"tokens": ["a", "b"], "token_logprobs": [-0.1, -0.5], "text_offset": [0, 1]}), true),
            (json!({"tokens": ["a", "b"], "token_logprobs": [-0.5]}), false),
            (json!({"tokens": ["a", "b"]}), false),
            (json!({}), false),
        ] {
            let logprobs: Logprobs = serde_json::from_value(shape.clone()).unwrap();
            assert_eq!(logprobs.align("ab").is_some(), fits, "{shape}");
        }
        // A token without a log-probability must not count as certain, so the whole list is refused.
        for shape in [
            json!({"content": [{"token": "a", "logprob": null}]}),
            json!({"content": [{"token": "a", "logprob": false}]}),
            json!({"tokens": ["a", "b"], "token_logprobs": [null, -0.5]}),
        ] {
            assert!(serde_json::from_value::<Logprobs>(shape.clone()).is_err(), "{shape}");
        }
    }
}
