//! Sites in brackets after the M of a TNM formula: "T3N1M1 (bone)".

use std::{ops::Range, sync::LazyLock};

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
    r"(?:(?:(?-u:\b)[cp]?|n[0-3x][a-c]?,? ?[cp]?)m1[a-d]?|stage iv[abc]?) ?\((?P<sites>[a-z][a-z ,/&+-]{2,48})\)";

/// The codes of sites after an M1 (UICC TNM, 8th edition), and the names that they have here.
const CODES: [(&str, &str); 8] = [
    ("pul", "lung"),
    ("oss", "bone"),
    ("hep", "liver"),
    ("bra", "brain"),
    ("mar", "bone marrow"),
    ("ple", "pleura"),
    ("per", "peritoneum"),
    ("adr", "adrenal gland"),
];

/// Returns the sites that are all that a bracket after an M1 names.
pub(super) fn sites_of_formulas(view: &NoteView<'_>) -> Vec<FoundSite> {
    let brackets = METASTATIC.captures_iter(view.folded.as_str()).filter_map(|found| found.name("sites"));
    let counting = brackets.filter(|bracket| view.enters_record(&bracket.range(), Field::MetastasisSite));
    counting.flat_map(|bracket| named(view, bracket.range()).chain(coded(view, bracket.range()))).collect()
}

fn named(view: &NoteView<'_>, bracket: Range<usize>) -> impl Iterator<Item = FoundSite> {
    view.terms_in(TermKind::Site, &bracket).iter().map(|site| (site.range.start, site.term.name, site.term.is("node")))
}

/// Returns the sites of the codes in a bracket: "cM1 (HEP, PER)".
fn coded(view: &NoteView<'_>, bracket: Range<usize>) -> impl Iterator<Item = FoundSite> {
    let words = view.folded.slice(bracket.clone()).split([' ', ',', '/', '+', '&']);
    words.filter_map(move |word| {
        let (_, site) = CODES.iter().find(|(code, _)| *code == word)?;
        Some((bracket.start, *site, false))
    })
}

/// Compiles the pattern before a note needs it.
pub(in crate::rules) fn compile() {
    LazyLock::force(&METASTATIC);
}
