//! Reads the stage of the note's tumour. What the note states comes first, then its TNM formula, then what follows from
//! the extent of the disease.

mod group;
mod no_stage;
mod other_diseases;
mod systems;

use std::sync::LazyLock;

use super::{
    cancer::Diagnosis,
    formula,
    sites::{Extent, MetastaticSpread},
    view::NoteView,
};
use crate::extraction::{Field, tnm::Formula};
pub(crate) use group::stated;

/// Reads the stage of a note; `stated` is the result of [`stated`].
pub(crate) fn read(
    view: &NoteView<'_>,
    diagnosis: &Diagnosis,
    spread: &MetastaticSpread,
    stated: Option<String>,
) -> Option<String> {
    if diagnosis.haematologic {
        return systems::read(view).or(stated);
    }
    if diagnosis.organ == Some("brain") {
        return stated.or_else(|| brain_grade(view));
    }
    stated
        .or_else(|| systems::read(view))
        .or_else(|| extent(view).map(str::to_owned))
        .or_else(|| of_formula(view, diagnosis, spread))
        .or_else(|| inferred(view, diagnosis, spread).map(str::to_owned))
        .or_else(|| formula::of(view).map(|formula| group_or_text(view, diagnosis, formula)))
}

/// Returns the stage that a formula with T and N gives: its group if the letters alone determine it, otherwise the
/// formula.
fn of_formula(view: &NoteView<'_>, diagnosis: &Diagnosis, spread: &MetastaticSpread) -> Option<String> {
    let formula = formula::of(view)?;
    if formula.is_metastatic() {
        return (!is_not_given(view)).then(|| "IV".to_owned());
    }
    if !formula.is_graded() {
        return None;
    }
    // A group without M assumes M0, which is not certain where the note names a metastasis.
    let certain = formula.excludes_metastasis() || !is_distant(diagnosis, spread);
    Some(if certain { group_or_text(view, diagnosis, formula) } else { formula::text(view, formula) })
}

/// Returns the clinical and the pathological stage that the note gives, if they differ. The pathological one is the
/// stage.
pub(crate) fn conflict(view: &NoteView<'_>, diagnosis: &Diagnosis) -> Vec<String> {
    if diagnosis.value.is_none() {
        return Vec::new();
    }
    let groups = group::conflict(view);
    if groups.is_empty() && stated(view).is_none() { formula::conflict(view, diagnosis) } else { groups }
}

fn group_or_text(view: &NoteView<'_>, diagnosis: &Diagnosis, formula: &Formula) -> String {
    let tabled = diagnosis.organ.and_then(formula::organ).filter(|_| has_table(view, diagnosis));
    let group = tabled.and_then(|organ| formula.group(organ));
    group.map_or_else(|| formula::text(view, formula), str::to_owned)
}

/// Returns whether the tables of the organ hold for this tumour: not for neuroendocrine tumours, those of another edition
/// than the 8th, carcinomas of the skin and of the renal pelvis, which all have tables of their own.
fn has_table(view: &NoteView<'_>, diagnosis: &Diagnosis) -> bool {
    const OTHER_EDITIONS: [&str; 9] = [
        "9th edition",
        "ninth edition",
        "9th ed",
        "edition 9",
        "7th edition",
        "seventh edition",
        "7th ed",
        "6th edition",
        "edition 7",
    ];
    let value = diagnosis.value.as_deref().unwrap_or_default().to_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| value.contains(word));
    let neuroendocrine = has(&["neuroendocrine", "carcinoid"]) || value.split(' ').any(|word| word == "net");
    let other_organ = match diagnosis.organ {
        Some("skin") => !has(&["melanoma"]),
        Some("kidney") => has(&["urothelial", "transitional"]),
        _ => false,
    };
    !neuroendocrine && !other_organ && !OTHER_EDITIONS.iter().any(|edition| view.folded.contains(edition))
}

/// Returns the stage that follows from the extent of the disease, unless the note says that it gives no stage.
fn inferred(view: &NoteView<'_>, diagnosis: &Diagnosis, spread: &MetastaticSpread) -> Option<&'static str> {
    // The report of a resected primary calls the nodes metastatic, too.
    let resected = !spread.names_organ && formula::of(view).is_some_and(Formula::has_pathological_tumour);
    let stage = if is_distant(diagnosis, spread) {
        if resected {
            return None;
        }
        distant(diagnosis)?
    } else if diagnosis.organ == Some("ovary") && spread.extent >= Extent::Distant && spread.names_organ {
        // An ovarian tumour with implants in the abdomen is stage III. "Metastatic" alone does not say where it spread.
        return Some("IIIC");
    } else if spread.extent == Extent::Regional {
        regional(view, diagnosis)?
    } else {
        return None;
    };
    (!is_not_given(view)).then_some(stage)
}

/// Returns the stage of a disease with distant metastases: IV, but III for a germ cell tumour of the testis, which has no
/// stage IV. None where it depends on the patient's age or on a score (AJCC, 8th edition): differentiated cancer of the
/// thyroid, gestational trophoblastic disease.
fn distant(diagnosis: &Diagnosis) -> Option<&'static str> {
    let value = diagnosis.value.as_deref().unwrap_or_default().to_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| value.contains(word));
    match diagnosis.organ {
        Some("testis") => Some("III"),
        _ if has(&["testicular", "testis"]) => Some("III"),
        Some("thyroid")
            if has(&["papillary", "follicular", "ptc", "differentiated"]) && !has(&["undifferentiated"]) =>
        {
            None
        }
        _ if has(&["gestational", "choriocarcinoma"]) => None,
        _ => Some("IV"),
    }
}

/// Returns whether the extent of the disease means stage IV.
fn is_distant(diagnosis: &Diagnosis, spread: &MetastaticSpread) -> bool {
    let ovarian = diagnosis.organ == Some("ovary");
    spread.extent >= Extent::Distant && (!ovarian || spread.beyond_belly)
}

/// Returns the stage of a disease that is locally advanced or in regional nodes, where the organ decides it (AJCC, 8th
/// edition). Positive nodes are stage III in the bowel, the bladder, the uterus and in melanoma, but II to IV in other
/// organs. A locally advanced tumour of the pancreas is T4 and so III, and locally advanced breast cancer is stage III by
/// definition. A tumour of the breast that grows into the chest wall or the skin is T4 and so IIIB.
fn regional(view: &NoteView<'_>, diagnosis: &Diagnosis) -> Option<&'static str> {
    const CHEST_WALL: [&str; 4] =
        ["chest wall involvement", "inflammatory breast", "inflammatory carcinoma", "skin involvement"];
    const NO_NODES: [&str; 3] = ["node negative", "nodes negative", "negative nodes"];
    let has = |words: &[&str]| words.iter().any(|word| view.folded.contains(word));
    match diagnosis.organ? {
        "breast" if has(&CHEST_WALL) => Some("IIIB"),
        "colon" | "rectum" if !has(&NO_NODES) => Some("III"),
        "uterus" | "cervix" | "bladder" if has(&["node"]) && !has(&NO_NODES) && !has(&["locally advanced"]) => {
            Some("III")
        }
        "breast" | "pancreas" if has(&["locally advanced"]) => Some("III"),
        "skin" if diagnosis.value.as_deref().is_some_and(|value| value.contains("melanoma")) => Some("III"),
        _ => None,
    }
}

/// Returns whether the note says that it gives no stage; then no stage is inferred.
fn is_not_given(view: &NoteView<'_>) -> bool {
    const WORDS: [&str; 7] =
        ["not recorded", "not documented", "not listed", "not provided", "not stated", "not document", "not specified"];
    let bare = ["no formal stag", "no formal ajcc", "no stage ", "no tnm", "no staging "];
    bare.iter().any(|words| view.folded.contains(words))
        || view.folded.places("stag").any(|at| {
            let after = view.near(&(at..at + "stag".len()), 0, 50);
            WORDS.iter().any(|words| after.contains(words))
        })
}

/// Returns the stage of a brain tumour. Brain tumours have a grade instead of a stage; WHO grade IV is recorded as
/// stage IV.
fn brain_grade(view: &NoteView<'_>) -> Option<String> {
    ["who grade iv", "who grade 4"].iter().any(|grade| view.folded.contains(grade)).then(|| "IV".to_owned())
}

/// Returns the stage of small cell lung cancer, which has only two stages.
fn extent(view: &NoteView<'_>) -> Option<&'static str> {
    for (words, value) in [
        ("extensive stage", "extensive stage"),
        ("extensive disease small cell", "extensive stage"),
        ("small cell lung cancer, extensive disease", "extensive stage"),
        ("small cell lung cancer, limited disease", "limited stage"),
        ("small cell lung cancer with extensive disease", "extensive stage"),
        ("es sclc", "extensive stage"),
        ("limited stage", "limited stage"),
        ("ls sclc", "limited stage"),
        ("sclc ed", "extensive stage"),
        ("ed sclc", "extensive stage"),
        ("sclc with extensive disease", "extensive stage"),
        ("sclc, extensive disease", "extensive stage"),
        ("sclc ld", "limited stage"),
        ("ld sclc", "limited stage"),
        ("sclc, limited disease", "limited stage"),
        ("sclc with limited disease", "limited stage"),
    ] {
        let at = view.folded.places(words).next();
        if at.is_some_and(|at| view.enters_record(&(at..at + words.len()), Field::Stage)) {
            return Some(value);
        }
    }
    None
}

/// Compiles the patterns before a note needs them.
pub(crate) fn compile() {
    LazyLock::force(&group::GROUP);
    LazyLock::force(&group::BEHIND);
    LazyLock::force(&group::AFTER_FORMULA);
    LazyLock::force(&group::REVISED);
    LazyLock::force(&group::CHANGED);
}

/// Returns whether the note gives T and N together, which only malignancies have.
pub(crate) fn names_formula(view: &NoteView<'_>) -> bool {
    formula::of(view).is_some_and(Formula::is_graded)
}

#[cfg(test)]
mod tests {
    #[test]
    fn patterns_compile() {
        super::compile();
    }
}
