//! The side of a tumour of a paired organ: that beside its names, else that of the organ wherever the text names both.

use std::ops::Range;

use crate::steps;

/// Organs of which a patient has two, with the words that name the organ or a part of it.
const PAIRED: [(&str, &[&str]); 9] = [
    ("breast", &["breast", "mastectomy", "lumpectomy"]),
    ("lung", &["lung", "upper lobe", "lower lobe", "pneumonectomy"]),
    ("kidney", &["kidney", "nephrectomy"]),
    ("ureter", &["ureter"]),
    ("ovary", &["ovary", "ovarian"]),
    ("testis", &["testis", "testicle", "testicular", "orchiectomy", "orchidectomy"]),
    ("adrenal gland", &["adrenal"]),
    ("eye", &["eye", "choroid", "uvea"]),
    ("fallopian tube", &["fallopian tube"]),
];

const SIDES: [&str; 3] = ["left", "right", "bilateral"];

/// Words behind an organ that make it one without a tumour.
const HEALTHY: [&str; 10] =
    ["normal", "unremarkable", "benign", "negative", "no ", "free of", "without", "healthy", "clear", "absent"];

/// Bytes before and after a name within which its side stands.
const BEFORE: usize = 24;
const AFTER: usize = 40;
/// Bytes behind an organ within which its finding stands.
const FINDING: usize = 60;
/// Bytes before an organ within which its side stands.
const SIDE_BEFORE: usize = 12;

/// What words say of a side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Side {
    #[default]
    Unsaid,
    Said(&'static str),
    /// They name different sides.
    Differ,
}

impl Side {
    fn and(self, side: Option<&'static str>) -> Self {
        match (self, side) {
            (known, None) => known,
            (Self::Unsaid, Some(side)) => Self::Said(side),
            (Self::Said(known), Some(side)) if known == side => self,
            _ => Self::Differ,
        }
    }
}

/// Returns the side of a tumour by the places of its names; `None` if its organ is not paired, or if the text names no
/// side or different ones. `is_only`: whether the text names no other tumour of this organ.
pub(super) fn of(text: &str, organ: &str, places: &[Range<usize>], is_only: bool) -> Option<&'static str> {
    let (_, words) = PAIRED.into_iter().find(|(paired, _)| *paired == organ)?;
    match beside(text, places) {
        Side::Said(side) => Some(side),
        Side::Unsaid if is_only => match of_organ(text, words) {
            Side::Said(side) => Some(side),
            _ => None,
        },
        _ => None,
    }
}

/// Returns the side beside the names of a tumour: "left breast cancer", "cancer of the left breast".
fn beside(text: &str, places: &[Range<usize>]) -> Side {
    let mut found = Side::default();
    for place in places {
        let before = before(text, place.start, BEFORE).rsplit(['.', ';', ',', '\n']).next().unwrap_or_default();
        let after = text.get(place.start..place.end).unwrap_or_default().len();
        let after = behind(text, place.start, after + AFTER);
        let after = after.split(['.', ';', ',', '\n', '(']).next().unwrap_or_default();
        for word in [before, after].into_iter().flat_map(|words| words.split(|c: char| !c.is_alphabetic())) {
            found = found.and(side(word));
        }
    }
    found
}

/// Returns the side that stands beside the organ wherever the text names it: "BREAST, LEFT, LUMPECTOMY:".
fn of_organ(text: &str, words: &[&str]) -> Side {
    let lower = text.to_ascii_lowercase();
    steps::count(lower.len());
    let mut found = Side::default();
    for (at, word) in words.iter().flat_map(|word| lower.match_indices(word)) {
        let end = at + word.len();
        let finding = behind(&lower, end, FINDING);
        let finding = finding.split(['.', ';', '\n']).next().unwrap_or_default();
        if HEALTHY.iter().any(|word| finding.contains(word)) {
            continue;
        }
        let ahead = before(&lower, at, SIDE_BEFORE).trim_end_matches([' ', ',', '-']);
        let ahead = ahead.rsplit(|c: char| !c.is_alphabetic()).next().unwrap_or_default();
        let next = finding.trim_start_matches([' ', ',', '-', '(', ':']);
        let next = next.split(|c: char| !c.is_alphabetic()).next().unwrap_or_default();
        found = found.and(side(ahead)).and(side(next).filter(|_| side(ahead).is_none()));
    }
    found
}

fn side(word: &str) -> Option<&'static str> {
    SIDES.into_iter().find(|side| side.eq_ignore_ascii_case(word))
}

fn before(text: &str, at: usize, bytes: usize) -> &str {
    let from = (at.saturating_sub(bytes)..=at).find(|at| text.is_char_boundary(*at)).unwrap_or(at);
    text.get(from..at).unwrap_or_default()
}

fn behind(text: &str, at: usize, bytes: usize) -> &str {
    let to = (at..=text.len().min(at + bytes)).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(at);
    text.get(at..to).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn side_of(text: &str, organ: &str, name: &str, is_only: bool) -> Option<&'static str> {
        let places: Vec<Range<usize>> = text.match_indices(name).map(|(at, name)| at..at + name.len()).collect();
        assert!(!places.is_empty(), "{text}");
        of(text, organ, &places, is_only)
    }

    #[test]
    fn the_side_of_a_tumour_is_that_of_its_organ() {
        for (text, organ, expected) in [
            ("Left breast carcinoma.", "breast", Some("left")),
            ("A carcinoma of the right kidney.", "kidney", Some("right")),
            ("BREAST, LEFT, LUMPECTOMY: - INFILTRATING DUCTAL carcinoma, GRADE II.", "breast", Some("left")),
            ("C. RIGHT BREAST, MASTECTOMY: TUMOR TYPE: INVASIVE carcinoma.", "breast", Some("right")),
            ("Mastectomy, right. Breast: carcinoma.", "breast", Some("right")),
            ("Left upper lobe, lobectomy. Adenocarcinoma; carcinoma.", "lung", Some("left")),
            ("Left breast: carcinoma. Right breast: carcinoma.", "breast", None),
            ("Right breast: benign. Left breast, biopsy. Invasive carcinoma.", "breast", Some("left")),
            ("Right breast normal. Breast carcinoma.", "breast", None),
            ("Left breast biopsy, right breast biopsy. Invasive carcinoma.", "breast", None),
            ("Breast carcinoma, pain of the left arm.", "breast", None),
            ("Left colon carcinoma.", "colon", None),
            ("Bilateral breast carcinoma.", "breast", Some("bilateral")),
            ("é Left é breast, é carcinoma", "breast", None),
        ] {
            assert_eq!(side_of(text, organ, "carcinoma", true), expected, "{text}");
        }
        let report = "Breast, left: biopsy.\nInvasive carcinoma.";
        assert_eq!(side_of(report, "breast", "carcinoma", true), Some("left"));
        assert_eq!(side_of(report, "breast", "carcinoma", false), None, "there is another tumour of the breast");
    }
}
