//! Recognises the start of a line: a bullet, a label such as "EGFR:", or a heading that opens a section.
//!
//! The headings are listed in `cues/headings.txt`. `sentences.rs` decides where a section ends.

use std::sync::LazyLock;

use super::Section;
use crate::extraction::table::Table;

/// Most bytes of a heading.
const LONGEST_HEADING: usize = 48;

static HEADINGS: LazyLock<Table<&'static [u8], Section>> = LazyLock::new(|| {
    let mut section = Section::Body;
    let mut names = Table::default();
    for line in include_str!("cues/headings.txt").lines().map(str::trim) {
        match line {
            "" => {}
            "[body]" => section = Section::Body,
            "[family history]" => section = Section::FamilyHistory,
            "[past history]" => section = Section::PastHistory,
            "[plan]" => section = Section::Plan,
            "[allergies]" => section = Section::Allergies,
            "[pending]" => section = Section::Pending,
            "[reason]" => section = Section::Reason,
            "[question]" => section = Section::Question,
            "[criteria]" => section = Section::Criteria,
            comment if comment.starts_with('#') => {}
            name => drop(names.insert(name.as_bytes(), section)),
        }
    }
    names
});

/// A label at the start of a line or sentence.
pub(super) struct Label {
    /// Its length in bytes, with the colon.
    pub(super) length: usize,
    /// The section that it opens, if it is a known heading.
    pub(super) section: Option<Section>,
}

/// Returns the label ("Plan:", "EGFR:") or known heading at the start of this text, if there is one.
pub(super) fn label(line: &[u8]) -> Option<Label> {
    let head = line.get(..LONGEST_HEADING.min(line.len())).unwrap_or_default();
    let stop = head.iter().position(|&byte| matches!(byte, b':' | b'.' | b',' | b';'));
    let colon = stop.filter(|&stop| head.get(stop) == Some(&b':'));
    // Without a colon, a heading fills its line and does not start with a lower-case letter.
    let starts = !line.first().is_some_and(u8::is_ascii_lowercase);
    let whole = line.len() <= LONGEST_HEADING && stop.is_none() && starts;
    // A scan makes "Plan;" of "Plan:". What stands below such a heading must not become true.
    let damaged = stop.filter(|&stop| starts && head.get(stop) == Some(&b';'));
    let damaged = damaged.filter(|&stop| head.get(..stop).and_then(heading).is_some());
    let colon = colon.or(damaged);
    let end = colon.or(whole.then_some(line.len()))?;
    let name = head.get(..end).unwrap_or_default();
    let section = heading(name);
    // Markdown puts a heading between asterisks: "**Plan:** ..."
    let closing = colon.map_or(0, |_| 1 + line.iter().skip(end + 1).take_while(|&&byte| byte == b'*').count());
    let named = section.is_some() || (colon.is_some() && !name.is_empty());
    named.then_some(Label { length: end + closing, section })
}

/// Returns the section of a heading. Case and any decoration around the name are ignored.
fn heading(name: &[u8]) -> Option<Section> {
    let decoration = |byte: &u8| !byte.is_ascii_alphanumeric();
    let start = name.iter().position(|byte| !decoration(byte))?;
    let end = name.iter().rposition(|byte| !decoration(byte))? + 1;
    let name = name.get(start..end)?;
    let mut lower = [0_u8; LONGEST_HEADING];
    let lower = lower.get_mut(..name.len())?;
    lower.copy_from_slice(name);
    lower.make_ascii_lowercase();
    HEADINGS.get(&*lower).copied()
}

/// Returns the length in bytes of the bullet or number at the start of a line, with the space after it.
pub(super) fn bullet(line: &[u8]) -> usize {
    let marks: [&[u8]; 12] = [
        b"-",
        b"*",
        b">",
        b"+",
        b"#",
        "•".as_bytes(),
        "–".as_bytes(),
        "·".as_bytes(),
        "▪".as_bytes(),
        "◦".as_bytes(),
        "●".as_bytes(),
        "‣".as_bytes(),
    ];
    let mark = marks.iter().find(|mark| line.starts_with(mark)).map_or_else(
        || {
            let digits = line.iter().take(3).take_while(|byte| byte.is_ascii_digit()).count();
            let letter = usize::from(digits == 0 && line.first().is_some_and(u8::is_ascii_lowercase));
            let length = digits + letter;
            let closed =
                matches!(line.get(length), Some(b')')) || (digits > 0 && matches!(line.get(length), Some(b'.')));
            if length > 0 && closed { length + 1 } else { 0 }
        },
        |mark| mark.len(),
    );
    let rest = line.get(mark..).unwrap_or_default();
    let repeated = rest.iter().take_while(|&&byte| byte == b'#' || byte == b'*').count();
    let rest = rest.get(repeated..).unwrap_or_default();
    let spaces = rest.len() - rest.trim_ascii_start().len();
    let tight = line.first().is_some_and(|&first| first >= 0x80 || first == b'#' || first == b'*');
    if mark > 0 && (spaces > 0 || tight) { mark + repeated + spaces } else { 0 }
}
