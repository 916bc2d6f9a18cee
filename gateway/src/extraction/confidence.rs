//! Computes the model's confidence in each value from the log-probabilities of its tokens.
//!
//! The confidence is not calibrated: 0.9 does not mean that nine of ten such values are right. It is the probability
//! that the model gave to its own wording, which only helps to sort values for review. It never changes a value.

use std::ops::Range;

use serde::Serialize;
use utoipa::ToSchema;

use super::Field;

/// The model's confidence in one value: probabilities of its tokens, 0 to 1. Not calibrated.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, ToSchema)]
pub struct Confidence {
    /// The geometric mean of the probabilities of the value's tokens.
    #[schema(example = 0.94, minimum = 0, maximum = 1)]
    pub mean: f64,
    /// The probability of the least likely token of the value.
    #[schema(example = 0.71, minimum = 0, maximum = 1)]
    pub minimum: f64,
}

/// The tokens of one draft and their log-probabilities.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Likelihoods(Vec<Token>);

#[derive(Clone, Copy, Debug, PartialEq)]
struct Token {
    /// One past the last byte of the token in the draft.
    end: usize,
    logprob: f64,
}

impl Likelihoods {
    /// Aligns tokens with the draft. Returns `None` where the tokens do not spell the draft or a log-probability is not
    /// finite. Tokens after the draft's end (stop tokens) are left out.
    #[must_use]
    pub fn along<'t>(draft: &str, tokens: impl Iterator<Item = (&'t [u8], f64)>) -> Option<Self> {
        let mut aligned = Vec::new();
        let mut end = 0usize;
        for (bytes, logprob) in tokens {
            if end >= draft.len() {
                break;
            }
            let next = end.checked_add(bytes.len())?;
            let expected_bytes = draft.as_bytes().get(end..next.min(draft.len()))?;
            if !bytes.starts_with(expected_bytes) || !logprob.is_finite() {
                return None;
            }
            end = next;
            aligned.push(Token { end, logprob });
        }
        (end >= draft.len() && !aligned.is_empty()).then_some(Self(aligned))
    }

    /// Returns the confidence in one part of a field's value; `None` where the draft does not spell it.
    #[must_use]
    pub fn of(&self, draft: &str, field: Field, part: &str) -> Option<Confidence> {
        self.over_range(&range_of_part(draft, field, part)?)
    }

    /// Returns the confidence over a byte range of the draft, including tokens that overlap it in part.
    fn over_range(&self, range: &Range<usize>) -> Option<Confidence> {
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

/// Returns the byte range of a part of a field's value in the draft: inside the string after the field's key.
fn range_of_part(draft: &str, field: Field, part: &str) -> Option<Range<usize>> {
    let key = format!("\"{}\"", field.name());
    let after_key = draft.find(&key)? + key.len();
    let rest = draft.get(after_key..)?;
    let quote = rest.find('"')?;
    // Other characters between the key and the quote mean that the string belongs to another field.
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

/// Returns the length in bytes of a JSON string's content: up to the first quote that is not escaped.
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
            let found = likelihoods.of(&draft, field, part);
            assert_eq!(found.is_some(), expected.is_some(), "{part}");
            if let (Some(found), Some((mean, minimum))) = (found, expected) {
                assert!(
                    (found.mean - mean).abs() < 1e-9 && (found.minimum - minimum).abs() < 1e-9,
                    "{part}: {found:?}"
                );
            }
        }
    }

    #[test]
    fn tokens_that_do_not_spell_the_draft_give_none() {
        for spelt in [&[("a", 0.5), ("x", 0.5)][..], &[("a", 0.5)], &[], &[("a", 0.0), ("b", 0.5)]] {
            assert_eq!(Likelihoods::along("ab", tokens(spelt).into_iter()), None, "{spelt:?}");
        }
        // Half a character per token, and a last token that extends past the end.
        let halves = [(&"é".as_bytes()[..1], -0.1), (&"é".as_bytes()[1..], -0.2), (b"b<".as_slice(), -0.3)];
        assert!(Likelihoods::along("éb", halves.into_iter()).is_some());
    }

    #[test]
    fn a_null_or_a_missing_key_has_no_range() {
        for draft in ["{\"stage\": null, \"biomarker\": \"IV\"}", "{}", "\"stage\"", "\"stage\": \"I", ""] {
            assert_eq!(range_of_part(draft, Field::Stage, "IV"), None, "{draft}");
        }
    }
}
