//! Sites in brackets after the M of a TNM formula: "T3N1M1 (bone)".

use std::sync::LazyLock;

use regex::Regex;

use super::FoundSite;
use crate::{
    extraction::Field,
    rules::{lexicon::TermKind, view::NoteView},
    statics::pattern,
};

/// An M1 and the bracket after it.
static METASTATIC: LazyLock<Regex> = LazyLock::new(|| pattern(METASTATIC_PATTERN));
const METASTATIC_PATTERN: &str =
    r"(?:(?-u:\b)[cp]?|n[0-3x][a-c]?,? ?[cp]?)m1[a-d]? ?\((?P<sites>[a-z][a-z ,/&+-]{2,48})\)";

/// Returns the sites that are all that a bracket after an M1 names.
pub(super) fn sites_of_formulas(view: &NoteView<'_>) -> Vec<FoundSite> {
    let brackets = METASTATIC.captures_iter(view.folded.as_str()).filter_map(|found| found.name("sites"));
    let counting = brackets.filter(|bracket| view.enters_record(&bracket.range(), Field::MetastasisSite));
    counting
        .flat_map(|bracket| view.terms_in(TermKind::Site, &bracket.range()))
        .map(|site| (site.range.start, site.term.name, site.term.is("node")))
        .collect()
}

/// Compiles the pattern before a note needs it.
pub(in crate::rules) fn compile() {
    LazyLock::force(&METASTATIC);
}
