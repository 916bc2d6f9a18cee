//! Long notes: cut into parts that a model can take, and the parts' records merged into one.
//!
//! A part begins where the note itself begins something: a section, a paragraph, a sentence. What its reader
//! must know from before is sent along: the heading that it stands under ("Family history:" makes its text
//! another person's) and the note's opening sentence, because "She then received..." has lost its subject.
//! The merge takes out what is found twice because of that. No I/O, no engine here.

mod cut;
mod merge;
#[cfg(test)]
mod tests;

use std::ops::Range;

pub use merge::{Conflict, MergedRecord, merge};

use super::{
    Note, Section,
    assertion::{self, Sentence},
};

/// Most code points of the opening sentence that are sent along.
const OPENING: usize = 300;
/// Most code points of a heading that are sent along.
const HEADING: usize = 80;
/// Line breaks between what is sent along and the part's own text.
const BREAKS: usize = 4;
/// A part with less text of its own is not halved any more.
const LEAST: usize = 400;

/// One part of a note.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    range: Range<usize>,
    /// Stretches of the note that are sent before it, in order.
    carried: Vec<Range<usize>>,
}

/// Cuts a note for an engine that takes `max_chars` code points at a time. The ranges ascend and together
/// hold all of the note that is not white space; a note that fits is one chunk.
#[must_use]
pub fn cut(note: &Note, max_chars: usize) -> Vec<Chunk> {
    let whole = 0..note.as_str().len();
    if note.code_points() <= max_chars {
        return vec![Chunk { range: whole, carried: Vec::new() }];
    }
    let own = max_chars.saturating_sub(OPENING + HEADING + BREAKS).max(1);
    chunks(note.as_str(), whole, own)
}

impl Chunk {
    /// The bytes of the note that this chunk is there for.
    #[must_use]
    pub fn range(&self) -> Range<usize> {
        self.range.clone()
    }

    /// The text to read: what is carried along, then the chunk's own text.
    #[must_use]
    pub fn note(&self, whole: &Note) -> Note {
        let of = |range: &Range<usize>| whole.as_str().get(range.clone()).unwrap_or_default();
        let mut text = String::with_capacity(self.range.len() + 2 * (OPENING + HEADING));
        for carried in &self.carried {
            text.push_str(of(carried));
            text.push_str("\n\n");
        }
        text.push_str(of(&self.range));
        whole.part(text)
    }

    /// Two chunks in place of this one; nothing where it is too short to gain by that.
    #[must_use]
    pub fn halves(&self, whole: &Note) -> Option<[Self; 2]> {
        let length = whole.as_str().get(self.range.clone())?.chars().count();
        let mut halves = if length < LEAST {
            Vec::new()
        } else {
            chunks(whole.as_str(), self.range.clone(), length.div_ceil(2) + length / 8)
        };
        let (second, first) = (halves.pop()?, halves.pop()?);
        halves.is_empty().then_some([first, second])
    }
}

fn chunks(text: &str, range: Range<usize>, own: usize) -> Vec<Chunk> {
    let sentences = assertion::sentences(text);
    let opening = opening(text, &sentences);
    let ranges = cut::cut(text, &sentences, range, own);
    let written = ranges.into_iter().filter(|range| text.get(range.clone()).is_some_and(|own| !own.trim().is_empty()));
    written
        .map(|range| {
            let mut carried = Vec::new();
            carried.extend(opening.clone().filter(|opening| opening.end <= range.start));
            carried.extend(heading(text, &sentences, range.start));
            Chunk { range, carried }
        })
        .collect()
}

/// The note's first sentence that is no heading, where it is the patient's own.
fn opening(text: &str, sentences: &[Sentence]) -> Option<Range<usize>> {
    let first = sentences.iter().find(|sentence| !sentence.heading)?;
    (first.section == Section::Body).then(|| shortened(text, first.start..first.end, OPENING))
}

/// The heading that the text at this offset stands under.
fn heading(text: &str, sentences: &[Sentence], at: usize) -> Option<Range<usize>> {
    let before = sentences.partition_point(|sentence| sentence.start < at);
    let section = sentences.get(before).or(sentences.last())?.section;
    if sentences.get(before).is_some_and(|next| next.heading && next.start < at + BREAKS) {
        return None;
    }
    let last = sentences.get(..before)?.iter().rfind(|sentence| sentence.heading)?;
    // A section that ended without another heading is no longer the text's.
    (last.section == section).then(|| shortened(text, last.start..last.end, HEADING))
}

/// The first `most` code points of a range.
fn shortened(text: &str, range: Range<usize>, most: usize) -> Range<usize> {
    let stretch = text.get(range.clone()).unwrap_or_default();
    let length = stretch.char_indices().nth(most).map_or(stretch.len(), |(at, _)| at);
    range.start..range.start + length
}
