//! Reads one JSON value with many notes: an array, `{"notes": [...]}`, a FHIR bundle, or a single object. Its notes
//! are read one at a time, so that memory does not grow with their number.

use std::{
    cell::Cell,
    collections::BTreeMap,
    fmt,
    io::{self, Read},
    rc::Rc,
};

use serde::{
    Deserialize,
    de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use serde_json::value::{RawValue, to_raw_value};

use super::{
    super::{Fault, InputFormat, InputNote, NoteSink, longest_piece},
    object::{self, InputObservations, Object},
};

/// Maximum bytes of the keys of a single object that are kept beside its notes.
const LONGEST_SINGLE: usize = 16 << 20;

pub(in crate::bulk::input) fn read(
    input: impl Read,
    name: &str,
    prefix: &str,
    form: &InputFormat,
    give: &mut NoteSink<'_>,
) -> bool {
    let left = Rc::new(Cell::new(longest_piece(form) as u64));
    let limited = PieceLimit { input, left: Rc::clone(&left) };
    let mut run =
        DocumentReader { form, prefix, give, left, number: 0, more: true, seen: InputObservations::default() };
    let mut deserializer = serde_json::Deserializer::from_reader(limited);
    let read = deserializer.deserialize_any(WholeVisitor { run: &mut run }).and_then(|()| deserializer.end());
    if !run.more {
        return false;
    }
    if let Err(error) = read {
        run.number += 1;
        let note = InputNote::new(run.place(), Err(Fault::not_json(broken(&error))), 0);
        return (run.give)(note);
    }
    run.seen.print(name, "places", form);
    true
}

fn broken(error: &serde_json::Error) -> String {
    let reason = if error.is_io() {
        // The cause is one of this program's own sentences, or the system's.
        let text = error.to_string();
        text.split(" at line ").next().unwrap_or("it cannot be read").to_owned()
    } else if error.is_eof() {
        "it ends too early".to_owned()
    } else {
        format!("the error is in line {} at column {}", error.line(), error.column())
    };
    format!("This note and all notes after it were not read: {reason}.")
}

/// A reader that returns an error when one note takes more than the limit.
struct PieceLimit<R> {
    input: R,
    left: Rc<Cell<u64>>,
}

impl<R: Read> Read for PieceLimit<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.left.get();
        if left == 0 {
            return Err(io::Error::other("one note is longer than the limit for one piece of JSON"));
        }
        let allowed = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
        let count = buffer.get_mut(..allowed).map_or(Ok(0), |buffer| self.input.read(buffer))?;
        self.left.set(left - count as u64);
        Ok(count)
    }
}

/// The state of reading one document.
struct DocumentReader<'a, 'b> {
    form: &'a InputFormat,
    prefix: &'a str,
    give: &'a mut NoteSink<'b>,
    left: Rc<Cell<u64>>,
    number: u64,
    /// Whether more notes are wanted.
    more: bool,
    seen: InputObservations,
}

impl DocumentReader<'_, '_> {
    fn place(&self) -> String {
        format!("{}note-{}", self.prefix, self.number)
    }

    /// Passes on the note of one element. Returns false if no more are wanted.
    fn element(&mut self, raw: &RawValue) -> bool {
        self.left.set(longest_piece(self.form) as u64);
        self.number += 1;
        let (place, weight) = (self.place(), raw.get().len() as u64);
        let note = match object::read(raw.get().as_bytes(), self.form, &mut self.seen) {
            Ok(Object::Note(parts)) => parts.at(place, weight),
            Ok(Object::OtherResource) => return true,
            Err(fault) => InputNote::new(place, Err(fault), weight),
        };
        self.more = (self.give)(note);
        self.more
    }
}

struct WholeVisitor<'r, 'a, 'b> {
    run: &'r mut DocumentReader<'a, 'b>,
}

impl<'de> Visitor<'de> for WholeVisitor<'_, '_, '_> {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("an array of notes or an object")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<(), A::Error> {
        Elements { run: self.run, in_entry: false }.visit_seq(seq)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let (mut single, mut bytes, mut container) = (BTreeMap::new(), 0, false);
        while let Some(key) = map.next_key::<String>()? {
            if matches!(key.as_str(), "notes" | "entry") && key != self.run.form.text_key() {
                container = true;
                map.next_value_seed(Elements { run: self.run, in_entry: key == "entry" })?;
            } else if bytes > LONGEST_SINGLE || container {
                map.next_value::<IgnoredAny>()?;
            } else {
                let value = map.next_value::<Box<RawValue>>()?;
                bytes += value.get().len();
                single.insert(key, value);
            }
        }
        if container {
            return Ok(());
        }
        let raw = to_raw_value(&single).map_err(A::Error::custom)?;
        self.run.element(&raw);
        Ok(())
    }
}

/// The elements of an array; those of a bundle hold their resource under a key.
struct Elements<'r, 'a, 'b> {
    run: &'r mut DocumentReader<'a, 'b>,
    in_entry: bool,
}

/// An entry of a FHIR bundle.
#[derive(Deserialize)]
struct Entry {
    resource: Option<Box<RawValue>>,
}

impl<'de> DeserializeSeed<'de> for Elements<'_, '_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Elements<'_, '_, '_> {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("an array of notes")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        loop {
            let raw = if self.in_entry {
                let Some(entry) = seq.next_element::<Entry>()? else { return Ok(()) };
                let Some(resource) = entry.resource else { continue };
                resource
            } else {
                let Some(raw) = seq.next_element::<Box<RawValue>>()? else { return Ok(()) };
                raw
            };
            if !self.run.element(&raw) {
                return Err(A::Error::custom("no more notes are wanted"));
            }
        }
    }
}
