//! Stage groups that the note states: "stage IIIB", "FIGO IIIC".

use std::sync::LazyLock;

use regex::Regex;

use super::other_diseases;
use crate::{
    extraction::Field,
    rules::{lexicon::TermKind, view::NoteView},
    statics::pattern,
};

/// A stage group after the word "stage".
pub(super) static GROUP: LazyLock<Regex> = LazyLock::new(|| pattern(GROUP_PATTERN));
const GROUP_PATTERN: &str = r"^(?:d|s|ing)?(?: ?(?:group|grouping|disease|was|is|of|as|at|the|to|be|consistent|with|clinical|clinically|pathologic|pathological|pathologically|ajcc|figo|tnm|ann arbor|lugano|iss|revised|overall|final|anatomic|prognostic|listed|documented|reported|recorded|assigned|presentation|diagnosis|time|estimated|8th|7th|edition|:|=|,|\(|-|\||\n))*[ (|]*(iv|iii|ii|i|[0-4])(?: ?[-/]?(?:([abce])([1-4])?)|([xes][abes]?))?(?-u:\b)";

/// A stage group with its letter, directly behind a name.
pub(super) static BEHIND: LazyLock<Regex> = LazyLock::new(|| pattern(r"^ (iv|iii|ii|i)([abc][1-3]?)(?-u:\b)"));

/// The words before a stage group. The first value says whether the word itself corrects an earlier stage.
const WORDS: [(bool, &str); 9] = [
    (false, "stage"),
    (false, "staging"),
    (false, "figo"),
    (false, "ann arbor"),
    (false, "lugano"),
    (false, "stg"),
    (false, "st."),
    (true, "restaged"),
    (true, "upstaged"),
];
/// Words right before "stage" that correct an earlier stage. Stages after therapy ("downstaged to") correct none.
const CORRECTIONS: [&str; 10] = [
    "corrected to",
    "revised to",
    "amended to",
    "changed to",
    "reclassified as",
    "restaged as",
    "restaged to",
    "re staged as",
    "re staged to",
    "upstaged to",
];

/// A stated group. Corrections come first, of them the last; then the highest, then the one with more parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Rank {
    correction_at: Option<usize>,
    level: usize,
    length: usize,
}

/// Returns the stage group that the note states: a corrected one, otherwise the highest. Of equal groups, the longest is
/// preferred, then the first. Stages of other diseases, other patients and other outcomes do not count.
pub(crate) fn stated(view: &NoteView<'_>) -> Option<String> {
    let mut best: Option<(Rank, String)> = None;
    for (corrects, word) in WORDS {
        for at in view.folded.places(word) {
            let Some((level, value)) = group_at(view, at, word) else { continue };
            let corrects = corrects || {
                let before = view.folded.before(at, 24).trim_end();
                CORRECTIONS.iter().any(|correction| before.ends_with(correction))
            };
            let rank = Rank { correction_at: corrects.then_some(at), level, length: value.len() };
            if best.as_ref().is_none_or(|(best, _)| rank > *best) {
                best = Some((rank, value));
            }
        }
    }
    for mention in view.terms(TermKind::Cancer) {
        let Some((level, value)) = behind(view, mention.range.end) else { continue };
        let rank = Rank { correction_at: None, level, length: value.len() };
        if best.as_ref().is_none_or(|(best, _)| rank > *best) {
            best = Some((rank, value));
        }
    }
    best.map(|(_, value)| value)
}

/// Returns the group that stands without the word "stage" directly behind a cancer: "ovarian cancer IIIC". Its letter is
/// needed, because "IV" as often means intravenous.
fn behind(view: &NoteView<'_>, end: usize) -> Option<(usize, String)> {
    let found = BEHIND.captures(view.folded.after(end, 8))?;
    let range = end + 1..end + found.get(0)?.end();
    let (numeral, letters) = (found.get(1)?.as_str(), found.get(2)?.as_str());
    let (rank, level) = level(numeral);
    view.enters_record(&range, Field::Stage).then(|| (rank, format!("{level}{}", letters.to_ascii_uppercase())))
}

/// Returns the rank of a numeral and the numeral as it is written in a record.
fn level(numeral: &str) -> (usize, &'static str) {
    match numeral {
        "iv" | "4" => (4, "IV"),
        "iii" | "3" => (3, "III"),
        "ii" | "2" => (2, "II"),
        "i" | "1" => (1, "I"),
        _ => (0, "0"),
    }
}

/// Returns the stage group after the word at an offset, with its rank.
fn group_at(view: &NoteView<'_>, at: usize, word: &str) -> Option<(usize, String)> {
    if view.folded.before(at, 4).ends_with(char::is_alphanumeric) {
        return None;
    }
    let found = GROUP.captures(view.folded.after(at + word.len(), 60))?;
    let range = at..at + word.len() + found.get(0)?.end();
    if other_diseases::has_stage(view, &range) || !view.enters_record(&range, Field::Stage) {
        return None;
    }
    let numeral = found.get(1)?.as_str();
    let next = view.folded.after(range.end, 7);
    // "i.e.", and "restaged 4 weeks later".
    let is_time = ["week", "month", "day", "year", "cycle"].iter().any(|unit| next.trim_start().starts_with(unit));
    if (numeral == "i" && next.starts_with(".e")) || (numeral.starts_with(|c: char| c.is_ascii_digit()) && is_time) {
        return None;
    }
    if is_first_opinion(view, at) || is_range(view, range.end) {
        return None;
    }
    // "St. 1" is a street or a saint.
    if word == "st." && (numeral.len() < 2 || range.len() > 8) {
        return None;
    }
    let (rank, level) = level(numeral);
    let letter = found.get(2).map_or("", |letter| letter.as_str());
    // "IE" is a lymphoma outside the lymph nodes, "IIXB" one with bulk and B symptoms.
    let of_lymphoma = found.get(4).map_or("", |letters| letters.as_str());
    if (letter == "e" || !of_lymphoma.is_empty())
        && !["lymphoma", "hodgkin", "ann arbor", "lugano"].iter().any(|word| view.near(&range, 80, 60).contains(word))
    {
        return None;
    }
    let letters = format!("{letter}{of_lymphoma}").to_ascii_uppercase();
    Some((rank, format!("{level}{letters}{}", found.get(3).map_or("", |digit| digit.as_str()))))
}

/// Returns whether the words before the stage call it an opinion that was given up: "previously thought to be stage IV".
fn is_first_opinion(view: &NoteView<'_>, at: usize) -> bool {
    const EARLIER: [&str; 6] = ["previously", "initially", "originally", "first", "formerly", "at first"];
    const OPINION: [&str; 7] = ["thought", "believed", "considered", "felt", "assumed", "suspected", "presumed"];
    let before = view.folded.before(at, 40);
    let before = before.rsplit(['.', ';', ',', '\n']).next().unwrap_or_default();
    let mut words = before.split(' ').skip_while(|word| !EARLIER.contains(word));
    words.next().is_some() && words.any(|word| OPINION.contains(&word))
}

/// Returns whether another group follows as an alternative or as the end of a range: "II or III", "II/III", "I-III". Then
/// the note does not say which stage it is.
fn is_range(view: &NoteView<'_>, end: usize) -> bool {
    let next = view.folded.after(end, 16);
    let joined = [" or ", "/", " / ", "-", " to ", " vs ", " versus "]
        .iter()
        .find_map(|join| next.strip_prefix(join))
        .map(|rest| rest.strip_prefix("stage ").unwrap_or(rest));
    let word = |rest: &str| rest.chars().take_while(|c| c.is_alphanumeric()).collect::<String>();
    joined.map(word).is_some_and(|word| {
        let numeral = word.trim_end_matches(|c: char| matches!(c, 'a'..='c') || c.is_ascii_digit());
        // A single "I" is the writer: "stage II or I".
        matches!(numeral, "ii" | "iii" | "iv")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stage_groups_are_read_from_many_wordings() {
        for (text, expected) in [
            ("stage IV disease", "IV"),
            ("Stage: IIIB", "IIIB"),
            ("stage 3a", "IIIA"),
            ("FIGO IIIC2", "IIIC2"),
            ("Stage III-B", "IIIB"),
            ("staged as IIA", "IIA"),
            ("AJCC 8th edition stage IB", "IB"),
            ("pathologic stage was II", "II"),
            ("Ann Arbor stage IV", "IV"),
            ("FIGO stage | IIIC", "IIIC"),
            ("stage 3 chronic kidney disease", ""),
            ("CKD stage 4", ""),
            ("stage IV sacral decubitus", ""),
            ("stage C heart failure", ""),
            ("end stage 4", ""),
            ("backstage 4", ""),
            ("no stage given", ""),
            ("Stage IVB -> restaged IIIC after review", "IIIC"),
            ("Stage IV at first. Addendum: stage corrected to stage IIIA.", "IIIA"),
            ("Stage III; restaged as stage II, later progressed", "II"),
            ("Stage III, downstaged to stage I after chemotherapy", "III"),
            ("NSCLC st. IV", "IV"),
            ("Colon ca stg 3", "III"),
            ("12 St. 4th floor", ""),
            ("Stage II. Restaged 4 weeks later: stable.", "II"),
            ("staging 3 months after surgery", ""),
            ("Ann Arbor stage IE", "IE"),
            ("stage, i.e. IV", ""),
            ("Stage II or III colon cancer", ""),
            ("Stage II/III colon cancer", ""),
            ("Patients with stage I-III were compared", ""),
            ("Stage IIA to IIIB", ""),
            ("Stage II/III at first, stage IV now", "IV"),
            ("Stage IIIB, previously thought to be stage IV", "IIIB"),
            ("Initially believed to be stage IV. Stage IIIA.", "IIIA"),
            ("First seen in May. Stage IV", "IV"),
            ("If stage IV is confirmed, start chemotherapy", ""),
            ("Ann Arbor IIB", "IIB"),
            ("Hodgkin lymphoma, Ann Arbor: IIIA", "IIIA"),
            ("Lugano IV", "IV"),
            ("Hodgkin lymphoma stage IIXB", "IIXB"),
            ("Hodgkin lymphoma stage IISB", "IISB"),
        ] {
            assert_eq!(stated(&NoteView::of(text)).unwrap_or_default(), expected, "{text}");
        }
    }
}
