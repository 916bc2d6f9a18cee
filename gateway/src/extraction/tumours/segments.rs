//! Assigns every stretch of a text to the tumour that it refers to.
//!
//! A unit that names a tumour belongs to it. A unit without a name belongs to the tumour that its block named last;
//! before any name, to the index tumour. If there is an index tumour and the block named another one last, this holds
//! only if the words refer to the past, or in a list item or a paragraph set apart that names no further tumour. Words
//! about the present switch to the index tumour for the rest of the block. Other units are assigned to no tumour.

use std::ops::Range;

use super::{
    item_labels::ItemLabels,
    units::{self, Name, Unit},
};

/// Words that say that a past tumour is over.
const OVER: [&str; 11] = [
    "recurrence",
    "evidence of disease",
    "in remission",
    "since then",
    "no relapse",
    "undetectable",
    "cured",
    "disease-free",
    "of that",
    "on that",
    "that specimen",
];

/// Words that continue the description of a past tumour, unless words about the present are next to them.
const LOOKING_BACK: [&str; 7] =
    ["at that time", "thereafter", "treated with", "was treated", "had been", "for that", "for which"];

/// Words that return to the present. At the start of a line they refer to the index tumour; in a list item they show
/// that it is no longer about its tumour alone.
const RETURNING: [&str; 17] = [
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
    "restarted ",
];

/// Words about the present or the future, and so about the index tumour where the block named another one last.
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

/// First words of paragraphs that are only about another tumour.
const SET_APART: [&str; 5] = ["separately", "other malignanc", "another malignanc", "other cancer", "other primar"];

/// Bytes of a value that a bound word is read with: "ER 95 %".
const REACH_OF_BOUND_WORD: usize = 24;

/// Stretches of a text, each with the tumour that it refers to.
type Segments = Vec<(Range<usize>, Option<usize>)>;

/// Returns the stretches in order, each with its tumour. `bound`: words that belong to tumours of one organ; `labels`:
/// organs that say which tumour a unit, or a clause of it, refers to. Both are in order.
pub(super) fn assign(lower: &str, units: &[Unit], bound: &[Name], labels: &[Name], index: Option<usize>) -> Segments {
    let mut segments = Segments::with_capacity(units.len());
    let (mut next_bound, mut labels) = (bound.iter().peekable(), labels.iter().peekable());
    let (mut start, mut block) = (0, usize::MAX);
    // The tumour that the first unit of the block sets apart, where the block names no other.
    let mut led: Option<usize> = None;
    let mixed = units::mixed_blocks(units);
    let mut items = ItemLabels::default();
    // The tumour that the block named last.
    let mut last: Option<usize> = None;
    for unit in units {
        let begins_block = unit.block != block;
        if begins_block {
            (block, last) = (unit.block, None);
            let words = lower.get(unit.range.clone()).unwrap_or_default().trim_start();
            let apart = SET_APART.iter().any(|word| words.starts_with(word));
            led = unit.named.filter(|_| apart && !mixed.contains(&block));
        }
        let words = lower.get(unit.range.clone()).unwrap_or_default();
        let has = |list: &[&str]| list.iter().any(|word| units::places(words, word).next().is_some());
        let item = items.next(lower, unit, begins_block);
        let named = unit.named.or(item);
        let returns = || has(&PRESENT) || (begins_line(lower, unit.range.start) && has(&RETURNING));
        let tumour = match (named, last) {
            (Some(named), _) => Some(named),
            (None, None) if index.is_none() => units::only_bound(bound, unit),
            (None, None) => index,
            (None, Some(last)) if index == Some(last) || index.is_none() => Some(last),
            (None, Some(last)) if has(&OVER) => Some(last),
            (None, Some(last)) if unit.of_item && !mixed.contains(&block) && !has(&RETURNING) => Some(last),
            (None, Some(last)) if led == Some(last) && !returns() && !has(&RETURNING) => Some(last),
            (None, Some(_)) if returns() || units::only_bound(bound, unit) == index => index,
            (None, Some(last)) if has(&LOOKING_BACK) => Some(last),
            (None, Some(_)) => None,
        };
        if !unit.bracket {
            last = match named {
                Some(named) => Some(named),
                // The text after a return to the index tumour is also about it.
                None if index.is_some() && tumour == index => last.and(index),
                None => last.or(tumour),
            };
        }
        // The gap before a unit belongs to it.
        let end = unit.range.end.max(start);
        let mut label: Option<Name> = None;
        while let Some(next) = labels.next_if(|(range, _)| range.start < end) {
            label = label.or_else(|| Some(next.clone()));
        }
        // Metastases beside the organ of an earlier tumour are more often the index tumour's.
        let counts = |of: usize| index == Some(of) || index.is_none() || !has(&["metasta"]);
        let label = label.filter(|(_, of)| unit.named.is_none() && counts(*of));
        let stretch = label.and_then(|(at, of)| Some((labelled(lower, unit, &at, start, end)?, of)));
        let mut bind = |until: usize, start: &mut usize, segments: &mut Segments| {
            while let Some((range, of)) = next_bound.next_if(|(range, _)| range.start < until) {
                // A unit that names a tumour belongs to that tumour.
                if range.start < *start || unit.named.is_some() || tumour == Some(*of) {
                    continue;
                }
                let close = reach_of_bound_word(lower, range, end);
                segments.push((*start..range.start, tumour));
                segments.push((range.start..close, Some(*of)));
                *start = close;
            }
        };
        if let Some((stretch, of)) = stretch {
            bind(stretch.start, &mut start, &mut segments);
            let from = stretch.start.max(start);
            if start < from {
                segments.push((start..from, tumour));
            }
            if from < stretch.end {
                segments.push((from..stretch.end, Some(of)));
            }
            start = stretch.end.max(from);
        }
        bind(end, &mut start, &mut segments);
        if start < end {
            segments.push((start..end, tumour));
            start = end;
        }
    }
    segments
}

/// Returns whether only spaces are before a place in its line.
fn begins_line(lower: &str, at: usize) -> bool {
    let before = lower.get(..at).unwrap_or_default().trim_end_matches([' ', '\t']);
    before.is_empty() || before.ends_with('\n')
}

/// Returns where a bound word ends with the value after it: "ER 95 %".
fn reach_of_bound_word(lower: &str, word: &Range<usize>, end: usize) -> usize {
    let far = end.min(word.end + REACH_OF_BOUND_WORD).max(word.end);
    let far = (word.end..=far).rev().find(|at| lower.is_char_boundary(*at)).unwrap_or(word.end);
    let reach = lower.get(word.end..far).unwrap_or_default();
    word.end + reach.find([',', ';', '.', '(', ')', '\n', '|']).unwrap_or(reach.len())
}

/// Returns the part of a unit that a label applies to: all of it from `start` where the unit begins with the label,
/// else from the clause of the label, unless that denies; up to a semicolon after the label that does not continue
/// about the same tumour.
fn labelled(lower: &str, unit: &Unit, label: &Range<usize>, start: usize, end: usize) -> Option<Range<usize>> {
    const CLAUSES: [&str; 6] = [", ", "; ", " and ", " but ", "\n", ". "];
    const DENIALS: [&str; 4] = ["no ", "not ", "without ", "never "];
    const GOING_ON: [&str; 5] = ["; the tumo", "; it ", "; this ", "; there ", "; no "];
    let before = lower.get(unit.range.start..label.start)?;
    let begins = before.split_ascii_whitespace().count() <= 1;
    let clause = CLAUSES.iter().filter_map(|words| before.rfind(words)).max().filter(|_| !begins).unwrap_or(0);
    if before.get(clause..).is_some_and(|clause| DENIALS.iter().any(|denial| clause.contains(denial))) {
        return None;
    }
    let from = if clause == 0 { start } else { unit.range.start + clause };
    let behind = lower.get(label.end..end).unwrap_or_default();
    let goes_on =
        |at: &usize| behind.get(*at..).is_some_and(|rest| GOING_ON.iter().any(|words| rest.starts_with(words)));
    let until = behind.find(';').filter(|at| !goes_on(at)).map_or(end, |at| label.end + at);
    Some(from..until.max(from))
}
