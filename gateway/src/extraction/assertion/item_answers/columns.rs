//! Reads tables whose header row names the answers: "Finding | Present | Absent" above the row
//! "Liver metastases | | x".

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
/// Headers of columns for what the patient does not have, or was not given.
const NOT_HAD: [&str; 8] =
    ["not involved", "wild type", "planned", "recommended", "considered", "declined", "not started", "free"];
/// The marks in the cell of the answer that applies.
const MARKS: [&str; 17] =
    ["x", "✓", "✔", "✔\u{fe0f}", "√", "✗", "✘", "☒", "☑", "■", "●", "•", "*", "+", "1", "[x]", "(x)"];
/// The marks in the cells of the other answers.
const BLANKS: [&str; 10] = ["", "☐", "□", "[]", "[ ]", "( )", "()", "-", "–", "—"];
/// Last words of the label over the findings. A row of data begins with a finding, a header with one of these.
const LABELS: [&str; 26] = [
    "finding",
    "findings",
    "site",
    "sites",
    "marker",
    "markers",
    "biomarker",
    "gene",
    "genes",
    "mutation",
    "mutations",
    "variant",
    "alteration",
    "alterations",
    "symptom",
    "symptoms",
    "test",
    "item",
    "treatment",
    "treatments",
    "drug",
    "therapy",
    "organ",
    "location",
    "question",
    "metastases",
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ColumnAnswer {
    Yes,
    No,
    Open,
}

/// The answers that the header row of a table names.
#[derive(Debug)]
pub(super) struct Columns {
    separator: char,
    /// For each column of the header row, the answer that it stands for.
    answers: Vec<Option<ColumnAnswer>>,
}

impl Columns {
    /// Returns the columns of a header row: a label over the findings, and a "yes" beside another answer. `before` is
    /// the line above. A header is the first row of its table: "ER | positive | negative" below another row is data.
    pub(super) fn of_header(line: &str, before: &str) -> Option<Self> {
        let separator = separator(line)?;
        if before.contains(separator) {
            return None;
        }
        let answers: Vec<Option<ColumnAnswer>> = line.split(separator).map(answer).collect();
        let has = |denies: bool| answers.iter().flatten().any(|answer| (*answer != ColumnAnswer::Yes) == denies);
        let first = line.split(separator).map(str::trim).find(|cell| !cell.is_empty())?;
        let label = first.rsplit(' ').next().unwrap_or_default().to_lowercase();
        (has(true) && has(false) && LABELS.contains(&&*label)).then_some(Self { separator, answers })
    }

    /// Returns whether a line can belong to the table.
    pub(super) fn has_row(&self, line: &str) -> bool {
        line.contains(self.separator)
    }

    /// Judges a row by its marks; `None` if its cells do not show the answer. `start` is the offset of the line.
    pub(super) fn judge(&self, line: &str, start: usize) -> Option<RowAnswer> {
        let (mut at, mut item, mut marked) = (0, None::<Range<usize>>, None);
        for (column, cell) in line.split(self.separator).enumerate() {
            let text = cell.trim();
            let from = start + at + (cell.len() - cell.trim_start().len());
            at += cell.len() + self.separator.len_utf8();
            match self.answers.get(column).copied().flatten() {
                Some(_) if BLANKS.contains(&text) => {}
                // "No" below "No" is a mark, too.
                Some(own) if MARKS.contains(&&*text.to_lowercase()) || answer(text) == Some(own) => {
                    let former = marked.replace((own, from..from + text.len()));
                    // Two marks contradict each other.
                    if former.is_some() {
                        return None;
                    }
                }
                Some(_) => return None,
                None if marked.is_none() && !text.is_empty() => {
                    item = Some(item.map_or(from, |item| item.start)..from + text.len());
                }
                None => {}
            }
        }
        let item = item?;
        Some(match marked {
            Some((ColumnAnswer::Yes, _)) => RowAnswer::Affirmed,
            Some((own, cell)) => RowAnswer::Denied(DeniedItem { item, answer: cell, open: own == ColumnAnswer::Open }),
            None => {
                let end = start + line.len();
                RowAnswer::Denied(DeniedItem { answer: item.end..end.max(item.end), item, open: true })
            }
        })
    }
}

/// The answer that the marks of a row give.
#[derive(Debug)]
pub(super) enum RowAnswer {
    Affirmed,
    Denied(DeniedItem),
}

fn separator(line: &str) -> Option<char> {
    ['|', '\t'].into_iter().find(|separator| line.matches(*separator).count() >= 2)
}

fn answer(cell: &str) -> Option<ColumnAnswer> {
    let cell = cell.trim();
    let is_one = |words: &[&str]| words.iter().any(|word| word.eq_ignore_ascii_case(cell));
    match () {
        () if is_one(&YES) || is_one(&["involved", "mutated"]) => Some(ColumnAnswer::Yes),
        () if is_one(&NO) || is_one(&DENIALS) || is_one(&NOT_HAD) => Some(ColumnAnswer::No),
        () if is_one(&OPEN) => Some(ColumnAnswer::Open),
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
            ("Treatment | Given | Planned\nFOLFOX | x |\nBevacizumab | | x", "Bevacizumab", ""),
            ("Gene | Result | Depth\nKRAS | x | 400", "", ""),
            ("Finding | Present | Absent\nLiver | 2 lesions | \nBone | | x", "Bone", ""),
            (
                "Finding | Yes | No\nLiver | ☐ | ☒\nBone | - | x\nLung | [ ] | [x]\nBrain | | ●",
                "Liver/Bone/Lung/Brain",
                "",
            ),
            ("Finding | Yes | No\nLiver metastases | | No\nBone | Yes |", "Liver metastases", ""),
            ("Finding | Yes | No\nLiver metastases | x | x", "", ""),
            ("Finding | May | June\nFever | no | no\nLiver metastases | + | +", "Fever", ""),
            ("Marker | Primary | Metastasis\nER | positive | negative\nKRAS G12D | x | x", "", ""),
            ("Nausea | no | yes\nFOLFIRINOX | | x", "", ""),
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
