//! Distinguishes an organ that is short for its cancer from a place of metastases: "metastatic prostate on ADT".

use crate::rules::{lexicon::Mention, view::NoteView};

/// Returns whether an organ after "metastatic" is short for the cancer that began there: "metastatic prostate on ADT".
/// Tumours of others seldom spread to these organs.
pub(in crate::rules) fn is_shortened_diagnosis(view: &NoteView<'_>, site: &Mention) -> bool {
    const ORGANS: [&str; 2] = ["prostate", "breast"];
    const OWNERS: [&str; 2] = [" his", " her"];
    const VERBS: [&str; 8] = [" has ", " had ", " on ", " since ", " treated", " diagnosed", " under ", " dx"];
    // "Metastatic breast on PET-CT" was found there.
    const FOUND: [&str; 9] = ["pet", "ct", "mri", "ultras", "mammo", "biops", "imag", "scan", "exam"];
    let is_listed = site.term.tag("primary").is_some_and(|organ| ORGANS.contains(&organ));
    let after = view.folded.after(site.range.end, 24);
    let owned = view.folded.before(site.range.start, 17).strip_suffix(" metastatic ");
    let owned = owned.is_some_and(|before| OWNERS.iter().any(|owner| before.ends_with(owner)));
    let goes_on = if owned { &VERBS[..] } else { &[" on ", " has been "][..] };
    let found = after.split_once(" on ").is_some_and(|(_, how)| FOUND.iter().any(|word| how.contains(word)));
    is_listed
        && view.folded.before(site.range.start, 11) == "metastatic "
        && !view.folded.before(site.range.start, 15).starts_with("non")
        && !found
        && goes_on.iter().any(|verb| after.starts_with(verb))
}
