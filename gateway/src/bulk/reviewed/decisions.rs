//! The decisions of people on the values of notes, as the review page saves them. Decisions of several files on one note are
//! joined if they do not contradict each other. Errors name files and lines, never ids or texts of notes.

use std::{
    collections::{BTreeMap, HashMap, HashSet, hash_map::Entry},
    fs::File,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
};

use serde::Deserialize;

use crate::{bulk::BulkError, extraction::Field};

/// What the person did with a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Action {
    Accept,
    Reject,
    Change,
    Add,
}

/// One decision.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(super) struct Decision {
    pub(super) field: String,
    pub(super) action: Action,
    /// The value now.
    pub(super) value: String,
    /// The value before a change.
    #[serde(default)]
    pub(super) from: Option<String>,
    /// Whether the engine had the value in the record.
    #[serde(default)]
    pub(super) in_record: bool,
    /// The place of the value in the note, in code points; none if the note does not contain its words.
    #[serde(default)]
    pub(super) start: Option<usize>,
    #[serde(default)]
    pub(super) end: Option<usize>,
}

/// The decisions on one note.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct NoteDecisions {
    id: String,
    pub(super) text: String,
    #[serde(default)]
    expected: BTreeMap<String, Option<String>>,
    /// Whether the person marked the note as done.
    #[serde(default)]
    pub(super) done: bool,
    pub(super) decisions: Vec<Decision>,
    /// The file and the line of the decisions.
    #[serde(skip)]
    pub(super) place: Place,
    /// Whether a result belongs to them.
    #[serde(skip)]
    pub(super) used: bool,
}

/// A line of a file.
#[derive(Clone, Debug, Default)]
pub(super) struct Place {
    file: PathBuf,
    line: usize,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}, line {}", self.file.display(), self.line)
    }
}

impl Decision {
    /// Returns what the decision is about: the field, the value as the engine had it, and whether it was in the record.
    /// For an added value it is that value.
    fn subject(&self) -> (&str, &str, Option<bool>) {
        let original = self.from.as_deref().filter(|_| self.action == Action::Change).unwrap_or(&self.value);
        (&self.field, original, (self.action != Action::Add).then_some(self.in_record))
    }

    /// Returns whether both decisions are the same, apart from the place in the note.
    fn says_the_same(&self, other: &Self) -> bool {
        self.subject() == other.subject() && self.action == other.action && self.value == other.value
    }

    /// Returns whether the decision is about this value of the engine.
    pub(super) fn is_about(&self, field: Field, value: &str, in_record: bool) -> bool {
        self.subject() == (field.name(), value, Some(in_record))
    }
}

impl NoteDecisions {
    /// Returns whether the file gives a field another value than this record. The file lists only fields with a
    /// decision, or all fields if the note is done.
    pub(super) fn denies(&self, field: Field, record: Option<&str>) -> bool {
        self.expected.get(field.name()).is_some_and(|expected| expected.as_deref() != record)
    }

    /// Adds the decisions of another line on the same note. Returns false if the two contradict each other: they decide
    /// on one value differently, or one decides on a value that the other left unchanged in a note that it marked as
    /// done.
    fn join(&mut self, other: Self) -> bool {
        let has = |all: &[Decision], one: &Decision| all.iter().any(|own| own.says_the_same(one));
        let all_in = |some: &[Decision], all: &[Decision]| some.iter().all(|one| has(all, one));
        let is_denied =
            |one: &Decision| self.decisions.iter().any(|own| own.subject() == one.subject() && !own.says_the_same(one));
        let is_reopened = self.done && !all_in(&other.decisions, &self.decisions)
            || other.done && !all_in(&self.decisions, &other.decisions);
        if self.text != other.text || is_reopened || other.decisions.iter().any(is_denied) {
            return false;
        }
        if other.done {
            *self = other;
            return true;
        }
        let own_fields: HashSet<String> = self.decisions.iter().map(|own| own.field.clone()).collect();
        let mut expected = other.expected;
        for one in other.decisions {
            if has(&self.decisions, &one) {
                continue;
            }
            // Each line has only its own result for the field, so the joined result is not known.
            if own_fields.contains(&one.field) {
                self.expected.remove(&one.field);
            } else if let Some(value) = expected.remove(&one.field) {
                self.expected.insert(one.field.clone(), value);
            }
            self.decisions.push(one);
        }
        true
    }
}

/// Reads the files and returns the decisions by the id of the note.
pub(super) fn read(files: &[PathBuf]) -> Result<HashMap<String, NoteDecisions>, BulkError> {
    let mut all: HashMap<String, NoteDecisions> = HashMap::new();
    for file in files {
        for note in notes_of(file)? {
            match all.entry(note.id.clone()) {
                Entry::Vacant(empty) => _ = empty.insert(note),
                Entry::Occupied(mut earlier) => {
                    let (first, second) = (earlier.get().place.clone(), note.place.clone());
                    if !earlier.get_mut().join(note) {
                        return Err(BulkError::Failed(format!(
                            "{first} and {second} contradict each other: they decide on the same note differently. Nothing was written. Open both in the review page, decide there, and give the file that is right"
                        )));
                    }
                }
            }
        }
    }
    if all.is_empty() {
        return Err(BulkError::Failed(
            "the decisions are empty: nothing was reviewed. Save them in the review page with the key s".to_owned(),
        ));
    }
    Ok(all)
}

fn notes_of(file: &Path) -> Result<Vec<NoteDecisions>, BulkError> {
    let unreadable = |cause| BulkError::Failed(format!("{}: {cause}", file.display()));
    let input = BufReader::new(File::open(file).map_err(unreadable)?);
    let mut notes = Vec::new();
    for (line, number) in input.lines().zip(1usize..) {
        let line = line.map_err(unreadable)?;
        let line = line.trim_start_matches('\u{feff}').trim();
        if line.is_empty() {
            continue;
        }
        let place = Place { file: file.to_owned(), line: number };
        let note: NoteDecisions = serde_json::from_str(line).map_err(|_| not_decisions(&place))?;
        let is_known = |decision: &Decision| Field::named(&decision.field).is_some() && decision.is_whole();
        if !note.decisions.iter().all(is_known) {
            return Err(not_decisions(&place));
        }
        notes.push(NoteDecisions { place, ..note });
    }
    Ok(notes)
}

impl Decision {
    fn is_whole(&self) -> bool {
        let is_changed = (self.action == Action::Change) == self.from.is_some();
        is_changed && !self.value.trim().is_empty() && self.start.is_some() == self.end.is_some()
    }
}

fn not_decisions(place: &Place) -> BulkError {
    BulkError::Failed(format!(
        "{place}: this line is not a decision of a review. Decisions are saved by the review page (key s), a line for each note: {{\"id\", \"text\", \"expected\", \"done\", \"decisions\"}}"
    ))
}
