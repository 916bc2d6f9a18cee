//! Removes the values that a form offers and that are not ticked: "ER: [ ] positive [x] negative" is read as "ER:
//! negative", "Stage: ☐ I ☐ II ☒ III ☐ IV" as "Stage: III".
//!
//! Only lines in which every box has a value of one thing (a result, a stage, a side) are rewritten. An organ or a drug
//! beside an empty box stays, because the note denies it, and the answer shows what was denied. "Yes" and "no" stay,
//! too: `assertion/item_answers.rs` reads them.

use std::ops::Range;

use super::rewrite::Rewrite;
use crate::extraction::{staging, tick_boxes};

/// Values of which a form ticks one.
const VALUES: [&str; 50] = [
    "positive",
    "pos",
    "negative",
    "neg",
    "equivocal",
    "indeterminate",
    "borderline",
    "low",
    "intermediate",
    "high",
    "stable",
    "intact",
    "lost",
    "loss",
    "retained",
    "mutated",
    "mutant",
    "mutation",
    "wild type",
    "wild-type",
    "wildtype",
    "detected",
    "not detected",
    "amplified",
    "not amplified",
    "rearranged",
    "not rearranged",
    "unknown",
    "pending",
    "not done",
    "not tested",
    "not performed",
    "left",
    "right",
    "bilateral",
    "0",
    "1+",
    "2+",
    "3+",
    "cr",
    "pr",
    "sd",
    "pd",
    "cmr",
    "pmr",
    "complete response",
    "partial response",
    "stable disease",
    "progressive disease",
    "progression",
];
/// Maximum number of boxes of one line.
const MOST_BOXES: usize = 24;

/// A value to tick.
struct Choice {
    mark: Range<usize>,
    value: Range<usize>,
    ticked: bool,
}

/// Returns the ranges of the values that are not ticked, in order.
pub(in crate::extraction) fn unticked(text: &str) -> Vec<Range<usize>> {
    if memchr::memchr3(b'[', b'(', 0xe2, text.as_bytes()).is_none() {
        return Vec::new();
    }
    let mut start = 0;
    let mut all = Vec::new();
    for line in text.split_inclusive('\n') {
        let open = choices(line).into_iter().filter(|choice| !choice.ticked);
        all.extend(open.map(|choice| start + choice.value.start..start + choice.value.end));
        start += line.len();
    }
    all
}

/// Returns the text without the choices that are not ticked; `None` if it has none.
pub(super) fn remove_unticked(text: &str) -> Option<Rewrite> {
    memchr::memchr3(b'[', b'(', 0xe2, text.as_bytes())?;
    let (mut made, mut copied) = (Rewrite::default(), 0);
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        for choice in choices(line) {
            let range = |range: &Range<usize>| start + range.start..start + range.end;
            let gone = if choice.ticked {
                range(&choice.mark)
            } else {
                start + choice.mark.start.min(choice.value.start)..start + choice.mark.end.max(choice.value.end)
            };
            made.copy(text, copied..gone.start);
            made.put(' ', gone.clone());
            copied = gone.end;
        }
        start += line.len();
    }
    if copied == 0 {
        return None;
    }
    made.copy(text, copied..text.len());
    Some(made)
}

/// Returns the choices of a line; none unless the line offers at least two values and nothing else.
fn choices(line: &str) -> Vec<Choice> {
    if memchr::memchr3(b'[', b'(', 0xe2, line.as_bytes()).is_none() {
        return Vec::new();
    }
    let marks: Vec<(Range<usize>, bool)> = tick_boxes::find(line).take(MOST_BOXES + 1).collect();
    if !(2..=MOST_BOXES).contains(&marks.len()) {
        return Vec::new();
    }
    let before = marks.first().map_or(0, |(first, _)| first.start);
    let head = line.get(..before).unwrap_or_default();
    // Boxes follow their values if a value comes before the first box: "ER: positive [ ] negative [x]".
    let value_from = head.rfind([':', '?', '|', '\t']).map_or(0, |at| at + 1);
    let behind = is_value(head.get(value_from..).unwrap_or_default());
    let mut floor = value_from;
    let mut all = Vec::with_capacity(marks.len());
    for (at, (mark, ticked)) in marks.iter().enumerate() {
        let value = if behind {
            floor..mark.start
        } else {
            mark.end..marks.get(at + 1).map_or(line.len(), |(next, _)| next.start)
        };
        floor = mark.end;
        let value = trimmed(line, value);
        if !is_value(line.get(value.clone()).unwrap_or_default()) {
            return Vec::new();
        }
        all.push(Choice { mark: mark.clone(), value, ticked: *ticked });
    }
    all
}

fn trimmed(line: &str, range: Range<usize>) -> Range<usize> {
    let slice = line.get(range.clone()).unwrap_or_default();
    // After the last value the line may continue: "[x] high. Colon cancer."
    let slice = slice.split_once(". ").map_or(slice, |(value, _)| value);
    let rest = slice.trim_start();
    let start = range.start + slice.len() - rest.len();
    start..start + rest.trim_end_matches([' ', '\t', '\r', '\n', ',', ';', '.', '/', '|']).len()
}

/// Returns whether a text is a value that a form may offer.
fn is_value(text: &str) -> bool {
    let text = text.trim();
    VALUES.iter().any(|value| value.eq_ignore_ascii_case(text)) || staging::group(text).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_ticked_values_stay() {
        for (text, expected) in [
            ("ER: [ ] positive [x] negative", "ER:     negative"),
            ("ER: positive [ ] negative [x]\nPR: [x] pos [ ] neg", "ER:   negative  \nPR:   pos  "),
            ("Stage: ☐ I ☐ II ☒ III ☐ IV\nColon cancer", "Stage:       III  \nColon cancer"),
            ("HER2 ( ) positive ( ) equivocal (x) negative.", "HER2       negative."),
            ("KRAS: [ ] mutated [ ] wild type", "KRAS:    "),
        ] {
            assert_eq!(remove_unticked(text).as_ref().map(Rewrite::text), Some(expected), "{text}");
        }
    }

    #[test]
    fn other_boxes_stay() {
        for text in [
            "Metastases: [ ] liver [x] bone",
            "Chemotherapy: [ ] yes [x] no",
            "[x] positive margins",
            "HER2 (equivocal) and ER (x) negative",
            "no boxes",
            "",
        ] {
            assert!(remove_unticked(text).is_none(), "{text}");
        }
    }
}
