//! Cuts long notes into chunks that a model can read, and merges the records of the chunks into one.
//!
//! A chunk begins at a section, a paragraph or a sentence where possible. The text of a chunk starts with the context
//! that its reader needs: the note's opening sentence, because "She then received..." alone lacks its subject, and
//! the heading above the chunk, because "Family history:" makes its text that of a relative.
//! The merge removes values that are found twice for this reason. This module does no I/O and calls no engine.

mod cut;
mod merge;
#[cfg(test)]
mod tests;

use std::ops::Range;

pub use merge::{Conflict, MergedRecord, merge};
pub(super) use merge::{contradicts, polarity};

use super::{
    Note, Section,
    assertion::{self, Sentence},
};

/// Maximum number of code points of the opening sentence in a chunk.
const OPENING: usize = 300;
/// Maximum number of code points of the heading in a chunk.
const HEADING: usize = 80;
/// Line breaks between the context and the chunk's own text.
const BREAKS: usize = 4;
/// The text after each piece of the context.
const CONTEXT_END: &str = "\n\n";
/// A chunk with fewer code points of its own text is not halved.
const LEAST: usize = 400;

/// One chunk of a note.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    range: Range<usize>,
    /// Byte ranges of the note that the engine reads before the chunk, in order.
    context: Vec<Range<usize>>,
}

/// Cuts a note into chunks of at most `max_chars` code points, context included. The ranges ascend and together
/// hold all of the note except white space. A note that fits is one chunk.
#[must_use]
pub fn cut(note: &Note, max_chars: usize) -> Vec<Chunk> {
    let whole = 0..note.as_str().len();
    if note.code_points() <= max_chars {
        return vec![Chunk { range: whole, context: Vec::new() }];
    }
    let own_chars = max_chars.saturating_sub(OPENING + HEADING + BREAKS).max(1);
    chunks(note.as_str(), whole, own_chars)
}

impl Chunk {
    /// Returns the byte range of the note that this chunk covers.
    #[must_use]
    pub fn range(&self) -> Range<usize> {
        self.range.clone()
    }

    /// Returns the text for the engine: the context, then the chunk's own text.
    #[must_use]
    pub fn note(&self, whole: &Note) -> Note {
        let of = |range: &Range<usize>| whole.as_str().get(range.clone()).unwrap_or_default();
        let mut text = String::with_capacity(self.range.len() + 2 * (OPENING + HEADING));
        for context in &self.context {
            text.push_str(of(context));
            text.push_str(CONTEXT_END);
        }
        text.push_str(of(&self.range));
        whole.part(text)
    }

    /// Returns where the chunk's own text begins in [`Self::note`], in bytes.
    pub(super) fn own_from(&self) -> usize {
        self.context.iter().map(|context| context.len() + CONTEXT_END.len()).sum()
    }

    /// Returns this chunk as two; `None` where it is too short to be halved.
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

fn chunks(text: &str, range: Range<usize>, own_chars: usize) -> Vec<Chunk> {
    let sentences = assertion::sentences(text);
    let opening = opening(text, &sentences);
    let ranges = cut::cut(text, &sentences, range, own_chars);
    let with_text =
        ranges.into_iter().filter(|range| text.get(range.clone()).is_some_and(|part| !part.trim().is_empty()));
    with_text
        .map(|range| {
            let mut context = Vec::new();
            context.extend(opening.clone().filter(|opening| opening.end <= range.start));
            context.extend(heading(text, &sentences, range.start));
            Chunk { range, context }
        })
        .collect()
}

/// Returns the note's first sentence that is not a heading; `None` if it is in a section such as family history.
fn opening(text: &str, sentences: &[Sentence]) -> Option<Range<usize>> {
    let first = sentences.iter().find(|sentence| !sentence.heading)?;
    (first.section == Section::Body).then(|| shortened(text, first.start..first.end, OPENING))
}

/// Returns the heading above the text at this offset.
fn heading(text: &str, sentences: &[Sentence], at: usize) -> Option<Range<usize>> {
    let before = sentences.partition_point(|sentence| sentence.start < at);
    let section = sentences.get(before).or(sentences.last())?.section;
    if sentences.get(before).is_some_and(|next| next.heading && next.start < at + BREAKS) {
        return None;
    }
    let last = sentences.get(..before)?.iter().rfind(|sentence| sentence.heading)?;
    // If the sections differ, the section of that heading ended before this text without another heading.
    (last.section == section).then(|| shortened(text, last.start..last.end, HEADING))
}

/// Returns the first `most` code points of a range.
fn shortened(text: &str, range: Range<usize>, most: usize) -> Range<usize> {
    let stretch = text.get(range.clone()).unwrap_or_default();
    let length = stretch.char_indices().nth(most).map_or(stretch.len(), |(at, _)| at);
    range.start..range.start + length
}
