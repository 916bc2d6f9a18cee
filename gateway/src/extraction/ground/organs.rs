//! Finds tumours whose organ and histology are apart: "a mass in the sigmoid; biopsy: adenocarcinoma". Both must be in
//! one sentence, or in two adjacent sentences of which one gives the pathology. A histology that belongs to one organ,
//! as in "breast cancer", is never combined with another organ of the note.

use std::{collections::BTreeSet, ops::Range, rc::Rc};

use super::{
    align::{self, Match},
    index::Index,
    lookup::{IndexedNote, TokenSpan},
    query::Query,
};

/// Maximum number of spans of one word that are examined.
const MAX_SPANS: usize = 64;

/// Organs, as nouns and adjectives, that occur before a cancer or after its "of the". "Head" is left out, because it
/// may be the head of the pancreas.
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

/// Returns the stretches that contain all words, each with the matches of each word in it.
pub(super) fn stretches(note: &IndexedNote, query: &Query) -> Vec<Vec<Vec<Match>>> {
    let Some(places) = align::all_places(note, query, true) else { return Vec::new() };
    let is_in_query = |word: &str| is_query_word(query, word);
    let located = |place: &TokenSpan| {
        let (first, last) = (note.tokens().get(place.first)?, note.tokens().get(place.last)?);
        let width = place.last - place.first;
        Some((first.sentence, Match { range: first.start..last.end, width, rule: place.rule }))
    };
    let unclaimed = |places: &Rc<[TokenSpan]>| -> Vec<(u32, Match)> {
        let unclaimed = places.iter().take(MAX_SPANS).filter(|place| !belongs_to_other_organ(note, place, is_in_query));
        unclaimed.filter_map(located).collect()
    };
    let words: Vec<Vec<(u32, Match)>> = places.iter().map(unclaimed).collect();
    let within = |first: u32, last: u32| -> Option<Vec<Vec<Match>>> {
        let in_stretch = |list: &Vec<(u32, Match)>| -> Vec<Match> {
            list.iter()
                .filter(|(sentence, _)| (first..=last).contains(sentence))
                .map(|(_, found)| found.clone())
                .collect()
        };
        let all: Vec<Vec<Match>> = words.iter().map(in_stretch).collect();
        all.iter().all(|places| !places.is_empty()).then_some(all)
    };
    let sentences: BTreeSet<u32> = words.iter().flatten().map(|(sentence, _)| *sentence).collect();
    let pathology = pathology_sentences(note);
    let single = sentences.iter().filter_map(|&sentence| within(sentence, sentence));
    let double = sentences.iter().filter(|&&first| pathology.contains(&first) || pathology.contains(&(first + 1)));
    single.chain(double.filter_map(|&sentence| within(sentence, sentence + 1))).collect()
}

/// Returns the sentences that mention pathology.
fn pathology_sentences(note: &Index) -> BTreeSet<u32> {
    let is_pathology_word = |word: &str| {
        matches!(
            word,
            "pathology" | "histology" | "biopsy" | "biopsies" | "path" | "specimen" | "cytology" | "histopathology"
        )
    };
    note.walk().filter(|&&token| is_pathology_word(note.fold_of(token))).map(|token| token.sentence).collect()
}

/// Returns whether the cancer at this span belongs to an organ that is not among the value's words.
fn belongs_to_other_organ(note: &Index, place: &TokenSpan, is_in_query: impl Fn(&str) -> bool) -> bool {
    let (first, last) = (place.first, place.last);
    let word = |at: usize| note.tokens().get(at).map(|&token| note.fold_of(token));
    let is_head = |at: usize| word(at).is_some_and(is_cancer);
    if !(first..=last).any(is_head) {
        return false;
    }
    let is_other_organ = |at: usize| word(at).is_some_and(|word| ORGANS.contains(&word) && !is_in_query(word));
    let before = (1..=3).map_while(|back| first.checked_sub(back));
    let mut before =
        before.take_while(|&at| word(at).is_some_and(|word| !matches!(word, "and" | "with" | "in" | "of")));
    if before.any(is_other_organ) {
        return true;
    }
    matches!(word(last + 1), Some("of" | "in")) && (last + 2..last + 5).any(is_other_organ)
}

/// Returns whether a stretch takes its histology from the cancer of another organ: the "cancer with liver" of "colon
/// cancer with liver metastases" is not liver cancer. Returns `false` for values that name no organ or name the skin.
pub(super) fn is_of_another(note: &Index, query: &Query, range: &Range<usize>) -> bool {
    let is_in_query = |word: &str| is_query_word(query, word);
    if !query.words.iter().any(|word| ORGANS.contains(&&*word.form.folded))
        || is_in_query("skin")
        || is_in_query("cutaneous")
    {
        return false;
    }
    let tokens = note.tokens();
    let first = tokens.partition_point(|token| token.start < range.start);
    let last = tokens.partition_point(|token| token.start < range.end);
    let word = |at: usize| tokens.get(at).map(|&token| note.fold_of(token)).unwrap_or_default();
    let joined = |at: usize| tokens.get(at).is_some_and(|token| token.gap == 1);
    (first..last).filter(|&at| is_cancer(word(at))).any(|head| {
        let before = (1..=2).map_while(|back| head.checked_sub(back));
        let mut before = before.take_while(|&at| joined(at + 1)).map(word).take_while(|word| !is_in_query(word));
        before.any(|word| ORGANS.contains(&word))
    })
}

/// Returns whether a word is one of the query's words or one of their synonyms.
fn is_query_word(query: &Query, word: &str) -> bool {
    query.words.iter().any(|known| known.form.folded == word || known.synonyms.iter().any(|other| other.folded == word))
}

fn is_cancer(folded: &str) -> bool {
    ["cancer", "carcinoma", "adenocarcinoma", "malignan", "neoplas", "tumor", "tumour", "sarcoma"]
        .iter()
        .any(|head| folded.starts_with(head))
}
