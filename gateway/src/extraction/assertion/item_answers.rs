//! Finds answers that follow the finding that they answer: "Liver metastases ..... no", "Chemotherapy: No", "liver no,
//! bone yes", "Prior radiation? No.", a box that is ticked or empty.
//!
//! In prose "no" denies the words after it. In a form, a table row or a list of answers it denies the words before it,
//! on its own row. One pass over each line; an item has at most [`LONGEST_ITEM`] bytes. Only the denied items are
//! kept: an item that is answered with "yes" is read as any other text.

mod columns;
mod words;

use std::ops::Range;

use self::{
    columns::{Columns, RowAnswer},
    words::{DENIALS, NO, YES, may_answer},
};
use super::words::number_follows;
use crate::extraction::{tick_boxes, word_runs::words};

/// Maximum number of bytes of an item and the filling between it and its answer.
const LONGEST_ITEM: usize = 120;
/// Maximum number of items of a list with signs.
const LONGEST_LIST: usize = 24;
/// An item that its answer denies. All offsets are bytes of the note.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct DeniedItem {
    /// The item: "Liver metastases".
    pub(super) item: Range<usize>,
    /// The answer: "no", or an empty box.
    pub(super) answer: Range<usize>,
    /// Whether the item is a question that the note leaves open.
    pub(super) open: bool,
}

/// Returns the denied items of a note, in order.
pub(super) fn read(text: &str) -> Vec<DeniedItem> {
    let mut found = Vec::new();
    let mut at = 0;
    // In a table with percentages a dash is a missing number and not an answer.
    let mut has_numbers = false;
    let (mut columns, mut before) = (None::<Columns>, "");
    while at < text.len() {
        let rest = text.as_bytes().get(at..).unwrap_or_default();
        let length = memchr::memchr2(b'\n', b'\r', rest).unwrap_or(rest.len());
        let line = Line { text: text.get(at..at + length).unwrap_or_default(), start: at, has_numbers };
        has_numbers = !line.text.trim().is_empty() && (has_numbers || line.text.contains('%'));
        columns = columns.filter(|columns| columns.has_row(line.text));
        let header = if columns.is_none() { Columns::of_header(line.text, before) } else { None };
        before = line.text;
        let judged = columns.as_ref().and_then(|columns| columns.judge(line.text, at));
        columns = columns.or(header);
        if let Some(judged) = judged {
            found.extend(match judged {
                RowAnswer::Denied(item) => Some(item),
                RowAnswer::Affirmed => None,
            });
        } else if line.has_boxes() {
            line.boxes(&mut found);
        } else {
            line.answers(&mut found);
        }
        at += length + 1;
    }
    found
}

/// Returns whether a line ends in an answer to the words before it, so that the next line does not continue it.
pub(super) fn ends_in_answer(line: &[u8]) -> bool {
    let tail = line.get(line.len().saturating_sub(LONGEST_ITEM)..).unwrap_or_default();
    let Ok(tail) = std::str::from_utf8(tail) else { return false };
    let trimmed = tail.trim_end();
    let Some(before) = strip_word(trimmed, "no") else { return false };
    is_separated(before) || (before.len() < 60 && !before.trim().is_empty() && starts_row(before))
}

/// Returns whether these are the words of a row without a verb: "Bone metastases".
fn starts_row(before: &str) -> bool {
    let mut words = before.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    !words.clone().any(|word| {
        matches!(
            word.to_ascii_lowercase().as_str(),
            "is" | "was" | "has" | "had" | "are" | "and" | "with" | "showed" | "shows" | "there"
        )
    }) && words.next().is_some_and(|first| first.starts_with(char::is_uppercase))
}

/// Returns the text before a last word, in any case.
fn strip_word<'t>(text: &'t str, word: &str) -> Option<&'t str> {
    let at = text.len().checked_sub(word.len())?;
    let (before, last) = (text.get(..at)?, text.get(at..)?);
    (last.eq_ignore_ascii_case(word) && !before.ends_with(char::is_alphanumeric)).then_some(before)
}

/// Returns whether the text ends in what separates an answer from its item.
fn is_separated(before: &str) -> bool {
    let trimmed = before.trim_end_matches(' ');
    let wide = before.len() - trimmed.len() >= 2;
    wide || trimmed.ends_with([':', '?', '\t', '|', '_', '…', '='])
        || trimmed.ends_with("..")
        || trimmed.ends_with(". .")
        || trimmed.to_ascii_lowercase().ends_with("(y/n)")
        || [" -", " –", " —", "\t-"].iter().any(|dash| trimmed.ends_with(dash))
}

/// Removes the filling between an item and its answer.
fn without_filling(mut before: &str) -> &str {
    loop {
        let trimmed = before.trim_end_matches(|c: char| {
            c.is_whitespace() || matches!(c, '.' | '…' | '_' | '|' | ':' | '?' | '=' | '-' | '–' | '—' | '(' | '[')
        });
        let lower = trimmed.get(trimmed.len().saturating_sub(8)..).unwrap_or_default().to_ascii_lowercase();
        let form = ["(yes/no)", "(y/n)", "y/n", "yes/no"].iter().find(|form| lower.ends_with(**form));
        let speaker = ["? a", "? ans", "? answer"].iter().find(|speaker| lower.ends_with(**speaker));
        match (form, speaker) {
            (Some(form), _) => before = trimmed.get(..trimmed.len() - form.len()).unwrap_or_default(),
            (None, Some(speaker)) => before = trimmed.get(..trimmed.len() - speaker.len() + 1).unwrap_or_default(),
            (None, None) => return trimmed,
        }
    }
}

/// One line of the note.
struct Line<'note> {
    text: &'note str,
    start: usize,
    /// Whether a row above in the same block has a percentage.
    has_numbers: bool,
}

impl Line<'_> {
    fn slice(&self, range: Range<usize>) -> &str {
        self.text.get(range).unwrap_or_default()
    }

    /// Returns the last stretch before `end`, not before `floor`.
    fn back(&self, floor: usize, end: usize) -> Range<usize> {
        let mut from = end.saturating_sub(LONGEST_ITEM).max(floor);
        while !self.text.is_char_boundary(from) {
            from += 1;
        }
        from.min(end)..end
    }

    fn answers(&self, found: &mut Vec<DeniedItem>) {
        let mut floor = 0;
        let mut words = words(self.text).peekable();
        while let Some(word) = words.next() {
            let spelled = self.slice(word.clone());
            if !may_answer(spelled) {
                found.extend(self.open_question(floor, &word));
                continue;
            }
            let pair = words.peek().map(|next| word.start..next.end);
            let denial =
                |range: &Range<usize>| DENIALS.iter().any(|each| each.eq_ignore_ascii_case(self.slice(range.clone())));
            let plain = NO.iter().any(|each| each.eq_ignore_ascii_case(spelled));
            // "Copy no. 12" is a number; "Metastases: no. 4 cycles were given" answers.
            let numbered = number_follows(self.text.as_bytes().get(word.end..));
            if plain && numbered && !is_separated(self.slice(self.back(floor, word.start))) {
                continue;
            }
            let (answer, denies) = if plain {
                (word.clone(), true)
            } else if let Some(pair) = pair.filter(|pair| spelled.eq_ignore_ascii_case("not") && denial(pair)) {
                (pair, true)
            } else if denial(&word) {
                (word.clone(), true)
            } else if YES.iter().any(|each| each.eq_ignore_ascii_case(spelled)) {
                (word.clone(), false)
            } else {
                found.extend(self.open_question(floor, &word));
                continue;
            };
            if !self.ends_item(answer.end) {
                continue;
            }
            let before = self.slice(self.back(floor, answer.start));
            let bracketed = self.is_bracketed(&answer);
            let separated = is_separated(before) || bracketed;
            let bare = plain
                && spelled.len() == 2
                && before.ends_with(' ')
                && before.trim_end().ends_with(|c: char| c.is_alphanumeric() || c == ')');
            if !(separated || bare || (!denies && spelled.eq_ignore_ascii_case("yes"))) {
                continue;
            }
            if let Some(item) = self.item(floor, answer.start).filter(|_| denies) {
                let answer = self.start + answer.start..self.start + answer.end;
                found.push(DeniedItem { item, answer, open: false });
            }
            floor = answer.end + usize::from(bracketed);
        }
        self.dash(floor, found);
        self.signs(found);
        self.bare_signs(found);
    }

    /// Returns whether an answer is alone in brackets: "Liver [N]", "brain (no)".
    fn is_bracketed(&self, answer: &Range<usize>) -> bool {
        let before = self.text.get(..answer.start).unwrap_or_default();
        let after = self.text.get(answer.end..).unwrap_or_default();
        (before.ends_with('[') && after.starts_with(']')) || (before.ends_with('(') && after.starts_with(')'))
    }

    /// Reads minus signs in brackets after their items: "Bone (-), liver (+)".
    fn signs(&self, found: &mut Vec<DeniedItem>) {
        let from = found.len();
        let mut floor = 0;
        for (at, _) in self.text.match_indices('(') {
            let after = self.text.get(at + 1..).unwrap_or_default();
            let Some(sign) = ["-)", "+)", "++)"].into_iter().find(|sign| after.starts_with(sign)) else { continue };
            let end = at + 1 + sign.len();
            if let Some(item) = self.item(floor, at).filter(|_| sign == "-)") {
                found.push(DeniedItem { item, answer: self.start + at..self.start + end, open: false });
            }
            floor = end;
        }
        if found.len() > from {
            found.sort_by_key(|denied| denied.item.start);
        }
    }

    /// Reads the signs and letters of a list that has one after each item: "Mets: lung +, liver -", "Sites: lung Y,
    /// liver N". Only of a list with a label and short items without figures: "N" is also a nodal category, and a dash
    /// joins words.
    fn bare_signs(&self, found: &mut Vec<DeniedItem>) {
        let Some((label, list)) = self.text.split_once(": ") else { return };
        let from = label.len() + 2;
        let list = list.trim_end().trim_end_matches('.');
        let list = list.split(". ").next().unwrap_or_default();
        let signs = |c: char| matches!(c, '+' | '-' | '−' | '–' | 'Y' | 'N');
        let item = |part: &str| {
            let sign = part.chars().next_back().filter(|c| signs(*c))?;
            let words = part.strip_suffix(sign)?.strip_suffix(' ')?.trim_start();
            let short = !words.is_empty() && words.split(' ').count() <= 2;
            let plain = words.chars().all(|c| c.is_alphabetic() || matches!(c, ' ' | '-' | '/'));
            (short && plain).then_some(sign)
        };
        let parts = || list.split(", ");
        let all: Option<String> = parts().take(LONGEST_LIST).map(item).collect();
        let affirmed =
            all.filter(|signs| signs.len() > 1).and_then(|signs| signs.chars().find(|c| matches!(c, '+' | 'Y')));
        let Some(affirmed) = affirmed else { return };
        let mut at = from;
        for part in parts().take(LONGEST_LIST) {
            let sign = part.chars().next_back().unwrap_or_default();
            let denies = if affirmed == 'Y' { sign == 'N' } else { !matches!(sign, '+' | 'Y' | 'N') };
            let end = at + part.len();
            let words = part.trim_start();
            if denies {
                let item = self.start + end - words.len()..self.start + end - sign.len_utf8() - 1;
                found.push(DeniedItem {
                    item,
                    answer: self.start + end - sign.len_utf8()..self.start + end,
                    open: false,
                });
            }
            at = end + 2;
        }
        found.sort_by_key(|denied| denied.item.start);
    }

    /// Reads a dash that fills the last cell of a row: "Liver metastases | - |".
    fn dash(&self, floor: usize, found: &mut Vec<DeniedItem>) {
        let end = self.text.trim_end_matches([' ', '\t', '|']);
        if self.has_numbers {
            return;
        }
        let Some(before) = end.strip_suffix(['-', '–', '−']) else { return };
        let cell = before.trim_end_matches(' ');
        if !(cell.ends_with(['\t', '|']) || before.len() - cell.len() >= 2) {
            return;
        }
        if let Some(item) = self.item(floor, before.len()) {
            found.push(DeniedItem { item, answer: self.start + before.len()..self.start + end.len(), open: false });
        }
    }

    /// Returns whether an item may end here, after its answer.
    fn ends_item(&self, at: usize) -> bool {
        let rest = self.text.get(at..).unwrap_or_default();
        let tight = rest.trim_start_matches(' ');
        tight.is_empty()
            || rest.starts_with(['.', ',', ';', '|', '\t', ')', ']', '<'])
            || tight.starts_with(['|', '(', '\t', ';'])
            || rest.len() - tight.len() >= 2
    }

    /// Returns the item before an answer.
    fn item(&self, floor: usize, answer: usize) -> Option<Range<usize>> {
        let stretch = self.back(floor, answer);
        let before = without_filling(self.slice(stretch.clone()));
        let ends = |(at, c): (usize, char)| {
            let next = before.get(at + c.len_utf8()..).unwrap_or_default();
            let space = next.is_empty() || next.starts_with(char::is_whitespace);
            let cut = matches!(c, ';' | '|' | '\t')
                || (matches!(c, '.' | ',' | ':' | '?' | '!') && space)
                || (c == ' ' && next.starts_with(' '));
            cut.then_some(at + c.len_utf8())
        };
        let from = before.char_indices().rev().find_map(ends).unwrap_or(0);
        let item = before.get(from..).unwrap_or_default();
        let start = stretch.start + from + (item.len() - item.trim_start().len());
        let end = stretch.start + before.len();
        (start < end).then_some(self.start + start..self.start + end)
    }

    /// Returns the item of a short question after this word that no "yes" or "no" answers: "KRAS G12C? Pending."
    fn open_question(&self, floor: usize, word: &Range<usize>) -> Option<DeniedItem> {
        const MOST_WORDS: usize = 5;
        if self.text.as_bytes().get(word.end) != Some(&b'?') {
            return None;
        }
        let rest = self.text.get(word.end..)?.strip_prefix('?')?;
        if !(rest.is_empty() || rest.starts_with([' ', ')'])) {
            return None;
        }
        let next = words(rest).next().map(|next| rest.get(next).unwrap_or_default().to_ascii_lowercase());
        let answered = next.is_some_and(|next| YES.contains(&&*next) || NO.contains(&&*next) || next == "a");
        let item = self.item(floor, word.end)?;
        let spelled = self.slice(item.start - self.start..item.end - self.start);
        let short = spelled.split_whitespace().count() <= MOST_WORDS;
        let answer = self.start + word.end..self.start + word.end + 1;
        (short && !answered).then_some(DeniedItem { item, answer, open: true })
    }

    fn has_boxes(&self) -> bool {
        memchr::memchr3(b'[', b'(', 0xe2, self.text.as_bytes()).is_some() && self.marks().next().is_some()
    }

    /// Returns the boxes of the line and whether each is ticked.
    fn marks(&self) -> impl Iterator<Item = (Range<usize>, bool)> {
        tick_boxes::find(self.text)
    }

    /// Reads boxes before or after their items; a line that begins with a box, after its label, has them before.
    fn boxes(&self, found: &mut Vec<DeniedItem>) {
        let marks: Vec<_> = self.marks().collect();
        let Some((first, _)) = marks.first() else { return };
        let head = self.slice(0..first.start).trim();
        let before = head.is_empty() || head.ends_with([':', '.', ';']) || head.chars().all(|c| !c.is_alphanumeric());
        // "Liver metastases: [ ] yes [x] no": the boxes choose between two answers to one item.
        let choice = |at: usize| {
            let (range, ticked) = marks.get(at)?;
            let next = marks.get(at + 1).map_or(self.text.len(), |(next, _)| next.start);
            let word = self.slice(range.end..next);
            let word = word.split_once(". ").map_or(word, |(word, _)| word).trim().trim_end_matches(['.', ',']);
            let no = NO.iter().chain(&DENIALS).any(|each| each.eq_ignore_ascii_case(word));
            let yes = YES.iter().any(|each| each.eq_ignore_ascii_case(word));
            (no || yes).then_some((no, *ticked))
        };
        if let Some(first_choice) = choice(0) {
            let denied = [Some(first_choice), choice(1)].into_iter().flatten().any(|chosen| chosen == (true, true));
            if let Some(item) = self.item(0, first.start).filter(|_| denied) {
                found.push(DeniedItem { item, answer: self.start + first.start..self.start + first.end, open: false });
            }
            return;
        }
        let mut floor = 0;
        for (at, (range, ticked)) in marks.iter().enumerate() {
            let item = if before {
                let next = marks.get(at + 1).map_or(self.text.len(), |(next, _)| next.start);
                range.end..next.min(range.end + LONGEST_ITEM)
            } else {
                self.back(floor, range.start)
            };
            floor = range.end;
            if !ticked && !self.slice(item.clone()).trim().is_empty() {
                let answer = self.start + range.start..self.start + range.end;
                found.push(DeniedItem { item: self.start + item.start..self.start + item.end, answer, open: false });
            }
        }
    }
}

#[cfg(test)]
mod tests;
