//! A table for people: a line a note, each value cut to its column. Nothing that steers a terminal comes
//! through.

use std::borrow::Cow;

use console::{Alignment, measure_text_width, pad_str};

use crate::{bulk::outcome::Outcome, extraction::Field};

use super::row::Row;

/// Narrowest and widest column of a value.
const NARROW: usize = 8;
const WIDE: usize = 32;
/// Width of the id's column, and of the gap between columns.
const ID: usize = 20;
const GAP: &str = "  ";

fn width(terminal: usize) -> usize {
    // The last column is of the warnings.
    let columns = Field::ALL.len() + 1;
    (terminal.saturating_sub(ID) / columns).saturating_sub(GAP.len()).clamp(NARROW, WIDE)
}

pub(super) fn head(terminal: usize) -> String {
    let mut out = shown("id", ID);
    for field in Field::ALL {
        out.push_str(GAP);
        out.push_str(&shown(field.name(), width(terminal)));
    }
    out.push_str(GAP);
    out.push_str("warnings");
    ended(&out)
}

pub(super) fn add(outcome: &Outcome, terminal: usize, out: &mut String) {
    let Some(row) = Row::of(&outcome.line) else { return };
    let mut line = shown(&row.id, ID);
    if row.error.is_some() {
        line.push_str(GAP);
        line.push_str(&plain(&format!("failed: {}", row.error())));
    } else {
        for field in Field::ALL {
            let value = row.value(field);
            line.push_str(GAP);
            line.push_str(&shown(if value.is_empty() { "-" } else { value }, width(terminal)));
        }
        line.push_str(GAP);
        line.push_str(&plain(&outcome.remarks.join("; ")));
    }
    out.push_str(&ended(&line));
}

fn ended(line: &str) -> String {
    format!("{}\n", line.trim_end())
}

/// Cut or filled to a width.
fn shown(text: &str, width: usize) -> String {
    let text = plain(text);
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

/// Without control characters and marks that turn the direction of writing.
fn plain(text: &str) -> Cow<'_, str> {
    let steers = |letter: char| {
        letter.is_control()
            || matches!(letter, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    if text.contains(steers) { Cow::Owned(text.replace(steers, " ")) } else { Cow::Borrowed(text) }
}
