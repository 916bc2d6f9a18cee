//! Decides which of several tumours a note is about.

mod times;

use self::times::{age, is_of_year, patient_age, year};
use super::{
    TumourRole,
    blocks::PAST_LABELS,
    units::{self, Unit},
};

/// Words shortly before the name of a tumour that the patient had before.
const PAST_BEFORE: [&str; 17] = [
    "previous",
    "prior ",
    "history of",
    "hx ",
    "h/o",
    "past ",
    "survivor",
    "status post",
    "s/p",
    "prev ",
    "prev. ",
    "st.p.",
    "st. p.",
    "yrs after",
    "years after",
    "background of",
    "you will remember",
];

/// Words that say, anywhere beside a name, that the tumour is past.
const PAST: [&str; 11] = [
    "years ago",
    "years earlier",
    "years previously",
    "remission since",
    "since remained",
    "remains in",
    "ever since",
    "as a young",
    "cured",
    "free of disease",
    "formerly",
];

/// Words of a tumour that is treated or worked up now.
const ACTIVE: [&str; 26] = [
    "metasta",
    "oligometasta",
    "progress",
    "oligoprogress",
    "current",
    "now ",
    "today",
    "ongoing",
    " active",
    "newly",
    " new ",
    "recently",
    "recurrent",
    "relapsed",
    "presents",
    "is on ",
    "stage iv",
    " takes ",
    "is receiving",
    "partial response",
    "stable disease",
    "complete response",
    "therapy-related",
    "treatment-related",
    "radiation-associated",
    "radiation-induced",
];

/// Words for metastases, of a sentence that names no tumour.
const SPREAD: [&str; 3] = ["metasta", " mets", "secondaries"];

/// Words of a treatment that is over.
const ENDED: [&str; 12] = [
    "until",
    "previous",
    "prior",
    "completed",
    "stopped",
    "received",
    "status post",
    "s/p",
    "scar",
    "arthritis",
    "ectomy",
    "history",
];

/// Words of [`ACTIVE`] that describe how far a disease progressed. They can also describe a tumour that a label calls
/// past.
const COURSE: [&str; 10] = [
    "metasta",
    "oligometasta",
    "progress",
    "oligoprogress",
    "recurrent",
    "relapsed",
    "stage iv",
    "partial response",
    "stable disease",
    "complete response",
];

/// Maximum number of bytes of such a label.
const LONGEST_LABEL: usize = 34;

/// The word of [`ACTIVE`] that can also describe a past tumour, because hormone therapy continues for years.
const ONGOING: &str = "ongoing";

/// Words shortly before the name of a tumour that is not what the note is about, though it is present.
const SECONDARY_BEFORE: [&str; 15] = [
    "incidental",
    "also found",
    "also has",
    "also had",
    "had also",
    "also showed",
    "also revealed",
    "also lit up",
    "concurrent ",
    "coincident",
    "secondary diagnos",
    "secondary dx",
    "secondary: ",
    "other diagnos",
    "additional diagnos",
];

/// Names of tumours that are removed in passing: beside another malignancy a note is not about them.
const BESIDE_OTHERS: [&str; 3] = ["bcc", "basal cell", "keratoacanthoma"];

/// Labels of the tumour that a note is about.
const PRINCIPAL_BEFORE: [&str; 8] = [
    "principal diagnos",
    "principal dx",
    "principal problem",
    "main diagnos",
    "presenting diagnos",
    "current diagnos",
    "current dx",
    "index cancer",
];

/// Words that say, anywhere beside a name, that the tumour is present but not treated.
const SECONDARY: [&str; 9] = [
    "under observation",
    "obs only",
    "observation only",
    "active surveillance",
    "watchful",
    "watch and wait",
    "never needed treat",
    "never been treated",
    "no further treatment",
];

/// Words of a note that gives two tumours the same weight.
const EQUAL: [&str; 12] = [
    "synchronous primar",
    "synchronous cancer",
    "synchronous tumo",
    "synchronous carcinoma",
    "two primar",
    "two active",
    "two cancers",
    "two malignan",
    "two tumo",
    "both cancers",
    "both tumo",
    "both malignan",
];

/// Bytes before a name within which words refer to it.
const BESIDE: usize = 60;

/// Years between two tumours of which the earlier one is past. Treatment and follow-up of one take as long.
const CLEARLY_LATER: u16 = 3;

/// What the units that name a tumour say about it.
#[derive(Clone, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is one thing that words may say, and several may hold")]
struct RoleClues {
    /// Words before its name call it past.
    past: bool,
    /// A label calls it past.
    labelled_past: bool,
    /// Words say that it was over long ago.
    over: bool,
    active: bool,
    /// The note mentions a drug for it in a block without names of tumours, and does not say there that the treatment
    /// has ended.
    treated: bool,
    /// Words say that it is treated or worked up today, and not only how far it progressed.
    now: bool,
    secondary: bool,
    /// A label calls it what the note is about.
    principal: bool,
    year: Option<u16>,
    /// The patient's age, for a tumour that the note dates by it.
    age: Option<u16>,
    /// What follows its name is about an active tumour, also beside other names.
    goes_on: bool,
    /// The latest year of a metastasis that a sentence directly after its name mentions: "Colon cancer 2017. Liver mets
    /// 2023."
    spread: Option<u16>,
    /// Whether a year comes with a month or a diagnosis, as that of a tumour under treatment does.
    exact: bool,
}

/// Returns the role of each tumour. Exactly one is `index` if the note says which one it is about, else none. `lower`:
/// the text in lower case; `past`: for each tumour, whether every mention of it is past; `certain`: whether one mention
/// is more than a suspicion. `bound`: words that belong to tumours of one organ.
pub(super) fn decide(
    lower: &str,
    units: &[Unit],
    bound: &[units::Name],
    past: &[bool],
    certain: &[bool],
) -> Vec<TumourRole> {
    let mut clues = vec![RoleClues::default(); past.len()];
    let mixed = units::mixed_blocks(units);
    let mut last: Option<(usize, usize)> = None;
    for unit in units {
        let words = lower.get(unit.range.clone()).unwrap_or_default();
        let from = unit.range.start.max(unit.name.start.saturating_sub(BESIDE));
        let from = (from..=unit.name.start).find(|at| lower.is_char_boundary(*at)).unwrap_or(unit.name.start);
        let before = lower.get(from..unit.name.start).unwrap_or_default();
        let has = |list: &[&str]| list.iter().any(|word| affirms(words, word));
        let has_before = |list: &[&str]| list.iter().any(|word| affirms(before, word));
        let of_year = lower.get(unit.name.end..unit.range.end).is_some_and(is_of_year);
        // "The breast cancer of 2018, anastrozole ongoing" is still past.
        let tells = |word: &str| affirms(words, word) && !(of_year && word == ONGOING);
        let is_active = !unit.past_section && ACTIVE.iter().any(|word| tells(word));
        let is_now = is_active && ACTIVE.iter().any(|word| !COURSE.contains(word) && tells(word));
        // The text after a name in its block only shows whether its tumour is active.
        let goes_on =
            last.filter(|(block, _)| *block == unit.block && !mixed.contains(block)).map(|(_, tumour)| tumour);
        if let Some(clue) = last.filter(|(block, _)| *block == unit.block).and_then(|(_, at)| clues.get_mut(at)) {
            clue.goes_on |= is_active && unit.named.is_none();
            if unit.named.is_none() && SPREAD.iter().any(|word| affirms(words, word)) {
                clue.spread = clue.spread.max(year(words).0);
            }
        }
        // A drug that only this tumour gets, in a block without a name.
        let alone = unit.named.is_none() && last.is_none_or(|(block, _)| block != unit.block);
        let of_past = unit.past_section || unit.of_item || year(words).0.is_some();
        let goes_on_today = alone && !of_past && !ENDED.iter().any(|word| words.contains(word));
        let treated = units::only_bound(bound, unit).filter(|_| goes_on_today);
        if let Some(clue) = treated.and_then(|tumour| clues.get_mut(tumour)) {
            clue.treated = true;
        }
        let Some(clue) = unit.named.or(goes_on).and_then(|tumour| clues.get_mut(tumour)) else { continue };
        // "Now a caecal mass" starts a new subject.
        clue.active |= is_active && (unit.named.is_some() || !words.trim_start().starts_with("now "));
        clue.now |= is_now && (unit.named.is_some() || !words.trim_start().starts_with("now "));
        if let Some(named) = unit.named {
            clue.labelled_past |= is_labelled_past(before);
            clue.past |= has_before(&PAST_BEFORE) || unit.past_section;
            clue.principal |= has_before(&PRINCIPAL_BEFORE);
            clue.over |= has(&PAST);
            clue.past |= of_year && !is_active;
            let name = lower.get(unit.name.clone()).unwrap_or_default();
            clue.secondary |= has_before(&SECONDARY_BEFORE)
                || (BESIDE_OTHERS.iter().any(|minor| name.contains(minor)) && !words.contains("metasta"))
                || SECONDARY.iter().any(|known| words.contains(known))
                || (unit.of_item && words.trim_end_matches([' ', '\n', '.']).ends_with(", incidental"));
            let (year, exact) = year(words);
            clue.year = clue.year.max(year);
            clue.age = clue.age.max(age(lower, unit));
            clue.exact |= exact || words.contains("diagnos") || words.contains("dx ");
            last = Some((unit.block, named)).filter(|_| !unit.bracket).or(last);
        }
    }
    let of_today = patient_age(lower);
    let of_the_past = |at: usize, by_label: bool| {
        let (Some(clue), Some(all_past)) = (clues.get(at), past.get(at)) else { return false };
        let others = clues.iter().enumerate().filter(|(other, _)| *other != at);
        let earlier = clue.year.is_some_and(|year| {
            // A bare year, "breast cancer 2015", refers to the past; "diagnosed in March 2024" does not.
            let year = year.max(clue.spread.unwrap_or(year));
            let is_later = |other: &RoleClues| match other.year.max(other.spread) {
                Some(later) => later >= year + CLEARLY_LATER,
                None => !other.secondary && (other.active || !clue.exact),
            };
            others.clone().any(|(_, other)| is_later(other) && !other.past && !other.over)
        });
        let younger = !clue.goes_on
            && clue.age.is_some_and(|age| {
                // A tumour without an age is that of the patient's age today.
                let is_later = |other: &RoleClues| {
                    let today = of_today.filter(|_| !other.secondary);
                    other.age.or(today).is_some_and(|later| later >= age + CLEARLY_LATER)
                };
                others.clone().any(|(_, other)| is_later(other) && !other.past && !other.over)
            });
        let labelled = clue.labelled_past && clue.year.is_some() && !clue.now && by_label;
        let before = clue.past || younger || (earlier && !clue.treated);
        *all_past || clue.over || labelled || (before && !clue.active)
    };
    let mut previous: Vec<bool> = (0..past.len()).map(|at| of_the_past(at, true)).collect();
    if !previous.contains(&false) {
        // "Past oncologic history" may hold the tumour that the note is about.
        previous = (0..past.len()).map(|at| of_the_past(at, false)).collect();
    }
    let present: Vec<usize> = (0..past.len()).filter(|at| previous.get(*at) == Some(&false)).collect();
    let is_main = |at: &usize| clues.get(*at).is_some_and(|clue| !clue.secondary) && certain.get(*at) == Some(&true);
    let index = match present.as_slice() {
        [one] => Some(*one).filter(is_main),
        [] => None,
        several if EQUAL.iter().any(|words| lower.contains(words)) && several.len() > 1 => None,
        several => main_tumour(&clues, &several.iter().copied().filter(is_main).collect::<Vec<_>>()),
    };
    let role = |at: usize| match previous.get(at) {
        _ if index == Some(at) => TumourRole::Index,
        Some(true) => TumourRole::Previous,
        _ => TumourRole::Synchronous,
    };
    (0..past.len()).map(role).collect()
}

/// Returns which of several present tumours a note is about: the only one, or of tumours that all have a year, the one
/// that spread last.
fn main_tumour(clues: &[RoleClues], main: &[usize]) -> Option<usize> {
    if let [one] = main {
        return Some(*one);
    }
    let mut principal = main.iter().copied().filter(|at| clues.get(*at).is_some_and(|clue| clue.principal));
    if let (Some(one), None) = (principal.next(), principal.next()) {
        return Some(one);
    }
    let year_of = |at: usize| clues.get(at).and_then(|clue| clue.year);
    let spread_last = |at: &usize| {
        let spread = clues.get(*at).and_then(|clue| clue.spread);
        let mut others = main.iter().copied().filter(|other| other != at);
        spread.is_some_and(|spread| others.all(|other| year_of(other).is_some_and(|year| year <= spread)))
    };
    let mut last = main.iter().copied().filter(spread_last);
    last.next().filter(|_| last.next().is_none())
}

/// Returns whether words contain a word that no negation precedes in its clause: "no evidence of a metastasis".
fn affirms(words: &str, word: &str) -> bool {
    const NEGATIONS: [&str; 4] = ["no ", "not ", "without ", "never "];
    const REACH: usize = 40;
    units::places(words, word).any(|at| {
        let from = (at.saturating_sub(REACH)..=at).find(|from| words.is_char_boundary(*from)).unwrap_or(at);
        let before = words.get(from..at).unwrap_or_default();
        let clause = before.rsplit([',', ';', '.', ':', '(', '\n']).next().unwrap_or_default();
        !NEGATIONS.iter().any(|negation| clause.contains(negation))
    })
}

/// Returns whether the words before a name are a label that calls its tumour past: "Prior malignancy: ".
fn is_labelled_past(before: &str) -> bool {
    let line = before.rsplit(['\n', '.', ';']).next().unwrap_or_default().trim_start();
    let label = line.rsplit_once(':').map(|(label, _)| label);
    label.is_some_and(|label| {
        label.len() <= LONGEST_LABEL
            && PAST_LABELS.iter().any(|known| label.starts_with(known))
            && !["oncolog", "treatment", "therap"].iter().any(|word| label.contains(word))
    })
}
