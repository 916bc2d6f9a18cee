//! Reads a CDA document (HL7 v3): one note with the titles and the narrative text of its sections.
//!
//! The coded entries are not read. A document without sections (nonXMLBody) is read if it is text, HTML or RTF.

mod document;
mod narrative;
#[cfg(test)]
mod tests;

use std::io::{BufRead, Read};

use super::{Fault, InputFormat, InputNote, NoteSink, unread};

/// Maximum bytes of a document: attached pictures make it large.
const LONGEST_DOCUMENT: u64 = 16 << 20;

/// Passes the note of the document to `give` and returns what `give` did. `name` is the place of the note.
pub(super) fn read(input: impl BufRead, name: &str, form: &InputFormat, give: &mut NoteSink<'_>) -> bool {
    let fail = |fault| InputNote::new(name.to_owned(), Err(fault), 0);
    if let Err(why) = check(form) {
        return give(fail(Fault::text("column", why)));
    }
    let mut bytes = Vec::new();
    if let Err(cause) = input.take(LONGEST_DOCUMENT + 1).read_to_end(&mut bytes) {
        return give(fail(unread(&cause)));
    }
    let weight = bytes.len() as u64;
    if weight > LONGEST_DOCUMENT {
        return give(InputNote { weight, ..fail(too_large()) });
    }
    let (parts, text) = match decoded(bytes, form.encoding.is_some()) {
        Ok(xml) => document::read(&xml, form.longest),
        Err(fault) => (document::Parts::default(), Err(fault)),
    };
    let patient = match parts.patients {
        0 | 1 => form.patient_of(parts.patient),
        _ if form.patient.is_none() => Ok(None),
        _ => {
            let message = "The document names several patients (recordTarget): it is not known whose note it is.";
            Err(Fault::of("patient", "required", message.to_owned()))
        }
    };
    let id = match parts.id {
        None if !form.ids.is_empty() => Err(Fault::id("required", "The document has no id.")),
        id => Ok(id),
    };
    let note_date = form.date_of(parts.date.map(day).as_deref());
    give(InputNote { id, patient, note_date, ..InputNote::new(name.to_owned(), text, weight) })
}

fn too_large() -> Fault {
    Fault::text("max_length", "The document is longer than 16 MiB and was not read. Take out its pictures.")
}

/// Returns what is wrong with the names of columns: a document has `id`, `patient` and `date` only.
pub(super) fn check(form: &InputFormat) -> Result<(), String> {
    let ids = form.ids.iter().map(|name| ("id", name));
    let others = form.patient.iter().map(|name| ("patient", name)).chain(form.date.iter().map(|name| ("date", name)));
    for (flag, name) in ids.chain(others) {
        if name != flag {
            return Err(format!("CDA has no column `{name}`. Use --{flag}-column {flag}"));
        }
    }
    match form.keep.first() {
        Some(name) => Err(format!("CDA has no column `{name}` that --keep could carry")),
        None => Ok(()),
    }
}

/// Returns `20240105...` as `2024-01-05`; another value as it is.
fn day(value: String) -> String {
    let digits = value.get(..8).filter(|day| day.bytes().all(|byte| byte.is_ascii_digit()));
    let parts = digits.and_then(|day| Some((day.get(..4)?, day.get(4..6)?, day.get(6..)?)));
    match parts {
        Some((year, month, day)) => format!("{year}-{month}-{day}"),
        None => value,
    }
}

/// Decodes the document by its byte order mark, else by the encoding that its first line names, else as UTF-8.
fn decoded(bytes: Vec<u8>, is_utf8: bool) -> Result<String, Fault> {
    let fault = |message: &str| Fault::text("charset", format!("{message}. Convert it to UTF-8."));
    let invalid = |name: &str| fault(&format!("The document is not valid {name}, its encoding"));
    let start = bytes.get(..bytes.len().min(200)).unwrap_or_default();
    let encoding = match encoding_rs::Encoding::for_bom(&bytes) {
        Some((encoding, _)) => encoding,
        // The operator said how to decode the input, so it is UTF-8 by now.
        None if is_utf8 => encoding_rs::UTF_8,
        None => match declared(start) {
            // The declaration could be read as single bytes, so a declared encoding with at least two bytes per
            // character must be wrong.
            Some(name) => encoding_rs::Encoding::for_label(name.as_bytes())
                .filter(|encoding| encoding.is_ascii_compatible())
                .ok_or_else(|| fault("The XML of the document names an encoding that it cannot have"))?,
            None => encoding_rs::UTF_8,
        },
    };
    if encoding == encoding_rs::UTF_8 {
        let text = String::from_utf8(bytes).map_err(|_| invalid("UTF-8"))?;
        return Ok(match text.strip_prefix('\u{feff}') {
            Some(text) => text.to_owned(),
            None => text,
        });
    }
    let (text, _, is_faulty) = encoding.decode(&bytes);
    if is_faulty {
        return Err(invalid(encoding.name()));
    }
    if text.len() as u64 > LONGEST_DOCUMENT { Err(too_large()) } else { Ok(text.into_owned()) }
}

/// Returns the encoding that the XML declaration names.
fn declared(start: &[u8]) -> Option<String> {
    let start = String::from_utf8_lossy(start);
    let declaration = start.trim_start().strip_prefix("<?xml")?.split_once("?>")?.0;
    let value = declaration.split_once("encoding")?.1.trim_start().strip_prefix('=')?.trim_start();
    let quote = value.chars().next().filter(|quote| matches!(quote, '"' | '\''))?;
    Some(value.get(1..)?.split_once(quote)?.0.to_owned())
}
