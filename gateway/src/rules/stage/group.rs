//! Stage groups that the note states: "stage IIIB", "FIGO IIIC".

use std::{ops::Range, sync::LazyLock};

use regex::{Captures, Regex};

use super::{no_stage::is_no_stage, other_diseases};
use crate::{
    extraction::Field,
    rules::{
        formula,
        lexicon::TermKind,
        retracted,
        view::{NoteView, StatedStage},
    },
    statics::pattern,
};

/// A stage group after the word "stage".
pub(super) static GROUP: LazyLock<Regex> = LazyLock::new(|| pattern(GROUP_PATTERN));
const GROUP_PATTERN: &str = r"^(?:d|s|ing)?(?: ?(?:group|grouping|disease|was|is|of|as|at|the|to|be|consistent|with|clinical|clinically|pathologic|pathological|pathologically|ajcc|figo|tnm|ann arbor|lugano|iss|revised|overall|final|anatomic|prognostic|listed|documented|reported|recorded|assigned|presentation|diagnosis|time|estimated|[78](?:th)?|edition|on form|per|report|uicc|\([0-9]{1,2}/(?:[0-9]{1,2}/)?[0-9]{2,4}\)|:|=|,|\(|-|\||\n))*[ (|]*(iv|iii|ii|i|[0-4]|one|two|three|four)(?: ?[-/]?(?:([abce])([1-4])?)|([xes][abes]?))?(?-u:\b)";

/// A stage group with its letter, directly after a name.
pub(super) static BEHIND: LazyLock<Regex> = LazyLock::new(|| pattern(r"^ (iv|iii|ii|i)([abc][1-3]?)(?-u:\b)"));

/// A stage group right after a TNM formula: `T3N1aM0 (IIIC)`, `cT3N1M0 - III`.
pub(super) static AFTER_FORMULA: LazyLock<Regex> = LazyLock::new(|| pattern(AFTER_FORMULA_PATTERN));
const AFTER_FORMULA_PATTERN: &str = r"(?-u:\b)[cpy]{0,2}t[0-4x](?:is|[a-d])?(?: ?\([a-z0-9,]{1,4}\))?,? ?[cpy]{0,2}n[0-3x][a-c]?(?:,? ?[cp]?m[01x][a-d]?)? ?(?:\(|- |= |: |, )(?:(?:ajcc |uicc )?stage )?(iv|iii|ii|i)([abc][1-3]?)?(?:\)|[.,;\n]|$)";

/// A correction after a stage without the word itself: "staged as IV; revised to II". Numerals in letters only, and not
/// "changed to IV", which is how a drug is given.
pub(super) static REVISED: LazyLock<Regex> = LazyLock::new(|| pattern(REVISED_PATTERN));
const REVISED_PATTERN: &str = r"(?-u:\b)(?:corrected|revised|amended|reclassified|restaged|re staged|upstaged)(?: down| up)? (?:to|as) (iv|iii|ii|i)([abc][1-4]?)?(?-u:\b)";

/// A change with both groups: "upstaged from IIA to IIIA". A stage after therapy replaces none: "downstaged from IIIB to
/// IIA".
pub(super) static CHANGED: LazyLock<Regex> = LazyLock::new(|| pattern(CHANGED_PATTERN));
const CHANGED_PATTERN: &str = r"(?-u:\b)(?P<verb>changed|revised|upstaged|migrated|restaged|re staged|downstaged)(?: (?:the )?stage)? from (?:stage )?(?P<from>(?:iv|iii|ii|i)(?:[abc][1-4]?)?) to (?:stage )?(?P<to>(?:iv|iii|ii|i)(?:[abc][1-4]?)?)(?-u:\b)";

/// The words before a stage group. The first value says whether the word itself corrects an earlier stage.
const WORDS: [(bool, &str); 19] = [
    (false, "pstage"),
    (false, "cstage"),
    (false, "stage"),
    (false, "staging"),
    (false, "figo"),
    (false, "figo 1988"),
    (false, "figo 2009"),
    (false, "figo 2014"),
    (false, "figo 2018"),
    (false, "figo 2021"),
    (false, "figo 2023"),
    (false, "ann arbor"),
    (false, "lugano"),
    (false, "ajcc"),
    (false, "uicc"),
    (false, "stg"),
    (false, "st."),
    (true, "restaged"),
    (true, "upstaged"),
];
/// Words right before "stage" that correct an earlier stage. Stages after therapy ("downstaged to") correct none.
const CORRECTIONS: [&str; 16] = [
    "mdt",
    "our mdt,",
    "correct",
    "corrected",
    "revised",
    "amended",
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

/// Words right before "stage" that correct an earlier stage of a tumour that was not treated before its operation.
const SURGICAL: [&str; 4] = ["final", "definitive", "surgical", "explant"];

/// A stated group. Corrections come first, of them the last; then the highest, then the one with more parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct StageRank {
    correction_at: Option<usize>,
    level: usize,
    length: usize,
}

/// A stage group that the note states, and where.
struct StatedGroup {
    level: usize,
    value: String,
    range: Range<usize>,
}

/// Returns the stage group that the note states: a corrected one, otherwise the highest. Of equal groups, the longest
/// is preferred, then the first. Stages of other diseases, other patients and other outcomes do not count, nor those
/// that the note retracts. A pathological stage replaces a clinical one before it.
pub(crate) fn stated(view: &NoteView<'_>) -> Option<String> {
    of(view).group.clone()
}

/// Returns a clinical group and the pathological one after it, if they differ.
pub(super) fn conflict(view: &NoteView<'_>) -> Vec<String> {
    of(view).conflict.clone()
}

fn of<'v>(view: &'v NoteView<'_>) -> &'v StatedStage {
    view.stated_stage.get_or_init(|| find(view))
}

fn find(view: &NoteView<'_>) -> StatedStage {
    let mut found = all(view);
    let is_preliminary = |one: &(StageRank, StatedGroup)| is_called(view, &one.1.range, &PRELIMINARY);
    if found.iter().any(|one| !is_preliminary(one)) {
        found.retain(|one| !is_preliminary(one));
    }
    let pathological = pathological(view, &found);
    let is_replaced = |stated: &StatedGroup| {
        pathological.as_ref().is_some_and(|(at, _)| stated.range.start < *at || is_beside(view, *at, &stated.range))
            && is_called(view, &stated.range, &CLINICAL)
    };
    let conflict = pathological.as_ref().and_then(|(_, value)| {
        let differs = |other: &StatedGroup| !other.value.starts_with(value) && !value.starts_with(&*other.value);
        let other = found.iter().map(|(_, stated)| stated).find(|other| differs(other) && is_replaced(other))?;
        Some(vec![other.value.clone(), value.clone()])
    });
    let mut best: Option<&(StageRank, StatedGroup)> = None;
    for one in &found {
        if best.is_none_or(|best| one.0 > best.0) && !is_replaced(&one.1) {
            best = Some(one);
        }
    }
    StatedStage { group: best.map(|(_, stated)| stated.value.clone()), conflict: conflict.unwrap_or_default() }
}

/// Returns whether a clinical stage after the pathological one describes the same time: it is in the same sentence or
/// the next one, and nothing says that it came later.
fn is_beside(view: &NoteView<'_>, pathological: usize, clinical: &Range<usize>) -> bool {
    const LATER: [&str; 7] = ["now", "current", "recur", "relap", "progress", "today", "later"];
    let end = view.sentence(pathological).end;
    let between = view.folded.slice(pathological..clinical.start);
    // The space between two sentences belongs to none of them.
    clinical.start <= view.sentence(end + 1).end
        && between.len() <= 120
        && !LATER.iter().any(|word| between.contains(word))
}

/// Returns the last pathological group and where it is, unless the tumour was treated before.
fn pathological(view: &NoteView<'_>, found: &[(StageRank, StatedGroup)]) -> Option<(usize, String)> {
    let called = found.iter().map(|(_, stated)| stated).filter(|one| is_called(view, &one.range, &PATHOLOGICAL));
    let last = called.max_by_key(|stated| stated.range.start).filter(|_| !formula::is_after_therapy(view));
    last.map(|stated| (stated.range.start, stated.value.clone()))
}

/// Returns all groups that count, with their ranks.
fn all(view: &NoteView<'_>) -> Vec<(StageRank, StatedGroup)> {
    let mut found: Vec<(StageRank, StatedGroup)> = Vec::new();
    for (corrects, word) in WORDS {
        for at in view.folded.places(word) {
            let Some(stated) = group_at(view, at, word) else { continue };
            if let Some(revised) = revised(view, stated.range.end) {
                found.push((rank(Some(revised.range.start), &revised), revised));
            }
            let corrects = corrects || {
                let before = view.folded.before(at, 24).trim_end();
                let ends_with = |words: &[&str]| words.iter().any(|word| before.ends_with(word));
                ends_with(&CORRECTIONS) || (ends_with(&SURGICAL) && !formula::is_after_therapy(view))
            };
            found.push((rank(corrects.then_some(at), &stated), stated));
        }
    }
    for captured in CHANGED.captures_iter(view.folded.as_str()) {
        if let Some(stated) = changed(view, &captured) {
            found.push((rank(Some(stated.range.start), &stated), stated));
        }
    }
    for captured in AFTER_FORMULA.captures_iter(view.folded.as_str()) {
        if let Some(stated) = after_formula(view, &captured) {
            found.push((rank(None, &stated), stated));
        }
    }
    for mention in view.terms(TermKind::Cancer) {
        if let Some(stated) = behind(view, mention.range.end) {
            found.push((rank(None, &stated), stated));
        }
    }
    found
}

fn rank(correction_at: Option<usize>, stated: &StatedGroup) -> StageRank {
    StageRank { correction_at, level: stated.level, length: stated.value.len() }
}

/// Words that say how a stage was found.
const CLINICAL: [&str; 7] = ["cstage", "pre op ct", "pre-op ct", "imaging", "clinical", "clinically", "radiological"];
const PATHOLOGICAL: [&str; 7] =
    ["pstage", "post op histology", "post-op histology", "pathologic", "pathological", "pathologically", "path"];

/// Words that call a stage preliminary. It counts only if the note states no other.
const PRELIMINARY: [&str; 9] = [
    "provisional",
    "provisionally",
    "working",
    "presumed",
    "presumptive",
    "preliminary",
    "tentative",
    "tentatively",
    "suspected",
];

/// Returns whether one of these words is right before a stage or between "stage" and the group.
fn is_called(view: &NoteView<'_>, stage: &Range<usize>, words: &[&str]) -> bool {
    let before = view.folded.before(stage.start, 16).trim_end();
    let last = before.rsplit([' ', ',', ':', '(', '\n']).next().unwrap_or_default();
    let mut inside = view.folded.slice(stage.clone()).split([' ', ',', ':', '(']);
    // "Pathologic: T2aN0M0, stage IB".
    let sentence = view.near(&(stage.start..stage.start), 60, 0);
    let label = sentence.trim_start_matches([' ', '(']).split_once(':').map_or("", |(label, _)| label);
    // "pT2 pN0 (stage IIA)": the prefix of a formula says the same.
    let formula = view.folded.slice(stage.clone());
    let prefixed = (formula.starts_with("pt") && words.contains(&"pathologic"))
        || (formula.starts_with("ct") && words.contains(&"clinical"));
    prefixed || words.contains(&last) || words.contains(&label) || inside.any(|word| words.contains(&word))
}

/// Returns the group to which the words after a stage correct it, in the same sentence.
fn revised(view: &NoteView<'_>, end: usize) -> Option<StatedGroup> {
    let found = REVISED.captures(view.near(&(end..end), 0, 60))?;
    // "Stage II, CKD upstaged to IV" corrects another stage.
    let gap = view.folded.slice(end..end + found.get(0)?.start());
    let mut words = gap.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    if words
        .any(|word| !matches!(word, "but" | "then" | "later" | "now" | "was" | "and" | "initially" | "on" | "review"))
    {
        return None;
    }
    let range = end + found.get(0)?.start()..end + found.get(0)?.end();
    let (rank, level) = level(found.get(1)?.as_str());
    let letters = found.get(2).map_or(String::new(), |letters| letters.as_str().to_ascii_uppercase());
    view.enters_record(&range, Field::Stage).then(|| StatedGroup {
        level: rank,
        value: format!("{level}{letters}"),
        range,
    })
}

/// Returns the group that follows a cancer directly, without the word "stage": "ovarian cancer IIIC". Its letter is
/// needed, because "IV" as often means intravenous.
fn behind(view: &NoteView<'_>, end: usize) -> Option<StatedGroup> {
    let found = BEHIND.captures(view.folded.after(end, 8))?;
    let range = end + 1..end + found.get(0)?.end();
    let (numeral, letters) = (found.get(1)?.as_str(), found.get(2)?.as_str());
    let (rank, level) = level(numeral);
    let counts = view.enters_record(&range, Field::Stage) && !retracted::is_taken_back(view, &range);
    counts.then(|| StatedGroup { level: rank, value: format!("{level}{}", letters.to_ascii_uppercase()), range })
}

/// Returns the group that holds after a change.
fn changed(view: &NoteView<'_>, captured: &Captures<'_>) -> Option<StatedGroup> {
    let therapy = captured.name("verb")?.as_str() == "downstaged";
    let group = captured.name(if therapy { "from" } else { "to" })?;
    let (rank, level) = level(group.as_str().trim_end_matches(|c: char| matches!(c, 'a'..='c' | '0'..='9')));
    let letters = group.as_str().trim_start_matches(['i', 'v']).to_ascii_uppercase();
    let counts = view.enters_record(&group.range(), Field::Stage) || therapy;
    counts.then(|| StatedGroup { level: rank, value: format!("{level}{letters}"), range: group.range() })
}

/// Returns the group that follows a TNM formula, unless the note retracts it.
fn after_formula(view: &NoteView<'_>, captured: &Captures<'_>) -> Option<StatedGroup> {
    let range = captured.get(0)?.start()..captured.get(2).or(captured.get(1))?.end();
    let letters = captured.get(2).map_or(String::new(), |letters| letters.as_str().to_ascii_uppercase());
    let (rank, level) = level(captured.get(1)?.as_str());
    let counts = view.enters_record(&range, Field::Stage) && !retracted::is_taken_back(view, &range);
    counts.then(|| StatedGroup { level: rank, value: format!("{level}{letters}"), range })
}

/// Returns the rank of a numeral and the numeral as it is written in a record.
fn level(numeral: &str) -> (usize, &'static str) {
    match numeral {
        "iv" | "4" | "four" => (4, "IV"),
        "iii" | "3" | "three" => (3, "III"),
        "ii" | "2" | "two" => (2, "II"),
        "i" | "1" | "one" => (1, "I"),
        _ => (0, "0"),
    }
}

/// Returns the stage group after the word at an offset.
fn group_at(view: &NoteView<'_>, at: usize, word: &str) -> Option<StatedGroup> {
    if view.folded.before(at, 4).ends_with(char::is_alphanumeric) {
        return None;
    }
    let found = GROUP.captures(view.folded.after(at + word.len(), 60))?;
    let range = at..at + word.len() + found.get(0)?.end();
    if other_diseases::has_stage(view, &range) || !view.enters_record(&range, Field::Stage) {
        return None;
    }
    let numeral = found.get(1)?.as_str();
    let has_letter = found.get(2).or(found.get(4)).is_some();
    if !has_letter && is_no_stage(view, word, &range, numeral) {
        return None;
    }
    let next = view.folded.after(range.end, 7);
    // "i.e.", "restaged 4 weeks later", and "FIGO 2018: 3 cm".
    let is_time =
        ["week", "month", "day", "year", "cycle", "cm", "mm"].iter().any(|unit| next.trim_start().starts_with(unit));
    if (numeral == "i" && next.starts_with(".e")) || (numeral.starts_with(|c: char| c.is_ascii_digit()) && is_time) {
        return None;
    }
    if retracted::is_taken_back(view, &range) || is_range(view, range.end) {
        return None;
    }
    // "AJCC 8" is an edition.
    if matches!(word, "ajcc" | "uicc") && numeral.starts_with(|c: char| c.is_ascii_digit()) {
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
    let value = format!("{level}{letters}{}", found.get(3).map_or("", |digit| digit.as_str()));
    Some(StatedGroup { level: rank, value, range })
}

/// Returns whether another group follows as an alternative or as the end of a range: "II or III", "II/III", "I-III".
/// Then the note does not say which stage it is.
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
mod tests;
