//! Writes a table for a terminal: one line per note, each value cut to the width of its column. Characters that control
//! a terminal are replaced by spaces.

use std::borrow::Cow;

use console::{Alignment, measure_text_width, pad_str};

use crate::{bulk::outcome::EntryOutcome, extraction::Field};

use super::row::Row;

/// Minimum and maximum width of a column.
const MIN_WIDTH: usize = 8;
const MAX_WIDTH: usize = 32;
/// Width of the id column, and the gap between columns.
const ID_WIDTH: usize = 20;
const GAP: &str = "  ";

fn width(terminal: usize) -> usize {
    // The last column holds the warnings.
    let columns = Field::ALL.len() + 1;
    (terminal.saturating_sub(ID_WIDTH) / columns).saturating_sub(GAP.len()).clamp(MIN_WIDTH, MAX_WIDTH)
}

pub(super) fn head(terminal: usize) -> String {
    let mut out = fitted("id", ID_WIDTH);
    for field in Field::ALL {
        out.push_str(GAP);
        out.push_str(&fitted(field.name(), width(terminal)));
    }
    out.push_str(GAP);
    out.push_str("warnings");
    with_line_feed(&out)
}

pub(super) fn add(outcome: &EntryOutcome, terminal: usize, out: &mut String) {
    let Some(row) = Row::of(&outcome.line) else { return };
    let mut line = fitted(&row.id, ID_WIDTH);
    if row.error.is_some() {
        line.push_str(GAP);
        line.push_str(&printable(&format!("failed: {}", row.error())));
    } else {
        for field in Field::ALL {
            let value = row.value(field);
            line.push_str(GAP);
            line.push_str(&fitted(if value.is_empty() { "-" } else { value }, width(terminal)));
        }
        line.push_str(GAP);
        line.push_str(&printable(&outcome.remarks.join("; ")));
    }
    out.push_str(&with_line_feed(&line));
}

fn with_line_feed(line: &str) -> String {
    format!("{}\n", line.trim_end())
}

/// Returns the text cut or padded to a width.
fn fitted(text: &str, width: usize) -> String {
    let text = printable(text);
    if measure_text_width(&text) <= width {
        return pad_str(&text, width, Alignment::Left, None).into_owned();
    }
    let mut cut = String::new();
    for letter in text.chars() {
        cut.push(letter);
        if measure_text_width(&cut) >= width {
            cut.pop();
            break;
        }
    }
    cut.push('…');
    pad_str(&cut, width, Alignment::Left, None).into_owned()
}

/// Returns the text with control characters and marks of the writing direction replaced by spaces.
fn printable(text: &str) -> Cow<'_, str> {
    let is_control_mark = |letter: char| {
        letter.is_control()
            || matches!(letter, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    if text.contains(is_control_mark) { Cow::Owned(text.replace(is_control_mark, " ")) } else { Cow::Borrowed(text) }
}
