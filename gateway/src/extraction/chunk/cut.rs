//! Chooses the best offsets for cutting a note, never between a character and its combining marks.

use std::{cmp::Reverse, ops::Range};

use unicode_normalization::char::is_combining_mark;

use super::Sentence;

/// What begins at an offset. Later variants are better offsets for a cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum CutPoint {
    Character,
    Word,
    Line,
    Sentence,
    Paragraph,
    Section,
}

/// Returns byte ranges, in order, that cover the range: about equally long, and each of at most `most` code points.
pub(super) fn cut(text: &str, sentences: &[Sentence], range: Range<usize>, most: usize) -> Vec<Range<usize>> {
    let mut ranges = Vec::new();
    let mut start = range.start;
    let mut left = text.get(range.clone()).unwrap_or_default().chars().count();
    while left > most {
        let ideal = left / left.div_ceil(most);
        let (end, length) = best(text, sentences, start..range.end, ideal, most);
        if length == 0 {
            break;
        }
        ranges.push(start..end);
        start = end;
        left -= length.min(left);
    }
    if start < range.end {
        ranges.push(start..range.end);
    }
    ranges
}

/// Returns the best byte offset to end a chunk, and the chunk's length in code points. Of the best kind of offset
/// between three quarters of the ideal length and the greatest length, it takes the one nearest to the ideal length.
fn best(text: &str, sentences: &[Sentence], range: Range<usize>, ideal: usize, most: usize) -> (usize, usize) {
    let least = (ideal - ideal / 4).max(1);
    let first = sentences.partition_point(|sentence| sentence.start <= range.start);
    let mut starts = sentences.get(first..).unwrap_or_default().iter().peekable();
    let mut best = None;
    let mut forced = (range.start, 0);
    let (mut before, mut blank) = ('\n', false);
    for (length, (offset, c)) in text.get(range.clone()).unwrap_or_default().char_indices().enumerate() {
        let at = range.start + offset;
        let sentence = starts.next_if(|sentence| sentence.start <= at).filter(|sentence| sentence.start == at);
        if length > 0 && length <= most {
            forced = (at, length);
        }
        if (least..=most).contains(&length) && !splits(before, c) {
            let begins = match sentence {
                Some(sentence) if sentence.heading => CutPoint::Section,
                Some(_) if blank => CutPoint::Paragraph,
                Some(_) => CutPoint::Sentence,
                None if before == '\n' && c != '\n' => CutPoint::Line,
                None if before.is_whitespace() && !c.is_whitespace() => CutPoint::Word,
                None => CutPoint::Character,
            };
            best = best.max(Some((begins, Reverse(length.abs_diff(ideal)), at, length)));
        }
        if length >= most {
            break;
        }
        blank = if c == '\n' { blank || before == '\n' } else { blank && c.is_whitespace() };
        before = c;
    }
    best.map_or(forced, |(_, _, at, length)| (at, length))
}

/// Returns whether a cut between these two would split one visible character.
fn splits(before: char, after: char) -> bool {
    const JOINER: char = '\u{200d}';
    (before == '\r' && after == '\n')
        || before == JOINER
        || after == JOINER
        || is_combining_mark(after)
        || ('\u{1f3fb}'..='\u{1f3ff}').contains(&after)
}
