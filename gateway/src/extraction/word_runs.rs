//! Cuts a text into its words: runs of letters and digits.

use std::ops::Range;

/// Returns the byte ranges of the words of a text, in order.
pub(super) fn words(text: &str) -> impl Iterator<Item = Range<usize>> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let start = end_of_run(text, at, false);
        at = end_of_run(text, start, true);
        (at > start).then_some(start..at)
    })
}

/// Returns the run of ASCII letters at this offset. Most of a note consists of such runs, so they are read at once.
pub(crate) fn ascii_letters(text: &str, at: usize) -> &str {
    let rest = text.as_bytes().get(at..).unwrap_or_default();
    let count = rest.iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
    text.get(at..at + count).unwrap_or_default()
}

/// Returns where the run of characters from `at` on ends that are all letters and digits, or all not. Looks at bytes
/// where it can, because almost all characters of a note are ASCII.
fn end_of_run(text: &str, mut at: usize, of_words: bool) -> usize {
    while let Some(&byte) = text.as_bytes().get(at) {
        let (is_word, length) = if byte.is_ascii() {
            (byte.is_ascii_alphanumeric(), 1)
        } else {
            let character = text.get(at..).and_then(|rest| rest.chars().next()).unwrap_or_default();
            (character.is_alphanumeric(), character.len_utf8())
        };
        if is_word != of_words {
            break;
        }
        at += length;
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_runs_of_letters_and_digits() {
        for (text, expected) in [
            ("HER-2/neu, 3+", &["HER", "2", "neu", "3"][..]),
            ("  Sézary é1 – 患者。", &["Sézary", "é1", "患者"]),
            ("e\u{301}t", &["e", "t"]),
            ("", &[]),
            (" .", &[]),
        ] {
            let found: Vec<_> = words(text).map(|word| text.get(word).unwrap()).collect();
            assert_eq!(found, expected, "{text}");
            let split = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
            assert_eq!(found, split.collect::<Vec<_>>(), "{text}");
        }
    }
}
