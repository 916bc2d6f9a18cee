//! The side of a tumour of a paired organ: the side next to its names, else the side next to the organ anywhere in the
//! text.

use std::ops::Range;

use super::super::word_runs::places_of;
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

/// Words after an organ that show that it has no tumour, anywhere in its finding or at the start of it.
const HEALTHY: [&str; 5] = ["normal", "unremarkable", "benign", "healthy", "prophylactic"];
const HEALTHY_AHEAD: [&str; 7] = ["negative", "no ", "without", "free of", "clear", "is negative", "shows no"];

/// Words between a side and the name of a tumour: "left upper lobe lung adenocarcinoma".
const BETWEEN: [&str; 28] = [
    "sided",
    "side",
    "upper",
    "lower",
    "middle",
    "lobe",
    "outer",
    "inner",
    "quadrant",
    "central",
    "primary",
    "invasive",
    "infiltrating",
    "metastatic",
    "recurrent",
    "advanced",
    "early",
    "locally",
    "high",
    "low",
    "grade",
    "breast",
    "lung",
    "renal",
    "kidney",
    "ovarian",
    "testicular",
    "pulmonary",
];
/// Maximum number of words between a side and a name.
const MOST_BETWEEN: usize = 5;

/// Bytes before and after a name that are searched for its side.
const BEFORE: usize = 48;
const BEHIND: usize = 48;
/// Bytes after an organ that are searched for its finding.
const FINDING: usize = 60;
/// Bytes before an organ that are searched for its side.
const SIDE_BEFORE: usize = 12;

/// What words say about a side.
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
    match beside(text, words, places) {
        Side::Said(side) => Some(side),
        Side::Unsaid if is_only => match of_organ(text, words) {
            Side::Said(side) => Some(side),
            _ => None,
        },
        _ => None,
    }
}

/// Returns the side beside the names of a tumour: "left breast cancer", "cancer of the left breast", "breast cancer,
/// left".
fn beside(text: &str, words: &[&str], places: &[Range<usize>]) -> Side {
    places.iter().fold(Side::default(), |found, place| {
        found.and(ahead_of_name(text, place)).and(in_name(text, place)).and(behind_name(text, words, place))
    })
}

/// Returns the side before a name, with words between that belong to the name.
pub(super) fn ahead_of_name(text: &str, place: &Range<usize>) -> Option<&'static str> {
    let clause = before(text, place.start, BEFORE).rsplit(['.', ';', ',', '\n', '(']).next()?;
    let mut words =
        clause.split(|c: char| !c.is_alphabetic()).filter(|word| !word.is_empty()).rev().take(MOST_BETWEEN + 1);
    let is_between = |word: &&str| BETWEEN.iter().any(|between| between.eq_ignore_ascii_case(word));
    side(words.find(|word| !is_between(word))?)
}

fn in_name(text: &str, place: &Range<usize>) -> Option<&'static str> {
    text.get(place.clone())?.split(|c: char| !c.is_alphabetic()).find_map(side)
}

/// Returns the side after a name: of the organ, or between commas or brackets.
fn behind_name(text: &str, organ: &[&str], place: &Range<usize>) -> Option<&'static str> {
    let lower = behind(text, place.end, BEHIND).to_ascii_lowercase();
    let line = lower.split(['.', ';', '\n']).next().unwrap_or_default();
    let (start, rest) = line.split_at(line.len() - line.trim_start_matches([' ', ',', '(', '-']).len());
    let linked = ["of the ", "in the ", "of ", "involving the "].into_iter().find_map(|link| rest.strip_prefix(link));
    let rest = linked.unwrap_or(rest);
    let word = rest.split(|c: char| !c.is_alphabetic()).next().unwrap_or_default();
    let next = rest.get(word.len()..).unwrap_or_default();
    let (closed, next) =
        (next.trim_start().is_empty() || next.starts_with([',', ')']), next.trim_start_matches([' ', '-']));
    let is_organ = organ.iter().any(|organ| next.starts_with(organ))
        || ["upper", "lower", "middle", "side"].iter().any(|part| next.starts_with(part));
    // As the note writes it: "RT" is radiotherapy.
    let at = place.end + line.len() - rest.len();
    let word = text.get(at..at + word.len()).unwrap_or_default();
    side(word).filter(|_| is_organ || (closed && (linked.is_some() || start.contains([',', '(', '-']))))
}

/// Returns the side that is next to the organ anywhere in the text: "BREAST, LEFT, LUMPECTOMY:".
fn of_organ(text: &str, words: &[&str]) -> Side {
    let lower = text.to_ascii_lowercase();
    steps::count(lower.len());
    let mut found = if words.contains(&"lung") { of_lobes(text) } else { Side::default() };
    for (at, word) in words.iter().flat_map(|word| places_of(&lower, word).map(move |at| (at, word))) {
        let end = at + word.len();
        let finding = behind(&lower, end, FINDING);
        let finding = finding.split(['.', ';', '\n']).next().unwrap_or_default();
        let own = finding.trim_start_matches([' ', ',', '-', ':', ')']);
        if HEALTHY.iter().any(|word| finding.contains(word)) || HEALTHY_AHEAD.iter().any(|word| own.starts_with(word)) {
            continue;
        }
        let ahead = before(text, at, SIDE_BEFORE).trim_end_matches([' ', ',', '-']);
        let ahead = ahead.rsplit(|c: char| !c.is_alphabetic()).next().unwrap_or_default();
        let next = finding.trim_start_matches([' ', ',', '-', '(', ':']);
        let at = end + finding.len() - next.len();
        let next = next.split(|c: char| !c.is_alphabetic()).next().unwrap_or_default();
        let next = text.get(at..at + next.len()).unwrap_or_default();
        found = found.and(side(ahead)).and(side(next).filter(|_| side(ahead).is_none()));
    }
    found
}

/// Returns the side of the lobes that are named by their letters: "RUL".
fn of_lobes(text: &str) -> Side {
    const LOBES: [(&str, &str); 5] =
        [("RUL", "right"), ("RML", "right"), ("RLL", "right"), ("LUL", "left"), ("LLL", "left")];
    let is_word = |at: usize| {
        let letter = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
        !letter(before(text, at, 4).chars().next_back()) && !letter(behind(text, at + 3, 4).chars().next())
    };
    let of_lobe = |found: Side, (lobe, side): (&str, &'static str)| {
        if places_of(text, lobe).any(is_word) { found.and(Some(side)) } else { found }
    };
    LOBES.into_iter().fold(Side::default(), of_lobe)
}

/// Returns the side that a word names: "left", "Lt", "L".
fn side(word: &str) -> Option<&'static str> {
    const SHORT: [(&str, &str); 4] = [("L", "left"), ("R", "right"), ("lt", "left"), ("rt", "right")];
    let is_word = |short: &str| short == word || (short.len() > 1 && short.eq_ignore_ascii_case(word));
    // "RT" in capitals is radiotherapy.
    let short = SHORT.into_iter().find(|(short, _)| word != "RT" && is_word(short));
    SIDES.into_iter().find(|side| side.eq_ignore_ascii_case(word)).or(short.map(|(_, side)| side))
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
            ("Breast carcinoma, right, stage I.", "breast", Some("right")),
            ("Right breast: invasive carcinoma. Left breast, normal.", "breast", Some("right")),
            ("Breast carcinoma (left).", "breast", Some("left")),
            ("Left upper lobe lung carcinoma.", "lung", Some("left")),
            ("LLL lung carcinoma, stage IIIA.", "lung", Some("left")),
            ("RUL and LLL lung carcinoma.", "lung", None),
            ("Lt breast carcinoma, ER+.", "breast", Some("left")),
            ("L breast carcinoma.", "breast", Some("left")),
            ("Breast carcinoma 2003 (lumpectomy, RT, tamoxifen).", "breast", None),
            (
                "Left breast, lumpectomy: ER negative. Right breast, prophylactic mastectomy. Invasive carcinoma.",
                "breast",
                Some("left"),
            ),
            // The side of something else.
            ("Metastatic breast carcinoma with left hip metastasis.", "breast", None),
            ("Breast carcinoma with left pleural effusion.", "breast", None),
            ("Left hip pain from breast carcinoma. Right mastectomy in 2018.", "breast", Some("right")),
            ("é Left é breast, é carcinoma", "breast", None),
        ] {
            assert_eq!(side_of(text, organ, "carcinoma", true), expected, "{text}");
        }
        let report = "Breast, left: biopsy.\nInvasive carcinoma.";
        assert_eq!(side_of(report, "breast", "carcinoma", true), Some("left"));
        assert_eq!(side_of(report, "breast", "carcinoma", false), None, "there is another tumour of the breast");
    }
}
