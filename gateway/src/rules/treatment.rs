//! Treatment: drugs, regimens, surgery, radiotherapy that were given.

use super::{
    cancer::Diagnosis,
    lexicon::{Kind, Mention},
    view::{NoteView, Values},
};
use crate::{
    extraction::{Assertion, Field},
    steps,
};

/// Words that say when or how, kept with the treatment that they stand before.
const QUALIFIERS: [&str; 6] = ["neoadjuvant", "adjuvant", "maintenance", "palliative", "salvage", "perioperative"];

/// Whether the note names a drug that is hardly given for anything but malignancy.
pub(crate) fn names_antineoplastic(view: &NoteView<'_>) -> bool {
    view.terms(Kind::Treatment).iter().any(|mention| {
        mention.term.is("onco")
            && (mention.term.is("drug") || mention.term.is("regimen"))
            && view.counts(&mention.range, Field::Treatment)
    })
}

/// Reads the treatments.
pub(crate) fn read(view: &NoteView<'_>, diagnosis: &Diagnosis) -> Values {
    let mut values = Values::default();
    let given: Vec<&Mention> = view
        .terms(Kind::Treatment)
        .iter()
        .filter(|mention| {
            let standing = view.assertion(&mention.range, Field::Treatment);
            let elsewhere = (standing == Assertion::Historical && is_of_other_organ(mention, diagnosis))
                || is_of_other_cancer(view, mention, diagnosis);
            !is_left_out(mention, diagnosis) && standing.in_record(Field::Treatment) && !elsewhere
        })
        .collect();
    let surgery = given.iter().any(|mention| mention.term.is("surgery") && !mention.term.is("minor"));
    let radiation = given.iter().any(|mention| mention.term.is("radiation") && !mention.term.is("class"));
    let systemic = |tag: &str| {
        given.iter().any(|mention| match tag {
            "chemo" => is_cytotoxic(mention),
            _ => mention.term.is("drug") || mention.term.is("regimen"),
        })
    };
    for mention in &given {
        let covered = match mention.term.tag("covers") {
            Some("surgery") => surgery || is_verb_of_other(view, mention),
            Some("radiation") => radiation,
            Some(class) => systemic(class),
            None => false,
        };
        if covered || is_gloss(view, mention, &given) {
            continue;
        }
        values.add(mention.term.name, qualified(view, mention));
    }
    join_androgen_deprivation(&mut values);
    values
}

/// Castration is one treatment, whether the note names the drug, the class or both.
fn join_androgen_deprivation(values: &mut Values) {
    let class = "androgen deprivation therapy";
    let agonist =
        ["leuprolide", "goserelin", "triptorelin", "degarelix", "relugolix"].into_iter().find(|drug| values.has(drug));
    if let Some(drug) = agonist.filter(|_| values.has(class)) {
        values.remove(drug);
        values.replace(class, &format!("{class} ({drug})"));
    }
}

/// Whether one treatment is said twice: "docetaxel and trastuzumab (TCH)", "FOLFOX (oxaliplatin, 5-FU)".
/// Well-known regimens go before their parts, parts before other acronyms.
fn is_gloss(view: &NoteView<'_>, mention: &Mention, given: &[&Mention]) -> bool {
    let at = given.partition_point(|own| own.range.start < mention.range.start);
    let next = given.get(at + 1).map_or(usize::MAX, |next| next.range.start);
    let opens = view.folded.after(mention.range.end, 2) == " (" && next <= mention.range.end + 3;
    let regimen = mention.term.is("regimen");
    if mention.term.is("gloss") || (regimen && opens && !mention.term.is("headline")) {
        return given.len() > 1;
    }
    let before = view.folded.before(mention.range.start, 60);
    if before.rfind('(').is_none_or(|opened| before.rfind(')').is_some_and(|closed| closed > opened)) {
        return false;
    }
    let outside = given.get(..at).unwrap_or_default().iter().rev().take(8).find(|own| {
        let gap = view.folded.slice(own.range.end..mention.range.start);
        steps::count(gap.len());
        gap.contains('(') && !gap.contains(['.', ';'])
    });
    outside.is_some_and(|outside| {
        outside.term.is("headline") || (regimen && (outside.term.is("drug") || outside.term.is("regimen")))
    })
}

/// Entries that are no treatment of this malignancy.
fn is_left_out(mention: &Mention, diagnosis: &Diagnosis) -> bool {
    let term = mention.term;
    ["decoy", "supportive", "watch", "diagnostic"].iter().any(|tag| term.is(tag))
        || (term.is("haem") && !diagnosis.haematologic)
}

/// A past operation that is done for other reasons too, on an organ that is not the primary's:
/// a hysterectomy in the history of a patient with lung cancer.
fn is_of_other_organ(mention: &Mention, diagnosis: &Diagnosis) -> bool {
    let pelvic = |organ: &str| matches!(organ, "uterus" | "ovary" | "cervix" | "fallopian tube" | "vagina");
    match (mention.term.tag("organ"), diagnosis.organ) {
        (Some(own), Some(primary)) => mention.term.is("other") && own != primary && !(pelvic(own) && pelvic(primary)),
        _ => false,
    }
}

/// A past operation on an organ whose own cancer the same sentence names: "history of breast cancer, treated
/// with lumpectomy" in a patient with lung cancer.
fn is_of_other_cancer(view: &NoteView<'_>, mention: &Mention, diagnosis: &Diagnosis) -> bool {
    const REACH: usize = 160;
    let Some(organ) = mention.term.tag("organ").filter(|organ| diagnosis.organ.is_some_and(|own| own != *organ)) else {
        return false;
    };
    let sentence = view.sentence(mention.range.start);
    let near =
        sentence.start.max(mention.range.start.saturating_sub(REACH))..sentence.end.min(mention.range.end + REACH);
    view.terms_in(Kind::Cancer, &near).iter().any(|cancer| {
        cancer.term.tag("site") == Some(organ)
            && view.assertion(&cancer.range, Field::CancerType) == Assertion::Historical
    })
}

fn is_cytotoxic(mention: &Mention) -> bool {
    mention.term.is("regimen") || mention.term.is("drug") || mention.term.is("chemo")
}

/// "Surgery" as a place or a plan of others.
fn is_verb_of_other(view: &NoteView<'_>, mention: &Mention) -> bool {
    ["margin", "specimen", "clinic", "consult", "team", "service"]
        .iter()
        .any(|word| view.folded.after(mention.range.end, 10).trim_start().starts_with(word))
}

/// The treatment with "adjuvant" or the like before it.
fn qualified(view: &NoteView<'_>, mention: &Mention) -> String {
    let spelled = mention.term.spelled;
    let before = view.folded.before(mention.range.start, 16).trim_end();
    let word = before.rsplit(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
    match QUALIFIERS.iter().find(|qualifier| **qualifier == word) {
        Some(qualifier) if !spelled.contains(qualifier) => format!("{qualifier} {spelled}"),
        _ => spelled.to_owned(),
    }
}
