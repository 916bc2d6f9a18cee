//! Removes the thoughts that a reasoning model writes before its answer, so that a brace in a thought is not read as a
//! record. The texts before and after a thought are never joined: a record lies entirely on one side.

use super::Unusable;

const OPEN: &str = "<think>";
const CLOSE: &str = "</think>";

/// A text without its thoughts.
pub(super) struct VisibleText<'text> {
    /// The stretches outside thoughts, in order.
    pub(super) stretches: Vec<&'text str>,
    /// Whether the text had a thought.
    pub(super) thought: bool,
}

/// Splits a text at its thoughts and drops them. A thought that is not closed is an error.
pub(super) fn leave_out(text: &str) -> Result<VisibleText<'_>, Unusable> {
    let mut visible = VisibleText { stretches: Vec::new(), thought: false };
    let mut thinking = false;
    let mut start = 0;
    for at in memchr::memchr_iter(b'<', text.as_bytes()) {
        if starts_with(text, at, CLOSE) {
            if !thinking {
                // Some chat templates open the thought in the prompt, so all text before the closing tag is a thought.
                visible.stretches.clear();
            }
            thinking = false;
            visible.thought = true;
            start = at + CLOSE.len();
        } else if !thinking && starts_with(text, at, OPEN) {
            visible.stretches.extend(text.get(start..at));
            thinking = true;
        }
    }
    if thinking {
        return Err(Unusable::UnclosedThinking);
    }
    visible.stretches.extend(text.get(start..));
    Ok(visible)
}

fn starts_with(text: &str, at: usize, tag: &str) -> bool {
    text.get(at..at + tag.len()).is_some_and(|start| start.eq_ignore_ascii_case(tag))
}
