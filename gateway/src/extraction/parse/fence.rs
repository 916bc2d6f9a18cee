//! Code fences around or between the parts of a model's output.

/// Returns whether a line consists only of a code fence.
pub(super) fn is_fence(line: &str) -> bool {
    split_fence(line).is_some_and(|(before, info)| before.trim().is_empty() && is_info(info))
}

/// Returns the text before and after the fence of a line. A line of one backtick counts as a fence, because it begins
/// or ends inline code.
pub(super) fn split_fence(line: &str) -> Option<(&str, &str)> {
    if line.trim() == "`" {
        return Some(("", ""));
    }
    ["```", "~~~"].into_iter().find_map(|fence| line.split_once(fence))
}

/// Returns whether a text may follow a fence: the name of a language, or nothing.
pub(super) fn is_info(text: &str) -> bool {
    text.trim().trim_start_matches(['`', '~']).chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '+'))
}
