//! JSON as Python writes it: with `NaN` and `Infinity`, which JSON does not have, and numbers that no float holds.
//!
//! A model server that divides by zero writes them as log-probabilities and counts. They must cost what they stand
//! for, never the answer around them.

use std::borrow::Cow;

use serde::de::DeserializeOwned;

/// What stands for a number that is none: of a type that no number, text or list is read from.
const NO_NUMBER: &[u8] = b"false";

/// Parses JSON, also as Python writes it. The common answer is read once and copied nowhere.
pub(super) fn parse<T: DeserializeOwned>(json: &[u8]) -> Option<T> {
    if let Ok(value) = serde_json::from_slice(json) {
        return Some(value);
    }
    match finite(json) {
        Cow::Owned(finite) => serde_json::from_slice(&finite).ok(),
        Cow::Borrowed(_) => None,
    }
}

/// The same without the numbers that are none. Strings are left as they are; outside of them nothing in JSON but a
/// number begins with a digit, a sign, `N` or `I`.
fn finite(json: &[u8]) -> Cow<'_, [u8]> {
    let mut out: Vec<u8> = Vec::new();
    // Up to where `json` is in `out`, and where the text that is not looked at yet begins.
    let (mut copied, mut at) = (0, 0);
    while let Some(&byte) = json.get(at) {
        let rest = json.get(at..).unwrap_or_default();
        let length = match byte {
            b'"' => {
                at += string(rest);
                continue;
            }
            b'-' | b'+' | b'0'..=b'9' | b'N' | b'I' => word(rest),
            _ => {
                at += 1;
                continue;
            }
        };
        let end = at + length;
        if !is_number(json.get(at..end).unwrap_or_default()) {
            out.extend_from_slice(json.get(copied..at).unwrap_or_default());
            out.extend_from_slice(NO_NUMBER);
            copied = end;
        }
        at = end;
    }
    if copied == 0 {
        return Cow::Borrowed(json);
    }
    out.extend_from_slice(json.get(copied..).unwrap_or_default());
    Cow::Owned(out)
}

/// The length of the string at the start, its quotes too.
fn string(json: &[u8]) -> usize {
    let mut at = 1;
    while let Some(found) = memchr::memchr2(b'"', b'\\', json.get(at..).unwrap_or_default()) {
        at += found + 1;
        match json.get(at - 1) {
            Some(b'\\') => at += 1,
            _ => return at,
        }
    }
    json.len()
}

/// The length of the word at the start, at least 1.
fn word(json: &[u8]) -> usize {
    let in_word = |byte: &&u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'+' | b'.');
    json.iter().take_while(in_word).count().max(1)
}

/// Whether a word is none of Python's and no number that a float does not hold. What is no number at all is left to
/// the parser.
fn is_number(word: &[u8]) -> bool {
    if matches!(word, b"NaN" | b"Infinity" | b"-Infinity") {
        return false;
    }
    // Rust reads `inf` and `nan` as numbers, in any case.
    let digits = word.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E'));
    let number = std::str::from_utf8(word).ok().filter(|_| digits).and_then(|word| word.parse::<f64>().ok());
    number.is_none_or(f64::is_finite)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn what_is_no_number_costs_itself() {
        for (text, expected) in [
            (r#"{"a": NaN, "b": "NaN"}"#, Some(json!({"a": false, "b": "NaN"}))),
            ("[-Infinity,Infinity , 1e999, -1e999, 1e3]", Some(json!([false, false, false, false, 1e3]))),
            (r#"{"a": "\" NaN \\", "b": NaN}"#, Some(json!({"a": "\" NaN \\", "b": false}))),
            (r#"{"Infinity": 1e400}"#, Some(json!({"Infinity": false}))),
            ("NaN", Some(json!(false))),
            ("[nan]", None),
            ("[Nan]", None),
            ("[inf]", None),
            ("[-inf]", None),
            ("[+Infinity]", None),
            ("[NaNs]", None),
            ("[1, NaN", None),
            ("\"NaN", None),
            ("\"NaN\\", None),
            ("<html>NaN</html>", None),
        ] {
            assert_eq!(parse::<Value>(text.as_bytes()), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_json_is_left_as_it_is(text in "([\"\\\\NaIinfty{}\\[\\]:,0-9eE+. -]|NaN|Infinity|\u{e9}){0,40}") {
            if let Ok(value) = serde_json::from_str::<Value>(&text) {
                prop_assert_eq!(finite(text.as_bytes()), text.as_bytes());
                prop_assert_eq!(parse::<Value>(text.as_bytes()), Some(value));
            } else {
                // Never a panic, and no string is changed.
                let _ = parse::<Value>(text.as_bytes());
            }
        }
    }
}
