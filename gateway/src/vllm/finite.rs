//! Parses JSON as Python writes it: with `NaN` and `Infinity`, which JSON does not have, and numbers too large for a
//! float.
//!
//! A model server that divides by zero writes them as log-probabilities and counts. Only the value itself must be lost,
//! never the answer around it.

use std::borrow::Cow;

use serde::de::DeserializeOwned;

/// Replaces a value that is not a finite number. It has a type that is read as neither a number, a text nor a list.
const NO_NUMBER: &[u8] = b"false";

/// Parses JSON, also as Python writes it. Valid JSON, which is the common case, is read once and not copied.
pub(super) fn parse<T: DeserializeOwned>(json: &[u8]) -> Option<T> {
    if let Ok(value) = serde_json::from_slice(json) {
        return Some(value);
    }
    match finite(json) {
        Cow::Owned(finite) => serde_json::from_slice(&finite).ok(),
        Cow::Borrowed(_) => None,
    }
}

/// Returns the JSON with [`NO_NUMBER`] in place of each number that is not finite. Strings stay as they are. Outside
/// strings, only numbers begin with a digit, a sign, `N` or `I`.
fn finite(json: &[u8]) -> Cow<'_, [u8]> {
    let mut out: Vec<u8> = Vec::new();
    // The end of the part of `json` that `out` has, and the start of the part that is not examined yet.
    let (mut copied, mut at) = (0, 0);
    while let Some(&byte) = json.get(at) {
        let rest = json.get(at..).unwrap_or_default();
        let length = match byte {
            b'"' => {
                at += string_length(rest);
                continue;
            }
            b'-' | b'+' | b'0'..=b'9' | b'N' | b'I' => word_length(rest),
            _ => {
                at += 1;
                continue;
            }
        };
        let end = at + length;
        if !is_acceptable(json.get(at..end).unwrap_or_default()) {
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

/// Returns the length of the string at the start, including its quotes.
fn string_length(json: &[u8]) -> usize {
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

/// Returns the length of the word at the start, at least 1.
fn word_length(json: &[u8]) -> usize {
    let in_word = |byte: &&u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'+' | b'.');
    json.iter().take_while(in_word).count().max(1)
}

/// Returns false for Python's `NaN` and infinities and for a number too large for a float; true for any other word,
/// also for one that is not a number, which the parser then refuses.
fn is_acceptable(word: &[u8]) -> bool {
    if matches!(word, b"NaN" | b"Infinity" | b"-Infinity") {
        return false;
    }
    // Only digits and signs are parsed, because Rust also reads `inf` and `nan`, in any case, as numbers.
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
    fn a_number_that_is_not_finite_costs_only_itself() {
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
        fn valid_json_stays_unchanged(text in "([\"\\\\NaIinfty{}\\[\\]:,0-9eE+. -]|NaN|Infinity|\u{e9}){0,40}") {
            if let Ok(value) = serde_json::from_str::<Value>(&text) {
                prop_assert_eq!(finite(text.as_bytes()), text.as_bytes());
                prop_assert_eq!(parse::<Value>(text.as_bytes()), Some(value));
            } else {
                // Parsing must not panic.
                let _ = parse::<Value>(text.as_bytes());
            }
        }
    }
}
