//! Joins words that are split at a line end, and removes invisible characters.
//!
//! A hyphen at the end of a line is either a soft break ("adeno-" and "carcinoma") or part of the word ("HER2-" and
//! "positive"), and no mark distinguishes them. The shape of the two parts and short lists decide. Where they do not,
//! a hyphen before a lower-case letter counts as a soft break.

use super::{is_hyphen, rewrite::Rewrite};

/// First parts of compounds that keep their hyphen.
const FIRST_PARTS: &str = "albumin androgen biopsy body bone brain breast castration clear compassionate contrast double drug \
                           dual early estrogen external fine first follow full ground half high hippocampal hormone \
                           intensity intermediate involved large late left limb liver long low lung microsatellite \
                           mismatch moderately near never new next node nodal non oestrogen one open organ platinum \
                           poorly portal progesterone radiation right robot robotic salpingo second self short signet \
                           single six small splice stage status steroid third three treatment triple tumor tumour two \
                           upper very video well whole wild year";
/// Second parts of compounds that keep their hyphen.
const SECOND_PARTS: &str = "adjusted amplified assisted associated based cell cells confirmed conserving deficient dense \
                            dependent deprivation directed driven enhanced enhancing free guided induced inhibitor \
                            inhibitors invasive like modulated month months mutant mutated mutation naive negative \
                            occurring onset paclitaxel positive predominant proficient proven rearranged rearrangement \
                            refractory related resistant risk sensitive sided sparing specific stage stimulating \
                            targeted translocation trastuzumab weighted year years";
/// Endings that form one word with a first part above: "lateral", "secondary", "higher".
const ENDINGS: &str =
    "aged age al ance arily aries ary born ed ened ening er ered est ing light lights ly ness ral rally st";
/// Markers whose names have a hyphen before a number: "CTLA-4".
const NUMBERED: &str = "bcl ca cd ck ctla gata her ifn il ki muc pd sox trop ttf";
/// Words after a hyphen that stays: "pre- and postoperative", split after the hyphen.
const SUSPENDED: &str = "and or to versus vs";
/// Longest part of a word that is compared, in bytes.
const LONGEST_PART: usize = 40;

/// What happens to a hyphen and the line end after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Break {
    /// Hyphen and line end are removed: "adenocarcinoma".
    RemoveBoth,
    /// The line end is removed: "HER2-positive".
    RemoveLineEnd,
    /// Both stay.
    KeepBoth,
}

/// Returns the text with split words joined and without invisible characters; `None` where it has neither.
pub(super) fn join(text: &str) -> Option<Rewrite> {
    let bytes = text.as_bytes();
    let breaks = || memchr::memchr_iter(b'\n', bytes).any(|at| hyphen_precedes(text, at));
    if (is_plain(text) || !text.chars().any(is_invisible)) && !breaks() {
        return None;
    }
    let (mut made, mut copied) = (Rewrite::default(), 0);
    for (at, character) in text.char_indices() {
        if at < copied {
            continue;
        }
        let after = at + character.len_utf8();
        if is_invisible(character) {
            made.copy(text, copied..at);
            copied = after;
            if is_separator(character) {
                made.put(' ', at..after);
            } else if character == '\u{ad}'
                && let Some(length) = line_end(text.get(after..).unwrap_or_default())
            {
                // A soft hyphen is always a soft break.
                copied += length;
            }
        } else if is_hyphen(character)
            && let Some(length) = line_end(text.get(after..).unwrap_or_default())
        {
            let first = last_word(text.get(..at).unwrap_or_default());
            let second = first_word(text.get(after + length..).unwrap_or_default());
            match decide(first, second) {
                Break::RemoveBoth => made.copy(text, copied..at),
                Break::RemoveLineEnd => made.copy(text, copied..after),
                Break::KeepBoth => continue,
            }
            copied = after + length;
        }
    }
    if copied == 0 {
        return None;
    }
    made.copy(text, copied..text.len());
    Some(made)
}

/// Returns whether the text has control characters that may have separated words, marks that may have reversed letters,
/// or replacement characters for letters that an earlier program could not decode.
pub(super) fn is_doubtful(text: &str) -> bool {
    let is_doubtful_character = |character: char| {
        matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{fffd}')
            || (is_control(character) && !is_separator(character))
    };
    !is_plain(text) && text.chars().any(is_doubtful_character)
}

/// Returns whether a text has only printable ASCII characters, tabs, line ends and page ends. Most notes have, and this
/// check of many bytes at once saves a check of each character.
fn is_plain(text: &str) -> bool {
    const BLOCK: usize = 64;
    let is_plain = |byte: &u8| matches!(byte, b'\t'..=b'\r' | b' '..=b'~');
    text.as_bytes().chunks(BLOCK).all(|block| block.iter().fold(true, |plain, byte| plain & is_plain(byte)))
}

/// Returns whether it is a control character other than a tab, a line end or a page end.
fn is_control(character: char) -> bool {
    character.is_control() && !matches!(character, '\t'..='\r' | '\u{85}')
}

/// Returns whether it is a separator of files, groups, records or units.
fn is_separator(character: char) -> bool {
    matches!(character, '\u{1c}'..='\u{1f}')
}

fn is_invisible(character: char) -> bool {
    is_control(character)
        || matches!(character, '\u{ad}' | '\u{34f}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
}

/// Returns whether a hyphen is before the line end at this offset.
fn hyphen_precedes(text: &str, at: usize) -> bool {
    text.get(..at).unwrap_or_default().trim_end_matches([' ', '\t', '\r']).ends_with(is_hyphen)
}

/// Returns the length in bytes of the line end at the start of `rest` and the blanks around it; `None` where there is
/// no line end, or where an empty line follows.
fn line_end(rest: &str) -> Option<usize> {
    let is_blank = |character: char| matches!(character, ' ' | '\t' | '\r' | '\u{c}' | '\u{a0}');
    let line = rest.trim_start_matches(is_blank).strip_prefix('\n')?;
    let next = line.trim_start_matches(is_blank);
    (!next.starts_with('\n')).then_some(rest.len() - next.len())
}

fn last_word(text: &str) -> &str {
    let mut start = text.len();
    for (at, character) in text.char_indices().rev() {
        if !character.is_alphanumeric() || text.len() - at > LONGEST_PART {
            break;
        }
        start = at;
    }
    text.get(start..).unwrap_or_default()
}

fn first_word(text: &str) -> &str {
    let mut end = 0;
    for (at, character) in text.char_indices() {
        if !character.is_alphanumeric() || at > LONGEST_PART {
            break;
        }
        end = at + character.len_utf8();
    }
    text.get(..end).unwrap_or_default()
}

/// Decides what happens to the hyphen and line end between two parts of a word.
fn decide(first: &str, second: &str) -> Break {
    let is_one_of = |words: &str, word: &str| words.split_ascii_whitespace().any(|each| each == word);
    let (lower, second_lower) = (first.to_lowercase(), second.to_lowercase());
    let Some(next) = second.chars().next() else { return Break::KeepBoth };
    if first.is_empty() || is_one_of(SUSPENDED, second) {
        return Break::KeepBoth;
    }
    let digits = |word: &str| word.chars().any(char::is_numeric);
    let all_capitals = |word: &str| word.chars().all(char::is_uppercase);
    let is_acronym = digits(first) || first.chars().skip(1).any(char::is_uppercase) || first.chars().nth(1).is_none();
    let long = |word: &str, least: usize| word.chars().nth(least - 1).is_some();
    // The text is in capitals: both parts are in capitals, and neither is short.
    let is_in_capitals = all_capitals(first) && all_capitals(second) && long(first, 3) && long(second, 5);
    if digits(second) && !long(second, 4) && is_one_of(NUMBERED, &lower) {
        return Break::RemoveLineEnd;
    }
    if next.is_lowercase() && is_acronym {
        return Break::RemoveLineEnd;
    }
    if next.is_lowercase() || is_in_capitals {
        let compound = (is_one_of(FIRST_PARTS, &lower) && !is_one_of(ENDINGS, &second_lower))
            || (is_one_of(SECOND_PARTS, &second_lower) && long(&lower, 3));
        return if compound { Break::RemoveLineEnd } else { Break::RemoveBoth };
    }
    // Keeps "anti-" and "PD-L1" together. "ER-" and "PR+" are two results, and "2019-" and "2020" two years.
    if next.is_uppercase() && !is_acronym && first.chars().all(char::is_lowercase) {
        Break::RemoveLineEnd
    } else {
        Break::KeepBoth
    }
}
