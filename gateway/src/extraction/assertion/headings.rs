//! Recognises the start of a line: a bullet, a label such as "EGFR:", or a heading that opens a section.
//!
//! The headings are listed in `cues/headings.txt`. `sentences.rs` decides where a section ends.
//!
//! A scan damages headings: "Plan;", "Plan." and `PIan:` are "Plan:". Text below a damaged heading such as `PIan:` must
//! not be read as fact, so the damaged heading counts as a heading.

use std::sync::LazyLock;

use super::Section;
use crate::extraction::table::Table;

/// Maximum number of bytes of a heading.
const LONGEST_HEADING: usize = 48;
/// Minimum number of bytes of a heading that is recognised with misread letters: shorter ones are too similar to other
/// labels.
const SHORTEST_BLURRED: usize = 4;

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

/// The headings as [`blurred`] writes them.
static BLURRED: LazyLock<Table<Vec<u8>, Section>> = LazyLock::new(|| {
    let long = HEADINGS.iter().filter(|(name, _)| name.len() >= SHORTEST_BLURRED);
    long.filter_map(|(name, section)| Some((blurred(name)?.to_vec(), *section))).collect()
});

/// A heading as [`blurred`] writes it, with its section.
type BlurredHeading = (&'static [u8], Section);

/// The headings whose sections state no facts about the patient, such as plans, by their first letter.
static WITHHOLDING: LazyLock<Table<u8, Vec<BlurredHeading>>> = LazyLock::new(|| {
    let mut by_letter: Table<u8, Vec<BlurredHeading>> = Table::default();
    for (name, &section) in BLURRED.iter().filter(|(_, section)| withholds(**section)) {
        by_letter.entry(name.first().copied().unwrap_or_default()).or_default().push((name.as_slice(), section));
    }
    by_letter
});

/// A known heading at the start of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LineHeading {
    /// Where it begins, in bytes of the line.
    pub start: usize,
    /// The byte after it.
    pub end: usize,
    /// Whether it is spelled as in the list, and a colon or the end of the line follows.
    pub is_clear: bool,
}

/// Returns the known heading at the start of a line, for checks of a text that was scanned from paper. A heading that
/// changes what the words below it mean is found without a colon too: "Plan Osimertinib".
#[must_use]
pub fn line_heading(line: &str) -> Option<LineHeading> {
    let start = line.len() - line.trim_start().len();
    let start = start + bullet(line.as_bytes().get(start..)?);
    let bytes = line.as_bytes().get(start..)?.trim_ascii_end();
    if let Some(Label { length, section: Some(_) }) = label(bytes) {
        let name = bytes.get(..length)?;
        let has_mark = name.iter().any(|byte| matches!(byte, b';' | b'.' | b','));
        return Some(LineHeading { start, end: start + length, is_clear: heading(name).is_some() && !has_mark });
    }
    let is_word_end =
        |pair: &[u8]| matches!(pair, [last, next] if last.is_ascii_alphanumeric() && !next.is_ascii_alphanumeric());
    let ends = bytes.windows(2).zip(1..).filter(|(pair, _)| is_word_end(pair)).map(|(_, end)| end);
    let unmarked = |&end: &usize| {
        let goes_on = bytes.get(end..).unwrap_or_default().trim_ascii_start();
        let section = bytes.get(..end).and_then(|name| heading(name).or_else(|| misread(name)));
        section.is_some_and(|section| section != Section::Body) && !goes_on.first().is_some_and(u8::is_ascii_lowercase)
    };
    let starts = bytes.first().is_some_and(u8::is_ascii_uppercase);
    let end = ends.take_while(|&at| at <= LONGEST_HEADING).filter(unmarked).last().filter(|_| starts)?;
    Some(LineHeading { start, end: start + end, is_clear: false })
}

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
    let colon = colon.or(stop.filter(|&stop| starts && is_damaged(line, stop)));
    let end = colon.or(whole.then_some(line.len()))?;
    let name = head.get(..end).unwrap_or_default();
    let mistaken = || colon.and_then(|_| misread(name).or_else(|| nearly(name)));
    let section = heading(name).or_else(mistaken);
    // Markdown puts a heading between asterisks: "**Plan:** ..."
    let closing = colon.map_or(0, |_| 1 + line.iter().skip(end + 1).take_while(|&&byte| byte == b'*').count());
    let named = section.is_some() || (colon.is_some() && !name.is_empty());
    named.then_some(Label { length: end + closing, section })
}

/// Returns whether the sign at `stop` replaces the colon of a known heading. A full stop or a comma also occurs in
/// sentences. It counts as a colon only after a heading whose section states no facts; a comma also only at the end of
/// its line.
fn is_damaged(line: &[u8], stop: usize) -> bool {
    let name = line.get(..stop).unwrap_or_default();
    let section = || heading(name).or_else(|| misread(name));
    match line.get(stop) {
        Some(b';') => section().or_else(|| nearly(name)).is_some(),
        Some(b'.') => section().is_some_and(withholds),
        Some(b',') => line.len() == stop + 1 && section().is_some_and(withholds),
        _ => false,
    }
}

/// Returns whether a section states no facts about the patient.
fn withholds(section: Section) -> bool {
    matches!(section, Section::Plan | Section::Allergies | Section::FamilyHistory | Section::Pending)
}

/// Returns the section of a heading whose letters a scan took for others: `PIan`, `P1an`, `Recomrnendations`.
fn misread(name: &[u8]) -> Option<Section> {
    let start = name.iter().position(u8::is_ascii_alphanumeric)?;
    let end = name.iter().rposition(u8::is_ascii_alphanumeric)? + 1;
    BLURRED.get(&*blurred(name.get(start..end)?)?).copied()
}

/// Returns the section of a heading with one letter too many, missing or wrong: "Pitan". Only headings whose sections
/// state no facts count, because another label may look similar too. The first letter must be right.
fn nearly(name: &[u8]) -> Option<Section> {
    let name = blurred(name.trim_ascii())?;
    let alike = WITHHOLDING.get(name.first()?)?;
    alike.iter().find(|(known, _)| is_one_edit_apart(known, &name)).map(|(_, section)| *section)
}

fn is_one_edit_apart(one: &[u8], other: &[u8]) -> bool {
    if one.len().abs_diff(other.len()) > 1 {
        return false;
    }
    let alike = one.iter().zip(other).take_while(|(one, other)| one == other).count();
    let ends = one.iter().rev().zip(other.iter().rev()).take_while(|(one, other)| one == other).count();
    alike + ends + 1 >= one.len().max(other.len())
}

/// Returns a heading without spaces, in which letters and digits that scans confuse have one form. `None` for a long
/// text, and for a text with characters that no heading has.
fn blurred(name: &[u8]) -> Option<Blurred> {
    let mut letters = Blurred::default();
    for (at, byte) in name.iter().enumerate() {
        let letter = match byte.to_ascii_lowercase() {
            b' ' => continue,
            b'i' | b'1' | b'|' | b'!' => b'l',
            b'0' => b'o',
            b'5' => b's',
            b'8' => b'b',
            b'n' if at > 0 && name.get(at - 1).is_some_and(|before| before.eq_ignore_ascii_case(&b'r')) => {
                letters.length -= 1;
                b'm'
            }
            letter if letter.is_ascii_alphanumeric() || matches!(letter, b'/' | b'&') => letter,
            _ => return None,
        };
        *letters.bytes.get_mut(letters.length)? = letter;
        letters.length += 1;
    }
    Some(letters)
}

/// The letters of a heading, without an allocation, because every label of every note is looked up.
#[derive(Default)]
struct Blurred {
    bytes: [u8; 32],
    length: usize,
}

impl std::ops::Deref for Blurred {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
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
