//! Gives every note a unique id. Only 16 bytes of each id are kept in memory.

use std::{
    collections::{HashMap, HashSet},
    hash::BuildHasher,
};

use foldhash::quality::FixedState;

use super::{
    input::InputNote,
    outcome::{Fault, NoteOrigin, QueuedNote},
};

/// A 128-bit hash of an id. Two equal hashes among a billion ids are less likely than a disk fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Fingerprint(u64, u64);

impl Fingerprint {
    pub(super) fn of(id: &str) -> Self {
        let half = |seed| FixedState::with_seed(seed).hash_one(id);
        Self(half(1), half(2))
    }
}

/// Notes that are in the output already, with the offsets of their lines.
pub(super) type CompletedNotes = HashMap<Fingerprint, u64>;

/// The ids of a run.
#[derive(Debug, Default)]
pub(super) struct RunIds {
    seen: HashSet<Fingerprint>,
    done: CompletedNotes,
    /// The position of the next note.
    position: u64,
    /// Whether a later note with the same id gets a number appended, such as `ID~2`.
    number_repeated: bool,
    /// The number of notes of each patient.
    of_patients: HashMap<Fingerprint, u64>,
}

/// What the run does with a note.
#[derive(Debug)]
pub(super) enum NoteStatus {
    /// The note is to be read.
    New(QueuedNote),
    /// An earlier run read the note; its line begins at this offset.
    Done(QueuedNote, u64),
    /// The note cannot be read.
    Faulty(QueuedNote, Fault),
}

impl RunIds {
    pub(super) fn new(done: CompletedNotes, number_repeated: bool) -> Self {
        Self { seen: HashSet::new(), done, position: 0, of_patients: HashMap::new(), number_repeated }
    }

    /// Returns the number of notes that earlier runs read.
    pub(super) fn earlier(&self) -> u64 {
        self.done.len() as u64
    }

    /// Gives a note its id: the id from the input, else the name of its file, line or row. A second note with the same
    /// id is not read, because the two results could not be told apart. Two patients may have the same ids.
    pub(super) fn name(&mut self, given: InputNote) -> NoteStatus {
        let InputNote { id, place, text, patient, note_date, carried, warning, weight } = given;
        let position = self.position;
        self.position += 1;
        let (patient, no_patient) = parts(patient);
        let (note_date, no_date) = parts(note_date);
        let of_patient = |id: &str| match &patient {
            Some(patient) => Fingerprint::of(&format!("{patient}\0{id}")),
            None => Fingerprint::of(id),
        };
        let mut count = |patient: &String| {
            let notes = self.of_patients.entry(Fingerprint::of(patient)).or_default();
            *notes += 1;
            *notes
        };
        let ordinal = patient.as_ref().map_or(0, &mut count);
        let origin = NoteOrigin { position, ordinal, patient: patient.clone(), note_date };
        let text = match no_patient.or(no_date) {
            Some(fault) => text.and(Err(fault)),
            None => text,
        };
        let queued = |id, text| QueuedNote {
            id,
            text,
            origin,
            carried,
            warnings: Vec::from_iter(warning),
            selected: None,
            weight,
        };
        let id = match id {
            Ok(Some(id)) if self.seen.insert(of_patient(&id)) => id,
            Ok(Some(id)) if self.number_repeated => {
                let numbered = (2u64..).map(|number| format!("{id}~{number}"));
                numbered.into_iter().find(|id| self.seen.insert(of_patient(id))).unwrap_or(id)
            }
            Ok(Some(_)) => {
                let message = "An earlier note of this run has the same id. Ids must be unique. This note was not read; \
                     --number-repeated-ids calls it ID~2.";
                return self.faulty(queued(place, text.unwrap_or_default()), Fault::id("unique", message));
            }
            Ok(None) => self.unused_name(place),
            Err(fault) => return self.faulty(queued(place, String::new()), fault),
        };
        match text {
            Err(fault) => NoteStatus::Faulty(queued(id, String::new()), fault),
            Ok(text) => match self.done.get(&Fingerprint::of(&id)) {
                Some(offset) => NoteStatus::Done(queued(id, text), *offset),
                None => NoteStatus::New(queued(id, text)),
            },
        }
    }

    /// Returns the note as faulty, with an id that no other note has.
    fn faulty(&mut self, queued: QueuedNote, fault: Fault) -> NoteStatus {
        NoteStatus::Faulty(QueuedNote { id: self.unused_name(queued.id), ..queued }, fault)
    }

    /// Returns the name of the place, with `~` appended as long as another note has that id.
    fn unused_name(&mut self, mut place: String) -> String {
        while !self.seen.insert(Fingerprint::of(&place)) {
            place.push('~');
        }
        place
    }
}

/// Returns the value or the fault.
fn parts<T>(value: Result<Option<T>, Fault>) -> (Option<T>, Option<Fault>) {
    value.map_or_else(|fault| (None, Some(fault)), |value| (value, None))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(id: Option<&str>, place: &str) -> InputNote {
        InputNote { id: Ok(id.map(str::to_owned)), ..InputNote::new(place.to_owned(), Ok("x".to_owned()), 1) }
    }

    #[test]
    fn every_note_has_a_unique_id() {
        let mut ids = RunIds::new(CompletedNotes::from([(Fingerprint::of("b"), 7)]), false);
        let cases = [
            (Some("a"), "line-1", "new a"),
            (Some("b"), "line-2", "done b"),
            (None, "line-3", "new line-3"),
            (Some("a"), "line-4", "faulty line-4"),
            (Some("line-6"), "line-5", "new line-6"),
            (None, "line-6", "new line-6~"),
            (Some("b"), "line-7", "faulty line-7"),
        ];
        for (id, place, expected) in cases {
            let named = match ids.name(given(id, place)) {
                NoteStatus::New(entry) => format!("new {}", entry.id),
                NoteStatus::Done(entry, 7) => format!("done {}", entry.id),
                NoteStatus::Done(..) => "done at a wrong offset".to_owned(),
                NoteStatus::Faulty(entry, _) => format!("faulty {}", entry.id),
            };
            assert_eq!(named, expected);
        }
    }

    #[test]
    fn repeated_ids_get_a_number_if_asked() {
        let mut ids = RunIds::new(CompletedNotes::new(), true);
        let mut id = |given_id: Option<&str>| match ids.name(given(given_id, "row-9")) {
            NoteStatus::New(entry) => entry.id,
            other => panic!("{other:?}"),
        };
        let named: Vec<String> = ["a", "b~2", "a", "b", "a", "b"].map(|given| id(Some(given))).into();
        assert_eq!(named, ["a", "b~2", "a~2", "b", "a~3", "b~3"]);
    }
}
