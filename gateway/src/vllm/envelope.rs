//! Collects the signs, other than the text of an answer, that the model has read the note and ended properly.
//!
//! These signs do not affect an answer that has values. They matter for an empty record: "nothing found" is only
//! accepted if the answer shows no fault.

use serde_json::Value;

/// Most words of a note per token of the prompt, on average. Tokenizers split a note into at least one token per word.
/// Lines of dashes and runs of spaces, many of which fit into one token, do not count as words.
const WORDS_PER_TOKEN: u64 = 2;

/// The members of one completion other than its text, whether it arrives whole or in chunks.
#[derive(Debug, Default)]
pub(super) struct Envelope {
    /// Whether there was an error, a refusal, a tool call or a choice other than the first.
    faulty: bool,
    finished: bool,
    model: Option<String>,
    prompt_tokens: Option<u64>,
    completion_tokens: Option<u64>,
}

/// Returns whether a member is present and is not null, false or empty.
pub(super) fn is_present(value: Option<&Value>) -> bool {
    match value {
        None | Some(Value::Null | Value::Bool(false)) => false,
        Some(Value::String(text)) => !text.is_empty(),
        Some(Value::Array(list)) => !list.is_empty(),
        Some(Value::Object(object)) => !object.is_empty(),
        Some(_) => true,
    }
}

impl Envelope {
    /// Records the members of the completion itself, or of one chunk.
    pub(super) fn completion(&mut self, model: Option<&Value>, usage: Option<&Value>, error: Option<&Value>) {
        self.faulty |= is_present(error);
        if let Some(model) = model.and_then(Value::as_str) {
            self.model = Some(model.to_owned());
        }
        let count = |name: &str| usage.and_then(|usage| usage.get(name)).and_then(Value::as_u64);
        self.prompt_tokens = count("prompt_tokens").or(self.prompt_tokens);
        self.completion_tokens = count("completion_tokens").or(self.completion_tokens);
    }

    /// Records the number of choices; more than the requested one is a fault.
    pub(super) fn choices(&mut self, count: usize) {
        self.faulty |= count > 1;
    }

    /// Records the index of the choice that is used; any other than the first is a fault.
    pub(super) fn index(&mut self, index: Option<&Value>) {
        self.faulty |= index.and_then(Value::as_u64).is_some_and(|index| index > 0);
    }

    /// Records the members of a message other than its content, or of one chunk of it.
    pub(super) fn message(&mut self, refusal: Option<&Value>, tool_calls: Option<&Value>) {
        self.faulty |= is_present(refusal) || is_present(tool_calls);
    }

    /// Records the finish reason, if there is one.
    pub(super) fn finish(&mut self, reason: Option<&str>) {
        self.finished |= reason.is_some();
    }

    /// Returns the model that the answer names; `None` if it names none.
    pub(super) fn model(&self) -> Option<&str> {
        self.model.as_deref()
    }

    /// Returns whether the answer to a note shows a fault.
    pub(super) fn is_suspect(&self, note: &str) -> bool {
        // Each word has at least one character and a blank after it, so most prompts need no count.
        let most_words = u64::try_from(note.len() / 2 + 1).unwrap_or(u64::MAX);
        let is_too_few = |tokens: u64| {
            let most_covered = tokens.saturating_mul(WORDS_PER_TOKEN);
            most_covered < most_words && most_covered < word_count(note)
        };
        self.faulty || !self.finished || self.prompt_tokens.is_some_and(is_too_few) || self.completion_tokens == Some(0)
    }
}

fn word_count(note: &str) -> u64 {
    note.split_ascii_whitespace().map(|word| u64::from(word.contains(char::is_alphanumeric))).sum()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::wire;

    /// A note of twelve words and many characters that are not words.
    const NOTE: &str = "Stage IV lung adenocarcinoma with EGFR L858R, on osimertinib with a response. \
                        ________________________________________________________________ - - - - - - - - - - - -";

    #[test]
    fn an_answer_with_any_fault_is_suspect() {
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
            let completion = wire::parse_completion(answer.to_string().as_bytes()).unwrap();
            assert_eq!(completion.envelope.is_suspect(NOTE), expected, "{answer}");
        }
    }
}
