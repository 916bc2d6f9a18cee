//! The words of answers.

/// Answers that deny wherever they end an item.
pub(super) const NO: [&str; 2] = ["no", "n"];
/// Answers that deny only after a separator, because in prose they have other readings.
pub(super) const DENIALS: [&str; 14] = [
    "negative",
    "neg",
    "none",
    "nil",
    "absent",
    "false",
    "not seen",
    "not identified",
    "not detected",
    "not present",
    "not found",
    "not given",
    "never",
    "nein",
];
pub(super) const YES: [&str; 9] = ["yes", "y", "true", "present", "positive", "pos", "detected", "given", "done"];

/// Returns whether a word may be an answer or begin one, by its first letter and its length, as most words are not.
pub(super) fn may_answer(word: &str) -> bool {
    match word.bytes().next().map(|byte| byte.to_ascii_lowercase()) {
        Some(b'n') => matches!(word.len(), 1..=5 | 8),
        Some(b'd' | b'p') => matches!(word.len(), 3 | 4 | 7 | 8),
        Some(b'a' | b'f' | b'g') => matches!(word.len(), 5 | 6),
        Some(b't' | b'y') => matches!(word.len(), 1 | 3 | 4),
        _ => false,
    }
}
