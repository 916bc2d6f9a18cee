//! Reads JSON lines, one object per line. A broken line becomes one failed note; the other lines are read.

use std::io::{self, BufRead, Read};

use super::{
    super::{Fault, InputFormat, InputNote, NoteSink, longest_piece, unread},
    object::{self, InputObservations, Object},
};

pub(in crate::bulk::input) fn read(
    mut input: impl BufRead,
    name: &str,
    prefix: &str,
    form: &InputFormat,
    give: &mut NoteSink<'_>,
) -> bool {
    let mut seen = InputObservations::default();
    let goes_on = read_objects(&mut input, &format!("{prefix}line-"), &mut seen, form, give);
    if goes_on {
        seen.print(name, "lines", form);
    }
    goes_on
}

/// Reads the rows of a table that another process wrote as JSON lines.
pub(in crate::bulk::input) fn read_rows(
    mut input: impl BufRead,
    prefix: &str,
    form: &InputFormat,
    give: &mut NoteSink<'_>,
) -> bool {
    read_objects(&mut input, &format!("{prefix}row-"), &mut InputObservations::default(), form, give)
}

/// Reads the lines; `place` and their number are their names.
fn read_objects(
    mut input: &mut impl BufRead,
    place: &str,
    seen: &mut InputObservations,
    form: &InputFormat,
    give: &mut NoteSink<'_>,
) -> bool {
    let (mut line, limit) = (Vec::new(), longest_piece(form) as u64);
    for number in 1u64.. {
        let place = || format!("{place}{number}");
        let failed = |fault, weight| InputNote::new(place(), Err(fault), weight);
        line.clear();
        let input_note = match next_line(&mut input, &mut line, limit) {
            Ok(0) => break,
            Ok(weight) if weight > limit => {
                let message = format!("The line is longer than {} MiB and was not read.", limit >> 20);
                failed(Fault::not_json(message), weight)
            }
            Ok(weight) => {
                if line.trim_ascii().is_empty() {
                    continue;
                }
                match object::read(&line, form, seen) {
                    Ok(Object::Note(parts)) => parts.at(place(), weight),
                    Ok(Object::OtherResource) => continue,
                    Err(fault) => failed(fault, weight),
                }
            }
            Err(cause) => return give(failed(unread(&cause), 0)),
        };
        if !give(input_note) {
            return false;
        }
    }
    true
}

/// Reads a line and returns how many bytes of the input it took. The text of a line over the limit is discarded.
fn next_line(input: &mut impl BufRead, line: &mut Vec<u8>, limit: u64) -> io::Result<u64> {
    let mut length = input.by_ref().take(limit + 1).read_until(b'\n', line)? as u64;
    if length > limit && line.last() != Some(&b'\n') {
        *line = Vec::new();
        length += input.skip_until(b'\n')? as u64;
    }
    Ok(length)
}
