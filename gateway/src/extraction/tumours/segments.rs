//! Assigns every stretch of a text to the tumour that it speaks of.
//!
//! A unit that names a tumour speaks of it. One that names none speaks of the tumour that its block named last; but what
//! is said after the name of another tumour than the index belongs to that one only where the block names no further
//! tumour, or where the words look back. Words of today return to the index tumour, and what follows them goes on about
//! it. Otherwise the text does not say.

use std::ops::Range;

use super::{
    item_labels::ItemLabels,
    units::{self, Unit},
};

/// Words that tell that a tumour of the past is over.
const OVER: [&str; 9] = [
    "recurrence",
    "evidence of disease",
    "in remission",
    "since then",
    "no relapse",
    "undetectable",
    "cured",
    "disease-free",
    "of that",
];

/// Words that go on about a tumour of the past, unless words of today stand beside them.
const LOOKING_BACK: [&str; 7] =
    ["at that time", "thereafter", "treated with", "was treated", "had been", "for that", "for which"];

/// Words that return to the present. At the start of a line they speak of the index tumour.
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

/// Words that speak of today or of what comes, and so of the index tumour where the block named another one last.
const PRESENT: [&str; 27] = [
    "now ",
    "here for ",
    "today",
    "currently",
    "current ",
    "current:",
    "at present",
    "this admission",
    "is on ",
    "is receiving",
    "we have started",
    "we started",
    "we plan",
    "we propose",
    "we recommend",
    "we will ",
    "we shall ",
    "plan:",
    "interval:",
    "to date",
    "so far:",
    " shows ",
    "change to ",
    "switch to ",
    "is planned",
    "restaging",
    "tolerates ",
];

/// Bytes of a value that a bound word is read with: "ER 95 %".
const REACH_OF_BOUND_WORD: usize = 24;

/// Returns the stretches in order, each with its tumour. `bound`: words that belong to tumours of one organ; `labels`: what
/// a unit begins with that says which tumour it speaks of. Both are in order.
pub(super) fn assign(
    lower: &str,
    units: &[Unit],
    bound: &[units::Name],
    labels: &[units::Name],
    index: Option<usize>,
) -> Vec<(Range<usize>, Option<usize>)> {
    let mut segments: Vec<(Range<usize>, Option<usize>)> = Vec::with_capacity(units.len());
    let (mut next_bound, mut labels) = (bound.iter().peekable(), labels.iter().peekable());
    let (mut start, mut block) = (0, usize::MAX);
    let mixed = units::mixed_blocks(units);
    let mut items = ItemLabels::default();
    // The tumour that the block named last.
    let mut last: Option<usize> = None;
    for unit in units {
        let begins_block = unit.block != block;
        if begins_block {
            (block, last) = (unit.block, None);
        }
        let words = lower.get(unit.range.clone()).unwrap_or_default();
        let has = |list: &[&str]| list.iter().any(|word| words.contains(word));
        let item = items.next(words, unit, begins_block);
        let named = unit.named.or(item);
        let returns = || has(&PRESENT) || (begins_line(lower, unit.range.start) && has(&RETURNING));
        let tumour = match (named, last) {
            (Some(named), _) => Some(named),
            (None, None) if index.is_none() => units::only_bound(bound, unit),
            (None, None) => index,
            (None, Some(last)) if index == Some(last) || index.is_none() => Some(last),
            (None, Some(last)) if has(&OVER) => Some(last),
            (None, Some(last)) if unit.of_item && !mixed.contains(&block) && !has(&RETURNING) => Some(last),
            (None, Some(_)) if returns() || units::only_bound(bound, unit) == index => index,
            (None, Some(last)) if has(&LOOKING_BACK) => Some(last),
            (None, Some(_)) => None,
        };
        if !unit.bracket {
            last = match named {
                Some(named) => Some(named),
                // What follows a return to the index tumour goes on about it.
                None if index.is_some() && tumour == index => last.and(index),
                None => last.or(tumour),
            };
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
            let labelled = label_end(words).map_or(end, |at| unit.range.start + at);
            segments.push((start..labelled.max(start), label));
            start = labelled.max(start);
        }
        while let Some((range, of)) = next_bound.next_if(|(range, _)| range.start < end) {
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

/// Returns whether only spaces stand before a place in its line.
fn begins_line(lower: &str, at: usize) -> bool {
    let before = lower.get(..at).unwrap_or_default().trim_end_matches([' ', '\t']);
    before.is_empty() || before.ends_with('\n')
}

/// Returns where the words end of which a label says what they speak: at the first semicolon, unless the words behind it
/// go on about the same.
fn label_end(words: &str) -> Option<usize> {
    const GOING_ON: [&str; 5] = ["; the tumo", "; it ", "; this ", "; there ", "; no "];
    let at = words.find(';')?;
    let rest = words.get(at..)?;
    (!GOING_ON.iter().any(|words| rest.starts_with(words))).then_some(at)
}
