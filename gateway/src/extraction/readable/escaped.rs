//! Text that was made a JSON string twice: `\n` as two characters, where a line ended.

use super::rewrite::Rewrite;

/// One backslash may stand in a note for its own reasons.
const SIGNS: usize = 2;

/// The text without the escapes; nothing where it has none.
pub(super) fn decoded(text: &str) -> Option<Rewrite> {
    let first = memchr::memchr(b'\\', text.as_bytes())?;
    if memchr::memmem::find_iter(text.as_bytes(), br":\").any(|at| names_drive(text, at)) {
        return None;
    }
    let escapes = memchr::memchr_iter(b'\\', text.as_bytes().get(first..)?).map(|at| first + at);
    let signs = escapes.clone().filter(|&at| escape(rest(text, at)).is_some_and(|(_, instead)| instead != '"'));
    if signs.take(SIGNS).count() < SIGNS {
        return None;
    }
    let (mut made, mut copied) = (Rewrite::default(), 0);
    for at in escapes {
        if at < copied {
            continue;
        }
        if let Some((length, instead)) = escape(rest(text, at)) {
            made.copy(text, copied..at);
            made.put(instead, at..at + length);
            copied = at + length;
        }
    }
    made.copy(text, copied..text.len());
    Some(made)
}

/// Whether a colon stands behind a single letter, as in the path of a file.
fn names_drive(text: &str, colon: usize) -> bool {
    let mut before = text.get(..colon).unwrap_or_default().bytes().rev();
    before.next().is_some_and(|byte| byte.is_ascii_alphabetic())
        && !before.next().is_some_and(|byte| byte.is_ascii_alphanumeric())
}

fn rest(text: &str, at: usize) -> &str {
    text.get(at..).unwrap_or_default()
}

/// Length of the escape that begins here, and the character that it stands for.
fn escape(rest: &str) -> Option<(usize, char)> {
    let (length, character) = match rest.as_bytes().get(1)? {
        b'n' => (2, '\n'),
        // With what follows it one line end.
        b'r' if rest.starts_with(r"\r\n") => (4, '\n'),
        b'r' => (2, '\n'),
        b't' => (2, '\t'),
        b'"' => (2, '"'),
        b'u' => {
            let digits = rest.get(2..6).filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()))?;
            (6, u32::from_str_radix(digits, 16).ok().and_then(char::from_u32).filter(|&own| own != '\0')?)
        }
        _ => return None,
    };
    Some((length, character))
}
