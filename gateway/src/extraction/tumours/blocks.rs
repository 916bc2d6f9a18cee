//! Finds where a block of a text begins: a paragraph, a list item, a table row or a section.

use std::ops::Range;

use super::super::assertion::{Section, Sentence};

/// Words of headings whose text is about the tumour above them.
const LABELS: [&str; 12] = [
    "treatment",
    "therapy",
    "stage",
    "staging",
    "response",
    "marker",
    "molecular",
    "surgery",
    "status",
    "receptor",
    "tnm",
    "grade",
];

/// First words of labels that are about the patient, and not only about the tumour above them.
const GENERAL_LABELS: [&str; 9] =
    ["symptom", "decision", "discussion", "question", "conclusion", "comment", "so far", "present illness", "history"];

/// First words of labels of past illnesses.
pub(super) const PAST_LABELS: [&str; 6] = ["previous", "prior", "past", "antecedent", "pmh", "former"];

/// First words of labels of past illnesses or of the whole history.
const HISTORY_LABELS: [&str; 3] = ["history", "hx", "background"];

/// First words of labels that end a block of past illnesses.
const AFTER_PAST: [&str; 12] = [
    "illness",
    "reason",
    "course",
    "current",
    "present",
    "finding",
    "indication",
    "admission",
    "hospital",
    "interval",
    "today",
    "examination",
];

/// Maximum number of bytes of such a heading.
const LONGEST_LABEL: usize = 30;

/// Returns the text from `start` to the end of the line; of a long line only the beginning, so that the work stays
/// linear.
pub(super) fn line_at(text: &str, start: usize) -> &str {
    const LONGEST: usize = 256;
    let end = (start..=text.len().min(start + LONGEST)).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(start);
    text.get(start..end).and_then(|rest| rest.lines().next()).unwrap_or_default()
}

/// Returns the lines of a table that was read as one sentence; for a list item, the text before and after a label that
/// ends the list; otherwise the sentence.
pub(super) fn rows(text: &str, sentence: Range<usize>, of_item: bool) -> Vec<Range<usize>> {
    let words = text.get(sentence.clone()).unwrap_or_default();
    if !words.contains(['|', '\t']) {
        let breaks = words.match_indices('\n').map(|(at, _)| at + 1);
        let mut titles = breaks.filter(|at| of_item && leaves_item(words.get(*at..).unwrap_or_default()));
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
/// before it is an item or a row; `of_past`: whether a label calls that block past.
pub(super) fn begins_block(text: &str, last: &Sentence, next: &Sentence, of_item: bool, of_past: bool) -> bool {
    let gap = text.get(last.end..next.start).unwrap_or_default();
    let line_ends = gap.bytes().filter(|byte| *byte == b'\n').count();
    // Below a list, a label on a line of its own is about all of its items.
    if of_item && gap.ends_with('\n') && is_title(text.get(next.start..).unwrap_or_default()) {
        return true;
    }
    let words = text.get(next.start..next.end).unwrap_or_default();
    let label = label(words, next.heading);
    // "Treatment:" is also about the tumour above it.
    if line_ends < 2 && LABELS.iter().any(|word| label.contains(word)) {
        return false;
    }
    let leaves_list = gap.ends_with('\n') && ((of_item && is_of_patient(words)) || words.starts_with("Both "));
    let turns = GENERAL_LABELS.iter().any(|word| label.starts_with(word))
        || (of_past && AFTER_PAST.iter().any(|word| label.starts_with(word)));
    let new_line = line_ends == 1 && (is_marked(gap, text, next) || next.heading || leaves_list || turns);
    last.section != next.section || line_ends > 1 || new_line
}

/// Returns the label of a sentence in lower case: "therapy" of "Therapy: FOLFOX"; empty if it has none.
fn label(words: &str, heading: bool) -> String {
    let label = if heading { Some(words) } else { words.split_once(':').map(|(label, _)| label) };
    let is_label = |label: &&str| label.len() <= LONGEST_LABEL && label.starts_with(|c: char| c.is_ascii_uppercase());
    label.filter(is_label).unwrap_or_default().to_ascii_lowercase()
}

/// Returns whether the label of a sentence calls what follows past.
pub(super) fn has_past_label(words: &str) -> bool {
    let label = label(words, false);
    PAST_LABELS.iter().chain(&HISTORY_LABELS).any(|word| label.starts_with(word)) && !label.contains("present")
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
pub(super) fn is_item(text: &str, after: usize, first: &Sentence) -> bool {
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

/// Returns whether a list item with a number begins: "2. Breast cancer", "#1 Tonsil SCC", "# Colon". `gap` is the text
/// before the line.
pub(super) fn begins_with_number(gap: &str, line: &str) -> bool {
    let is_digit = |c: char| c.is_ascii_digit();
    let has_sign =
        |text: &str| text.strip_prefix('#').is_some_and(|rest| rest.starts_with(is_digit) || rest.starts_with(' '));
    let gap = gap.trim();
    let after_sign = gap.ends_with('#') && line.starts_with(is_digit);
    gap.starts_with(is_digit) || is_numbered(line) || has_sign(gap) || has_sign(line) || after_sign
}

/// Returns whether a line begins with a number or a letter of a list: "2. Breast cancer", "(1) ", "IV. ", "B. ".
fn is_numbered(line: &str) -> bool {
    let bracket = line.starts_with('(');
    let line = line.strip_prefix('(').unwrap_or(line);
    let digits = line.bytes().take_while(u8::is_ascii_digit).count();
    let romans = line.bytes().take_while(|byte| matches!(byte, b'I' | b'V' | b'X')).count();
    let rest = |length: usize| {
        line.get(length..).is_some_and(|rest| rest.starts_with(if bracket { [')', ')'] } else { [')', '.'] }))
    };
    let letter = line.starts_with(|c: char| ('A'..='H').contains(&c))
        && rest(1)
        && line.get(2..).is_some_and(|rest| rest.starts_with(' '));
    ((1..=2).contains(&digits) && rest(digits)) || ((1..=4).contains(&romans) && rest(romans)) || letter
}

/// Returns whether a list item with a dash or a dot begins after a gap.
pub(super) fn is_dash(gap: &str) -> bool {
    gap.contains('\n') && gap.trim_start().starts_with(['-', '*', '\u{2022}', '\u{b7}'])
}

/// Returns whether a line begins with a date of a list of events: "2011: papillary carcinoma", "03/2019 - ".
pub(super) fn is_dated(line: &str) -> bool {
    let date = line.bytes().take_while(|byte| byte.is_ascii_digit() || matches!(byte, b'/' | b'.' | b'-')).count();
    let is_date = line.get(..date).is_some_and(|date| (4..=10).contains(&date.len()) && date.contains(['1', '2']));
    let rest = line.get(date..).unwrap_or_default();
    is_date && (rest.starts_with(':') || [" - ", " \u{2013} ", " : "].iter().any(|dash| rest.starts_with(dash)))
}

/// Returns whether a line is hardly more than the name of a tumour, `name` bytes long, as a heading is.
pub(super) fn is_name_alone(line: &str, name: usize) -> bool {
    const MORE: usize = 24;
    let line = line.trim_end();
    !line.ends_with('.') && line.len() <= name + MORE && !line.contains([',', ';', '|', '\t'])
}

/// Returns whether the first line of a text, below a list item, is no longer about that item.
pub(super) fn leaves_item(text: &str) -> bool {
    is_title(text) || is_of_patient(text)
}

/// Returns whether a line below a list begins with the patient or the writer, and so starts a new subject.
fn is_of_patient(line: &str) -> bool {
    const SUBJECTS: [&str; 9] = ["Mr", "Ms", "Mrs", "The patient", "This patient", "Patient ", "We ", "I ", "Today"];
    SUBJECTS.iter().any(|subject| line.starts_with(subject))
}

/// Returns the cells of a row of a table; none if it is not a row.
pub(super) fn cells(text: &str, row: &Range<usize>) -> Vec<Range<usize>> {
    let words = text.get(row.clone()).unwrap_or_default();
    let separator = if words.contains('|') { '|' } else { '\t' };
    if !words.contains(separator) {
        return Vec::new();
    }
    let mut start = row.start;
    let cells = words.split_inclusive(separator).map(|cell| {
        let range = start..start + cell.len();
        start = range.end;
        range
    });
    cells.collect()
}
