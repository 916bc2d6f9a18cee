//! The prompt that tells a transcription server which words to expect.

use std::sync::LazyLock;

/// Longest prompt, in bytes. Whisper reads the last 223 tokens of a prompt, and these names have a token for about two
/// bytes (measured: 265 for 561): a longer prompt would lose its beginning, which has the most important words.
const LONGEST: usize = 460;

const WORDS: &str = include_str!("vocabulary.txt");

/// The prompt: as many words as it has room for, the most important first.
pub(super) static PROMPT: LazyLock<String> = LazyLock::new(|| {
    let mut prompt = String::new();
    for word in words() {
        if prompt.len() + ", ".len() + word.len() + ".".len() > LONGEST {
            break;
        }
        prompt.push_str(if prompt.is_empty() { "" } else { ", " });
        prompt.push_str(word);
    }
    prompt.push('.');
    prompt
});

fn words() -> impl Iterator<Item = &'static str> {
    let lines = WORDS.lines().filter(|line| !line.starts_with('#'));
    lines.flat_map(|line| line.split(',')).map(str::trim).filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules;

    #[test]
    fn every_word_is_in_the_lexicons_once_and_the_prompt_has_room_for_them() {
        let mut seen = std::collections::HashSet::new();
        for word in words() {
            assert!(rules::terms_in(word).iter().any(|(range, _)| *range == (0..word.len())), "{word}");
            assert!(seen.insert(word), "{word}");
        }
        assert!(PROMPT.len() <= LONGEST && PROMPT.starts_with("EGFR, ALK"));
    }
}
