//! What stands in a note for a value whose own words do not: adjectives and synonyms (`normalized`) and
//! what follows by a named rule (`inferred`). Clinical knowledge as data; a first, short list.

use crate::extraction::{Basis, Field};

/// A value, and wordings of a note that mean it or imply it.
pub(super) struct Link {
    pub(super) field: Field,
    /// Values that it is about, folded: lower case, one space between words.
    pub(super) values: &'static [&'static str],
    /// Wordings, the most telling first.
    pub(super) wordings: &'static [&'static str],
    pub(super) basis: Basis,
    /// Name of the rule, as the answer gives it.
    pub(super) rule: &'static str,
}

const fn site(values: &'static [&'static str], wordings: &'static [&'static str]) -> Link {
    Link { field: Field::MetastasisSite, values, wordings, basis: Basis::Normalized, rule: "adjective_of_site" }
}

const fn stage(values: &'static [&'static str], wordings: &'static [&'static str], rule: &'static str) -> Link {
    Link { field: Field::Stage, values, wordings, basis: Basis::Inferred, rule }
}

const fn response(values: &'static [&'static str], wordings: &'static [&'static str], rule: &'static str) -> Link {
    Link { field: Field::Response, values, wordings, basis: Basis::Inferred, rule }
}

/// All links. AJCC 8 for the stages: distant metastasis (M1) is stage IV in most solid tumours.
pub(super) const LINKS: &[Link] = &[
    site(&["liver"], &["hepatic", "hepatic metastases"]),
    site(&["bone", "bones"], &["osseous", "skeletal", "bony", "vertebral", "spinal"]),
    site(&["lung", "lungs"], &["pulmonary"]),
    site(&["brain"], &["cerebral", "intracranial", "cerebellar", "leptomeningeal"]),
    site(&["peritoneum", "peritoneal"], &["peritoneal", "carcinomatosis", "omental", "peritoneum"]),
    site(&["lymph nodes", "lymph node"], &["nodal", "lymphadenopathy", "nodes"]),
    site(&["adrenal", "adrenal gland", "adrenal glands"], &["adrenal"]),
    site(&["pleura", "pleural"], &["pleural", "pleura"]),
    site(&["skin"], &["cutaneous", "dermal", "subcutaneous"]),
    stage(
        &["iv", "stage iv", "4"],
        &["widely metastatic", "metastatic", "metastases", "metastasis", "metastasized", "carcinomatosis", "M1"],
        "metastatic_implies_stage_iv",
    ),
    stage(
        &["iii", "stage iii", "3"],
        &["locally advanced", "node-positive", "positive lymph nodes", "nodal involvement"],
        "locally_advanced_implies_stage_iii",
    ),
    response(
        &["partial response"],
        &["decrease in size", "decreased in size", "shrinkage", "reduction in size", "smaller", "regression"],
        "shrinkage_implies_partial_response",
    ),
    response(
        &["disease progression", "progressive disease", "progression"],
        &["progressed", "progression", "progressive", "new lesions", "enlarged", "increase in size"],
        "growth_implies_progression",
    ),
    response(
        &["stable disease"],
        &["stable", "unchanged", "no significant change"],
        "no_change_implies_stable_disease",
    ),
];
