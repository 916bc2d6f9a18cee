//! Reads the segments of HL7 messages from a stream, with a limit on the length of one.

use std::io::{self, BufRead};

/// Maximum bytes of a segment: more than any note may have, and far less than a file without line ends.
pub(super) const LONGEST_SEGMENT: usize = 8 << 20;
/// The byte of MLLP that ends a message.
const END_OF_MESSAGE: u8 = 0x1c;
/// The byte of MLLP that starts a message.
const START_OF_MESSAGE: u8 = 0x0b;

/// What is known of a line besides its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// Bytes of the input that the line takes, with its end.
    pub(super) weight: u64,
    /// Whether the line fits in the limit. What is over the limit is discarded.
    pub(super) is_whole: bool,
    /// Whether the message ends with the line, by the framing of MLLP.
    pub(super) ends_message: bool,
}

/// Reads the next line, which ends with a carriage return, a line feed or the byte that ends a message; `None` at the
/// end of the input.
pub(super) fn next_line(input: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<Option<Line>> {
    line.clear();
    let mut read = Line { weight: 0, is_whole: true, ends_message: false };
    loop {
        let available = match input.fill_buf() {
            Ok(available) => available,
            Err(cause) if cause.kind() == io::ErrorKind::Interrupted => continue,
            Err(cause) => return Err(cause),
        };
        if available.is_empty() {
            return Ok((read.weight > 0).then_some(read));
        }
        let end = memchr::memchr3(b'\r', b'\n', END_OF_MESSAGE, available);
        let content = available.get(..end.unwrap_or(available.len())).unwrap_or_default();
        let room = content.len().min(LONGEST_SEGMENT - line.len());
        line.extend_from_slice(content.get(..room).unwrap_or_default());
        read.is_whole &= room == content.len();
        read.ends_message = end.and_then(|end| available.get(end)) == Some(&END_OF_MESSAGE);
        let taken = content.len() + usize::from(end.is_some());
        input.consume(taken);
        read.weight += taken as u64;
        if end.is_some() {
            return Ok(Some(read));
        }
    }
}

/// Splits a line where a message begins within it: files that are put together may lack the line end between two
/// messages.
pub(super) fn pieces(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    let starts =
        memchr::memmem::find_iter(line, b"MSH").filter(move |&at| at > 0 && line.get(at..).is_some_and(starts_message));
    let mut from = 0;
    starts.map(Some).chain([None]).map(move |at| {
        let piece = line.get(from..at.unwrap_or(line.len())).unwrap_or_default();
        from = at.unwrap_or(line.len());
        trimmed(piece)
    })
}

/// Returns a piece without the framing of MLLP around it.
fn trimmed(mut piece: &[u8]) -> &[u8] {
    while let Some(rest) = piece.strip_prefix(&[START_OF_MESSAGE]) {
        piece = rest;
    }
    while let Some(rest) = piece.strip_suffix(&[START_OF_MESSAGE]) {
        piece = rest;
    }
    piece
}

/// Returns whether the bytes begin with `MSH`, a field separator and two to five other marks up to the next separator.
pub(super) fn starts_message(bytes: &[u8]) -> bool {
    let Some([separator, rest @ ..]) = bytes.strip_prefix(b"MSH") else { return false };
    let marks = rest.iter().take(6).position(|byte| byte == separator).and_then(|end| rest.get(..end));
    separator.is_ascii_punctuation()
        && marks.is_some_and(|marks| {
            marks.len() >= 2
                && marks.iter().all(u8::is_ascii_punctuation)
                && marks.iter().enumerate().all(|(at, mark)| !marks.iter().take(at).any(|other| other == mark))
        })
}
