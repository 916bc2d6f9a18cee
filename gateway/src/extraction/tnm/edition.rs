//! The edition of the staging manual that a note names beside a formula.

use std::ops::Range;

/// Bytes before and after a formula that are searched for its edition: a heading before it, or a remark after it.
const REACH: usize = 160;
/// The editions that have been in use since 1997, as numerals and as words.
const EDITIONS: [(u8, &[&str]); 5] = [
    (5, &["5", "5th", "fifth"]),
    (6, &["6", "6th", "sixth"]),
    (7, &["7", "7th", "seventh"]),
    (8, &["8", "8th", "eighth"]),
    (9, &["9", "9th", "ninth"]),
];

/// Returns the edition: a number after AJCC, UICC or TNM ("AJCC 8", "UICC TNM v8", "TNM8"), or one before or after the
/// word edition.
pub(super) fn beside(text: &str, formula: &Range<usize>) -> Option<u8> {
    let after = edges(text, formula.end, formula.end.saturating_add(REACH));
    let before = edges(text, formula.start.saturating_sub(REACH), formula.start);
    stated(after).or_else(|| stated(before))
}

/// Returns the text between two offsets, which move inwards to character boundaries.
fn edges(text: &str, start: usize, end: usize) -> &str {
    let (mut start, mut end) = (start.min(text.len()), end.min(text.len()));
    while !text.is_char_boundary(start) {
        start += 1;
    }
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(start..end).unwrap_or_default()
}

fn stated(text: &str) -> Option<u8> {
    let lower = text.to_ascii_lowercase();
    let words: Vec<&str> = lower.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()).collect();
    (0..words.len()).find_map(|at| {
        let word = |at: usize| words.get(at).copied().unwrap_or_default();
        let is_edition = |word: &str| matches!(word, "ed" | "edn" | "edition" | "version" | "v");
        if let Some(edition) = numbered(word(at)).filter(|_| is_edition(word(at + 1))) {
            return Some(edition);
        }
        if !matches!(word(at), "ajcc" | "uicc" | "tnm" | "edition") {
            return word(at).strip_prefix("tnm").and_then(numbered);
        }
        let next = word(at + 1);
        let skipped = if matches!(next, "tnm" | "ajcc" | "uicc") || is_edition(next) { word(at + 2) } else { next };
        numbered(skipped.strip_prefix('v').unwrap_or(skipped)).filter(|_| word(at) != "edition" || skipped == next)
    })
}

fn numbered(word: &str) -> Option<u8> {
    EDITIONS.iter().find(|(_, names)| names.contains(&word)).map(|&(edition, _)| edition)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn editions_beside_a_formula() {
        for (text, expected) in [
            ("(AJCC 8th edition)", Some(8)),
            ("AJCC 7", Some(7)),
            ("UICC TNM v8", Some(8)),
            ("by TNM8", Some(8)),
            ("seventh edition of the manual", Some(7)),
            ("AJCC staging manual, edition 8", Some(8)),
            ("AJCC, 8th ed.", Some(8)),
            ("AJCC stage IIIA", None),
            ("8 lymph nodes", None),
            ("TNM: 3 of 8 nodes", None),
            ("", None),
        ] {
            assert_eq!(stated(text), expected, "{text}");
        }
    }
}
