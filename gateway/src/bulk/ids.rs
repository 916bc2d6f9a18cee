//! Ids: every note has one, and no two notes have the same. What is remembered of an id are 16 bytes.

use std::{
    collections::{HashMap, HashSet},
    hash::BuildHasher,
};

use foldhash::quality::FixedState;

use super::{
    input::InputNote,
    outcome::{Entry, Fault},
};

/// An id's fingerprint. Two ids with the same one among a billion are less likely than a broken disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Fingerprint(u64, u64);

impl Fingerprint {
    pub(super) fn of(id: &str) -> Self {
        let half = |seed| FixedState::with_seed(seed).hash_one(id);
        Self(half(1), half(2))
    }
}

/// Notes that are in the output already, and where their lines begin.
pub(super) type CompletedNotes = HashMap<Fingerprint, u64>;

/// The ids of a run.
#[derive(Debug, Default)]
pub(super) struct Ids {
    seen: HashSet<Fingerprint>,
    done: CompletedNotes,
}

/// What is to be done with a note.
#[derive(Debug)]
pub(super) enum NoteStatus {
    /// It is to be read.
    New(Entry),
    /// It was, in an earlier run.
    Done(Entry, u64),
    /// It cannot be.
    Faulty(Entry, Fault),
}

impl Ids {
    pub(super) fn new(done: CompletedNotes) -> Self {
        Self { seen: HashSet::new(), done }
    }

    /// Gives a note its id: its own, or else that of the place where it stands. A second note of one id is
    /// not read: nobody could tell the two results apart.
    pub(super) fn name(&mut self, given: InputNote) -> NoteStatus {
        let InputNote { id, place, text, weight } = given;
        let id = match id {
            Ok(Some(id)) if self.seen.insert(Fingerprint::of(&id)) => id,
            Ok(Some(_)) => {
                let message = "An earlier note of this run has the same id: ids must be unique. This one was not read.";
                return self.faulty(place, text.unwrap_or_default(), weight, Fault::id("unique", message));
            }
            Ok(None) => self.free(place),
            Err(fault) => return self.faulty(place, String::new(), weight, fault),
        };
        match text {
            Err(fault) => NoteStatus::Faulty(Entry { id, text: String::new(), weight }, fault),
            Ok(text) => match self.done.get(&Fingerprint::of(&id)) {
                Some(offset) => NoteStatus::Done(Entry { id, text, weight }, *offset),
                None => NoteStatus::New(Entry { id, text, weight }),
            },
        }
    }

    fn faulty(&mut self, place: String, text: String, weight: u64, fault: Fault) -> NoteStatus {
        NoteStatus::Faulty(Entry { id: self.free(place), text, weight }, fault)
    }

    /// The place's name, or where a note has that for its id, the name with a mark.
    fn free(&mut self, mut place: String) -> String {
        while !self.seen.insert(Fingerprint::of(&place)) {
            place.push('~');
        }
        place
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(id: Option<&str>, place: &str) -> InputNote {
        InputNote { id: Ok(id.map(str::to_owned)), place: place.to_owned(), text: Ok("x".to_owned()), weight: 1 }
    }

    #[test]
    fn every_note_has_an_id_of_its_own() {
        let mut ids = Ids::new(CompletedNotes::from([(Fingerprint::of("b"), 7)]));
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
                NoteStatus::Done(..) => "another's place".to_owned(),
                NoteStatus::Faulty(entry, _) => format!("faulty {}", entry.id),
            };
            assert_eq!(named, expected);
        }
    }
}
