//! Decides which of several tumours a note is about.

use super::{TumourRole, units::Unit};

/// Words beside the name of a tumour that the patient had before.
const PAST: [&str; 19] = [
    "previous",
    "prior ",
    "history of",
    "hx ",
    "h/o",
    "past ",
    "survivor",
    "years ago",
    "status post",
    "s/p",
    "remission since",
    "since remained",
    "remains in",
    "ever since",
    "as a young",
    "cured",
    "free of disease",
    "formerly",
    "you will remember",
];

/// Words of a tumour that is treated or worked up now.
const ACTIVE: [&str; 14] = [
    "metasta",
    "progress",
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
];

/// Words beside the name of a tumour that is not what the note is about, though it is present.
const SECONDARY: [&str; 8] = [
    "incidental",
    "also found",
    "also has",
    "concurrent",
    "under observation",
    "active surveillance",
    "watchful",
    "coincident",
];

/// Words of a note that gives two tumours the same weight.
const EQUAL: [&str; 10] = [
    "synchronous",
    "two primar",
    "two active",
    "two cancers",
    "two malignan",
    "two tumo",
    "both cancers",
    "both tumo",
    "both malignan",
    "bilateral",
];

/// The years that a note may name.
const YEARS: std::ops::RangeInclusive<u16> = 1930..=2100;

/// What the units that name a tumour say of it.
#[derive(Clone, Debug, Default)]
struct Standing {
    past: bool,
    active: bool,
    secondary: bool,
    year: Option<u16>,
}

/// Returns the role of each tumour. Exactly one is `index` if the note tells which one it is about, else none.
/// `lower` is the text in lower case; `past` says of each tumour whether every mention of it is past.
pub(super) fn decide(lower: &str, units: &[Unit], past: &[bool]) -> Vec<TumourRole> {
    let mut standings = vec![Standing::default(); past.len()];
    for (unit, standing) in units.iter().filter_map(|unit| Some((unit, unit.named?))) {
        let Some(standing) = standings.get_mut(standing) else { continue };
        let words = lower.get(unit.range.clone()).unwrap_or_default();
        let has = |list: &[&str]| list.iter().any(|word| words.contains(word));
        standing.past |= has(&PAST) || unit.past_section;
        standing.active |= ACTIVE.iter().any(|word| affirms(words, word)) && !unit.past_section;
        standing.secondary |= has(&SECONDARY);
        standing.year = standing.year.max(year(words));
    }
    let of_the_past = |at: usize| {
        let (Some(standing), Some(all_past)) = (standings.get(at), past.get(at)) else { return false };
        let others = standings.iter().enumerate().filter(|(other, _)| *other != at);
        let earlier = standing.year.is_some_and(|year| {
            others.clone().any(|(_, other)| other.year.is_none_or(|later| later > year) && !other.past)
        });
        *all_past || (standing.past && !standing.active) || (earlier && !standing.active)
    };
    let previous: Vec<bool> = (0..past.len()).map(of_the_past).collect();
    let present: Vec<usize> = (0..past.len()).filter(|at| previous.get(*at) == Some(&false)).collect();
    let index = match present.as_slice() {
        [one] => Some(*one),
        [] => None,
        several if EQUAL.iter().any(|words| lower.contains(words)) && several.len() > 1 => None,
        several => {
            let mut main = several.iter().filter(|at| standings.get(**at).is_some_and(|standing| !standing.secondary));
            main.next().copied().filter(|_| main.next().is_none())
        }
    };
    let role = |at: usize| match previous.get(at) {
        _ if index == Some(at) => TumourRole::Index,
        Some(true) => TumourRole::Previous,
        _ => TumourRole::Synchronous,
    };
    (0..past.len()).map(role).collect()
}

/// Returns whether words hold a word that no negation stands shortly before.
fn affirms(words: &str, word: &str) -> bool {
    const NEGATIONS: [&str; 4] = ["no ", "not ", "without ", "never "];
    const REACH: usize = 16;
    words.match_indices(word).any(|(at, _)| {
        let from = (at.saturating_sub(REACH)..=at).find(|from| words.is_char_boundary(*from)).unwrap_or(at);
        let before = words.get(from..at).unwrap_or_default();
        !NEGATIONS.iter().any(|negation| before.contains(negation))
    })
}

/// Returns the latest year that words name.
fn year(words: &str) -> Option<u16> {
    let numbers = words.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| word.len() == 4);
    numbers.filter_map(|word| word.parse::<u16>().ok()).filter(|year| YEARS.contains(year)).max()
}
