//! Finds the tumour that words refer to without its name: "the sarcoma", "the bladder tumour", "the latter".

use super::{
    super::word_runs::places_of,
    NamedTumour, histology, only_of, only_of_any,
    same_organ::HISTOLOGIES,
    signs::{TumourReference, TumourSigns},
    units::Name,
};

/// The first and the second of the two tumours that a text named last.
const FORMER: &str = "the former";
const LATTER: &str = "the latter";

/// The kinds of tumours of the skin: a melanoma is a kind of its own.
const SKIN: &str = "skin";
const SKIN_KINDS: [&str; 2] = [SKIN, "melanoma"];

/// Maximum number of names before "the former" that are searched for the two tumours.
const MOST_NAMES: usize = 32;

/// Words after "the former" that show that no noun follows it, as one does in "the former smoker".
const NO_NOUN: [&str; 22] = [
    "was",
    "is",
    "has",
    "had",
    "were",
    "remains",
    "remained",
    "being",
    "resected",
    "treated",
    "responded",
    "progressed",
    "shows",
    "showed",
    "under",
    "on",
    "in",
    "with",
    "after",
    "for",
    "by",
    "diagnosed",
];

/// Returns the names of `mentions` with the words that refer to one of the tumours, in order. `lower` is the text in
/// lower case.
pub(super) fn with_references(
    lower: &str,
    named: &[NamedTumour],
    mentions: Vec<Name>,
    signs: &TumourSigns,
) -> Vec<Name> {
    let mut found = former_and_latter(lower, &mentions);
    let resolved = signs.references.iter().filter_map(|(range, reference)| {
        let tumour = match reference {
            TumourReference::Kind(SKIN) => only_of_any(named, &SKIN_KINDS),
            TumourReference::Kind(kind) => only_of(named, kind),
            TumourReference::Histology(word) => only_called(named, word),
        };
        Some((range.clone(), tumour?))
    });
    found.extend(resolved);
    let all = with_new(mentions, found);
    with_new(all, by_side_or_histology(lower, named))
}

/// Returns the names, which are in order, with those that overlap none of them, in order.
fn with_new(mut names: Vec<Name>, mut more: Vec<Name>) -> Vec<Name> {
    more.retain(|(range, _)| {
        let next = names.partition_point(|(name, _)| name.end <= range.start);
        names.get(next).is_none_or(|(name, _)| name.start >= range.end)
    });
    names.extend(more);
    names.sort_by_key(|(range, _)| range.start);
    names
}

/// Returns the only tumour that is called by a word of histology. A carcinoma may be any tumour whose name states no
/// histology.
fn only_called(named: &[NamedTumour], word: &str) -> Option<usize> {
    let is_general = |tumour: &NamedTumour| {
        let name = tumour.name.to_lowercase();
        histology(&name).is_none() && ["cancer", "carcinoma", " ca", "nsclc"].iter().any(|word| name.contains(word))
    };
    if word.contains("carcinoma") && named.iter().any(is_general) {
        return None;
    }
    let called = |tumour: &NamedTumour| tumour.name.to_lowercase().replace("tumour", "tumor").contains(word);
    let mut all = named.iter().enumerate().filter(|(_, tumour)| called(tumour));
    let (at, _) = all.next()?;
    all.next().is_none().then_some(at)
}

/// Returns where a text refers to the only tumour of a side or of a histology without its name: "the left-sided
/// tumour", "the right is pT1c", "the lobular lesion".
fn by_side_or_histology(lower: &str, named: &[NamedTumour]) -> Vec<Name> {
    const SIDES: [&str; 2] = ["left", "right"];
    const NOUNS: [&str; 3] = [" tumo", " cancer", " primary"];
    // The left lesion may be a metastasis elsewhere.
    const LESION: &str = " lesion";
    // "The right is pT1c": what else is left or right may be a kidney.
    const STAGED: [&str; 5] = [" is pt", " is ct", " is ypt", " is stage", " was stage"];
    let only = |holds: &dyn Fn(&NamedTumour) -> bool| {
        let mut all = named.iter().enumerate().filter(|(_, tumour)| holds(tumour));
        let (at, _) = all.next()?;
        all.next().is_none().then_some(at)
    };
    let of_side = SIDES.iter().filter_map(|side| Some((*side, only(&|tumour| tumour.variant == *side)?)));
    // A tumour without a histology in its name may be any of them.
    let all_tell = named.iter().all(|tumour| histology(&tumour.name.to_lowercase()).is_some());
    let histologies: &[&'static str] = if all_tell { &HISTOLOGIES } else { &[] };
    let of_histology =
        histologies.iter().filter_map(|word| Some((*word, only(&|tumour| tumour.name.to_lowercase().contains(word))?)));
    let mut found = Vec::new();
    for (word, tumour) in of_side.chain(of_histology) {
        for at in places_of(lower, word) {
            let end = at + word.len();
            let behind = lower.get(end..).unwrap_or_default();
            let behind = behind.strip_prefix("-sided").unwrap_or(behind);
            let has_article = lower.get(..at).is_some_and(|before| before.ends_with("the "));
            let told = if SIDES.contains(&word) { &STAGED[..] } else { &[LESION][..] };
            let told = told.iter().any(|words| behind.starts_with(words));
            if has_article && (told || NOUNS.iter().any(|noun| behind.starts_with(noun))) {
                found.push((at..end, tumour));
            }
        }
    }
    found
}

/// Returns where a text refers to the former and the latter of the two tumours that it named last.
fn former_and_latter(lower: &str, names: &[Name]) -> Vec<Name> {
    let place = |word: &'static str| lower.match_indices(word).map(move |(at, _)| (at, word));
    let mut found = Vec::new();
    for (at, word) in place(FORMER).chain(place(LATTER)) {
        let end = at + word.len();
        let rest = lower.get(end..).unwrap_or_default();
        let stands_alone = match rest.strip_prefix(' ') {
            Some(next) => NO_NOUN.contains(&next.split(|c: char| !c.is_ascii_alphabetic()).next().unwrap_or_default()),
            None => rest.starts_with([',', ';', '.', ':', ')']),
        };
        let before = names.partition_point(|(range, _)| range.end <= at);
        let mut earlier =
            names.get(..before).unwrap_or_default().iter().rev().take(MOST_NAMES).map(|(_, tumour)| *tumour);
        let Some(last) = earlier.next().filter(|_| stands_alone) else { continue };
        let Some(other) = earlier.find(|tumour| *tumour != last) else { continue };
        found.push((at..end, if word == FORMER { other } else { last }));
    }
    found
}
