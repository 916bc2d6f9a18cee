//! Tells a carcinoma in situ from an invasive one. A report of an invasive carcinoma often names its in situ component
//! too, with more words.

use super::cancer::NamedMalignancy;
use crate::extraction::Assertion;

/// Returns the names without those of an in situ component: all names, unless one is of an invasive
/// carcinoma.
pub(super) fn without_component<'n>(names: &[&'n NamedMalignancy]) -> Vec<&'n NamedMalignancy> {
    let is_past = |name: &NamedMalignancy| name.assertion == Assertion::Historical;
    let is_present_in_situ = names.iter().any(|name| is_in_situ(name) && !is_past(name));
    let invades = names.iter().any(|name| is_invasive(name) && !(is_past(name) && is_present_in_situ));
    names.iter().filter(|name| !invades || !is_in_situ(name)).copied().collect()
}

fn is_in_situ(name: &NamedMalignancy) -> bool {
    let value = name.value.replace('-', " ").to_lowercase();
    let says = value.contains("in situ") || value.starts_with("intraductal") || value.contains("non invasi");
    says || ["dcis", "lcis", "cis"].contains(&value.as_str())
}

/// A histology counts as invasive unless it says otherwise; "melanoma" may be said of one in situ.
fn is_invasive(name: &NamedMalignancy) -> bool {
    let value = name.value.to_lowercase();
    let says = ["invasi", "infiltrat"].iter().any(|word| value.contains(word));
    !is_in_situ(name) && (says || (name.histology && !value.contains("melanoma")))
}
