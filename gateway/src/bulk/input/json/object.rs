//! Reads one JSON object as a note. Keys are found in any case, and an id that is a number keeps every digit.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::value::RawValue;

use super::{
    super::{super::status::print_status, Fault, InputFormat, format::position, table::shown, too_long},
    fhir,
    parts::NoteParts,
};

/// What an object holds.
pub(super) enum Object {
    Note(Box<NoteParts>),
    /// A FHIR resource that is not a document.
    OtherResource,
}

/// Observations about the objects of an input, for the notices at its end.
#[derive(Debug, Default)]
pub(super) struct InputObservations {
    /// Numbers of FHIR resources that are not documents, by type.
    pub(super) other_resources: BTreeMap<String, u64>,
    /// Keys of the first object without an id.
    pub(super) keys_without_id: Option<Vec<String>>,
    /// Whether objects are decisions that a person saved on the review page.
    pub(super) decisions: bool,
}

/// Returns what an object holds, or an error if it is not a JSON object.
pub(super) fn read(bytes: &[u8], form: &InputFormat, seen: &mut InputObservations) -> Result<Object, Fault> {
    let object: BTreeMap<String, &RawValue> = match serde_json::from_slice(bytes) {
        Ok(object) => object,
        Err(error) if error.is_data() => {
            return Err(Fault::not_json("It is JSON, but not an object such as {\"id\", \"text\"}."));
        }
        Err(error) => return Err(Fault::not_json(broken(bytes, &error))),
    };
    let kind = object.get("resourceType").and_then(|value| serde_json::from_str::<String>(value.get()).ok());
    if let Some(kind) = kind.filter(|_| !object.contains_key(form.text_key())) {
        if let Some(parts) = fhir::note(&kind, bytes, form) {
            return Ok(Object::Note(Box::new(parts)));
        }
        *seen.other_resources.entry(kind).or_default() += 1;
        return Ok(Object::OtherResource);
    }
    seen.decisions |= object.contains_key("decisions") && object.contains_key("expected");
    let keys: Vec<&str> = object.keys().map(String::as_str).collect();
    let value = |name: &str| {
        let key = keys.get(position(keys.iter().copied(), name)?)?;
        object.get(*key).map(|value| value.get())
    };
    let text = text(value(form.text_key()), form)?;
    let (wanted, required) = form.id_keys();
    let id = wanted.iter().map(|name| plain(value(name), name)).collect::<Result<Vec<_>, _>>();
    let id = id.and_then(|parts| match InputFormat::joined_id(&parts) {
        None if required => Err(Fault::id("required", format!("It has no `{}`.", wanted.join(", ")))),
        id => Ok(id),
    });
    if matches!(id, Ok(None)) && seen.keys_without_id.is_none() && keys.len() > 1 {
        let others = keys.iter().filter(|key| position([**key].into_iter(), form.text_key()).is_none());
        seen.keys_without_id = Some(others.map(|&key| key.to_owned()).collect());
    }
    let patient = form.patient.as_ref().and_then(|name| plain(value(name), name).ok());
    let note_date = form.date_key().map(|(name, _)| plain(value(name), name).unwrap_or_else(|_| "?".to_owned()));
    let carried = form.keep.iter().map(|name| value(name).map_or_else(String::new, as_text)).collect();
    Ok(Object::Note(Box::new(NoteParts {
        id,
        text,
        carried,
        patient: form.patient_of(patient),
        note_date: form.date_of(note_date.as_deref()),
    })))
}

/// Returns the text of the note, its own fault, or the fault of the whole object.
fn text(raw: Option<&str>, form: &InputFormat) -> Result<Result<String, Fault>, Fault> {
    let key = form.text_key();
    let Some(raw) = raw else {
        let message = format!("It has no `{key}`. If another key holds the note, name it with --text-column.");
        return Ok(Err(Fault::text("required", message)));
    };
    if !raw.starts_with('"') {
        return Ok(Err(Fault::text("type", format!("`{key}` must be a string."))));
    }
    match serde_json::from_str::<String>(raw) {
        Ok(text) if text.len() > form.longest => Ok(Err(too_long())),
        Ok(text) => Ok(Ok(text)),
        Err(_) => Err(Fault::not_json(format!("It is not JSON: `{key}` contains an escape that is not a character."))),
    }
}

/// Returns a string without its quotes and a number as it is written; nothing for null and for a missing key.
fn plain(raw: Option<&str>, name: &str) -> Result<String, Fault> {
    let raw = raw.unwrap_or("null");
    match raw.as_bytes().first() {
        Some(b'"') => {
            serde_json::from_str(raw).map_err(|_| Fault::id("type", format!("`{name}` is not a valid string.")))
        }
        Some(b'-' | b'0'..=b'9') => Ok(raw.to_owned()),
        Some(b'n') => Ok(String::new()),
        _ => Err(Fault::id("type", format!("`{name}` must be a string or a number."))),
    }
}

/// Returns a value as the output repeats it: a string without quotes, nothing for null, otherwise JSON.
fn as_text(raw: &str) -> String {
    match serde_json::from_str::<Option<String>>(raw) {
        Ok(text) => text.unwrap_or_default(),
        Err(_) => raw.to_owned(),
    }
}

/// Returns an error if none of the whole lines at the beginning of an input has a key that the output is to repeat.
pub(in crate::bulk::input) fn check_kept_keys(head: &[u8], form: &InputFormat) -> Result<(), String> {
    let objects = head
        .split(|byte| *byte == b'\n')
        .filter_map(|line| serde_json::from_slice::<BTreeMap<String, &RawValue>>(line).ok());
    let keys: BTreeSet<String> = objects.flat_map(BTreeMap::into_keys).collect();
    let missing = form.keep.iter().find(|key| position(keys.iter().map(String::as_str), key).is_none());
    match missing {
        Some(key) if !keys.is_empty() => {
            let names: Vec<&String> = keys.iter().collect();
            let names = shown(&names).map_or_else(String::new, |names| format!("; the keys are: {names}"));
            Err(format!("--keep {key}: the first lines have no such key{names}"))
        }
        _ => Ok(()),
    }
}

/// Returns what is wrong with a line, by position, without any of its text.
fn broken(line: &[u8], error: &serde_json::Error) -> String {
    if std::str::from_utf8(line).is_err() {
        return "It is not UTF-8. Say how the file is encoded, for example: --encoding windows-1252.".to_owned();
    }
    if error.is_eof() {
        return "It is not JSON: it ends too early.".to_owned();
    }
    format!("It is not JSON: the error is at column {}.", error.column())
}

impl InputObservations {
    /// Writes to standard error what was skipped, and that notes have no id. `places` is what such notes are named by
    /// instead.
    pub(super) fn print(&self, name: &str, places: &str, form: &InputFormat) {
        if !self.other_resources.is_empty() {
            let all: u64 = self.other_resources.values().sum();
            let kinds: Vec<String> =
                self.other_resources.iter().take(8).map(|(kind, count)| format!("{count} {kind}")).collect();
            print_status(&format!(
                "{name}: {all} FHIR resources are not documents and were not read: {}",
                kinds.join(", ").chars().filter(|letter| !letter.is_control()).collect::<String>()
            ));
        }
        if self.decisions {
            print_status(&format!(
                "{name}: these are decisions of a person. Their notes were read again, and no decision is in the results"
            ));
        }
        if let Some(names) = self.keys_without_id.as_ref().and_then(|keys| shown(keys)) {
            let (wanted, _) = form.id_keys();
            let wanted = wanted.first().copied().unwrap_or("id");
            print_status(&format!(
                "{name}: notes without `{wanted}` are named by their {places}; --id-column names one of: {names}"
            ));
        }
    }
}
