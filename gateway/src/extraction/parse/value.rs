//! The meaning of single keys and values, independent of their syntax.

use super::{Field, no_value::is_no_value};
use crate::extraction::fields::parts;

/// Unquoted words for null in programming languages.
const NULL_LITERALS: [&str; 3] = ["null", "none", "undefined"];

/// Returns the trimmed text, or `None` if it carries no information.
pub(super) fn text_or_null(text: String) -> Option<String> {
    let text = without_invisible(&text).unwrap_or(text);
    let trimmed = text.trim();
    if is_no_value(trimmed) || parts(trimmed).next().is_none() {
        None
    } else if trimmed.len() == text.len() {
        Some(text)
    } else {
        Some(trimmed.to_owned())
    }
}

/// Returns a text without characters that no value has and a reader does not see: control characters, and marks that
/// change the direction of the text. `None` if the text has none of them.
pub(super) fn without_invisible(text: &str) -> Option<String> {
    let is_invisible = |c: char| {
        (c.is_control() && !c.is_whitespace())
            || matches!(c, '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}' | '\u{61c}')
    };
    text.contains(is_invisible).then(|| text.replace(is_invisible, ""))
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
