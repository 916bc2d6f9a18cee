//! Cuts a text into units: the stretches that refer to one tumour each.
//!
//! A unit is a sentence, a part of a sentence that names two tumours, or a bracket that names another tumour than the
//! words before it.

use std::{
    collections::{HashMap, HashSet},
    ops::Range,
};

use super::{
    super::{
        assertion::{Section, Sentence, sentences},
        word_runs::places_of,
    },
    blocks::{
        begins_block, begins_with_number, cells, has_past_label, is_dash, is_dated, is_item, is_name_alone,
        leaves_item, line_at, rows,
    },
};

/// A stretch of the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Unit {
    /// Its byte range.
    pub(super) range: Range<usize>,
    /// The number of its paragraph, list item, table row or section.
    pub(super) block: usize,
    /// Whether that block is a list item, a table row or one of past illnesses, which refers to one thing.
    pub(super) of_item: bool,
    /// Whether it is in a section of past illnesses.
    pub(super) past_section: bool,
    /// The tumour that it names.
    pub(super) named: Option<usize>,
    /// The first name of that tumour in it; empty if it names none.
    pub(super) name: Range<usize>,
    /// Whether it is a bracket inside a sentence, after which the sentence continues.
    pub(super) bracket: bool,
}

/// A name of a tumour in the text: its range and the number of the tumour.
pub(super) type Name = (Range<usize>, usize);

/// Maximum number of bytes of a bracket after the name in it.
const LONGEST_BRACKET: usize = 400;

/// Returns where a word begins in a text in lower case, and not where it ends another one, as "now" does in "know".
pub(super) fn places<'t>(text: &'t str, word: &'t str) -> impl Iterator<Item = usize> + 't {
    let is_letter = |c: char| c.is_ascii_lowercase();
    let begins = move |at: &usize| {
        !word.starts_with(is_letter) || !text.get(..*at).is_some_and(|before| before.ends_with(is_letter))
    };
    places_of(text, word).filter(begins)
}

/// Cuts a text into units, in order. `names` are in order too.
pub(super) fn cut(text: &str, names: &[Name]) -> Vec<Unit> {
    let mut units = Vec::new();
    let (mut block, mut of_item, mut last): (usize, bool, Option<Sentence>) = (0, false, None);
    // Whether a numbered line began the block, so that dashes below it are about the same; whether a label calls it
    // past.
    let (mut numbered, mut of_past) = (false, false);
    // The tumour of each column of a table whose first row names several.
    let mut columns: Vec<Option<usize>> = Vec::new();
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
        if of_date || last.is_none_or(|last| !nested && begins_block(text, &last, &sentence, of_item, of_past)) {
            block += usize::from(last.is_some());
            of_item = of_date
                || is_item(text, after, &sentence)
                || tumour_name.is_some_and(|name| is_name_alone(line, name.len()));
            numbered = begins_with_number(gap, line);
            of_past = has_past_label(line);
        }
        let past_section = sentence.section == Section::PastHistory;
        for row in rows(text, sentence.start..sentence.end, of_item) {
            if row.start > sentence.start {
                block += 1;
                of_item &= !leaves_item(text.get(row.clone()).unwrap_or_default());
            }
            let (of_row, rest) = names.split_at(names.partition_point(|(range, _)| range.start < row.end));
            names = rest;
            let cells = cells(text, &row);
            if cells.len() == columns.len() && !cells.is_empty() && fit(&cells, &columns, of_row) {
                let own = cells.into_iter().zip(&columns).map(|(range, named)| {
                    let name = name_in(&range, of_row).map_or(range.start..range.start, |(name, _)| name.clone());
                    Unit {
                        range,
                        block,
                        of_item: of_item || of_past,
                        past_section,
                        named: *named,
                        name,
                        bracket: false,
                    }
                });
                units.extend(own);
                continue;
            }
            columns = columns_of(&cells, of_row);
            pieces(text, row, of_row, &mut |range, named, bracket| {
                let from = of_row.partition_point(|(place, _)| place.start < range.start);
                let mut inside =
                    of_row.get(from..).into_iter().flatten().take_while(|(place, _)| place.start < range.end);
                let own = inside.find(|(_, tumour)| Some(*tumour) == named);
                let name = own.map_or(range.start..range.start, |(place, _)| place.clone());
                units.push(Unit { range, block, of_item: of_item || of_past, past_section, named, name, bracket });
            });
        }
        last = Some(sentence);
    }
    units
}

/// Returns the tumour of each cell of a row whose cells name several tumours; empty for any other row.
fn columns_of(cells: &[Range<usize>], names: &[Name]) -> Vec<Option<usize>> {
    let columns: Vec<Option<usize>> =
        cells.iter().map(|cell| name_in(cell, names).map(|(_, tumour)| *tumour)).collect();
    let mut tumours = columns.iter().flatten();
    let first = tumours.next();
    if tumours.any(|tumour| Some(tumour) != first) { columns } else { Vec::new() }
}

/// Returns the first name in a cell.
fn name_in<'n>(cell: &Range<usize>, names: &'n [Name]) -> Option<&'n Name> {
    let from = names.partition_point(|(range, _)| range.start < cell.start);
    names.get(from).filter(|(range, _)| range.start < cell.end)
}

/// Returns whether the names in a row are those of its columns.
fn fit(cells: &[Range<usize>], columns: &[Option<usize>], names: &[Name]) -> bool {
    cells
        .iter()
        .zip(columns)
        .all(|(cell, column)| name_in(cell, names).is_none_or(|(_, named)| *column == Some(*named)))
}

/// Returns the tumour to which every word of a unit belongs that belongs to tumours of one organ.
pub(super) fn only_bound(bound: &[Name], unit: &Unit) -> Option<usize> {
    let from = bound.partition_point(|(range, _)| range.start < unit.range.start);
    let to = bound.partition_point(|(range, _)| range.start < unit.range.end);
    let mut own = bound.get(from..to.max(from)).unwrap_or_default().iter().map(|(_, of)| *of);
    let first = own.next()?;
    own.all(|of| of == first).then_some(first)
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
    let whole = text.get(between.clone()).unwrap_or_default();
    // "DCIS (2014, lumpectomy) now with LUNG cancer": a bracket right after a name is about its tumour.
    let bracket = whole.strip_prefix(" (").and_then(|inside| inside.find(')')).map_or(0, |at| at + 3);
    let (between, words) = (between.start + bracket..between.end, whole.get(bracket..).unwrap_or_default());
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
    last.map_or(if bracket > 0 { between.start } else { between.end }, |at| {
        // ", and a second tumour" begins at its comma.
        let comma = words.get(..at).is_some_and(|before| before.ends_with(','));
        between.start + at - usize::from(comma)
    })
}

/// Returns where " for " is shortly before the name that follows the words.
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
            (
                "RECTAL (2014, resection) now with LUNG cancer",
                &["1 RECTAL (2014, resection)", "0  now with LUNG cancer"],
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
