//! Stages that a TNM formula of the note supports: the same formula in another spelling, or the stage group that it
//! means in the organ of the note.

use std::ops::Range;

use super::index::Index;
use crate::{
    extraction::{
        Basis,
        tnm::{self, Organ},
    },
    steps,
};

/// Returns the ranges of the formulas that support a value, with the basis and the rule of the support.
pub(super) fn ranges(note: &Index, text: &str, value: &str) -> (Vec<Range<usize>>, Basis, &'static str) {
    steps::count(text.len());
    let formulas = tnm::find(text).into_iter();
    if let [formula] = tnm::find(value).as_slice()
        && formula.range == (0..value.len())
    {
        let same = formulas.filter(|other| other.says(formula));
        return (same.map(|formula| formula.range).collect(), Basis::Normalized, "tnm_spelling");
    }
    let organ = organ(note);
    let means =
        |formula: &tnm::Formula| organ.and_then(|organ| formula.group(organ)).is_some_and(|group| covers(value, group));
    (formulas.filter(means).map(|formula| formula.range).collect(), Basis::Inferred, "tnm_implies_stage_group")
}

/// Returns whether a value is a group or the wider group of a substage: `II` for `IIA`, but not `I` for `II`.
fn covers(value: &str, group: &str) -> bool {
    group.strip_prefix(value).is_some_and(|rest| !rest.starts_with(['I', 'V']))
}

/// Returns the first organ with known groups that the note names.
fn organ(note: &Index) -> Option<Organ> {
    note.walk().find_map(|&token| match note.fold_of(token) {
        "bladder" | "urothelial" => Some(Organ::Bladder),
        "breast" | "mammary" => Some(Organ::Breast),
        "colon" | "colonic" | "rectal" | "rectum" | "colorectal" | "sigmoid" | "rectosigmoid" | "cecum" | "caecum" => {
            Some(Organ::Bowel)
        }
        "kidney" | "renal" | "rcc" | "ccrcc" => Some(Organ::Kidney),
        "lung" | "pulmonary" | "nsclc" => Some(Organ::Lung),
        "melanoma" => Some(Organ::Melanoma),
        "pancreas" | "pancreatic" => Some(Organ::Pancreas),
        "prostate" | "prostatic" => Some(Organ::Prostate),
        _ => None,
    })
}
