//! Cuts a text into units: the stretches that speak of one tumour each.
//!
//! A unit is a sentence, a part of a sentence that names two tumours, or a bracket that names another tumour than the
//! words before it.

use std::{
    collections::{HashMap, HashSet},
    ops::Range,
};

use super::super::assertion::{Section, Sentence, sentences};

/// A stretch of the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Unit {
    /// Its byte range.
    pub(super) range: Range<usize>,
    /// The number of its paragraph, list item, table row or section.
    pub(super) block: usize,
    /// Whether that block is a list item, a table row or a section of past illnesses, which speaks of one thing.
    pub(super) of_item: bool,
    /// Whether it stands in a section of past illnesses.
    pub(super) past_section: bool,
    /// The tumour that it names.
    pub(super) named: Option<usize>,
    /// The first name of that tumour in it; empty if it names none.
    pub(super) name: Range<usize>,
    /// Whether it is a bracket inside a sentence, after which the sentence goes on.
    pub(super) bracket: bool,
}

/// A name of a tumour in the text: its range and the number of the tumour.
pub(super) type Name = (Range<usize>, usize);

/// Words of headings that tell what follows of the same tumour.
const LABELS: [&str; 9] =
    ["treatment", "therapy", "stage", "staging", "response", "marker", "molecular", "surgery", "status"];

/// Most bytes of such a heading.
const LONGEST_LABEL: usize = 30;

/// Most bytes of a bracket after the name in it.
const LONGEST_BRACKET: usize = 400;

/// Cuts a text into units, in order. `names` are in order too.
pub(super) fn cut(text: &str, names: &[Name]) -> Vec<Unit> {
    let mut units = Vec::new();
    let (mut block, mut of_item, mut last): (usize, bool, Option<Sentence>) = (0, false, None);
    // Whether a numbered line began the block, so that dashes below it are about the same.
    let mut numbered = false;
    for sentence in sentences(text) {
        let first = names.partition_point(|(range, _)| range.start < sentence.start);
        let end = names.partition_point(|(range, _)| range.start < sentence.end);
        let mut names = names.get(first..end.max(first)).unwrap_or_default();
        let after = last.map_or(0, |last| last.end);
        let gap = text.get(after..sentence.start).unwrap_or_default();
        let line = line_at(text, sentence.start);
        let tumour_name =
            names.first().map(|(range, _)| range).filter(|range| range.end <= sentence.start + line.len());
        let of_date = gap.contains('\n') && is_dated(line) && tumour_name.is_some();
        let nested = numbered && tumour_name.is_none() && is_dash(gap) && !gap.contains("\n\n");
        if of_date || last.is_none_or(|last| !nested && begins_block(text, &last, &sentence, of_item)) {
            block += usize::from(last.is_some());
            of_item = of_date
                || is_item(text, after, &sentence)
                || tumour_name.is_some_and(|name| is_name_alone(line, name.len()));
            numbered = begins_with_number(gap, line);
        }
        let past_section = sentence.section == Section::PastHistory;
        for row in rows(text, sentence.start..sentence.end, of_item) {
            if row.start > sentence.start {
                block += 1;
                of_item &= !is_title(text.get(row.clone()).unwrap_or_default());
            }
            let (of_row, rest) = names.split_at(names.partition_point(|(range, _)| range.start < row.end));
            names = rest;
            pieces(text, row, of_row, &mut |range, named, bracket| {
                let from = of_row.partition_point(|(place, _)| place.start < range.start);
                let own = of_row.get(from..).into_iter().flatten().find(|(_, tumour)| Some(*tumour) == named);
                let name = own.map_or(range.start..range.start, |(place, _)| place.clone());
                units.push(Unit { range, block, of_item, past_section, named, name, bracket });
            });
        }
        last = Some(sentence);
    }
    units
}

/// Returns what follows up to the end of the line. Of a long line it is the beginning, so that the work stays linear.
fn line_at(text: &str, start: usize) -> &str {
    const LONGEST: usize = 256;
    let end = (start..=text.len().min(start + LONGEST)).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(start);
    text.get(start..end).and_then(|rest| rest.lines().next()).unwrap_or_default()
}

/// Returns the blocks that name more than one tumour.
pub(super) fn mixed_blocks(units: &[Unit]) -> HashSet<usize> {
    let (mut first, mut mixed) = (HashMap::new(), HashSet::new());
    for (unit, named) in units.iter().filter_map(|unit| Some((unit, unit.named?))) {
        if *first.entry(unit.block).or_insert(named) != named {
            mixed.insert(unit.block);
        }
    }
    mixed
}

/// Returns the lines of a table that was read as one sentence; of a list item what stands below a label that ends the list
/// apart; otherwise the sentence.
fn rows(text: &str, sentence: Range<usize>, of_item: bool) -> Vec<Range<usize>> {
    let words = text.get(sentence.clone()).unwrap_or_default();
    if !words.contains(['|', '\t']) {
        let breaks = words.match_indices('\n').map(|(at, _)| at + 1);
        let mut titles = breaks.filter(|at| of_item && is_title(words.get(*at..).unwrap_or_default()));
        let Some(title) = titles.next().map(|at| sentence.start + at) else { return vec![sentence] };
        return vec![sentence.start..title, title..sentence.end];
    }
    let mut start = sentence.start;
    let lines = words.split_inclusive('\n').map(|line| {
        let row = start..start + line.len();
        start = row.end;
        row
    });
    lines.collect()
}

/// Returns whether a sentence begins a paragraph, a list item, a table row or a section. `of_item`: whether the block
/// before it is an item or a row.
fn begins_block(text: &str, last: &Sentence, next: &Sentence, of_item: bool) -> bool {
    let gap = text.get(last.end..next.start).unwrap_or_default();
    let line_ends = gap.bytes().filter(|byte| *byte == b'\n').count();
    // Below a list, a label on a line of its own is about all of its items.
    if of_item && gap.ends_with('\n') && is_title(text.get(next.start..).unwrap_or_default()) {
        return true;
    }
    // "Treatment:" goes on about the tumour above it.
    let words = text.get(next.start..next.end).unwrap_or_default();
    let label = if next.heading { Some(words) } else { words.split_once(':').map(|(label, _)| label) };
    let label = label.filter(|label| label.len() <= LONGEST_LABEL).unwrap_or_default().to_ascii_lowercase();
    if line_ends < 2 && LABELS.iter().any(|word| label.contains(word)) {
        return false;
    }
    let new_line = line_ends == 1 && (is_marked(gap, text, next) || next.heading);
    last.section != next.section || line_ends > 1 || new_line
}

/// Returns whether the first line of a text is only a label: "TREATMENT", "Therapy and response:".
fn is_title(text: &str) -> bool {
    let line = text.lines().next().unwrap_or_default().trim_end().trim_end_matches(':');
    let lower = line.to_ascii_lowercase();
    line.len() <= LONGEST_LABEL
        && line.starts_with(|c: char| c.is_ascii_uppercase())
        && !line.contains([':', '.', ',', ';'])
        && LABELS.iter().any(|word| lower.contains(word))
}

/// Returns whether the block that begins with a sentence is a list item, a table row or a section of past illnesses.
fn is_item(text: &str, after: usize, first: &Sentence) -> bool {
    let line = text.get(first.start..first.end).unwrap_or_default();
    let is_title = first.heading || (line.len() <= LONGEST_LABEL && !line.ends_with('.'));
    let heading = if is_title { line.to_ascii_lowercase() } else { String::new() };
    let of_past = ["previous", "prior", "past", "history"].iter().any(|word| heading.contains(word));
    of_past
        || first.section == Section::PastHistory
        || is_marked(text.get(after..first.start).unwrap_or_default(), text, first)
}

/// Returns whether a line is a list item or the row of a table. `gap` is the text before it.
fn is_marked(gap: &str, text: &str, line: &Sentence) -> bool {
    let line = text.get(line.start..line.end).unwrap_or_default();
    let bullet = gap.trim_start().starts_with(['-', '*', '\u{2022}', '\u{b7}']);
    bullet || begins_with_number(gap, line) || line.contains(['|', '\t'])
}

/// Returns whether a list item with a number begins: "2. Breast cancer", "#1 Tonsil SCC". `gap` is the text before the line.
fn begins_with_number(gap: &str, line: &str) -> bool {
    let is_digit = |c: char| c.is_ascii_digit();
    let has_sign = |text: &str| text.strip_prefix('#').is_some_and(|number| number.starts_with(is_digit));
    let gap = gap.trim();
    let after_sign = gap.ends_with('#') && line.starts_with(is_digit);
    gap.starts_with(is_digit) || is_numbered(line) || has_sign(gap) || has_sign(line) || after_sign
}

/// Returns whether a line begins with a number of a list: "2. Breast cancer", "3) ", "IV. ".
fn is_numbered(line: &str) -> bool {
    let digits = line.bytes().take_while(u8::is_ascii_digit).count();
    let romans = line.bytes().take_while(|byte| matches!(byte, b'I' | b'V' | b'X')).count();
    let rest = |length: usize| line.get(length..).is_some_and(|rest| rest.starts_with([')', '.']));
    ((1..=2).contains(&digits) && rest(digits)) || ((1..=4).contains(&romans) && rest(romans))
}

/// Returns whether a list item with a dash or a dot begins behind a gap.
fn is_dash(gap: &str) -> bool {
    gap.contains('\n') && gap.trim_start().starts_with(['-', '*', '\u{2022}', '\u{b7}'])
}

/// Returns whether a line begins with a date of a list of events: "2011: papillary carcinoma", "03/2019 - ".
fn is_dated(line: &str) -> bool {
    let date = line.bytes().take_while(|byte| byte.is_ascii_digit() || matches!(byte, b'/' | b'.' | b'-')).count();
    let is_date = line.get(..date).is_some_and(|date| (4..=10).contains(&date.len()) && date.contains(['1', '2']));
    let rest = line.get(date..).unwrap_or_default();
    is_date && (rest.starts_with(':') || [" - ", " \u{2013} ", " : "].iter().any(|dash| rest.starts_with(dash)))
}

/// Returns whether a line is hardly more than the name of a tumour, `name` bytes long, as a heading is.
fn is_name_alone(line: &str, name: usize) -> bool {
    const MORE: usize = 24;
    let line = line.trim_end();
    !line.ends_with('.') && line.len() <= name + MORE && !line.contains([',', ';', '|', '\t'])
}

/// Cuts one sentence at its names.
fn pieces(text: &str, sentence: Range<usize>, names: &[Name], add: &mut impl FnMut(Range<usize>, Option<usize>, bool)) {
    let mut start = sentence.start;
    // The last name outside of cut-out brackets.
    let mut current: Option<&Name> = None;
    for name in names {
        let Some((before, tumour)) = current else {
            current = Some(name);
            continue;
        };
        if *tumour == name.1 || name.0.start < start {
            current = Some(name);
            continue;
        }
        if let Some(bracket) = bracket_around(text, before.end..sentence.end, &name.0) {
            add(start..bracket.start, Some(*tumour), false);
            add(bracket.clone(), Some(name.1), true);
            start = bracket.end;
            continue;
        }
        let boundary = boundary(text, before.end.max(start)..name.0.start);
        add(start..boundary, Some(*tumour), false);
        start = boundary;
        current = Some(name);
    }
    add(start..sentence.end, current.map(|name| name.1), false);
}

/// Returns the bracket that opens in `stretch` and encloses a name.
fn bracket_around(text: &str, stretch: Range<usize>, name: &Range<usize>) -> Option<Range<usize>> {
    let before = text.get(stretch.start..name.start)?;
    let opened = before.rfind('(').filter(|at| before.get(*at..).is_some_and(|rest| !rest.contains(')')))?;
    let reach = (name.end..=stretch.end.min(name.end + LONGEST_BRACKET)).rev().find(|at| text.is_char_boundary(*at))?;
    let after = text.get(name.end..reach)?;
    let closed = after.find(')')?;
    Some(stretch.start + opened..name.end + closed + 1)
}

/// Returns where the words on a second tumour begin between two names: at the last separator, or at the second name.
fn boundary(text: &str, between: Range<usize>) -> usize {
    const SEPARATORS: [&str; 10] = ["; ", ". ", ", ", " and ", " but ", " while ", " whereas ", " then ", "| ", "\n"];
    const AFTER: [&str; 4] = [" years after", " yrs after", " year after", " months after"];
    let words = text.get(between.clone()).unwrap_or_default();
    // "AML, three years after chemotherapy for a breast cancer".
    let after = AFTER.iter().filter_map(|after| words.find(after)).min();
    if let Some(comma) = after.and_then(|after| words.get(..after)?.rfind(", ")) {
        return between.start + comma;
    }
    // "AML after epirubicin and cyclophosphamide for breast cancer": what is given for a tumour belongs to it.
    if let Some(given) = given_for(words).and_then(|at| words.get(..at)) {
        const STRONG: [&str; 7] = ["; ", ". ", ", ", " after ", " following ", " while ", "\n"];
        if let Some(at) = STRONG.iter().filter_map(|separator| given.rfind(separator)).max() {
            return between.start + at;
        }
    }
    let last = SEPARATORS.iter().filter_map(|separator| words.rfind(separator)).max();
    last.map_or(between.end, |at| {
        // ", and a second tumour" begins at its comma.
        let comma = words.get(..at).is_some_and(|before| before.ends_with(','));
        between.start + at - usize::from(comma)
    })
}

/// Returns where " for " stands shortly before the name that follows the words.
fn given_for(words: &str) -> Option<usize> {
    const NEAR: usize = 28;
    let at = words.rfind(" for ")?;
    let rest = words.get(at..)?;
    (rest.len() <= NEAR && !rest.contains([',', ';', '.', '\n'])).then_some(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_are_cut_between_two_names() {
        // Capitals stand for the names.
        for (text, expected) in [
            ("He has LUNG cancer.", &["0 He has LUNG cancer."][..]),
            (
                "LUNG cancer (prior RECTAL cancer, 2014), on durvalumab.",
                &["0 LUNG cancer ", "1 (prior RECTAL cancer, 2014)", "0 , on durvalumab."],
            ),
            (
                "LUNG cancer, stage IV, and a stage I RECTAL cancer.",
                &["0 LUNG cancer, stage IV", "1 , and a stage I RECTAL cancer."],
            ),
            ("LUNG cancer resected; RECTAL cancer not.", &["0 LUNG cancer resected", "1 ; RECTAL cancer not."]),
            (
                "LUNG cancer, after FOLFOX and bevacizumab for RECTAL cancer.",
                &["0 LUNG cancer,", "1  after FOLFOX and bevacizumab for RECTAL cancer."],
            ),
            ("LUNG cancer beside RECTAL cancer", &["0 LUNG cancer beside ", "1 RECTAL cancer"]),
            ("Nothing is named here.", &["- Nothing is named here."]),
            ("LUNG cancer. No other.", &["0 LUNG cancer.", "- No other."]),
        ] {
            let mut names: Vec<Name> = Vec::new();
            for (word, tumour) in [("LUNG", 0), ("RECTAL", 1)] {
                names.extend(text.match_indices(word).map(|(at, _)| (at..at + word.len(), tumour)));
            }
            names.sort_by_key(|name| name.0.start);
            let units = cut(text, &names);
            let shown = units.iter().map(|unit| {
                let tumour = unit.named.map_or("-".to_owned(), |tumour| tumour.to_string());
                format!("{tumour} {}", text.get(unit.range.clone()).unwrap())
            });
            assert_eq!(shown.collect::<Vec<_>>(), expected, "{text}");
        }
    }

    #[test]
    fn paragraphs_items_rows_and_sections_are_blocks() {
        for (text, expected) in [
            ("One. Two.", &[0, 0][..]),
            ("One.\n\nTwo.", &[0, 1]),
            ("- One item\n- Two items", &[0, 1]),
            ("1. One item\n2. Two items. And more.", &[0, 1, 1]),
            ("a | b\nc | d", &[0, 1]),
            ("I. One item\n- of it\n- of it too\nII. Two items", &[0, 0, 0, 0, 1, 1]),
        ] {
            let blocks: Vec<usize> = cut(text, &[]).iter().map(|unit| unit.block).collect();
            assert_eq!(blocks, expected, "{text}");
        }
    }
}
