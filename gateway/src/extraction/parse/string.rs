//! Reads quoted strings in the form of JSON and in forms that models write: in single or typographic quotation marks,
//! over several lines, with escapes that JSON lacks. The reader never closes a string that the text leaves open.

use super::{Unusable, cursor::Cursor, value};

/// Marks read as `'`; each may also be an apostrophe.
const SINGLE: [char; 3] = ['\'', '\u{2018}', '\u{2019}'];
/// Marks read as `"`.
const DOUBLE: [char; 4] = ['"', '\u{201c}', '\u{201d}', '\u{201e}'];

/// The position of a string in an object, which decides which characters may follow it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum StringPosition {
    /// A key of an object.
    Key,
    /// A value of an object.
    Value,
    /// An element of a list.
    Element,
    /// Inside a value that is left out.
    Ignored,
}

/// A string and the repairs made in it.
#[derive(Default)]
pub(super) struct RepairedString {
    /// The text with its escapes resolved.
    pub(super) text: String,
    /// The string was in marks other than `"`.
    pub(super) other_marks: bool,
    /// The string had unescaped control characters.
    pub(super) raw_control: bool,
    /// The string had an escape that JSON lacks.
    pub(super) invalid_escape: bool,
}

/// Returns whether a character opens a string.
pub(super) fn opens(mark: char) -> bool {
    SINGLE.contains(&mark) || DOUBLE.contains(&mark)
}

/// Reads the string whose opening mark is next.
pub(super) fn read(cursor: &mut Cursor<'_>, position: StringPosition) -> Result<RepairedString, Unusable> {
    let opening = cursor.next().ok_or(Unusable::CutOff)?;
    let closing: &[char] = match opening {
        '"' => &['"'],
        _ if DOUBLE.contains(&opening) => &DOUBLE,
        _ => &SINGLE,
    };
    let mut quoted = RepairedString { other_marks: opening != '"', ..RepairedString::default() };
    loop {
        match cursor.next().ok_or(Unusable::CutOff)? {
            '\\' => read_escape(cursor, &mut quoted)?,
            mark if closing.contains(&mark) && (opening == '"' || may_end(cursor.rest(), position)) => {
                return Ok(quoted);
            }
            c => {
                quoted.raw_control |= c < ' ';
                quoted.text.push(c);
            }
        }
    }
}

/// Returns whether a string may end before `rest`, so that a mark there closes the string and is not an apostrophe.
/// Reads at most to the end of the next key and never past another mark, so that all checks together take linear time.
fn may_end(rest: &str, position: StringPosition) -> bool {
    let mut cursor = Cursor::new(rest, 0);
    let Some(next) = cursor.next_past_space() else {
        // The text ends here, so it is cut off in either case.
        return true;
    };
    match (position, next) {
        // No known key contains an apostrophe. Every mark ends a key, which keeps `object::find` linear.
        (StringPosition::Key, _)
        | (StringPosition::Value, '}')
        | (StringPosition::Element, ']')
        | (StringPosition::Ignored, ':' | ',' | '}' | ']') => true,
        (StringPosition::Value, ',') => {
            cursor.peek_past_space().is_none_or(|next| next == '}' || opens(next)) || {
                let key = cursor.take_while(is_key_character);
                !key.is_empty() && cursor.peek_past_space().is_none_or(|next| next == ':')
            }
        }
        (StringPosition::Element, ',') => {
            cursor.peek_past_space().is_none_or(|next| next == ']' || opens(next))
                || value::is_null_literal(cursor.take_while(char::is_alphanumeric))
        }
        _ => false,
    }
}

/// Returns whether a key without quotation marks may contain this character.
pub(super) fn is_key_character(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '-')
}

/// Reads the escape after a backslash.
fn read_escape(cursor: &mut Cursor<'_>, quoted: &mut RepairedString) -> Result<(), Unusable> {
    let c = match cursor.next().ok_or(Unusable::CutOff)? {
        c @ ('"' | '\\' | '/') => c,
        'b' => '\u{8}',
        'f' => '\u{c}',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'u' => {
            let unit = read_unit(cursor)?;
            let c = char::from_u32(unit).or_else(|| read_low_half(cursor, unit));
            quoted.invalid_escape |= c.is_none();
            c.unwrap_or(char::REPLACEMENT_CHARACTER)
        }
        // Python's \' and Markdown's \_ and \* mean the character itself. Escaped letters and digits never do.
        c if c.is_ascii_punctuation() => {
            quoted.invalid_escape = true;
            c
        }
        _ => return Err(Unusable::Malformed),
    };
    quoted.text.push(c);
    Ok(())
}

/// Reads four hexadecimal digits: a UTF-16 code unit.
fn read_unit(cursor: &mut Cursor<'_>) -> Result<u32, Unusable> {
    let mut unit = 0;
    for _ in 0..4 {
        let digit = cursor.next().ok_or(Unusable::CutOff)?.to_digit(16).ok_or(Unusable::Malformed)?;
        unit = unit * 16 + digit;
    }
    Ok(unit)
}

/// Completes a surrogate pair. Returns `None` and leaves the cursor in place if the other half does not follow.
fn read_low_half(cursor: &mut Cursor<'_>, high: u32) -> Option<char> {
    let digits = cursor.rest().strip_prefix("\\u")?;
    let low = read_unit(&mut Cursor::new(digits, 0)).ok()?;
    if !(0xd800..0xdc00).contains(&high) || !(0xdc00..0xe000).contains(&low) {
        return None;
    }
    let pair = char::from_u32(0x1_0000 + ((high - 0xd800) << 10) + (low - 0xdc00))?;
    for _ in 0..6 {
        cursor.next();
    }
    Some(pair)
}
