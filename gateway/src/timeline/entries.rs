//! The values of one field of one tumour over the notes: statements of the same value are brought together unless
//! another value was stated in between.

use std::{cmp::Ordering, collections::HashMap};

use serde_json::value::RawValue;

use super::{
    DateSource, Mention, PatientNote, Statement, TherapyLine, TimelineDate, TimelineEntry,
    reading::FindingReading,
    time::{self, may_be_one, order},
};
use crate::{
    extraction::{Comparable, Field},
    steps,
};

/// The most entries that are searched for the one of a further statement. Beyond them it makes an entry of its own.
const MOST_SEARCHED: usize = 64;
/// The most places that an entry shows.
const MOST_MENTIONS: usize = 8;

/// The values of one field of one tumour.
#[derive(Debug)]
pub(super) struct FieldEntries<'n> {
    pub(super) field: Field,
    pub(super) entries: Vec<Entry<'n>>,
    /// Values that notes deny.
    pub(super) denied: Vec<(Comparable, Statement)>,
    /// The entries of each value, by the value in lower case.
    by_value: HashMap<String, Vec<usize>>,
    /// The entries that may disagree with each other, by their subject.
    by_subject: HashMap<String, Vec<usize>>,
}

/// A value at a time.
#[derive(Debug)]
pub(super) struct Entry<'n> {
    pub(super) says: Comparable,
    value: &'n str,
    pub(super) date: Option<TimelineDate>,
    last_note: Option<&'n str>,
    codes: Option<&'n RawValue>,
    mention_count: usize,
    mentions: Vec<Mention>,
    /// The first mention in another note than that of the first.
    elsewhere: Option<Mention>,
    line: TherapyLine,
    /// Whether the date is that of the end of a treatment whose start no note has stated yet.
    dated_by_stop: bool,
}

impl<'n> FieldEntries<'n> {
    pub(super) fn new(field: Field) -> Self {
        Self { field, entries: Vec::new(), denied: Vec::new(), by_value: HashMap::new(), by_subject: HashMap::new() }
    }

    /// Adds a statement. Statements are added in the order of their notes.
    pub(super) fn add(&mut self, note: &'n PatientNote, finding: &'n FindingReading) {
        let Statement { date, mention, .. } = match statement(note, finding) {
            denied if finding.denied => return self.denied.push((Comparable::of(self.field, &denied.value), denied)),
            stated => stated,
        };
        let course = finding.course();
        let only_stop = course.as_ref().is_some_and(|course| course.stop.is_some() && course.start.is_none());
        let start = course.as_ref().and_then(|course| time::of(course.start.as_ref(), None));
        // The end of a treatment does not say when it began, so it belongs to the entry before.
        let date = if only_stop { date } else { start.or(date) };
        let searched = if only_stop { None } else { date.as_ref() };
        let says = Comparable::of(self.field, &finding.value);
        let of_value = self.by_value.entry(says.folded().to_owned()).or_default();
        let mut unlisted = Vec::new();
        let of_subject = match says.subject() {
            Some(subject) => self.by_subject.entry(subject.to_owned()).or_default(),
            None => &mut unlisted,
        };
        let latest = of_value.iter().rev().take(MOST_SEARCHED).copied();
        let known = latest.into_iter().find(|at| is_same(&self.entries, *at, of_subject, &says, searched));
        let copied = || of_value.last().copied().filter(|_| is_copied(note, finding, &says));
        let known = known.or_else(copied);
        let at = known.unwrap_or_else(|| {
            of_value.push(self.entries.len());
            of_subject.push(self.entries.len());
            self.entries.push(Entry {
                says,
                value: &finding.value,
                date: date.clone(),
                last_note: None,
                codes: finding.codes.as_deref(),
                mention_count: 0,
                mentions: Vec::new(),
                elsewhere: None,
                line: TherapyLine::default(),
                dated_by_stop: only_stop,
            });
            self.entries.len() - 1
        });
        let Some(entry) = self.entries.get_mut(at) else { return };
        if let Some(course) = course {
            entry.line.add(course, note.index);
        }
        entry.add(mention, date.filter(|_| !only_stop), note.note_date.as_deref());
    }

    /// Returns the entries in order of time.
    pub(super) fn into_shown(mut self) -> Vec<TimelineEntry> {
        self.entries.sort_by(|one, other| time::sort_key(one.date.as_ref()).cmp(&time::sort_key(other.date.as_ref())));
        let shown = |entry: Entry<'_>| TimelineEntry {
            value: entry.value.to_owned(),
            date: entry.date,
            last_note: entry.last_note.map(str::to_owned),
            codes: entry.codes.map(ToOwned::to_owned),
            line: entry.line.told(),
            mention_count: entry.mention_count,
            mentions: entry.mentions,
        };
        self.entries.into_iter().map(shown).collect()
    }
}

/// Returns whether a further statement of an entry's value refers to the same result: its date may be the same, and no
/// value that excludes it was stated since.
///
/// `of_subject`: the entries that may disagree with it. Of more than the latest few, it is not known.
fn is_same(
    entries: &[Entry<'_>],
    at: usize,
    of_subject: &[usize],
    says: &Comparable,
    date: Option<&TimelineDate>,
) -> bool {
    let Some(entry) = entries.get(at) else { return false };
    let fits = match (&entry.date, date) {
        (Some(known), Some(date)) => match (known.source, date.source) {
            (DateSource::Text, DateSource::Text) if entry.dated_by_stop => {
                order(&date.value, &known.value) != Some(Ordering::Greater)
            }
            (DateSource::Text, DateSource::Text) => may_be_one(&known.value, &date.value),
            // A result that a note states without a date is not later than that note.
            (DateSource::Note, DateSource::Text) => order(&date.value, &known.value) != Some(Ordering::Greater),
            (_, DateSource::Note) => true,
        },
        _ => true,
    };
    let since = of_subject.partition_point(|other| *other <= at);
    let since = of_subject.get(since..).unwrap_or_default();
    steps::count(if since.len() <= MOST_SEARCHED { since.len() + 1 } else { 1 });
    let replaces = |other: &Entry<'_>| {
        let earlier = other.date.as_ref().zip(entry.date.as_ref());
        let earlier = earlier.and_then(|(other, one)| order(&other.value, &one.value)) == Some(Ordering::Less);
        !earlier && other.says.disagrees(says)
    };
    fits && since.len() <= MOST_SEARCHED && !since.iter().filter_map(|other| entries.get(*other)).any(replaces)
}

/// Returns whether a note repeats an older result beside a new one of the same subject, as notes do whose text is copied
/// forward: neither has a date of its own.
fn is_copied(note: &PatientNote, finding: &FindingReading, says: &Comparable) -> bool {
    let is_undated = |one: &FindingReading| one.date.as_ref().is_none_or(|date| !date.is_absolute());
    let others = note.reading.findings.iter().filter(|other| other.field == finding.field && !other.denied);
    is_undated(finding)
        && says.subject().is_some()
        && others.filter(|other| is_undated(other)).take(MOST_SEARCHED).any(|other| {
            steps::count(1);
            Comparable::of(other.field, &other.value).disagrees(says)
        })
}

impl<'n> Entry<'n> {
    fn add(&mut self, mention: Mention, date: Option<TimelineDate>, note_date: Option<&'n str>) {
        self.mention_count += 1;
        self.last_note = self.last_note.max(note_date);
        let more_exact = |known: &TimelineDate, date: &TimelineDate| match (known.source, date.source) {
            (DateSource::Note, DateSource::Text) => true,
            (DateSource::Text, DateSource::Text) => date.value.len() > known.value.len(),
            _ => false,
        };
        if let Some(date) = date
            && self
                .date
                .as_ref()
                .is_none_or(|known| more_exact(known, &date) || (self.dated_by_stop && date.source == DateSource::Text))
        {
            (self.date, self.dated_by_stop) = (Some(date), false);
        }
        if self.elsewhere.is_none() && self.mentions.first().is_some_and(|first| first.index != mention.index) {
            self.elsewhere = Some(mention.clone());
        }
        if self.mentions.len() < MOST_MENTIONS {
            self.mentions.push(mention);
        }
    }

    /// Returns the entry as a statement of a contradiction, with a place that is not in the note `other`; `None` if all
    /// its places are.
    pub(super) fn statement_besides(&self, other: usize) -> Option<Statement> {
        let first = self.mentions.first().filter(|mention| mention.index != other);
        let mention = first.or(self.elsewhere.as_ref())?.clone();
        Some(Statement { value: self.value.to_owned(), date: self.date.clone(), mention })
    }

    /// Returns the entry as a statement of a contradiction, with its first place.
    pub(super) fn statement(&self) -> Option<Statement> {
        self.statement_besides(usize::MAX)
    }
}

/// Returns what a note states, with its date and place.
pub(super) fn statement(note: &PatientNote, finding: &FindingReading) -> Statement {
    let mention = Mention {
        index: note.index,
        note: note.id.clone(),
        assertion: finding.assertion.clone(),
        quote: finding.quote.clone(),
        start: finding.start,
        end: finding.end,
        course: finding.course.clone(),
    };
    let date = time::of(finding.date.as_ref(), note.note_date.as_deref());
    Statement { value: finding.value.clone(), date, mention }
}
