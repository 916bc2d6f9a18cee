//! `gateway reviewed`: results with the decisions of a person, in the formats of `gateway extract`.
//!
//! Everything is checked before anything is written: decisions that belong to no result, to another text or to other
//! values, that contradict each other, and notes that are not marked as done. Standard error has no id and no text of a
//! note.

mod apply;
mod arguments;
mod decisions;
mod object;
mod results;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    path::Path,
};

pub use self::arguments::ReviewedArguments;
use self::{
    apply::{Misfit, NoteReview, ValueReview, apply},
    decisions::NoteDecisions,
    object::Object,
    results::ResultNote,
};
use super::{
    BulkArguments, BulkError, SOME_FAILED,
    arguments::usage,
    counts::grouped,
    ids::Fingerprint,
    outcome::{EntryOutcome, NoteOrigin, QueuedNote},
    output::{RunTotals, Sink},
    print_status,
    tool_ids::ToolIds,
};

/// The most lines that an error lists.
const LISTED: usize = 5;

/// What the check of all results found.
#[derive(Debug, Default)]
struct CheckedResults {
    carried: Vec<String>,
    /// Notes that were read, and those of them that are not marked as done, by the lines of their results.
    read: u64,
    not_done: Vec<usize>,
    values: BTreeMap<ValueReview, u64>,
}

/// Writes the reviewed results and returns the exit code.
pub fn run(arguments: &ReviewedArguments) -> Result<u8, BulkError> {
    arguments.for_writer(&[])?;
    let mut decided = decisions::read(&arguments.decisions)?;
    let found = check(&arguments.results, &mut decided)?;
    found.allow(arguments)?;
    let written = arguments.for_writer(&found.carried)?;
    let (sink, _) = super::open(&written, true)?;
    let writer = Writer {
        tool_ids: ToolIds::new(written.format(), &written.redcap()),
        patients: HashMap::new(),
        position: 0,
        totals: RunTotals { complete: true, ..RunTotals::default() },
        patient: arguments.patient_column.as_deref(),
        own: arguments::own_columns(written.format()),
        carries: written.format().carries(),
        sink,
    };
    let totals = writer.write(&arguments.results, &decided)?;
    found.say(&written, totals);
    Ok(if totals.failed > 0 { SOME_FAILED } else { 0 })
}

/// Checks that decisions and results belong together.
fn check(path: &Path, decided: &mut HashMap<String, NoteDecisions>) -> Result<CheckedResults, BulkError> {
    let (mut found, mut seen, mut is_first) = (CheckedResults::default(), HashSet::new(), true);
    results::each(path, |note| {
        let place = format!("{}, line {}", path.display(), note.number);
        let carried: Vec<String> = note.carried().into_iter().map(|(name, _)| name).collect();
        if std::mem::take(&mut is_first) {
            found.carried = carried;
        } else if carried != found.carried {
            return failed(&format!("{place}: this result carries other columns (--keep) than the one before it"));
        }
        if !seen.insert(Fingerprint::of(&note.id)) {
            return failed(&format!(
                "{place}: an earlier result has the same id, so it is not clear which one was reviewed. Give the results of one run"
            ));
        }
        let mut own = decided.get_mut(&note.id);
        if let Some(own) = &mut own {
            own.used = true;
        }
        let own = own.as_deref();
        let Some(mut result) = note.line.parsed::<Object>("result") else {
            return own.map_or(Ok(()), |own| {
                failed(&format!(
                    "{}: the note of this decision failed ({place}); there is no value to decide on",
                    own.place
                ))
            });
        };
        found.read += 1;
        let review = apply(&mut result, own).map_err(|misfit| misfits(misfit, own, &place))?;
        for (kind, count) in review.values {
            *found.values.entry(kind).or_default() += count;
        }
        if !own.is_some_and(|own| own.done) {
            found.not_done.push(note.number);
        }
        Ok(())
    })?;
    if is_first {
        return failed(&format!("{} has no results", path.display()));
    }
    let mut foreign: Vec<String> = decided.values().filter(|one| !one.used).map(|one| one.place.to_string()).collect();
    foreign.sort();
    if let Some(first) = foreign.first() {
        return failed(&format!(
            "{first}: {} has no note with this id; this is true of {} of the {} notes with decisions. Give the results that the review page was written with",
            path.display(),
            foreign.len(),
            decided.len()
        ));
    }
    Ok(found)
}

fn misfits(misfit: Misfit, own: Option<&NoteDecisions>, place: &str) -> BulkError {
    let decision = own.map(|own| own.place.to_string()).unwrap_or_default();
    BulkError::Failed(match misfit {
        Misfit::OtherText => format!(
            "{decision}: the decisions are on another text than the result ({place}): the text does not contain the words that the result quotes. Give the results that the review page was written with, or review the note again"
        ),
        Misfit::OtherValues => format!(
            "{decision}: the decisions are on other values than those of the result ({place}). Give the results that the review page was written with, or review the note again"
        ),
    })
}

impl CheckedResults {
    /// Refuses notes that are not marked as done, unless the command line allows them.
    fn allow(&self, arguments: &ReviewedArguments) -> Result<(), BulkError> {
        if arguments.patient_column.as_ref().is_some_and(|name| !self.carried.contains(name)) {
            return usage(&format!(
                "the results do not carry the column of --patient-column; they carry: {}. Run `gateway extract` with --keep",
                if self.carried.is_empty() { "none".to_owned() } else { self.carried.join(", ") }
            ));
        }
        if self.not_done.is_empty() || arguments.allow_unreviewed {
            return Ok(());
        }
        let lines: Vec<String> = self.not_done.iter().take(LISTED).map(usize::to_string).collect();
        let more = self.not_done.len().saturating_sub(LISTED);
        failed(&format!(
            "{} of {} notes are not marked as done (lines {}{} of {}). Nothing was written. Finish the review (key d marks a note as done), or write them too with --allow-unreviewed: their undecided values are then marked not_reviewed",
            self.not_done.len(),
            self.read,
            lines.join(", "),
            if more > 0 { format!(" and {more} more") } else { String::new() },
            arguments.results.display()
        ))
    }

    /// Prints what was written.
    fn say(&self, written: &BulkArguments, totals: RunTotals) {
        let not_done = self.not_done.len() as u64;
        let failures = if totals.failed > 0 { format!(", {} failed", grouped(totals.failed)) } else { String::new() };
        print_status(&format!(
            "{} notes: {} reviewed, {} not marked as done{failures}",
            grouped(totals.ok + totals.failed),
            grouped(self.read.saturating_sub(not_done)),
            grouped(not_done)
        ));
        let kinds: Vec<String> =
            self.values.iter().map(|(kind, count)| format!("{} {}", grouped(*count), kind.name())).collect();
        print_status(&format!("values: {}", if kinds.is_empty() { "none".to_owned() } else { kinds.join(", ") }));
        if let Some(out) = &written.out {
            print_status(&format!("next: the reviewed results are in {}", out.display()));
        }
    }
}

/// Writes the results one after the other.
struct Writer<'a> {
    sink: Sink,
    tool_ids: ToolIds,
    /// The number of notes of each patient.
    patients: HashMap<String, u64>,
    position: u64,
    totals: RunTotals,
    patient: Option<&'a str>,
    /// The number of columns about the review, and whether the format carries columns at all.
    own: usize,
    carries: bool,
}

impl Writer<'_> {
    fn write(mut self, path: &Path, decided: &HashMap<String, NoteDecisions>) -> Result<RunTotals, BulkError> {
        results::each(path, |note| {
            let own = decided.get(&note.id);
            let outcome = self.outcome(note, own)?;
            match outcome.failure {
                Some(_) => self.totals.failed += 1,
                None => self.totals.ok += 1,
            }
            self.sink.add(&outcome);
            self.sink.write()
        })?;
        let totals = self.totals;
        for notice in self.sink.end(totals, |_| Ok(()))? {
            print_status(&notice);
        }
        Ok(totals)
    }

    fn outcome(&mut self, note: ResultNote, own: Option<&NoteDecisions>) -> Result<EntryOutcome, BulkError> {
        let failure = note.failure();
        let carried = note.carried();
        let ResultNote { id, mut line, number } = note;
        line.remove("carried");
        let mut first = [String::new(), String::new()];
        if let Some(mut result) = line.parsed::<Object>("result") {
            let review = apply(&mut result, own).map_err(|misfit| misfits(misfit, own, &format!("line {number}")))?;
            let state = state_of(own);
            first = [state.to_owned(), summary(&review)];
            line.set("result", &result);
            line.set("review", &marks(state, &review));
        }
        let patient = self.patient.and_then(|name| carried.iter().find(|(own, _)| own == name));
        let patient = patient.map(|(_, value)| value.clone()).filter(|value| !value.is_empty());
        let ordinal = patient.as_ref().map_or(0, |patient| {
            let notes = self.patients.entry(patient.clone()).or_default();
            *notes += 1;
            *notes
        });
        let origin = NoteOrigin { position: self.position, ordinal, patient, note_date: None };
        self.position += 1;
        let values = first.into_iter().take(self.own).chain(carried.into_iter().map(|(_, value)| value));
        let carried = if self.carries { values.collect() } else { Vec::new() };
        let text = own.map(|own| own.text.clone());
        let text = text.unwrap_or_default();
        let queued = QueuedNote { id, text, origin, carried, warnings: Vec::new(), selected: None, weight: 0 };
        if let Some(fault) = self.tool_ids.refusal(&queued).filter(|_| failure.is_none()) {
            return Ok(EntryOutcome::problem(queued, false, &fault.problem()));
        }
        let QueuedNote { id, text, origin, carried, weight, .. } = queued;
        let (line, text_bytes) = (format!("{}\n", line.to_json()), text.len());
        Ok(EntryOutcome {
            id,
            line,
            remarks: Vec::new(),
            failure,
            needs_change: false,
            text: Some(text),
            origin,
            carried,
            selected: None,
            text_bytes,
            weight,
        })
    }
}

/// Returns whether a person has reviewed a note.
fn state_of(own: Option<&NoteDecisions>) -> &'static str {
    match own {
        Some(own) if own.done => "done",
        Some(_) => "in_progress",
        None => "not_reviewed",
    }
}

/// Returns what was done with the values of each field.
fn marks(state: &str, review: &NoteReview) -> Object {
    let (mut marks, mut fields) = (Object::default(), Object::default());
    for (field, kinds) in &review.of_fields {
        fields.set(field.name(), &kinds.iter().map(|kind| kind.name()).collect::<Vec<_>>());
    }
    marks.set("note", &state);
    marks.set("fields", &fields);
    marks
}

fn summary(review: &NoteReview) -> String {
    let of_field = |(field, kinds): &(crate::extraction::Field, Vec<ValueReview>)| {
        let kinds: Vec<&str> = kinds.iter().map(|kind| kind.name()).collect();
        format!("{}: {}", field.name(), kinds.join(", "))
    };
    review.of_fields.iter().map(of_field).collect::<Vec<_>>().join("; ")
}

fn failed<T>(why: &str) -> Result<T, BulkError> {
    Err(BulkError::Failed(why.to_owned()))
}
