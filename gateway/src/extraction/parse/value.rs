//! The meaning of single keys and values, independent of their syntax.

use super::Field;
use crate::extraction::fields::parts;

/// Words that carry no information about any field. Words that report a result, even that nothing was found or done
/// (`negative`, `not tested`, `no evidence of disease`), do not belong in this list.
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

/// Unquoted words for null in programming languages.
const NULL_LITERALS: [&str; 3] = ["null", "none", "undefined"];

/// Returns the trimmed text, or `None` if it carries no information.
pub(super) fn text_or_null(text: String) -> Option<String> {
    let trimmed = text.trim();
    // Ignore at most one full stop: "..." is a placeholder copied from somewhere, not a null.
    let word = trimmed.strip_suffix('.').filter(|word| !word.is_empty()).unwrap_or(trimmed);
    if NULL_WORDS.iter().any(|null| null.eq_ignore_ascii_case(word)) || parts(word).next().is_none() {
        None
    } else if trimmed.len() == text.len() {
        Some(text)
    } else {
        Some(trimmed.to_owned())
    }
}

/// Returns whether an unquoted word means null.
pub(super) fn is_null_literal(word: &str) -> bool {
    NULL_LITERALS.iter().any(|null| null.eq_ignore_ascii_case(word))
}

/// Returns the field that a key names, and whether the spelling is exact. Any letter case is accepted, and spaces,
/// hyphens, underscores or nothing between the words.
pub(super) fn field_of(key: &str) -> Option<(Field, bool)> {
    if let Some(field) = Field::named(key) {
        return Some((field, true));
    }
    Field::ALL.into_iter().find(|&field| names(key, field)).map(|field| (field, false))
}

/// Returns whether a key is the name of this field, in any letter case and with any separators.
pub(super) fn names(key: &str, field: Field) -> bool {
    after_name(key.trim(), field) == Some("")
}

/// Returns the text after a field's name if it begins with that name, in any letter case and with any separators.
pub(super) fn after_name(text: &str, field: Field) -> Option<&str> {
    let separator = |c: char| c.is_whitespace() || matches!(c, '_' | '-');
    field.name().split('_').try_fold(text, |rest, word| {
        let (start, rest) = rest.split_at_checked(word.len())?;
        start.eq_ignore_ascii_case(word).then_some(rest.trim_start_matches(separator))
    })
}
