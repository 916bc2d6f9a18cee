//! Finds words that refer to a tumour without its full name: "the bladder tumour", "the sarcoma", "Rectal: CAPOX.".

use std::ops::Range;

use super::{
    cancer::NamedMalignancy,
    lexicon::{Mention, TermKind},
    masses::OFTEN_METASTATIC,
    view::NoteView,
};
use crate::extraction::{Assertion, Field, TumourReference, first_alike};

/// Organs that do not distinguish one tumour from another.
pub(super) const UNSPECIFIC: [&str; 3] = ["unknown primary", "gastrointestinal tract", "mucosa"];

/// Examinations of one organ: a sentence that begins with one refers to the tumour there.
const EXAMINATIONS: [(&str, &str); 6] = [
    ("cystoscopy", "bladder"),
    ("colonoscopy", "colon"),
    ("mammogra", "breast"),
    ("gastroscopy", "stomach"),
    ("laryngoscopy", "larynx"),
    ("hysteroscopy", "uterus"),
];

/// Returns the words that refer to a tumour by its organ or its histology alone, in the order of the text. `unnamed`:
/// the malignancies that name no tumour by themselves.
pub(super) fn references(view: &NoteView<'_>, unnamed: &[&NamedMalignancy]) -> Vec<(Range<usize>, TumourReference)> {
    // "The bladder tumour", "the breast primary". What lies in the lung or the liver may have come from elsewhere.
    const NOUNS: [&str; 4] = [" tumor", " tumour", " mass", " primary"];
    let of_organ = |site: &Mention| {
        let organ = organ_of_origin(site)?;
        let after = view.folded.after(site.range.end, 9);
        let noun = NOUNS.iter().find(|noun| {
            after.strip_prefix(**noun).is_some_and(|after| !after.starts_with(|c: char| c.is_ascii_alphanumeric()))
        })?;
        let range = site.range.start..site.range.end + noun.len();
        // "No breast mass" does not refer to the tumour of the breast.
        let stated = matches!(view.assertion(&range, Field::CancerType), Assertion::Present | Assertion::Historical);
        stated.then(|| (view.folded.origin(&range), TumourReference::Kind(first_alike(organ))))
    };
    let by_histology = |name: &&NamedMalignancy| {
        let tells = name.term.is("head") && !name.term.is("weak") && name.term.name != "carcinoma";
        tells.then(|| (view.folded.origin(&name.range), TumourReference::Histology(name.term.name)))
    };
    let mut found: Vec<_> = view.terms(TermKind::Site).iter().filter_map(of_organ).collect();
    found.extend(unnamed.iter().filter_map(by_histology));
    found.sort_by_key(|(range, _)| range.start);
    found
}

/// Returns the organ of a place in which a tumour is mostly one that began there.
pub(super) fn organ_of_origin(site: &Mention) -> Option<&'static str> {
    let organ = site.term.tag("primary").filter(|_| !site.term.is("node"))?;
    Some(organ).filter(|organ| *organ != "lung" && !OFTEN_METASTATIC.contains(organ) && !UNSPECIFIC.contains(organ))
}

/// Returns the organs for which a sentence states what was found or done there: "histology of the sigmoid", "a complete
/// response at the cervix", "chemoradiotherapy to the tonsil".
fn organs_examined(view: &NoteView<'_>) -> Vec<(Range<usize>, &'static str)> {
    const REACH: usize = 48;
    const DONE: [&str; 13] = [
        "histolog",
        "patholog",
        "biops",
        "specimen",
        "resection of",
        "uptake",
        "response",
        "radiotherap",
        "irradiat",
        "chemoradi",
        "surgery",
        "excision of",
        "imaging",
    ];
    const SPREADS: [&str; 9] = ["metasta", "mets", "spread", "invad", "invas", "adher", "infiltrat", "exten", "involv"];
    const ARTICLES: [&str; 7] = [" the", " his", " her", " left", " right", " distal", " proximal"];
    const PREPOSITIONS: [&str; 5] = [" of", " to", " at", " in", " from"];
    let examined = |site: &Mention| {
        let organ = organ_of_origin(site)?;
        let before = view.near(&(site.range.start..site.range.start), REACH, 0);
        let mut ahead = before.trim_end();
        while let Some(rest) = ARTICLES.iter().find_map(|article| ahead.strip_suffix(article)) {
            ahead = rest;
        }
        let place = PREPOSITIONS.iter().any(|preposition| ahead.ends_with(preposition));
        let done = DONE.iter().any(|word| ahead.contains(word)) && !SPREADS.iter().any(|word| ahead.contains(word));
        (place && done).then(|| (view.folded.origin(&site.range), first_alike(organ)))
    };
    view.terms(TermKind::Site).iter().filter_map(examined).collect()
}

/// Returns the organs that say which tumour a sentence refers to: those before a colon at its start, examinations of
/// one organ there, and what was examined or treated ("histology of the sigmoid"). They are in the order of the text.
pub(super) fn organ_labels(view: &NoteView<'_>) -> Vec<(Range<usize>, &'static str)> {
    // "Rectal:", "Rectal tumour:", "The larynx showed".
    const NOUNS: [&str; 6] = [" tumor", " tumour", " lesion", " mass", " primary", ""];
    const SHOWS: [&str; 9] = [
        " showed ",
        " shows ",
        " responded ",
        " has been treated",
        " was treated",
        " has received",
        " received ",
        " was irradiated",
        " is responding",
    ];
    // "Regarding the breast she remains free of disease."
    const REGARDING: [&str; 8] = [
        "regarding the ",
        "regarding her ",
        "regarding his ",
        "as regards the ",
        "with regard to the ",
        "as for the ",
        "concerning the ",
        "in terms of the ",
    ];
    // The longest article with marks of a list before it.
    const MOST_AHEAD: usize = 24;
    let begins = |at: usize, articles: &[&str]| {
        let sentence = view.sentence(at);
        if at.saturating_sub(sentence.start) > MOST_AHEAD {
            return false;
        }
        let ahead = view.folded.slice(sentence.start..at);
        let ahead = ahead.trim_start_matches(|c: char| !c.is_ascii_alphanumeric());
        articles.contains(&ahead)
    };
    let is_label = |site: &&Mention| {
        let after = view.folded.after(site.range.end, 18);
        let heads = NOUNS.iter().any(|noun| after.strip_prefix(noun).is_some_and(|after| after.starts_with(':')));
        (heads && begins(site.range.start, &[""]))
            || (SHOWS.iter().any(|verb| after.starts_with(verb))
                && begins(site.range.start, &["", "the ", "her ", "his "]))
            || begins(site.range.start, &REGARDING)
    };
    let sites = view.terms(TermKind::Site).iter().filter(is_label);
    let organ = |site: &Mention| Some((view.folded.origin(&site.range), first_alike(site.term.tag("primary")?)));
    let mut labels: Vec<_> = sites.filter_map(organ).collect();
    for (examination, organ) in EXAMINATIONS {
        // "Cystoscopy 08/2024: no recurrence", not "Colonoscopy for colitis".
        let has_result = |at: &usize| {
            let after =
                view.folded.after(at + examination.len(), 20).trim_start_matches(|c: char| c.is_ascii_lowercase());
            let after = after.trim_start_matches(|c: char| c.is_ascii_digit() || matches!(c, ' ' | '/' | '.' | '-'));
            after.starts_with(':') || after.starts_with("showed") || after.starts_with("shows")
        };
        let starts = view.folded.places(examination).filter(|at| begins(*at, &[""]) && has_result(at));
        labels.extend(starts.map(|at| (view.folded.origin(&(at..at + examination.len())), first_alike(organ))));
    }
    labels.extend(organs_examined(view));
    labels.sort_by_key(|(range, _)| range.start);
    labels
}
