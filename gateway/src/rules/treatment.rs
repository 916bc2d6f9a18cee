//! Reads the treatments that were given: drugs, regimens, surgery, radiotherapy.

use std::ops::Range;

use super::{
    cancer::Diagnosis,
    lexicon::{Mention, TermKind},
    meanings, named_only, report,
    view::{NoteView, Values, is_one_of},
};
use crate::{
    extraction::{Assertion, Field},
    steps,
};

/// Words for the time or purpose of a treatment, which are kept if they are before it.
const QUALIFIERS: [&str; 6] = ["neoadjuvant", "adjuvant", "maintenance", "palliative", "salvage", "perioperative"];

/// The drugs and regimens that a class of drugs stands for.
const TAXANES: [&str; 5] = ["paclitaxel", "nab-paclitaxel", "docetaxel", "cabazitaxel", "TCHP"];
const ANTHRACYCLINES: [&str; 10] =
    ["doxorubicin", "liposomal doxorubicin", "epirubicin", "AC-T", "EC", "EC-T", "FEC", "FEC-T", "TAC", "CHOP"];

/// Returns whether the note names a given drug or regimen that is used almost only against malignancies.
pub(crate) fn names_antineoplastic(view: &NoteView<'_>) -> bool {
    view.terms(TermKind::Treatment).iter().any(|mention| {
        mention.term.is("onco")
            && (mention.term.is("drug") || mention.term.is("regimen"))
            && !meanings::is_another(view, mention)
            && view.enters_record(&mention.range, Field::Treatment)
    })
}

/// Reads the treatments of a note.
pub(crate) fn read(view: &NoteView<'_>, diagnosis: &Diagnosis) -> Values {
    let mut values = Values::default();
    let proposals = report::proposals(view);
    let given: Vec<&Mention> = view
        .terms(TermKind::Treatment)
        .iter()
        .filter(|mention| {
            let assertion = view.assertion(&mention.range, Field::Treatment);
            let elsewhere = (assertion == Assertion::Historical
                && is_of_other_organ(mention, diagnosis)
                && !is_part_of_resection(view, mention))
                || is_of_other_cancer(view, mention, diagnosis);
            let otherwise = meanings::is_another(view, mention)
                || meanings::is_for_other_disease(view, mention)
                || is_proposed(proposals, mention)
                || !is_specimen(view, mention)
                || is_of_nodes(view, mention)
                || named_only::is_only_named(view, mention);
            !otherwise && !is_left_out(mention, diagnosis) && assertion.in_record(Field::Treatment) && !elsewhere
        })
        .collect();
    let surgery = given.iter().any(|mention| {
        mention.term.is("surgery")
            && !mention.term.is("minor")
            && !(is_of_other_organ(mention, diagnosis) && is_part_of_resection(view, mention))
    });
    let radiation = given.iter().any(|mention| mention.term.is("radiation") && !mention.term.is("class"));
    let systemic = |tag: &str| {
        given.iter().any(|mention| match tag {
            "chemo" => is_cytotoxic(mention),
            "taxane" => TAXANES.contains(&mention.term.name),
            "anthracycline" => ANTHRACYCLINES.contains(&mention.term.name),
            _ => mention.term.is("drug") || mention.term.is("regimen"),
        })
    };
    for mention in &given {
        let covered = match mention.term.tag("covers") {
            Some("surgery") => surgery || belongs_to_other_noun(view, mention),
            Some("radiation") => radiation,
            Some(class) => systemic(class),
            None => false,
        };
        if covered || is_gloss(view, mention, &given) {
            continue;
        }
        // "Was resected" and "four months after surgery" are one operation.
        let meaning = if mention.term.is("verb") { "surgical resection" } else { mention.term.name };
        values.add(meaning, qualified(view, mention));
    }
    if values.has("esophagogastrectomy")
        && values.get("esophagectomy").is_some_and(|value| value.ends_with("esophagectomy") && !value.contains(' '))
    {
        values.remove("esophagectomy");
    }
    join_androgen_deprivation(&mut values);
    values
}

/// Joins androgen deprivation and its drug into one value, because they are one treatment.
fn join_androgen_deprivation(values: &mut Values) {
    let class = "androgen deprivation therapy";
    let agonist =
        ["leuprolide", "goserelin", "triptorelin", "degarelix", "relugolix"].into_iter().find(|drug| values.has(drug));
    if let Some(drug) = agonist.filter(|_| values.has(class)) {
        values.remove(drug);
        values.replace(class, &format!("{class} ({drug})"));
    }
}

/// Returns whether a mention only repeats another treatment: "docetaxel and trastuzumab (TCH)", "FOLFOX (oxaliplatin,
/// 5-FU)". Well-known regimens are preferred to their parts, and parts to other acronyms.
fn is_gloss(view: &NoteView<'_>, mention: &Mention, given: &[&Mention]) -> bool {
    let at = given.partition_point(|other| other.range.start < mention.range.start);
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
    let outside = given.get(..at).unwrap_or_default().iter().rev().take(8).find(|earlier| {
        let gap = view.folded.slice(earlier.range.end..mention.range.start);
        steps::count(gap.len());
        gap.contains('(') && !gap.contains(['.', ';'])
    });
    outside.is_some_and(|outside| {
        outside.term.is("headline") || (regimen && (outside.term.is("drug") || outside.term.is("regimen")))
    })
}

/// Returns whether a molecular report only proposes the treatment.
fn is_proposed(proposals: &[Range<usize>], mention: &Mention) -> bool {
    report::covers(proposals, mention.range.start)
}

/// Returns whether a bare word for an operation is where a specimen names its procedure: "Colon, right, resection:",
/// "PROCEDURE: Excision". All other treatments need no such place.
fn is_specimen(view: &NoteView<'_>, mention: &Mention) -> bool {
    if !mention.term.is("specimen") {
        return true;
    }
    let before = view.folded.before(mention.range.start, 24).trim_end();
    let after = view.folded.after(mention.range.end, 3).trim_start();
    let headed = ["procedure:", "specimen type:", "operation:", "type of specimen:", "operative procedure:"]
        .iter()
        .any(|heading| before.ends_with(heading));
    headed || (before.ends_with([',', '-']) && after.starts_with([':', '-', '.']))
}

/// Returns whether a verb refers to lymph nodes or a polyp: "seven nodes were resected".
fn is_of_nodes(view: &NoteView<'_>, mention: &Mention) -> bool {
    let before = view.near(&(mention.range.start..mention.range.start), 40, 0);
    let subject = before.rsplit([',', ';', ':']).next().unwrap_or_default();
    // "The cystic tumour was resected", "after biopsy the tumour was excised".
    let of_tumour = ["tumo", "mass", "lesion", "melanoma", "carcinoma", "cancer", "primary", "sarcoma"];
    let of_nodes = "node nodes polyp polyps cyst cysts biopsy biopsies biopsied";
    let mut words = subject.split([' ', '(', ')', '/']);
    mention.term.is("verb")
        && !of_tumour.iter().any(|word| subject.contains(word))
        && words.any(|word| is_one_of(of_nodes, word))
}

/// Returns whether a term is not a treatment of this malignancy.
fn is_left_out(mention: &Mention, diagnosis: &Diagnosis) -> bool {
    let term = mention.term;
    ["decoy", "supportive", "watch", "diagnostic"].iter().any(|tag| term.is(tag))
        || (term.is("haem") && !diagnosis.haematologic)
        || (term.is("ofprimary") && term.tag("organ") != diagnosis.organ)
}

/// Returns whether an operation is also done for other reasons and concerns an organ other than the primary's: a
/// hysterectomy in the history of a patient with lung cancer.
fn is_of_other_organ(mention: &Mention, diagnosis: &Diagnosis) -> bool {
    let pelvic = |organ: &str| matches!(organ, "uterus" | "ovary" | "cervix" | "fallopian tube" | "vagina");
    match (mention.term.tag("organ"), diagnosis.organ) {
        (Some(organ), Some(primary)) => {
            mention.term.is("other") && organ != primary && !(pelvic(organ) && pelvic(primary))
        }
        _ => false,
    }
}

/// Returns whether an operation on another organ is part of the resection of the tumour: "radical resection of a
/// retroperitoneal sarcoma, including right nephrectomy".
fn is_part_of_resection(view: &NoteView<'_>, mention: &Mention) -> bool {
    const LINKS: [&str; 5] = ["including", "en bloc", "along with", "together with", "combined with"];
    let before = view.near(&(mention.range.start..mention.range.start), 140, 0);
    let resection =
        ["resection", "excision", "surgery", "debulking", "ectomy"].iter().find_map(|word| before.find(word));
    resection.is_some_and(|at| LINKS.iter().any(|link| before.get(at..).unwrap_or_default().contains(link)))
}

/// Returns whether an operation concerns another organ than the primary's and the same sentence names a past cancer of
/// that organ: "history of breast cancer, treated with lumpectomy" in a patient with lung cancer.
fn is_of_other_cancer(view: &NoteView<'_>, mention: &Mention, diagnosis: &Diagnosis) -> bool {
    const WINDOW_BYTES: usize = 160;
    let Some(organ) =
        mention.term.tag("organ").filter(|organ| diagnosis.organ.is_some_and(|primary| primary != *organ))
    else {
        return false;
    };
    let sentence = view.sentence(mention.range.start);
    let near = sentence.start.max(mention.range.start.saturating_sub(WINDOW_BYTES))
        ..sentence.end.min(mention.range.end + WINDOW_BYTES);
    view.terms_in(TermKind::Cancer, &near).iter().any(|cancer| {
        cancer.term.tag("site") == Some(organ)
            && view.assertion(&cancer.range, Field::CancerType) == Assertion::Historical
    })
}

fn is_cytotoxic(mention: &Mention) -> bool {
    mention.term.is("regimen") || mention.term.is("drug") || mention.term.is("chemo")
}

/// Returns whether a word such as "surgery" belongs to another noun: "surgery clinic", "surgery team".
fn belongs_to_other_noun(view: &NoteView<'_>, mention: &Mention) -> bool {
    ["margin", "specimen", "clinic", "consult", "team", "service"]
        .iter()
        .any(|word| view.folded.after(mention.range.end, 10).trim_start().starts_with(word))
}

/// Returns the treatment with a qualifier such as "adjuvant" before it.
fn qualified(view: &NoteView<'_>, mention: &Mention) -> String {
    // "Was resected" is shown as "resected", "Ivor Lewis esophagectomy" without the name of its approach.
    let spelled = if mention.term.is("named") { mention.term.name } else { mention.term.spelled };
    let before = view.folded.before(mention.range.start, 16).trim_end();
    let word = before.rsplit(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
    match QUALIFIERS.iter().find(|qualifier| **qualifier == word) {
        Some(qualifier) if !spelled.contains(qualifier) => format!("{qualifier} {spelled}"),
        _ => spelled.to_owned(),
    }
}
