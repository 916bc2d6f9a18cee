//! Decides whether a note is about a malignancy of its patient. In other notes "stage 3" is a kidney disease, "ER" a
//! room and methotrexate a drug for arthritis, so the record stays empty. A note can be about a malignancy without
//! naming it.

use super::{
    cancer::Diagnosis,
    genes,
    lexicon::{Mention, TermKind},
    meanings, sites, stage, treatment,
    view::NoteView,
};
use crate::extraction::Field;

/// Returns whether the note names the malignancy, metastases or a TNM formula, or has two signs of a malignancy; a part
/// of a note on several tumours needs one.
pub(crate) fn is_oncologic(view: &NoteView<'_>, diagnosis: &Diagnosis) -> bool {
    if diagnosis.value.is_some() || names_metastases(view) || stage::names_formula(view) {
        return true;
    }
    let signs: [&dyn Fn() -> bool; 4] =
        [&|| diagnosis.unnamed, &|| treatment::names_antineoplastic(view), &|| stage::stated(view).is_some(), &|| {
            !genes::read(view, diagnosis).is_empty()
        }];
    // What a note on a malignancy says about one of its tumours needs less.
    let enough = if view.is_part_of_oncology_note { 1 } else { 2 };
    signs.iter().filter(|sign| sign()).take(enough).count() == enough
}

/// Returns whether the note affirms metastases.
fn names_metastases(view: &NoteView<'_>) -> bool {
    let metastatic = |word: &&Mention| {
        // "Peritoneal involvement" may also concern a dialysis catheter; "malignant ascites" may not.
        let malignant = ["metasta", "mets", "carcinom", "malignan"].iter().any(|sign| word.term.spelled.contains(sign));
        let named = word.term.is("metastatic") || (word.term.is("sited") && malignant);
        named && !sites::is_other_noun(view, &word.range) && !meanings::is_another(view, word)
    };
    view.terms(TermKind::Spread)
        .iter()
        .filter(metastatic)
        .any(|word| view.enters_record(&word.range, Field::MetastasisSite))
}
