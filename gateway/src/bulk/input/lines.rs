//! Reads JSON lines, one object per line. A broken line becomes one failed note; the other lines are read.

use std::{
    collections::BTreeSet,
    fs::File,
    io::{self, BufRead, BufReader, Read},
    path::Path,
};

use serde_json::{Map, Value};

use super::{BulkError, CalendarDate, Fault, InputFormat, InputNote, NoteSink, encoding, unread};

/// Maximum bytes of a line: enough for the longest note with every letter escaped.
const LONGEST_LINE: u64 = 64 << 20;
/// Bytes at the beginning of a file in which the keys of `--keep` are looked for.
const LOOKED_AT: u64 = 1 << 20;

pub(super) fn read(mut input: impl BufRead, prefix: &str, form: &InputFormat, give: &mut NoteSink<'_>) -> bool {
    let mut line = Vec::new();
    for number in 1u64.. {
        let place = || format!("{prefix}line-{number}");
        let failed = |fault, weight| InputNote::new(place(), Err(fault), weight);
        line.clear();
        let input_note = match next_line(&mut input, &mut line) {
            Ok(0) => break,
            Ok(weight) if weight > LONGEST_LINE => {
                failed(Fault::not_json("The line is longer than 64 MiB and was not read."), weight)
            }
            Ok(weight) => {
                let text = line.strip_prefix(encoding::MARK).filter(|_| number == 1).unwrap_or(&line);
                if text.trim_ascii().is_empty() {
                    continue;
                }
                match note(text, form) {
                    Ok(parts) => {
                        let Parts { id, text, patient, note_date, carried } = parts;
                        InputNote { id, place: place(), text, patient, note_date, carried, weight }
                    }
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
fn next_line(input: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<u64> {
    let mut length = input.by_ref().take(LONGEST_LINE + 1).read_until(b'\n', line)? as u64;
    if length > LONGEST_LINE && line.last() != Some(&b'\n') {
        *line = Vec::new();
        length += input.skip_until(b'\n')? as u64;
    }
    Ok(length)
}

/// The parts of a line; each may be faulty without the others.
struct Parts {
    id: Result<Option<String>, Fault>,
    text: Result<String, Fault>,
    patient: Result<Option<String>, Fault>,
    note_date: Result<Option<CalendarDate>, Fault>,
    carried: Vec<String>,
}

/// Returns the parts of a line, or an error if the line is not a JSON object.
fn note(line: &[u8], form: &InputFormat) -> Result<Parts, Fault> {
    let mut object: Map<String, Value> = match serde_json::from_slice(line) {
        Ok(Value::Object(object)) => object,
        Ok(_) => return Err(Fault::not_json("The line is JSON, but not an object such as {\"id\", \"text\"}.")),
        Err(error) => return Err(Fault::not_json(broken(line, &error))),
    };
    let (text_key, id_key) = (form.text.as_str(), form.id_key());
    let carried = form.keep.iter().map(|key| object.get(key).map_or_else(String::new, as_text)).collect();
    let text = match object.remove(text_key) {
        Some(Value::String(text)) if text.len() > form.longest => Err(super::too_long()),
        Some(Value::String(text)) => Ok(text),
        Some(_) => Err(Fault::text("type", format!("`{text_key}` must be a string."))),
        None => Err(Fault::text(
            "required",
            format!("The line has no `{text_key}`. If another key holds the note, name it with --text-column."),
        )),
    };
    let id = match object.remove(id_key) {
        None | Some(Value::Null) if form.id.is_none() => Ok(None),
        Some(Value::String(id)) if id.is_empty() => Ok(None),
        Some(Value::String(id)) => Ok(Some(id)),
        Some(Value::Number(id)) => Ok(Some(id.to_string())),
        None => Err(Fault::id("required", format!("The line has no `{id_key}`."))),
        Some(_) => Err(Fault::id("type", format!("`{id_key}` must be a string or a number."))),
    };
    let mut named = |key: &Option<String>| match object.remove(key.as_deref()?)? {
        Value::String(value) => Some(value),
        Value::Number(value) => Some(value.to_string()),
        Value::Null => None,
        // No day and no patient is written as a list or an object.
        _ => Some("?".to_owned()).filter(|_| *key == form.date),
    };
    let (patient, note_date) = (named(&form.patient), named(&form.date));
    let (patient, note_date) = (form.patient_of(patient), form.date_of(note_date.as_deref()));
    Ok(Parts { id, text, patient, note_date, carried })
}

/// Returns a value as the output repeats it: a string without quotes, nothing for null, else JSON.
fn as_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

/// Returns an error if none of the first lines has a key that the output is to repeat. Only a regular file is looked
/// at: a pipe can be read only once.
pub(super) fn check(file: &File, path: &Path, form: &InputFormat) -> Result<(), BulkError> {
    if form.keep.is_empty() || !file.metadata().is_ok_and(|kind| kind.is_file()) {
        return Ok(());
    }
    let mut names = BTreeSet::new();
    let lines = BufReader::new(file.take(LOOKED_AT)).split(b'\n').map_while(Result::ok);
    for line in lines {
        let line = line.strip_prefix(encoding::MARK).unwrap_or(&line);
        let object: Map<String, Value> = serde_json::from_slice(line).unwrap_or_default();
        names.extend(object.into_iter().map(|(name, _)| name));
    }
    // A long key may be text of a note.
    let shown =
        |names: BTreeSet<String>| names.into_iter().filter(|name| name.len() <= 40).collect::<Vec<_>>().join(", ");
    match form.keep.iter().find(|key| !names.contains(*key)) {
        Some(key) if !names.is_empty() => {
            let (path, names) = (path.display(), shown(names));
            Err(BulkError::Usage(format!(
                "{path}: --keep {key}: the first lines have no such key; the keys are: {names}"
            )))
        }
        _ => Ok(()),
    }
}

/// Returns what is wrong with a line, by position, without any of its text.
fn broken(line: &[u8], error: &serde_json::Error) -> String {
    if std::str::from_utf8(line).is_err() {
        return "The line is not UTF-8. Convert the file, for example: iconv -f WINDOWS-1252 -t UTF-8.".to_owned();
    }
    if error.is_eof() {
        return "The line is not JSON: it ends too early.".to_owned();
    }
    format!("The line is not JSON: the error is at column {}.", error.column())
}
