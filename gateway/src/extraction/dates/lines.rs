//! Finds the dates that date the text below them: a date that begins a line, and a line that is only a date.

use std::ops::Range;

use super::resolve::DateMention;

/// A date at the start of a line, and the text below it that it dates.
#[derive(Debug)]
pub(super) struct DatedLines {
    /// The bytes from the date to the end of the text that it dates.
    pub(super) range: Range<usize>,
    /// The index of the date.
    pub(super) mention: usize,
}

/// A line of the text.
struct Line<'a> {
    range: Range<usize>,
    words: &'a str,
    /// The index of the first date of the line, if that begins the line.
    leading: Option<usize>,
    /// Whether the line is only a date.
    only_date: bool,
    /// Whether a colon or dash follows the date.
    marked: bool,
}

impl Line<'_> {
    fn is_blank(&self) -> bool {
        self.words.trim().is_empty()
    }

    fn is_indented(&self) -> bool {
        self.words.starts_with([' ', '\t'])
    }
}

/// Returns the dates at the start of lines with the text that they date, in order. No two overlap.
pub(super) fn dated_lines(text: &str, mentions: &[DateMention]) -> Vec<DatedLines> {
    if mentions.is_empty() {
        return Vec::new();
    }
    let lines = lines(text, mentions);
    let headings = lines.iter().filter(|line| line.only_date).count();
    let mut found: Vec<DatedLines> = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let Some(mention) = line.leading else { continue };
        // A date alone on its line may be the date of a letter, unless there are several or a colon follows.
        if line.only_date && !line.marked && headings < 2 {
            continue;
        }
        let mut end = line.range.end;
        for (distance, next) in lines.iter().skip(at + 1).enumerate() {
            let is_first_gap = line.only_date && distance == 0 && next.is_blank();
            let continues = !next.is_blank() && next.leading.is_none() && (line.only_date || next.is_indented());
            if !(continues || is_first_gap) {
                break;
            }
            end = next.range.end;
        }
        found.push(DatedLines { range: line.range.start..end, mention });
    }
    found
}

fn lines<'a>(text: &'a str, mentions: &[DateMention]) -> Vec<Line<'a>> {
    let mut lines = Vec::new();
    let (mut start, mut next) = (0, 0);
    for words in text.split_inclusive('\n') {
        let range = start..start + words.len();
        start = range.end;
        while mentions.get(next).is_some_and(|mention| mention.range.start < range.start) {
            next += 1;
        }
        let mention = mentions.get(next).filter(|mention| mention.range.start < range.end);
        let leads = mention.filter(|mention| {
            let before = text.get(range.start..mention.reach.max(range.start)).unwrap_or_default();
            let after = text.get(mention.range.end..range.end).unwrap_or_default().trim_start_matches([' ', '*', ')']);
            let is_marked = after.starts_with([':', '-', '–', '—', '|', '\t']);
            is_bullet(before) && (is_marked || mention.reach == mention.range.start)
        });
        let after = leads.map_or("", |mention| text.get(mention.range.end..range.end).unwrap_or_default());
        lines.push(Line {
            leading: leads.map(|_| next),
            only_date: leads.is_some() && !after.contains(char::is_alphanumeric),
            marked: after.contains([':', '-', '–', '—']),
            words,
            range,
        });
    }
    lines
}

/// Returns whether a text before a date is only a bullet: "- ", "2. ", "## ".
fn is_bullet(text: &str) -> bool {
    text.len() <= 12 && !text.contains(char::is_alphabetic) && text.bytes().filter(u8::is_ascii_digit).count() <= 2
}
