//! A tumour whose organ and histology stand apart: "a mass in the sigmoid; biopsy: adenocarcinoma". They must be
//! of one sentence, or of two of which one gives the pathology; and "breast cancer" is the breast's, and lends
//! its histology to no other organ of the note.

use std::{collections::BTreeSet, ops::Range, rc::Rc};

use super::{
    align::{self, Match},
    index::Index,
    places::TokenSpan,
    query::Query,
};

/// Most places of one word that are looked at.
const MOST_PLACES: usize = 64;

/// Organs, as nouns and adjectives, that stand before a cancer or behind its "of the". The head may be the pancreas's.
const ORGANS: [&str; 59] = [
    "breast",
    "mammary",
    "lung",
    "pulmonary",
    "colon",
    "colonic",
    "colorectal",
    "rectal",
    "rectum",
    "prostate",
    "prostatic",
    "liver",
    "hepatic",
    "kidney",
    "renal",
    "bladder",
    "urothelial",
    "ovary",
    "ovarian",
    "uterus",
    "uterine",
    "endometrial",
    "endometrium",
    "cervix",
    "cervical",
    "stomach",
    "gastric",
    "esophageal",
    "esophagus",
    "oesophageal",
    "oesophagus",
    "pancreas",
    "pancreatic",
    "thyroid",
    "skin",
    "cutaneous",
    "brain",
    "bone",
    "larynx",
    "laryngeal",
    "tongue",
    "tonsil",
    "oropharyngeal",
    "nasopharyngeal",
    "testis",
    "testicular",
    "anal",
    "anus",
    "vulvar",
    "vaginal",
    "penile",
    "adrenal",
    "biliary",
    "gallbladder",
    "appendiceal",
    "thymic",
    "pleural",
    "sigmoid",
    "salivary",
];

/// The stretches that hold all words, each with the places of each word in it.
pub(super) fn stretches(note: &Index, query: &Query) -> Vec<Vec<Vec<Match>>> {
    let Some(places) = align::all_places(note, query, true) else { return Vec::new() };
    let own = |word: &str| is_own(query, word);
    let found = |place: &TokenSpan| {
        let (first, last) = (note.tokens().get(place.first)?, note.tokens().get(place.last)?);
        let width = place.last - place.first;
        Some((first.sentence, Match { range: first.start..last.end, width, rule: place.rule }))
    };
    let free = |places: &Rc<[TokenSpan]>| -> Vec<(u32, Match)> {
        let free = places.iter().take(MOST_PLACES).filter(|place| !is_claimed(note, place, own));
        free.filter_map(found).collect()
    };
    let words: Vec<Vec<(u32, Match)>> = places.iter().map(free).collect();
    let within = |first: u32, last: u32| -> Option<Vec<Vec<Match>>> {
        let in_stretch = |list: &Vec<(u32, Match)>| -> Vec<Match> {
            list.iter().filter(|(own, _)| (first..=last).contains(own)).map(|(_, found)| found.clone()).collect()
        };
        let all: Vec<Vec<Match>> = words.iter().map(in_stretch).collect();
        all.iter().all(|places| !places.is_empty()).then_some(all)
    };
    let sentences: BTreeSet<u32> = words.iter().flatten().map(|(sentence, _)| *sentence).collect();
    let pathology = pathology_of(note);
    let single = sentences.iter().filter_map(|&sentence| within(sentence, sentence));
    let double = sentences.iter().filter(|&&one| pathology.contains(&one) || pathology.contains(&(one + 1)));
    single.chain(double.filter_map(|&sentence| within(sentence, sentence + 1))).collect()
}

/// The sentences that tell of pathology.
fn pathology_of(note: &Index) -> BTreeSet<u32> {
    let tells = |word: &str| {
        matches!(
            word,
            "pathology" | "histology" | "biopsy" | "biopsies" | "path" | "specimen" | "cytology" | "histopathology"
        )
    };
    note.walk().filter(|&&token| tells(note.fold_of(token))).map(|token| token.sentence).collect()
}

/// Whether an organ that is none of the value's own words claims the cancer at this place.
fn is_claimed(note: &Index, place: &TokenSpan, own: impl Fn(&str) -> bool) -> bool {
    let (first, last) = (place.first, place.last);
    let word = |at: usize| note.tokens().get(at).map(|&token| note.fold_of(token));
    let is_head = |at: usize| word(at).is_some_and(is_cancer);
    if !(first..=last).any(is_head) {
        return false;
    }
    let foreign = |at: usize| word(at).is_some_and(|word| ORGANS.contains(&word) && !own(word));
    let before = (1..=3).map_while(|back| first.checked_sub(back));
    let mut before =
        before.take_while(|&at| word(at).is_some_and(|word| !matches!(word, "and" | "with" | "in" | "of")));
    if before.any(foreign) {
        return true;
    }
    matches!(word(last + 1), Some("of" | "in")) && (last + 2..last + 5).any(foreign)
}

/// Whether a stretch takes its histology from another organ's cancer: the "cancer with liver" of "colon cancer
/// with liver metastases" is no liver cancer. Of values that name an organ only.
pub(super) fn is_of_another(note: &Index, query: &Query, range: &Range<usize>) -> bool {
    let own = |word: &str| is_own(query, word);
    if !query.words.iter().any(|word| ORGANS.contains(&&*word.form.folded)) || own("skin") || own("cutaneous") {
        return false;
    }
    let tokens = note.tokens();
    let first = tokens.partition_point(|token| token.start < range.start);
    let last = tokens.partition_point(|token| token.start < range.end);
    let word = |at: usize| tokens.get(at).map(|&token| note.fold_of(token)).unwrap_or_default();
    let joined = |at: usize| tokens.get(at).is_some_and(|token| token.gap == 1);
    (first..last).filter(|&at| is_cancer(word(at))).any(|head| {
        let before = (1..=2).map_while(|back| head.checked_sub(back));
        let mut before = before.take_while(|&at| joined(at + 1)).map(word).take_while(|word| !own(word));
        before.any(|word| ORGANS.contains(&word))
    })
}

/// Whether a word is one of the value's, or says the same as one.
fn is_own(query: &Query, word: &str) -> bool {
    query.words.iter().any(|own| own.form.folded == word || own.others.iter().any(|other| other.folded == word))
}

fn is_cancer(folded: &str) -> bool {
    ["cancer", "carcinoma", "adenocarcinoma", "malignan", "neoplas", "tumor", "tumour", "sarcoma"]
        .iter()
        .any(|head| folded.starts_with(head))
}
