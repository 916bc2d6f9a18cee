//! Standard input and files whose names say nothing: JSON lines where the first thing in them is a brace,
//! else one note.

use std::io::{BufRead, Cursor, Read};

use super::{Form, InputNote, NoteSink, encoding, lines, too_long, unread};

/// Bytes that are looked at for a brace: more blank space than this before one is no JSON of anybody.
const LOOK: u64 = 4 << 10;

pub(super) fn read(mut input: impl BufRead, name: &str, prefix: &str, form: &Form, give: &mut NoteSink<'_>) -> bool {
    let mut begin = Vec::new();
    loop {
        let got = match input.by_ref().take(LOOK).read_until(b'\n', &mut begin) {
            Ok(got) => got,
            Err(cause) => return give(failed(name, unread(&cause))),
        };
        let text = begin.strip_prefix(encoding::MARK).unwrap_or(&begin).trim_ascii_start();
        if text.first() == Some(&b'{') {
            return lines::read(Cursor::new(begin).chain(input), prefix, form, give);
        }
        if !text.is_empty() || got == 0 {
            break;
        }
    }
    let most = form.longest as u64 + 4;
    let mut rest = input.take(most.saturating_sub(begin.len() as u64));
    if let Err(cause) = rest.read_to_end(&mut begin) {
        return give(failed(name, unread(&cause)));
    }
    let weight = begin.len() as u64;
    let text = if begin.len() > form.longest + 3 { Err(too_long()) } else { encoding::text(begin) };
    give(InputNote { id: Ok(Some(name.to_owned())), place: name.to_owned(), text, weight })
}

fn failed(name: &str, fault: super::Fault) -> InputNote {
    InputNote { id: Ok(Some(name.to_owned())), place: name.to_owned(), text: Err(fault), weight: 0 }
}
