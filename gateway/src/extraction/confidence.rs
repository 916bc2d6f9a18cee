//! How sure the model was of each value, from the log-probabilities of its tokens.
//!
//! Not calibrated: 0.9 does not mean that nine of ten such values are right. It says how likely the
//! model found its own wording, which orders values for review and nothing more. Never changes a value.

use std::ops::Range;

use serde::Serialize;
use utoipa::ToSchema;

use super::Field;

/// How sure the model was of one value: probabilities of its tokens, 0 to 1. Not calibrated.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, ToSchema)]
pub struct Confidence {
    /// Geometric mean over the value's tokens.
    #[schema(example = 0.94, minimum = 0, maximum = 1)]
    pub mean: f64,
    /// The least likely token: the one place where the model was most in doubt.
    #[schema(example = 0.71, minimum = 0, maximum = 1)]
    pub minimum: f64,
}

/// The tokens of one draft with their log-probabilities.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Likelihoods(Vec<Token>);

#[derive(Clone, Copy, Debug, PartialEq)]
struct Token {
    /// One past the last byte of the token in the draft.
    end: usize,
    logprob: f64,
}

impl Likelihoods {
    /// Lays tokens along the draft that they spell. Nothing where they spell something else: then no
    /// token can be given to a value. Tokens after the draft's end (stop tokens) are left out.
    #[must_use]
    pub fn along<'t>(draft: &str, tokens: impl Iterator<Item = (&'t [u8], f64)>) -> Option<Self> {
        let mut laid = Vec::new();
        let mut end = 0usize;
        for (bytes, logprob) in tokens {
            if end >= draft.len() {
                break;
            }
            let next = end.checked_add(bytes.len())?;
            let here = draft.as_bytes().get(end..next.min(draft.len()))?;
            if !bytes.starts_with(here) || !logprob.is_finite() {
                return None;
            }
            end = next;
            laid.push(Token { end, logprob });
        }
        (end >= draft.len() && !laid.is_empty()).then_some(Self(laid))
    }

    /// Confidence of the part of a field's value, where the draft spells it.
    #[must_use]
    pub fn of(&self, draft: &str, field: Field, part: &str) -> Option<Confidence> {
        self.over(&place(draft, field, part)?)
    }

    /// Confidence over a byte range of the draft; a token that reaches into it counts.
    fn over(&self, range: &Range<usize>) -> Option<Confidence> {
        let first = self.0.partition_point(|token| token.end <= range.start);
        let mut starts_at = first.checked_sub(1).and_then(|before| self.0.get(before)).map_or(0, |token| token.end);
        let (mut sum, mut least, mut count) = (0.0, 0.0f64, 0.0);
        for token in self.0.get(first..).unwrap_or_default() {
            if starts_at >= range.end {
                break;
            }
            starts_at = token.end;
            sum += token.logprob;
            least = least.min(token.logprob);
            count += 1.0;
        }
        let probability = |logprob: f64| logprob.exp().clamp(0.0, 1.0);
        (count > 0.0).then(|| Confidence { mean: probability(sum / count), minimum: probability(least) })
    }
}

/// Where the draft spells a part of a field's value: inside the string after the field's key.
fn place(draft: &str, field: Field, part: &str) -> Option<Range<usize>> {
    let key = format!("\"{}\"", field.name());
    let after_key = draft.find(&key)? + key.len();
    let rest = draft.get(after_key..)?;
    let quote = rest.find('"')?;
    // Between key and value stand a colon and white space, or it is another field's string.
    if !rest.get(..quote)?.chars().all(|c| c == ':' || c.is_whitespace()) {
        return None;
    }
    let content = rest.get(quote + 1..)?;
    let content = content.get(..string_end(content))?;
    let spelt = serde_json::Value::from(part).to_string();
    let spelt = spelt.get(1..spelt.len().saturating_sub(1))?;
    let found = content.find(spelt)?;
    let start = after_key + quote + 1 + found;
    Some(start..start + spelt.len())
}

/// Length of a JSON string's content: up to the first quote that is not escaped.
fn string_end(content: &str) -> usize {
    let mut escaped = false;
    for (at, byte) in content.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return at,
            _ => {}
        }
    }
    content.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens<'t>(spelt: &[(&'t str, f64)]) -> Vec<(&'t [u8], f64)> {
        spelt.iter().map(|(text, probability)| (text.as_bytes(), probability.ln())).collect()
    }

    #[test]
    fn a_value_gets_the_tokens_that_spell_it() {
        let spelt = [
            ("{\"stage\": \"", 0.9),
            ("I", 0.8),
            ("V", 0.5),
            ("\", \"biomarker\": \"", 1.0),
            ("ER ", 0.25),
            ("+; ", 1.0),
            ("PD\\\"", 0.64),
            ("\"}", 1.0),
            ("<eot>", 0.1),
        ];
        let draft: String = spelt.iter().take(8).map(|(text, _)| *text).collect();
        let likelihoods = Likelihoods::along(&draft, tokens(&spelt).into_iter()).unwrap();
        for (field, part, expected) in [
            (Field::Stage, "IV", Some((0.4f64.sqrt(), 0.5))),
            (Field::Biomarker, "ER +", Some((0.5, 0.25))),
            (Field::Biomarker, "PD\"", Some((0.64, 0.64))),
            (Field::Biomarker, "HER2", None),
            (Field::Response, "IV", None),
        ] {
            let got = likelihoods.of(&draft, field, part);
            assert_eq!(got.is_some(), expected.is_some(), "{part}");
            if let (Some(got), Some((mean, minimum))) = (got, expected) {
                assert!((got.mean - mean).abs() < 1e-9 && (got.minimum - minimum).abs() < 1e-9, "{part}: {got:?}");
            }
        }
    }

    #[test]
    fn tokens_that_spell_something_else_are_no_ones() {
        for spelt in [&[("a", 0.5), ("x", 0.5)][..], &[("a", 0.5)], &[], &[("a", 0.0), ("b", 0.5)]] {
            assert_eq!(Likelihoods::along("ab", tokens(spelt).into_iter()), None, "{spelt:?}");
        }
        // Half a character per token, and a last token that reaches over the end.
        let halves = [(&"é".as_bytes()[..1], -0.1), (&"é".as_bytes()[1..], -0.2), (b"b<".as_slice(), -0.3)];
        assert!(Likelihoods::along("éb", halves.into_iter()).is_some());
    }

    #[test]
    fn a_null_or_a_missing_key_has_no_place() {
        for draft in ["{\"stage\": null, \"biomarker\": \"IV\"}", "{}", "\"stage\"", "\"stage\": \"I", ""] {
            assert_eq!(place(draft, Field::Stage, "IV"), None, "{draft}");
        }
    }
}
