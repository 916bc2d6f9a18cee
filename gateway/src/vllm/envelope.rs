//! What an answer of vLLM says beside its text: whether the model read the note and ended as it should.
//!
//! Nothing here costs an answer that has values. It is a witness where there are none: "nothing found" needs an
//! answer in which all is well.

use serde_json::Value;

/// Words of a note that one token of a prompt holds at the most, on average. Tokenizers give each word a token of its
/// own or several; lines of dashes and runs of spaces, of which one token holds many, are no words.
const WORDS_PER_TOKEN: u64 = 2;

/// What was seen beside the text of one completion, whole or in pieces.
#[derive(Debug, Default)]
pub(super) struct Envelope {
    /// An error, a refusal, a call of a tool, another choice.
    odd: bool,
    finished: bool,
    model: Option<String>,
    prompt_tokens: Option<u64>,
    completion_tokens: Option<u64>,
}

/// Whether a member is there and says something.
pub(super) fn says(value: Option<&Value>) -> bool {
    match value {
        None | Some(Value::Null | Value::Bool(false)) => false,
        Some(Value::String(text)) => !text.is_empty(),
        Some(Value::Array(list)) => !list.is_empty(),
        Some(Value::Object(object)) => !object.is_empty(),
        Some(_) => true,
    }
}

impl Envelope {
    /// The members of the completion itself, or of one piece of it.
    pub(super) fn completion(&mut self, model: Option<&Value>, usage: Option<&Value>, error: Option<&Value>) {
        self.odd |= says(error);
        if let Some(model) = model.and_then(Value::as_str) {
            self.model = Some(model.to_owned());
        }
        let count = |name: &str| usage.and_then(|usage| usage.get(name)).and_then(Value::as_u64);
        self.prompt_tokens = count("prompt_tokens").or(self.prompt_tokens);
        self.completion_tokens = count("completion_tokens").or(self.completion_tokens);
    }

    /// How many choices there are: one was asked for.
    pub(super) fn choices(&mut self, count: usize) {
        self.odd |= count > 1;
    }

    /// The number of the choice that was taken.
    pub(super) fn index(&mut self, index: Option<&Value>) {
        self.odd |= index.and_then(Value::as_u64).is_some_and(|index| index > 0);
    }

    /// What a message, or a piece of one, holds beside its content.
    pub(super) fn message(&mut self, refusal: Option<&Value>, tool_calls: Option<&Value>) {
        self.odd |= says(refusal) || says(tool_calls);
    }

    /// The reason for the end, where one is given.
    pub(super) fn finish(&mut self, reason: Option<&str>) {
        self.finished |= reason.is_some();
    }

    /// The model that the answer names, where it names one.
    pub(super) fn model(&self) -> Option<&str> {
        self.model.as_deref()
    }

    /// Whether something is wrong with an answer to a note; `other_model` where it names another
    /// model than the one asked for.
    pub(super) fn is_suspect(&self, other_model: bool, note: &str) -> bool {
        let is_too_few = |tokens: u64| tokens.saturating_mul(WORDS_PER_TOKEN) < words(note);
        self.odd
            || !self.finished
            || other_model
            || self.prompt_tokens.is_some_and(is_too_few)
            || self.completion_tokens == Some(0)
    }
}

fn words(note: &str) -> u64 {
    note.split_ascii_whitespace().map(|word| u64::from(word.contains(char::is_alphanumeric))).sum()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::wire;

    /// Twelve words, and much that is none.
    const NOTE: &str = "Stage IV lung adenocarcinoma with EGFR L858R, on osimertinib with a response. \
                        ________________________________________________________________ - - - - - - - - - - - -";

    #[test]
    fn what_is_wrong_is_seen() {
        let usage = json!({"prompt_tokens": 90, "completion_tokens": 40, "total_tokens": 130});
        let choice = json!({"index": 0, "message": {"content": "x", "refusal": null, "tool_calls": []}, "finish_reason": "stop"});
        let plain = json!({"model": "medical-ie", "choices": [choice], "usage": usage, "error": null});
        let with = |path: &str, value: serde_json::Value| {
            let mut answer = plain.clone();
            let (parent, name) = path.rsplit_once('/').unwrap();
            answer.pointer_mut(parent).unwrap()[name] = value;
            answer
        };
        for (answer, expected) in [
            (plain.clone(), false),
            (with("/model", json!(null)), false),
            (with("/usage", json!(null)), false),
            (with("/model", json!("meta-llama/Llama-3.1-8B")), true),
            (with("/usage/prompt_tokens", json!(3)), true),
            (with("/usage/prompt_tokens", json!(6)), false),
            (with("/usage/completion_tokens", json!(0)), true),
            (with("/error", json!({"message": "CUDA error"})), true),
            (with("/choices", json!([choice, choice])), true),
            (with("/choices/0/index", json!(1)), true),
            (with("/choices/0/message/refusal", json!("I cannot do this")), true),
            (with("/choices/0/message/tool_calls", json!([{"function": {"arguments": "{}"}}])), true),
            (with("/choices/0/finish_reason", json!(null)), true),
        ] {
            let said = wire::said(answer.to_string().as_bytes()).unwrap();
            let other_model = said.envelope.model().is_some_and(|own| own != "medical-ie");
            assert_eq!(said.envelope.is_suspect(other_model, NOTE), expected, "{answer}");
        }
    }
}
