//! Reads tables whose header row names the answers: "Finding | Present | Absent", and below it "Liver metastases | | x".

use std::ops::Range;

use super::{DENIALS, DeniedItem, NO, YES};

/// Headers of columns that leave a finding open.
const OPEN: [&str; 9] = [
    "unknown",
    "not assessed",
    "not tested",
    "not done",
    "not evaluated",
    "pending",
    "n/a",
    "equivocal",
    "indeterminate",
];
/// What stands in the cell of the answer that holds.
const MARKS: [&str; 9] = ["x", "✓", "✔", "☒", "☑", "*", "+", "[x]", "(x)"];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    Yes,
    No,
    Open,
}

/// The answers that the header row of a table names.
#[derive(Debug)]
pub(super) struct Columns {
    separator: char,
    /// For each column of the header row, the answer that it stands for.
    answers: Vec<Option<Answer>>,
}

impl Columns {
    /// Returns the columns of a header row: a first column for findings, and at least two answers, not all of them "yes".
    pub(super) fn of_header(line: &str) -> Option<Self> {
        let separator = separator(line)?;
        let answers: Vec<Option<Answer>> = line.split(separator).map(answer).collect();
        let several = answers.iter().flatten().count() >= 2;
        let differ = answers.iter().flatten().any(|answer| *answer != Answer::Yes);
        let before = answers.iter().position(Option::is_some)?;
        let labelled = line.split(separator).take(before).any(|cell| !cell.trim().is_empty());
        (several && differ && labelled).then_some(Self { separator, answers })
    }

    /// Returns whether a line can belong to the table.
    pub(super) fn has_row(&self, line: &str) -> bool {
        line.contains(self.separator)
    }

    /// Returns the finding of a row that its mark denies, or that no mark answers. `start` is the offset of the line.
    pub(super) fn denied(&self, line: &str, start: usize) -> Option<DeniedItem> {
        let (mut at, mut item, mut marked) = (0, None::<Range<usize>>, None);
        for (column, cell) in line.split(self.separator).enumerate() {
            let text = cell.trim();
            let from = at + (cell.len() - cell.trim_start().len());
            let cell_range = start + from..start + from + text.len();
            at += cell.len() + self.separator.len_utf8();
            match self.answers.get(column).copied().flatten() {
                _ if text.is_empty() => {}
                Some(answer) if MARKS.contains(&&*text.to_lowercase()) => marked = Some((answer, cell_range)),
                // Words in the place of a mark are read where they stand.
                Some(_) => return None,
                None if marked.is_none() => {
                    item = Some(item.map_or(cell_range.start, |item| item.start)..cell_range.end);
                }
                None => {}
            }
        }
        let item = item?;
        match marked {
            Some((Answer::Yes, _)) => None,
            Some((answer, cell)) => Some(DeniedItem { item, answer: cell, open: answer == Answer::Open }),
            // A line of dashes between the header and the rows has no words.
            None => {
                let end = start + line.len();
                Some(DeniedItem { answer: item.end..end.max(item.end), item, open: true })
            }
        }
    }
}

fn separator(line: &str) -> Option<char> {
    ['|', '\t'].into_iter().find(|separator| line.matches(*separator).count() >= 2)
}

fn answer(cell: &str) -> Option<Answer> {
    let cell = cell.trim();
    let is_one = |words: &[&str]| words.iter().any(|word| word.eq_ignore_ascii_case(cell));
    match () {
        () if is_one(&YES) || is_one(&["involved", "mutated"]) => Some(Answer::Yes),
        () if is_one(&NO) || is_one(&DENIALS) || is_one(&["not involved", "wild type"]) => Some(Answer::No),
        () if is_one(&OPEN) => Some(Answer::Open),
        () => None,
    }
}

#[cfg(test)]
mod tests {
    use crate::extraction::assertion::item_answers::read;

    #[test]
    fn a_mark_below_a_denial_denies_its_row() {
        for (table, denied, open) in [
            ("Finding | Present | Absent\nLiver metastases | x |\nLung metastases | | x", "Lung metastases", ""),
            ("|Site|Yes|No|\n|---|---|---|\n|Liver|X||\n|Bone||X|", "Bone", ""),
            (
                "Marker\tDetected\tNot detected\tPending\nKRAS G12D\t\tx\t\nBRAF V600E\tx\t\t\nALK\t\t\tx",
                "KRAS G12D",
                "ALK",
            ),
            ("Gene | Variant | Detected | Not detected\nKRAS | G12D | | x\nTP53 | R175H | x |", "KRAS | G12D", ""),
            ("Finding | Yes | No\nLiver metastases | |\nBone | x |", "", "Liver metastases"),
            ("Finding | Yes | No\n\nLiver metastases | | x", "", ""),
            ("Gene | Result | Depth\nKRAS | x | 400", "", ""),
            ("Finding | Present | Absent\nLiver | 2 lesions | \nBone | | x", "Bone", ""),
        ] {
            let items = |is_open: bool| {
                let items = read(table).into_iter().filter(|one| one.open == is_open);
                let items =
                    items.filter(|one| !table.lines().next().unwrap().contains(table.get(one.item.clone()).unwrap()));
                items.map(|one| table.get(one.item).unwrap()).collect::<Vec<_>>().join("/")
            };
            assert_eq!((&*items(false), &*items(true)), (denied, open), "{table}");
        }
    }
}
