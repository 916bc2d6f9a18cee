//! Assigns every stretch of a text to the tumour that it speaks of.
//!
//! A unit that names a tumour speaks of it. One that names none speaks of the tumour that its block named last; but what
//! is said after the name of another tumour than the index belongs to that one only where the block names no further
//! tumour, or where the words look back. Otherwise the text does not say.

use std::ops::Range;

use super::units::{self, Unit};

/// Words that go on about a tumour of the past.
const LOOKING_BACK: [&str; 16] = [
    "recurrence",
    "evidence of disease",
    "in remission",
    "since then",
    "at that time",
    "thereafter",
    "no relapse",
    "treated with",
    "was treated",
    "had been",
    "undetectable",
    "cured",
    "disease-free",
    "for that",
    "for which",
    "of that",
];

/// Words that return to the present.
const RETURNING: [&str; 16] = [
    "now ",
    "today",
    "currently",
    "presents",
    "presented with",
    "was started",
    "started on",
    "starts ",
    "is on ",
    "is receiving",
    "receives",
    "new ",
    "recently",
    "at present",
    "this admission",
    "started ",
];

/// Words that speak of today, and so of the index tumour where the block named another one last.
const PRESENT: [&str; 10] = [
    "now ",
    "today",
    "currently",
    "current ",
    "at present",
    "this admission",
    "is on ",
    "is receiving",
    "we have started",
    "we started",
];

/// Bytes of a value that a bound word is read with: "ER 95 %".
const REACH_OF_BOUND_WORD: usize = 24;

/// Returns the stretches in order, each with its tumour. `bound`: words that belong to tumours of one organ; `labels`: what
/// a unit begins with that says which tumour it speaks of. Both are in order.
pub(super) fn assign(
    lower: &str,
    units: &[Unit],
    bound: &[(Range<usize>, usize)],
    labels: &[(Range<usize>, usize)],
    index: Option<usize>,
) -> Vec<(Range<usize>, Option<usize>)> {
    let mut segments: Vec<(Range<usize>, Option<usize>)> = Vec::with_capacity(units.len());
    let (mut bound, mut labels) = (bound.iter().peekable(), labels.iter().peekable());
    let (mut start, mut block) = (0, usize::MAX);
    let mixed = units::mixed_blocks(units);
    // The tumour that the block named last.
    let mut last: Option<usize> = None;
    for unit in units {
        if unit.block != block {
            (block, last) = (unit.block, None);
        }
        let words = lower.get(unit.range.clone()).unwrap_or_default();
        let has = |list: &[&str]| list.iter().any(|word| words.contains(word));
        let tumour = match (unit.named, last) {
            (Some(named), _) => Some(named),
            (None, None) => index,
            (None, Some(last)) if index == Some(last) || index.is_none() => Some(last),
            (None, Some(last))
                if has(&LOOKING_BACK) || (unit.of_item && !mixed.contains(&block) && !has(&RETURNING)) =>
            {
                Some(last)
            }
            (None, Some(_)) if has(&PRESENT) => index,
            (None, Some(_)) => None,
        };
        if !unit.bracket {
            last = unit.named.or(last);
        }
        // The gap before a unit belongs to it.
        let end = unit.range.end.max(start);
        let mut label = None;
        while let Some((_, of)) = labels.next_if(|(range, _)| range.start < end) {
            label = label.or(Some(*of));
        }
        // A label holds for the words behind it up to a semicolon. Metastases beside the organ of an earlier tumour are
        // more often the index tumour's.
        let label =
            label.filter(|of| unit.named.is_none() && (index == Some(*of) || index.is_none() || !has(&["metasta"])));
        if label.is_some() && start < end {
            let labelled =
                lower.get(unit.range.clone()).and_then(|words| words.find(';')).map_or(end, |at| unit.range.start + at);
            segments.push((start..labelled.max(start), label));
            start = labelled.max(start);
        }
        while let Some((range, of)) = bound.next_if(|(range, _)| range.start < end) {
            // A unit that names a tumour says itself what it speaks of.
            if range.start < start || unit.named.is_some() || tumour == Some(*of) {
                continue;
            }
            let far = end.min(range.end + REACH_OF_BOUND_WORD);
            let far =
                (range.end..=far.max(range.end)).rev().find(|at| lower.is_char_boundary(*at)).unwrap_or(range.end);
            let reach = lower.get(range.end..far).unwrap_or_default();
            let close = range.end + reach.find([',', ';', '.', '(', ')', '\n', '|']).unwrap_or(reach.len());
            segments.push((start..range.start, tumour));
            segments.push((range.start..close, Some(*of)));
            start = close;
        }
        if start < end {
            segments.push((start..end, tumour));
            start = end;
        }
    }
    segments
}
