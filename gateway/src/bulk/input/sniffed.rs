//! Reads standard input and files without an extension: as JSON lines if the first character that is not white space is
//! a brace, else as one note.

use std::io::{BufRead, Cursor, Read};

use super::{InputFormat, InputNote, NoteSink, encoding, lines, too_long, unread};

/// Bytes that are read at a time in search of the first character that is not white space.
const CHUNK: u64 = 4 << 10;

pub(super) fn read(
    mut input: impl BufRead,
    name: &str,
    prefix: &str,
    form: &InputFormat,
    give: &mut NoteSink<'_>,
) -> bool {
    let mut begin = Vec::new();
    loop {
        let length = match input.by_ref().take(CHUNK).read_until(b'\n', &mut begin) {
            Ok(length) => length,
            Err(cause) => return give(failed(name, unread(&cause))),
        };
        let text = begin.strip_prefix(encoding::MARK).unwrap_or(&begin).trim_ascii_start();
        if text.first() == Some(&b'{') {
            return lines::read(Cursor::new(begin).chain(input), prefix, form, give);
        }
        if !text.is_empty() || length == 0 {
            break;
        }
    }
    let limit = form.longest as u64 + 4;
    let mut rest = input.take(limit.saturating_sub(begin.len() as u64));
    if let Err(cause) = rest.read_to_end(&mut begin) {
        return give(failed(name, unread(&cause)));
    }
    let weight = begin.len() as u64;
    let text = if begin.len() > form.longest + 3 { Err(too_long()) } else { encoding::text(begin) };
    let patient = form.patient_of(None);
    give(InputNote { id: Ok(Some(name.to_owned())), patient, ..InputNote::new(name.to_owned(), text, weight) })
}

fn failed(name: &str, fault: super::Fault) -> InputNote {
    InputNote { id: Ok(Some(name.to_owned())), ..InputNote::new(name.to_owned(), Err(fault), 0) }
}
