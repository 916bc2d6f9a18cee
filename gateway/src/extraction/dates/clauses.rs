//! Splits the sentences that have a date into clauses, at commas, conjunctions, colons and the cells of a table.

use std::{ops::Range, sync::LazyLock};

use regex::Regex;

use super::resolve::DateMention;
use crate::{extraction::assertion::Sentence, statics::pattern, steps};

/// Maximum number of bytes of a bracket whose clauses are read separately.
const LONGEST_BRACKET: usize = 400;

static SEPARATOR: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        "(?i-u)(?<comma>,)|(?<semicolon>;)|(?<cell>[|\\t])|(?<colon>:)\
         |(?-u:\\b)(?:(?<strong>and then|then|followed by|but|while|when|after which|after|before|prior to|until|till\
         |because|so|now|currently|subsequently|thereafter|later|despite|however|although|whereas|with subsequent)\
         |(?<and>and|plus)|(?<clause>she|he|the patient|patient|pt|which|who))(?-u:\\b)|(?<and_sign>&)",
    )
});

/// Compiles the pattern before a note needs it.
pub(super) fn compile() {
    LazyLock::force(&SEPARATOR);
}

/// What separates a clause from the one before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ClauseSeparator {
    /// The start of the sentence or bracket.
    Start,
    Comma,
    And,
    /// The edge of a cell of a table.
    Cell,
    Colon,
    Semicolon,
    /// A pronoun or another subject.
    Subject,
    /// A word such as "then" or "after": a date does not reach over it.
    Turn,
}

/// A clause, in bytes of the text.
#[derive(Clone, Debug)]
pub(super) struct Clause {
    pub(super) range: Range<usize>,
    pub(super) separator: ClauseSeparator,
}

/// A sentence, or the inside of a bracket, that has a date.
#[derive(Clone, Debug)]
pub(super) struct DatedSentence {
    pub(super) range: Range<usize>,
    pub(super) clauses: Vec<Clause>,
    /// The brackets of the sentence, with their parentheses.
    pub(super) brackets: Vec<Range<usize>>,
}

/// The sentences and the brackets of a text that have a date, each in order.
#[derive(Debug, Default)]
pub(super) struct DatedSentences {
    pub(super) sentences: Vec<DatedSentence>,
    pub(super) brackets: Vec<DatedSentence>,
}

impl DatedSentences {
    /// Reads a text with its dates. `sentences` returns the sentences of the text.
    pub(super) fn of<'s>(text: &str, mentions: &[DateMention], sentences: impl FnOnce() -> &'s [Sentence]) -> Self {
        let mut all = Self::default();
        if mentions.is_empty() {
            return all;
        }
        for range in units(text, sentences(), mentions) {
            if within(mentions, &range).is_empty() {
                continue;
            }
            steps::count(range.len());
            let brackets = brackets(text, &range);
            for bracket in &brackets {
                let inside = bracket.start + 1..bracket.end - 1;
                if bracket.len() <= LONGEST_BRACKET && !within(mentions, &inside).is_empty() {
                    let clauses = clauses(text, &inside, &[], mentions);
                    all.brackets.push(DatedSentence { range: inside, clauses, brackets: Vec::new() });
                }
            }
            let clauses = clauses(text, &range, &brackets, mentions);
            all.sentences.push(DatedSentence { range, clauses, brackets });
        }
        all
    }
}

/// Returns the dates that start in a range.
pub(super) fn within<'a>(mentions: &'a [DateMention], range: &Range<usize>) -> &'a [DateMention] {
    let first = mentions.partition_point(|mention| mention.range.start < range.start);
    let end = mentions.partition_point(|mention| mention.range.start < range.end);
    mentions.get(first..end).unwrap_or_default()
}

/// Returns the sentences of a text. A full stop in a date does not end a sentence ("Mar. 2019"), and each row of a
/// table is one.
fn units(text: &str, sentences: &[Sentence], mentions: &[DateMention]) -> Vec<Range<usize>> {
    let mut units: Vec<Range<usize>> = Vec::with_capacity(sentences.len());
    for sentence in sentences {
        let continues_date = units.last().is_some_and(|last| {
            let next = mentions.partition_point(|mention| mention.range.end <= last.end);
            mentions
                .get(next)
                .is_some_and(|mention| mention.range.start < last.end && sentence.start < mention.range.end)
        });
        if let Some(last) = units.last_mut().filter(|_| continues_date) {
            last.end = sentence.end;
            continue;
        }
        let mut start = sentence.start;
        let words = text.get(sentence.start..sentence.end).unwrap_or_default();
        if words.contains(['|', '\t']) {
            for (at, _) in words.match_indices('\n') {
                units.push(start..sentence.start + at);
                start = sentence.start + at + 1;
            }
        }
        units.push(start..sentence.end);
    }
    units
}

/// Returns the outer brackets of a range.
fn brackets(text: &str, range: &Range<usize>) -> Vec<Range<usize>> {
    let (mut found, mut open, mut depth) = (Vec::new(), range.start, 0_usize);
    for (at, byte) in text.bytes().enumerate().take(range.end).skip(range.start) {
        match byte {
            b'(' | b'[' => {
                if depth == 0 {
                    open = at;
                }
                depth += 1;
            }
            b')' | b']' if depth > 0 => {
                depth -= 1;
                if depth == 0 {
                    found.push(open..at + 1);
                }
            }
            _ => {}
        }
    }
    found
}

/// Returns the clauses of a range. Separators in brackets and in dates separate nothing.
fn clauses(text: &str, range: &Range<usize>, brackets: &[Range<usize>], mentions: &[DateMention]) -> Vec<Clause> {
    let words = text.get(range.clone()).unwrap_or_default();
    let (mut clauses, mut start, mut separator) = (Vec::new(), range.start, ClauseSeparator::Start);
    for captures in SEPARATOR.captures_iter(words) {
        let Some(found) = captures.get(0) else { continue };
        let place = range.start + found.start()..range.start + found.end();
        let in_bracket = brackets.get(brackets.partition_point(|bracket| bracket.end <= place.start));
        let in_date = mentions.get(mentions.partition_point(|mention| mention.range.end <= place.start));
        if in_bracket.is_some_and(|bracket| bracket.start <= place.start)
            || in_date.is_some_and(|mention| mention.range.start <= place.start)
        {
            continue;
        }
        let next = match captures.iter().skip(1).position(|group| group.is_some()) {
            Some(0) => ClauseSeparator::Comma,
            Some(1) => ClauseSeparator::Semicolon,
            Some(2) => ClauseSeparator::Cell,
            Some(3) if !is_colon(text, place.end) => continue,
            Some(3) => ClauseSeparator::Colon,
            Some(4) => ClauseSeparator::Turn,
            Some(6) => ClauseSeparator::Subject,
            _ => ClauseSeparator::And,
        };
        // Of two separators in a row (", and", "and she") the stronger counts.
        let is_empty = !text.get(start..place.start).unwrap_or_default().contains(char::is_alphanumeric);
        if is_empty {
            separator = stronger(separator, next);
        } else {
            clauses.push(Clause { range: start..place.start, separator });
            separator = next;
        }
        start = place.end;
    }
    clauses.push(Clause { range: start..range.end, separator });
    clauses
}

/// Returns whether a colon before this byte is one between words, and not one in "10:30".
fn is_colon(text: &str, end: usize) -> bool {
    !text.as_bytes().get(end).is_some_and(u8::is_ascii_digit)
}

fn stronger(one: ClauseSeparator, other: ClauseSeparator) -> ClauseSeparator {
    let rank = |separator| match separator {
        ClauseSeparator::Comma => 0,
        ClauseSeparator::And => 1,
        ClauseSeparator::Cell => 2,
        ClauseSeparator::Subject => 3,
        ClauseSeparator::Start => 4,
        ClauseSeparator::Colon => 5,
        ClauseSeparator::Semicolon => 6,
        ClauseSeparator::Turn => 7,
    };
    if rank(other) > rank(one) { other } else { one }
}
