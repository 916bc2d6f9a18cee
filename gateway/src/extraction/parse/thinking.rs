//! Leaves out what a reasoning model thought before it answered, so that a brace in a thought misleads
//! nobody. It never joins what stood on two sides of a thought: a record lies whole on one side.

use super::Unusable;

const OPEN: &str = "<think>";
const CLOSE: &str = "</think>";

/// What is left of a text.
pub(super) struct VisibleText<'text> {
    /// The stretches outside thoughts, in order.
    pub(super) stretches: Vec<&'text str>,
    /// Whether there was a thought.
    pub(super) thought: bool,
}

/// Splits a text at its thoughts.
pub(super) fn leave_out(text: &str) -> Result<VisibleText<'_>, Unusable> {
    let mut said = VisibleText { stretches: Vec::new(), thought: false };
    let mut thinking = false;
    let mut start = 0;
    for at in memchr::memchr_iter(b'<', text.as_bytes()) {
        if starts_with(text, at, CLOSE) {
            if !thinking {
                // Some chat templates open the thought in the prompt: all before was thought.
                said.stretches.clear();
            }
            thinking = false;
            said.thought = true;
            start = at + CLOSE.len();
        } else if !thinking && starts_with(text, at, OPEN) {
            said.stretches.extend(text.get(start..at));
            thinking = true;
        }
    }
    if thinking {
        return Err(Unusable::UnclosedThinking);
    }
    said.stretches.extend(text.get(start..));
    Ok(said)
}

fn starts_with(text: &str, at: usize, tag: &str) -> bool {
    text.get(at..at + tag.len()).is_some_and(|start| start.eq_ignore_ascii_case(tag))
}
