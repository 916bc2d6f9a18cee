//! Distinguishes stages of tumours from those of other diseases: kidneys, ulcers, heart failure, operations in steps.

use std::ops::Range;

use crate::rules::{lexicon::TermKind, view::NoteView};

/// Bytes after a stage that are searched for another disease, and bytes before it.
const AFTER: usize = 28;
const BEFORE: usize = 26;
/// Diseases that have stages but are not malignancies, by the beginnings of their words.
const DISEASES: &str = "kidney disease|ckd|chronic kidney|renal|decubitus|heart failure|hypertens|htn|fibrosis|pulmonary fibrosis|\
                        cirrhosis|copd|parkinson|endometriosis|sarcoid|retinopathy|lymphedema|lymphoedema|isl|aki|\
                        kidney injury|acute kidney|pressure|gout|osteoarthritis|dementia|alzheimer|prolapse|\
                        bronchopleural|glaucoma|gvhd|palsy|sleep|avascular|osteonecrosis|hoehn|avn|diastolic|ulcer|\
                        mronj|periodontit|cystocele|rectocele|haemorrhoid|hemorrhoid|keratoconus|nephropathy|silicosis|\
                        pneumoconiosis|steatohepatitis|metavir|nash|gut|macular|frozen shoulder|hydronephrosis|wound|heel|\
                        graft versus|mucositis|neuropathy|cataract|hallux|arthritis|pterygium";
/// Operations that are done in steps: "stage 2 reconstruction".
const OPERATIONS: &str = "reconstruction|repair|procedure|revision|closure|palate|operation|implant exchange";
/// Diseases whose stage may follow a comma: "sacral ulcer, stage IV".
const BESIDE_COMMA: &str = "jaw|mronj|hydronephrosis|ulcer|ulcers|decubitus|pressure injury|lymphedema|lymphoedema|kidney disease|ckd|cirrhosis";
/// Words after which a sentence refers to something else.
const JOINTS: [&str; 6] = [" and ", " with ", " in ", " on ", " but ", " ("];

/// Returns whether the stage in `range` belongs to another disease: one is beside it, and no malignancy between.
pub(super) fn has_stage(view: &NoteView<'_>, range: &Range<usize>) -> bool {
    let after = view.folded.after(range.end, AFTER);
    let after = after.split(['.', ';', '\n', ',']).next().unwrap_or_default();
    let after = JOINTS.iter().fold(after, |clause, joint| clause.split(joint).next().unwrap_or_default());
    let before_all = view.folded.before(range.start, BEFORE);
    let before = before_all.rsplit(['.', ';', '\n', ',']).next().unwrap_or_default();
    let before = JOINTS.iter().fold(before, |clause, joint| clause.rsplit(joint).next().unwrap_or_default());
    if before.trim_end().ends_with("end") {
        return true;
    }
    let cancers = view.terms(TermKind::Cancer);
    let later = cancers.partition_point(|cancer| cancer.range.start < range.end);
    let next_cancer = cancers.get(later).map_or(usize::MAX, |cancer| cancer.range.start - range.end);
    // "CKD, stage IV lung cancer": the malignancy directly after the stage has it.
    if next_cancer <= 1 {
        return false;
    }
    let next = after.trim_start_matches([' ', '-', ':']);
    if OPERATIONS.split('|').any(|operation| next.starts_with(operation)) {
        return true;
    }
    let comma = before_all.trim_end_matches([' ', ',', ':', '-']);
    if BESIDE_COMMA.split('|').any(|disease| ends_word(comma, disease)) {
        return true;
    }
    let earlier_cancer = later.checked_sub(1).and_then(|at| cancers.get(at)).map_or(0, |cancer| cancer.range.end);
    let start_of_before = range.start - before.len().min(range.start);
    positions(after).min().is_some_and(|at| at < next_cancer)
        || positions(before).max().is_some_and(|at| start_of_before + at >= earlier_cancer)
}

/// Returns the offsets of the diseases that a clause names, at the beginnings of words.
fn positions(clause: &str) -> impl Iterator<Item = usize> {
    DISEASES.split('|').flat_map(move |disease| {
        clause.match_indices(disease).map(|(at, _)| at).filter(move |&at| {
            let begins = clause.get(..at).is_some_and(|before| !before.ends_with(char::is_alphanumeric));
            let rest = clause.get(at + disease.len()..).unwrap_or_default();
            // "Ulcerated" describes a melanoma.
            begins && (disease != "ulcer" || !rest.strip_prefix('s').unwrap_or(rest).starts_with(char::is_alphanumeric))
        })
    })
}

fn ends_word(text: &str, word: &str) -> bool {
    text.strip_suffix(word).is_some_and(|before| !before.ends_with(char::is_alphanumeric))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stages_of_other_diseases() {
        for (text, other) in [
            ("stage III colon cancer with dementia", false),
            ("stage I NSCLC in pulmonary fibrosis", false),
            ("Hodgkin lymphoma stage IV and GVHD of skin", false),
            ("stage II sacral chordoma", false),
            ("stage IIIC melanoma wound healing well", false),
            ("stage II HCC with cirrhosis", false),
            ("COPD and stage IIIB NSCLC", false),
            ("stage III mismatch repair-deficient colon cancer", false),
            ("stage IIIA breast cancer patient taking tamoxifen", false),
            ("stage IIB ulcerated melanoma", false),
            ("stage III renal cell carcinoma", false),
            ("stage II adrenal carcinoma", false),
            ("lung cancer with hypertension, stage IIIB", false),
            ("HTN, CKD, stage IV lung cancer", false),
            ("CKD - stage IV lung cancer", false),
            ("sacral ulcer, stage IV", true),
            ("pressure ulcers stage II", true),
            ("arm lymphoedema, ISL stage II", true),
            ("breast cancer, stage 2 reconstruction done", true),
            ("stage 3 chronic kidney disease", true),
            ("CKD stage 4", true),
            ("stage 1 hypertension", true),
            ("stage 2 renal impairment", true),
            ("stage 2 AKI", true),
            ("diastolic dysfunction stage 2", true),
        ] {
            let view = NoteView::of(text);
            let at = view.folded.as_str().find("stage").unwrap();
            let numeral = view.folded.as_str().get(at + 6..).unwrap().find(' ').map_or(text.len(), |end| at + 6 + end);
            assert_eq!(has_stage(&view, &(at..numeral)), other, "{text}");
        }
    }
}
