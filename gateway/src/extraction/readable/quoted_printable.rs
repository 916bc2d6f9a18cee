//! Decodes quoted-printable, the encoding of mails: `=C3=A9` for `é`, and `=` at the end of a line that continues.
//!
//! A note may contain `=20` for other reasons ("n=20"), so only a note that shows signs of this encoding is decoded.

use std::ops::Range;

use super::rewrite::Rewrite;

/// Minimum length in bytes of a line whose final `=` is a sign of the encoding. Mails break lines at 76 characters;
/// shorter lines may end in `=` for other reasons.
const LONG_LINE: usize = 60;
/// So many encoded blanks between letters do not occur by chance.
const MANY_BLANKS: usize = 2;

/// Returns the decoded text; `None` where the text is not encoded.
pub(super) fn decode(text: &str) -> Option<Rewrite> {
    if !is_encoded(text) {
        return None;
    }
    let (mut made, mut copied, mut at) = (Rewrite::default(), 0, 0);
    while let Some(found) = memchr::memchr(b'=', text.as_bytes().get(at..)?) {
        let start = at + found;
        let (bytes, end) = run(text, start);
        if end == start {
            at = start + 1;
            continue;
        }
        made.copy(text, copied..start);
        put(&mut made, &bytes);
        (copied, at) = (end, end);
    }
    made.copy(text, copied..text.len());
    Some(made)
}

/// Returns whether the text has a sign of the encoding that is very rare in other texts.
fn is_encoded(text: &str) -> bool {
    let (mut blanks, mut line) = (0, 0);
    for at in memchr::memchr2_iter(b'=', b'\n', text.as_bytes()) {
        let (before, after) = (text.get(..at).unwrap_or_default(), text.get(at + 1..).unwrap_or_default());
        if text.as_bytes().get(at) == Some(&b'\n') {
            line = at + 1;
            continue;
        }
        let last = before.bytes().next_back().unwrap_or_default();
        if let Some(end) = line_end(after) {
            let next = after.as_bytes().get(end).copied().unwrap_or_default();
            if at - line >= LONG_LINE || (last.is_ascii_lowercase() && next.is_ascii_lowercase()) {
                return true;
            }
        }
        let Some(byte) = hex(after) else { continue };
        let rest = after.get(2..).unwrap_or_default();
        let next = rest.strip_prefix('=').and_then(hex);
        let continues = matches!((byte, next), (0xc2..=0xf4, Some(0x80..=0xbf)));
        let is_blank = matches!(byte, b' ' | b'\t');
        if continues || byte == b'=' || (is_blank && (rest.is_empty() || line_end(rest).is_some())) {
            return true;
        }
        let is_between_letters =
            last.is_ascii_alphabetic() && rest.starts_with(|next: char| next.is_ascii_alphabetic());
        blanks += usize::from(is_blank && is_between_letters);
    }
    blanks >= MANY_BLANKS
}

/// Returns the length in bytes of the line end at the start of `rest`, with the blanks before it.
fn line_end(rest: &str) -> Option<usize> {
    // Only the next bytes are searched, so that thousands of blanks are not counted again and again.
    let near = rest.as_bytes().get(..LONG_LINE).unwrap_or(rest.as_bytes());
    let blanks = near.iter().take_while(|&&byte| matches!(byte, b' ' | b'\t')).count();
    match near.get(blanks..)? {
        [b'\r', b'\n', ..] => Some(blanks + 2),
        [b'\n', ..] => Some(blanks + 1),
        _ => None,
    }
}

/// Returns the byte of the two hexadecimal digits at the start of `rest`; `None` for a zero byte.
fn hex(rest: &str) -> Option<u8> {
    let digits = rest.get(..2).filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()))?;
    u8::from_str_radix(digits, 16).ok().filter(|&byte| byte != 0)
}

/// Returns the run of encoded bytes from `start` on, each with its range in the text, and the end of the run.
fn run(text: &str, start: usize) -> (Vec<(u8, Range<usize>)>, usize) {
    let (mut bytes, mut at) = (Vec::new(), start);
    while let Some(rest) = text.get(at..).and_then(|rest| rest.strip_prefix('=')) {
        if let Some(byte) = hex(rest) {
            bytes.push((byte, at..at + 3));
            at += 3;
        } else if let Some(length) = line_end(rest) {
            at += 1 + length;
        } else {
            break;
        }
    }
    (bytes, at)
}

/// Adds decoded bytes: valid UTF-8 as characters, each other byte as one Windows-1252 character.
fn put(made: &mut Rewrite, bytes: &[(u8, Range<usize>)]) {
    let plain: Vec<u8> = bytes.iter().map(|(byte, _)| *byte).collect();
    let range = |from: usize, length: usize| {
        let start = bytes.get(from).map_or(0, |(_, range)| range.start);
        let end = bytes.get(from + length - 1).map_or(start, |(_, range)| range.end);
        start..end
    };
    let mut at = 0;
    for chunk in plain.utf8_chunks() {
        for character in chunk.valid().chars() {
            made.put(character, range(at, character.len_utf8()));
            at += character.len_utf8();
        }
        for &byte in chunk.invalid() {
            made.put(western(u32::from(byte)), range(at, 1));
            at += 1;
        }
    }
}

/// Returns the character of a code in Windows-1252, which many mails and pages use although they declare Latin-1.
pub(super) fn western(code: u32) -> char {
    match code {
        0x80 => '€',
        0x85 => '…',
        0x91 => '‘',
        0x92 => '’',
        0x93 => '“',
        0x94 => '”',
        0x95 => '•',
        0x96 => '–',
        0x97 => '—',
        _ => char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER),
    }
}
