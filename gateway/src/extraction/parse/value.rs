//! What keys and values mean, apart from how they are written. It never reads more than one of them.

use super::Field;
use crate::extraction::fields::parts;

/// Words that say nothing of a field, whichever field it is. Words that say something, even that
/// nothing was found or done (`negative`, `not tested`, `no evidence of disease`), do not belong here.
const NULL_WORDS: [&str; 20] = [
    "",
    "null",
    "none",
    "nil",
    "n/a",
    "na",
    "undefined",
    "unknown",
    "unspecified",
    "not applicable",
    "not available",
    "not documented",
    "not given",
    "not mentioned",
    "not provided",
    "not reported",
    "not specified",
    "not stated",
    "-",
    "\u{2014}",
];

/// Unquoted words that programming languages have for null.
const NULL_LITERALS: [&str; 3] = ["null", "none", "undefined"];

/// The text trimmed, or nothing if it says nothing.
pub(super) fn settle(text: String) -> Option<String> {
    let trimmed = text.trim();
    // One full stop at the most: "..." is a placeholder copied from somewhere, not a null.
    let word = trimmed.strip_suffix('.').filter(|word| !word.is_empty()).unwrap_or(trimmed);
    if NULL_WORDS.iter().any(|null| null.eq_ignore_ascii_case(word)) || parts(word).next().is_none() {
        None
    } else if trimmed.len() == text.len() {
        Some(text)
    } else {
        Some(trimmed.to_owned())
    }
}

/// Whether an unquoted word stands for null.
pub(super) fn is_null_literal(word: &str) -> bool {
    NULL_LITERALS.iter().any(|null| null.eq_ignore_ascii_case(word))
}

/// The field that a key names in whatever letter case and with whatever of the separators space,
/// hyphen and underscore (or none) between its words, and whether it is spelled as it should be.
pub(super) fn field_of(key: &str) -> Option<(Field, bool)> {
    if let Some(field) = Field::named(key) {
        return Some((field, true));
    }
    Field::ALL.into_iter().find(|&field| names(key, field)).map(|field| (field, false))
}

/// Whether a key is the name of this field, in whatever letters and separators.
pub(super) fn names(key: &str, field: Field) -> bool {
    after_name(key.trim(), field) == Some("")
}

/// What stands behind a field's name that a text begins with, in whatever letters and separators.
pub(super) fn after_name(text: &str, field: Field) -> Option<&str> {
    let separator = |c: char| c.is_whitespace() || matches!(c, '_' | '-');
    field.name().split('_').try_fold(text, |rest, word| {
        let (start, rest) = rest.split_at_checked(word.len())?;
        start.eq_ignore_ascii_case(word).then_some(rest.trim_start_matches(separator))
    })
}
