//! Cuts a text into its words: runs of letters and digits. Finds given words in a text.

use std::ops::Range;

use memchr::memmem;

/// Returns the byte ranges of the words of a text, in order.
pub(crate) fn words(text: &str) -> impl Iterator<Item = Range<usize>> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let start = end_of_run(text, at, Class::Other);
        at = end_of_run(text, start, Class::Word);
        (at > start).then_some(start..at)
    })
}

/// Returns where a text has these words, in order and without overlaps. In a whole note this is several times faster
/// than the search of the standard library.
pub(crate) fn places_of<'t>(text: &'t str, words: &'t str) -> impl Iterator<Item = usize> + 't {
    memmem::find_iter(text.as_bytes(), words.as_bytes())
}

/// Returns the run of ASCII letters at this offset. Most of a note consists of such runs, so they are read at once.
pub(crate) fn ascii_letters(text: &str, at: usize) -> &str {
    let rest = text.as_bytes().get(at..).unwrap_or_default();
    let count = rest.iter().position(|byte| !byte.is_ascii_alphabetic()).unwrap_or(rest.len());
    text.get(at..at + count).unwrap_or_default()
}

/// What a byte says about the character that it begins.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    /// An ASCII letter or digit.
    Word,
    /// Another ASCII character.
    Other,
    /// A byte of a character outside ASCII, which must be decoded.
    BeyondAscii,
}

/// The class of each byte. One look-up for each byte of a note costs less than comparisons.
#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler, which would refuse an index out of bounds")]
const CLASSES: [Class; 256] = {
    let mut classes = [Class::BeyondAscii; 256];
    let mut byte: u8 = 0;
    while byte.is_ascii() {
        classes[byte as usize] = if byte.is_ascii_alphanumeric() { Class::Word } else { Class::Other };
        byte += 1;
    }
    classes
};

/// Returns where the run of characters from `at` on ends: of letters and digits, or of all others.
#[inline]
fn end_of_run(text: &str, mut at: usize, class: Class) -> usize {
    while let Some(byte) = text.as_bytes().get(at) {
        match CLASSES.get(usize::from(*byte)) {
            Some(own) if *own == class => at += 1,
            Some(Class::BeyondAscii) => {
                let character = text.get(at..).and_then(|rest| rest.chars().next()).unwrap_or_default();
                if character.is_alphanumeric() != (class == Class::Word) {
                    break;
                }
                at += character.len_utf8();
            }
            _ => break,
        }
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
