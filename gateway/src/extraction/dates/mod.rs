//! The dates of values: finds the dates of a note and decides which belongs to a value, from the words near it.
//!
//! A value has the date of its clause, then of its sentence, then of the line or heading above it that begins with a
//! date. If that is unsure, it has no date. Dates of birth, of the document and of the next appointment never count.

mod calendar;
mod clauses;
mod context;
mod expressions;
mod lines;
mod near;
mod resolve;
mod stated_date;
#[cfg(test)]
mod tests;
mod words;

use std::ops::Range;

use self::{
    clauses::{DatedSentence, DatedSentences, within},
    lines::DatedLines,
    near::{NearestDate, SentenceWithValue},
    resolve::DateMention,
};
use super::{Field, Note, OffsetUnit, Readable, assertion::Sentence};
use crate::steps;
pub use calendar::CalendarDate;
pub use stated_date::{DatePrecision, StatedDate};

/// The dates of one note.
#[derive(Debug)]
pub(super) struct NoteDates<'read> {
    text: &'read str,
    mentions: Vec<DateMention>,
    /// The dates as the answer shows them, in the order of `mentions`.
    shown: Vec<Option<StatedDate>>,
    sentences: DatedSentences,
    lines: Vec<DatedLines>,
}

impl<'read> NoteDates<'read> {
    /// Reads the dates of a note. `note_date` is the day on which it was written, if that is known. `sentences` returns
    /// the sentences of the readable text.
    pub(super) fn of<'s>(
        note: &Note,
        read: &'read Readable<'_>,
        unit: OffsetUnit,
        note_date: Option<CalendarDate>,
        sentences: impl FnOnce() -> &'s [Sentence],
    ) -> Self {
        let text = read.note().as_str();
        steps::count(text.len());
        let mentions = resolve::mentions(text, note_date);
        let mut offsets = note.offsets(unit);
        let mut show = |mention: &DateMention| {
            let value = mention.value?;
            let origin = read.origin(mention.shown.clone());
            note.span(origin.start, origin.end)?;
            Some(StatedDate {
                value: value.to_text(text.get(mention.shown.clone())?),
                precision: value.precision(),
                start: offsets.convert(origin.start),
                end: offsets.convert(origin.end),
            })
        };
        let shown = mentions.iter().map(&mut show).collect();
        let (sentences, lines) = (DatedSentences::of(text, &mentions, sentences), lines::dated_lines(text, &mentions));
        Self { text, mentions, shown, sentences, lines }
    }

    /// Returns the date of a value of this field at this byte range of the readable text.
    pub(super) fn near(&self, value: &Range<usize>, field: Field) -> Option<StatedDate> {
        if self.mentions.is_empty() {
            return None;
        }
        steps::count(1);
        let lines = self.lines.partition_point(|lines| lines.range.end <= value.start);
        let lines = self.lines.get(lines).filter(|lines| lines.range.start <= value.start);
        let bracket = at(&self.sentences.brackets, value).map(|bracket| self.nearest(bracket, value, field, false));
        let sentence = at(&self.sentences.sentences, value);
        let nearest = match bracket {
            Some(found @ (NearestDate::Date(_) | NearestDate::Unsure)) => found,
            _ => sentence.map_or(NearestDate::Nothing, |sentence| {
                let leads_line = lines.is_some_and(|lines| {
                    let first = within(&self.mentions, &sentence.range).first();
                    let leading = self.mentions.get(lines.mention);
                    first.zip(leading).is_some_and(|(first, leading)| first.range == leading.range)
                });
                self.nearest(sentence, value, field, leads_line)
            }),
        };
        let index = match nearest {
            NearestDate::Date(mention) => self.mentions.partition_point(|each| each.range.start < mention.range.start),
            NearestDate::Nothing if sentence.is_none() => lines?.mention,
            NearestDate::Nothing | NearestDate::Unsure => return None,
        };
        self.shown.get(index)?.clone()
    }

    fn nearest<'a>(
        &'a self,
        sentence: &'a DatedSentence,
        value: &Range<usize>,
        field: Field,
        leads_line: bool,
    ) -> NearestDate<'a> {
        let scene = SentenceWithValue {
            text: self.text,
            mentions: &self.mentions,
            sentence,
            value: value.clone(),
            field,
            leads_line,
        };
        scene.nearest()
    }
}

/// Compiles the patterns before a note needs them.
pub(super) fn compile() {
    expressions::compile();
    clauses::compile();
}

/// Returns the sentence in which a value starts.
fn at<'a>(sentences: &'a [DatedSentence], value: &Range<usize>) -> Option<&'a DatedSentence> {
    let index = sentences.partition_point(|sentence| sentence.range.end <= value.start);
    sentences.get(index).filter(|sentence| sentence.range.start <= value.start)
}
