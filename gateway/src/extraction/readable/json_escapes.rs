//! Decodes text that was escaped as a JSON string twice, so that `\n` as two characters stands for a line end.

use super::rewrite::Rewrite;

/// Minimum number of escapes for decoding, because a note may contain a single backslash for other reasons.
const LEAST_ESCAPES: usize = 2;

/// Returns the text with its escapes decoded; `None` where it has too few escapes or names a file path.
pub(super) fn decode(text: &str) -> Option<Rewrite> {
    let first = memchr::memchr(b'\\', text.as_bytes())?;
    if memchr::memmem::find_iter(text.as_bytes(), br":\").any(|at| names_drive(text, at)) {
        return None;
    }
    let escapes = memchr::memchr_iter(b'\\', text.as_bytes().get(first..)?).map(|at| first + at);
    let counted =
        escapes.clone().filter(|&at| escape(rest(text, at)).is_some_and(|(_, replacement)| replacement != '"'));
    if counted.take(LEAST_ESCAPES).count() < LEAST_ESCAPES {
        return None;
    }
    let (mut made, mut copied) = (Rewrite::default(), 0);
    for at in escapes {
        if at < copied {
            continue;
        }
        if let Some((length, replacement)) = escape(rest(text, at)) {
            made.copy(text, copied..at);
            made.put(replacement, at..at + length);
            copied = at + length;
        }
    }
    made.copy(text, copied..text.len());
    Some(made)
}

/// Returns whether the colon follows a single letter, as in the path of a file.
fn names_drive(text: &str, colon: usize) -> bool {
    let mut before = text.get(..colon).unwrap_or_default().bytes().rev();
    before.next().is_some_and(|byte| byte.is_ascii_alphabetic())
        && !before.next().is_some_and(|byte| byte.is_ascii_alphanumeric())
}

fn rest(text: &str, at: usize) -> &str {
    text.get(at..).unwrap_or_default()
}

/// Returns the length in bytes of the escape at the start of `rest`, and the character that it stands for.
fn escape(rest: &str) -> Option<(usize, char)> {
    let (length, character) = match rest.as_bytes().get(1)? {
        // `\r\n` is one line end.
        b'n' | b'r' => (if rest.starts_with(r"\r\n") { 4 } else { 2 }, '\n'),
        b't' => (2, '\t'),
        b'"' => (2, '"'),
        b'u' => {
            let digits = rest.get(2..6).filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()))?;
            (6, u32::from_str_radix(digits, 16).ok().and_then(char::from_u32).filter(|&decoded| decoded != '\0')?)
        }
        _ => return None,
    };
    Some((length, character))
}
