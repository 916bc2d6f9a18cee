//! Words of a text, and when two words are the same word.

use std::ops::Range;

use crate::steps;

/// The shortest beginning that two forms of a word share: "smoke", "smoker", "smoking".
const SHORTEST_STEM: usize = 4;
/// Endings that make another form of a word.
const LONGEST_ENDING: usize = 4;

/// A word or a number, in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Word {
    pub(super) text: String,
    pub(super) range: Range<usize>,
}

impl Word {
    /// Returns whether the two are the same number, or forms of the same word.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        same(&self.text, &other.text)
    }
}

/// Returns whether two words in lower case are equal, or forms of one word. What has a digit must be equal.
pub(super) fn same(one: &str, other: &str) -> bool {
    let is_plural = |one: &str, other: &str| other.len() > 2 && one.strip_suffix('s') == Some(other);
    if one == other || is_plural(one, other) || is_plural(other, one) {
        return true;
    }
    if [one, other].iter().any(|word| !word.bytes().all(|byte| byte.is_ascii_alphabetic())) {
        return false;
    }
    let shared = one.bytes().zip(other.bytes()).take_while(|(one, other)| one == other).count();
    let rest = |word: &str| word.len() - shared;
    shared >= SHORTEST_STEM
        && [one, other].iter().all(|word| is_ending(word.get(shared..).unwrap_or_default()))
        && rest(one).max(rest(other)) <= LONGEST_ENDING
}

/// Returns whether the rest of a word after its stem is only an ending.
fn is_ending(rest: &str) -> bool {
    matches!(
        rest,
        "" | "s"
            | "es"
            | "e"
            | "ed"
            | "d"
            | "ing"
            | "er"
            | "ers"
            | "y"
            | "ies"
            | "ied"
            | "ic"
            | "al"
            | "ally"
            | "ly"
            | "ion"
            | "ions"
            | "ive"
            | "ment"
            | "sis"
            | "ses"
            | "tic"
            | "or"
            | "ting"
            | "ted"
            | "ned"
            | "ning"
    )
}

/// Returns the words of a text. A number keeps the characters that belong to it: `<5`, `120/80`, `0.5`, `2+`, `30%`,
/// `2021-03`. An apostrophe stays in "didn't" and is left out of "patient's".
pub(super) fn words(text: &str) -> Vec<Word> {
    steps::count(text.len());
    let mut found: Vec<Word> = Vec::new();
    let mut characters = text.char_indices().peekable();
    let mut previous = ' ';
    while let Some((start, character)) = characters.next() {
        let compares = matches!(character, '<' | '>' | '≤' | '≥' | '~')
            && characters.peek().is_some_and(|(_, next)| next.is_ascii_digit());
        if !character.is_alphanumeric() && !compares {
            previous = character;
            continue;
        }
        let mut end = start + character.len_utf8();
        let mut last = character;
        while let Some(&(at, next)) = characters.peek() {
            let after = text.get(at + next.len_utf8()..).and_then(|rest| rest.chars().next()).unwrap_or(' ');
            let joins = match next {
                '.' | ',' | '/' | '-' | '\u{2013}' => last.is_ascii_digit() && after.is_ascii_digit(),
                '\'' | '\u{2019}' => last.is_alphabetic() && matches!(after, 't' | 'T'),
                '+' | '%' | '*' => last.is_ascii_digit(),
                _ => next.is_alphanumeric(),
            };
            if !joins {
                break;
            }
            (last, end) = (next, at + next.len_utf8());
            characters.next();
        }
        let range = start..end;
        let is_possessive = matches!(previous, '\'' | '\u{2019}') && text.get(range.clone()) == Some("s");
        previous = last;
        if !is_possessive {
            let folded = text.get(range.clone()).unwrap_or_default().to_lowercase().replace('\u{2019}', "'");
            found.push(Word { text: folded, range });
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_their_signs_and_words_their_negations() {
        for (text, expected) in [
            ("BP 120/80, Hb 9.1.", &["bp", "120/80", "hb", "9.1"][..]),
            ("The patient's HER2 2+ (<5 %) didn\u{2019}t", &["the", "patient", "her2", "2+", "<5", "didn't"]),
            ("62-year-old, 30% on 2021-03-05", &["62", "year", "old", "30%", "on", "2021-03-05"]),
            ("1,000 mg", &["1,000", "mg"]),
        ] {
            let found: Vec<String> = words(text).into_iter().map(|word| word.text).collect();
            assert_eq!(found, expected, "{text}");
        }
    }

    #[test]
    fn forms_of_a_word_are_the_same_word() {
        for (one, other, expected) in [
            ("smoke", "smokes", true),
            ("smoker", "smoking", true),
            ("allergy", "allergies", true),
            ("diabetes", "diabetic", true),
            ("10", "100", false),
            ("liver", "live", false),
            ("married", "mary", false),
            ("hypertension", "hypotension", false),
            ("cat", "cats", true),
        ] {
            assert_eq!(same(one, other), expected, "{one} {other}");
        }
    }
}
