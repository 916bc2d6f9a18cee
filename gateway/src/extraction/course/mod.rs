//! The course of a treatment: whether it continues, when it was started and stopped, why it was stopped, and the
//! response that the note ties to it. Read from the words of the treatment's own sentence and of the next one; what
//! they do not say is null.

mod cues;
#[cfg(test)]
mod tests;

use std::ops::Range;

use serde::Serialize;
use utoipa::ToSchema;

pub(super) use self::cues::compile;
use self::cues::{CourseCue, CueKind, cues};
use super::{StatedDate, assertion::Sentence};
use crate::steps;

/// Maximum number of bytes between a treatment and a cue of its sentence.
const REACH: usize = 200;
/// Maximum number of words between a cue and a treatment after it: "started on adjuvant weekly paclitaxel".
const MOST_WORDS_BETWEEN: usize = 5;
/// Words that end the reach of a cue to a treatment after it.
const TURNS: [&str; 9] = ["and", "but", "then", "with", "after", "before", "while", "without", "for"];
/// Words between two treatments of one list.
const JOINTS: [&str; 6] = ["and", "plus", "with", "the", "in", "combination"];
/// Words between a response and the treatment after it that caused it: "progression on osimertinib".
const CAUSES: [&str; 9] = ["on", "to", "under", "during", "while", "despite", "after", "with", "following"];
/// Maximum number of bytes between a response and the treatment after it.
const CAUSE_REACH: usize = 40;

/// How far a treatment has gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(example = "stopped")]
pub enum CourseStatus {
    /// It continues when the note is written.
    Ongoing,
    /// It was given to its end.
    Completed,
    /// It was ended before.
    Stopped,
}

/// The course of a treatment, as far as the words near it say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct TreatmentCourse {
    /// How far it has gone; null where the note does not say.
    #[schema(required = true)]
    pub status: Option<CourseStatus>,
    /// When it was started; null where the note does not say.
    #[schema(required = true)]
    pub start: Option<StatedDate>,
    /// When it was stopped or completed; null where the note does not say.
    #[schema(required = true)]
    pub stop: Option<StatedDate>,
    /// Why it was stopped; null where the note does not say.
    #[schema(required = true)]
    pub reason: Option<CourseReason>,
    /// The response that the note ties to it, as in `response`, or in its words where that has several; null if it ties
    /// none.
    #[schema(required = true, example = "partial response")]
    pub response: Option<String>,
}

/// The words that say why a treatment was stopped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct CourseReason {
    /// The words of the note.
    #[schema(example = "pneumonitis")]
    pub quote: String,
    /// The first position of the quote, in the unit of the request.
    #[schema(example = 71, minimum = 0)]
    pub start: usize,
    /// One past the last position of the quote.
    #[schema(example = 82, minimum = 0)]
    pub end: usize,
}

/// The courses of the treatments of one text.
#[derive(Debug, Default)]
pub(super) struct Courses {
    /// Treatments that are given together, each with its course; in order.
    lists: Vec<(Range<usize>, TreatmentCourse)>,
}

/// What the courses are read from. Ranges are of the readable text.
pub(super) struct CourseInput<'a> {
    pub(super) text: &'a str,
    /// Its sentences, in order; needed only if there are treatments.
    pub(super) sentences: &'a [Sentence],
    /// The places of treatments.
    pub(super) treatments: Vec<Range<usize>>,
    /// The places of responses with their values.
    pub(super) responses: Vec<(Range<usize>, &'a str)>,
}

impl Courses {
    /// Reads the courses. `date_near` returns the date of the words at a range; `quoted` their quote.
    pub(super) fn of(
        mut input: CourseInput<'_>,
        date_near: impl Fn(&Range<usize>) -> Option<StatedDate>,
        quoted: impl Fn(Range<usize>) -> Option<CourseReason>,
    ) -> Self {
        if input.treatments.is_empty() {
            return Self::default();
        }
        let (text, sentences) = (input.text, input.sentences);
        steps::count(text.len());
        input.responses.sort_by_key(|(range, _)| range.start);
        let cues = cues(text);
        if cues.is_empty() && input.responses.is_empty() {
            return Self::default();
        }
        let lists = lists(text, sentences, input.treatments);
        let mut courses: Vec<(Range<usize>, TreatmentCourse)> = Vec::with_capacity(lists.len());
        for (at, list) in lists.iter().enumerate() {
            let sentence = sentence_at(sentences, list.start);
            let (mut status, mut start, mut stop, mut reason) = (None, None, None, None);
            let behind = lists.get(at + 1).map_or(sentence.end, |next| next.start.min(sentence.end));
            // Of a range of dates only the first is read: it is the start, and not the end.
            let has_period = text.get(list.end..behind.max(list.end)).is_some_and(cues::has_period);
            let end_of = |cue: &Range<usize>, start: &mut Option<StatedDate>| {
                let date = date_near(cue);
                if !has_period {
                    return date;
                }
                *start = start.take().or(date);
                None
            };
            for cue in of_list(text, &sentence, &lists, at, &cues) {
                match cue.kind {
                    CueKind::Start => {
                        start = start.or_else(|| date_near(&cue.range));
                        // "Stopped, and started again": the earlier statement no longer applies.
                        (status, stop, reason) = (None, None, None);
                    }
                    CueKind::Ongoing => status = Some(CourseStatus::Ongoing),
                    CueKind::Since => {
                        start = start.or_else(|| date_near(&cue.range));
                        status = status.or(Some(CourseStatus::Ongoing));
                    }
                    CueKind::Completed => {
                        (status, stop) = (Some(CourseStatus::Completed), end_of(&cue.range, &mut start));
                    }
                    CueKind::Stopped => {
                        (status, stop) = (Some(CourseStatus::Stopped), end_of(&cue.range, &mut start));
                        reason = cues::reason(text, cue.range.end, behind.max(cue.range.end)).and_then(&quoted);
                    }
                }
            }
            let before = at.checked_sub(1).and_then(|at| lists.get(at)).map_or(list.start, |list| list.end);
            // "Switched from gefitinib to osimertinib"
            if text.get(before..list.start).is_some_and(|gap| gap.trim() == "to") {
                start = start.or_else(|| date_near(list));
            }
            courses.push((list.clone(), TreatmentCourse { status, start, stop, reason, response: None }));
        }
        for (range, value) in &input.responses {
            if let Some(at) = treatment_of(text, sentences, &lists, range)
                && let Some((_, course)) = courses.get_mut(at)
                && (course.status == Some(CourseStatus::Stopped) || !is_cause(text, range))
            {
                // A course of several responses is one value, of which these words are one.
                let words =
                    || text.get(range.clone()).map(|words| words.split_whitespace().collect::<Vec<_>>().join(" "));
                course.response = if value.contains(" then ") { words() } else { Some((*value).to_owned()) };
            }
        }
        Self { lists: courses }
    }

    /// Returns the course of the treatment at a place; `None` if the note says nothing of it.
    pub(super) fn at(&self, range: &Range<usize>) -> Option<TreatmentCourse> {
        let at = self.lists.partition_point(|(list, _)| list.end <= range.start);
        let (_, course) = self.lists.get(at).filter(|(list, _)| list.start <= range.start)?;
        let TreatmentCourse { status, start, stop, reason, response } = course;
        let says = status.is_some() || start.is_some() || stop.is_some() || reason.is_some() || response.is_some();
        says.then(|| course.clone())
    }
}

fn sentence_at(sentences: &[Sentence], place: usize) -> Range<usize> {
    let at = sentences.partition_point(|sentence| sentence.end <= place);
    sentences.get(at).map_or(place..place, |sentence| sentence.start..sentence.end)
}

/// Joins treatments that are named as one: "carboplatin and pemetrexed".
fn lists(text: &str, sentences: &[Sentence], mut treatments: Vec<Range<usize>>) -> Vec<Range<usize>> {
    treatments.sort_by_key(|range| (range.start, range.end));
    let mut lists: Vec<Range<usize>> = Vec::new();
    for range in treatments {
        let joins = lists.last().is_some_and(|last| {
            let one_sentence = sentence_at(sentences, last.start) == sentence_at(sentences, range.start);
            range.start < last.end || (one_sentence && is_joint(text.get(last.end..range.start).unwrap_or_default()))
        });
        match lists.last_mut().filter(|_| joins) {
            Some(last) => last.end = last.end.max(range.end),
            None => lists.push(range),
        }
    }
    lists
}

fn is_joint(gap: &str) -> bool {
    gap.len() <= REACH
        && !gap.contains([';', ':', '\n', '('])
        && gap
            .split(|c: char| !c.is_alphanumeric())
            .filter(|word| !word.is_empty())
            .all(|word| JOINTS.iter().any(|joint| joint.eq_ignore_ascii_case(word)))
}

/// Returns the cues that refer to a list: those after it up to the next list, and one that leads to it.
fn of_list<'c>(
    text: &str,
    sentence: &Range<usize>,
    lists: &[Range<usize>],
    at: usize,
    cues: &'c [CourseCue],
) -> Vec<&'c CourseCue> {
    let Some(list) = lists.get(at) else { return Vec::new() };
    let before = at.checked_sub(1).and_then(|at| lists.get(at)).map_or(0, |list| list.end);
    let behind = lists.get(at + 1).map_or(text.len(), |list| list.start);
    let (from, to) = (before.max(sentence.start), behind.min(sentence.end));
    let first = cues.partition_point(|cue| cue.range.start < from);
    let in_reach = cues.get(first..).unwrap_or_default().iter().take_while(|cue| cue.range.end <= to);
    let own = in_reach.filter(|cue| {
        steps::count(1);
        let leads = |gap: &str| {
            let words: Vec<&str> = gap.split_whitespace().collect();
            words.len() <= MOST_WORDS_BETWEEN
                && !gap.contains(['.', ',', ';', ':', '\n', '('])
                && !words.iter().any(|word| TURNS.iter().any(|turn| turn.eq_ignore_ascii_case(word)))
        };
        if cue.range.end <= list.start {
            // "Was stopped" refers to the words before it; "was started on" to the words after it.
            (!cue.is_passive || cue.leads_on) && text.get(cue.range.end..list.start).is_some_and(leads)
        } else {
            // A cue that leads to the next list is that list's.
            let to_next = lists.get(at + 1).filter(|next| next.start <= sentence.end);
            let is_next = to_next.is_some_and(|next| {
                (!cue.is_passive || cue.leads_on) && text.get(cue.range.end..next.start).is_some_and(leads)
            });
            let between = text.get(list.end..cue.range.start);
            between.is_some_and(|gap| gap.len() <= REACH && cues::speaks_of(gap)) && !is_next && !cue.needs_object
        }
    });
    own.collect()
}

/// Returns whether a response is the cause of something else: "docetaxel was started because of progression".
fn is_cause(text: &str, response: &Range<usize>) -> bool {
    const CAUSE: [&str; 7] = ["because of", "due to", "owing to", "secondary to", "in view of", "for", "given"];
    let from = (response.start.saturating_sub(CAUSE_REACH)..=response.start).find(|at| text.is_char_boundary(*at));
    let before = from.and_then(|from| text.get(from..response.start)).unwrap_or_default().to_ascii_lowercase();
    let before = before.trim_end().trim_end_matches(" disease").trim_end_matches(" the");
    CAUSE.iter().any(|cause| before.strip_suffix(cause).is_some_and(|rest| rest.is_empty() || rest.ends_with(' ')))
}

/// Returns the list that a response belongs to.
fn treatment_of(text: &str, sentences: &[Sentence], lists: &[Range<usize>], response: &Range<usize>) -> Option<usize> {
    let sentence = sentence_at(sentences, response.start);
    let next = lists.partition_point(|list| list.start < response.end);
    let caused = lists.get(next).filter(|list| list.end <= sentence.end).is_some_and(|list| {
        let gap = text.get(response.end..list.start).unwrap_or_default();
        let mut words = gap.split_whitespace();
        let first = words.next().unwrap_or_default();
        gap.len() <= CAUSE_REACH
            && !gap.contains([',', ';', '.', ':'])
            && CAUSES.iter().any(|cause| cause.eq_ignore_ascii_case(first))
            && words.all(|word| !TURNS.iter().any(|turn| turn.eq_ignore_ascii_case(word)))
    });
    if caused {
        return Some(next);
    }
    let previous = next.checked_sub(1)?;
    let list = lists.get(previous)?;
    if list.start >= sentence.start {
        return Some(previous);
    }
    // The sentence before, if it has one list only and this sentence has none.
    let own = lists.get(next).is_some_and(|list| list.start < sentence.end);
    let at = sentences.partition_point(|one| one.end <= response.start);
    let before = at.checked_sub(1).and_then(|at| sentences.get(at))?;
    let is_only = previous.checked_sub(1).and_then(|at| lists.get(at)).is_none_or(|other| other.start < before.start);
    let adjacent = text.get(before.end..sentence.start).is_some_and(|gap| gap.matches('\n').count() < 2);
    (!own && is_only && adjacent && list.start >= before.start).then_some(previous)
}
