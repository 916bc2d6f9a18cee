//! The timeline of one patient: what the answers to several notes say together, per tumour and in order of time.
//!
//! Contradictions are reported, not resolved silently. Statements of two notes that cannot both be right are both kept,
//! and the timeline lists them as a contradiction. A tumour of one note is taken for a tumour of another only if organ,
//! side, histology and years allow no other tumour.

mod answer;
mod contradictions;
mod entries;
mod lines;
mod linking;
mod reading;
#[cfg(test)]
mod tests;
mod time;

use std::collections::BTreeMap;

pub use self::{
    answer::{
        Contradiction, ContradictionKind, DateSource, FieldTimelines, LineResponse, Mention, PatientTumour, Statement,
        TherapyLine, Timeline, TimelineDate, TimelineEntry, TimelineTnm, TumourInNote,
    },
    reading::NoteReading,
};
use self::{entries::FieldEntries, linking::LinkedTumours};
use crate::extraction::{CalendarDate, Field, NoteId};

/// The fields that a timeline has for each tumour. The cancer type is the tumour itself.
const FIELDS: [Field; 6] =
    [Field::Stage, Field::GeneMutation, Field::Biomarker, Field::Treatment, Field::Response, Field::MetastasisSite];

/// A note of the patient.
#[derive(Clone, Debug)]
pub struct PatientNote {
    index: usize,
    id: Option<NoteId>,
    /// The day on which the note was written, `YYYY-MM-DD`.
    note_date: Option<String>,
    reading: NoteReading,
}

impl PatientNote {
    /// Returns a note by its position in the request, its id, the day on which it was written, and what its answer says.
    #[must_use]
    pub fn new(index: usize, id: Option<NoteId>, note_date: Option<CalendarDate>, reading: NoteReading) -> Self {
        Self { index, id, note_date: note_date.map(|day| day.to_string()), reading }
    }
}

impl Timeline {
    /// Builds the timeline of the notes of one patient. `complete`: whether these are all notes that were sent.
    #[must_use]
    pub fn of(mut notes: Vec<PatientNote>, complete: bool) -> Self {
        // Notes without a date come last, in the order in which they were sent.
        notes.sort_by(|one, other| {
            let missing = one.note_date.is_none().cmp(&other.note_date.is_none());
            missing.then(one.note_date.cmp(&other.note_date)).then(one.index.cmp(&other.index))
        });
        let code_files = notes.iter().find_map(|note| note.reading.code_files.clone());
        let linked = LinkedTumours::of(&notes);
        let mut fields: BTreeMap<(Option<usize>, Field), FieldEntries<'_>> = BTreeMap::new();
        let only = (linked.tumours.len() == 1).then_some(0);
        for (at, note) in notes.iter().enumerate() {
            for finding in &note.reading.findings {
                let tumour = linked.of_finding(at, finding.tumour.as_deref()).or(only);
                fields
                    .entry((tumour, finding.field))
                    .or_insert_with(|| FieldEntries::new(finding.field))
                    .add(note, finding);
            }
        }
        let mut contradictions = linked.contradictions(&notes);
        for ((tumour, _), entries) in &fields {
            contradictions.extend(contradictions::of_field(*tumour, entries));
        }
        contradictions.extend(contradictions::after_their_note(&notes, &linked, only));
        let mut of_tumour = |tumour: Option<usize>| {
            let mut timelines = FieldTimelines::default();
            for field in FIELDS {
                if let Some(entries) = fields.remove(&(tumour, field)) {
                    timelines.set(field, entries.into_shown());
                }
            }
            timelines
        };
        let shown: Vec<FieldTimelines> = (0..linked.tumours.len()).map(|at| of_tumour(Some(at))).collect();
        let unassigned = of_tumour(None);
        let tumours = linked.into_shown(&notes, shown);
        Self { tumours, unassigned, contradictions, complete, code_files }
    }
}
