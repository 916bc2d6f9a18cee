//! The organ of a tumour, from the heading of its report or the words beside its name.

use std::ops::Range;

use super::{
    lexicon::{Mention, TermKind},
    view::{NoteView, is_one_of},
};

/// Returns the organ of the specimen whose heading is before a name: "ESOPHAGUS, ESOPHAGECTOMY: A. ADENOCARCINOMA".
pub(super) fn specimen_organ(view: &NoteView<'_>, start: usize) -> Option<&'static str> {
    const REACH: usize = 200;
    const WIDEST: usize = 80;
    const PROCEDURES: [&str; 5] = ["ectomy", "resection", "excision", "biops", "amputation"];
    let window = start - view.folded.before(start, REACH).len()..start;
    let labelled = labelled_organ(view, start);
    labelled.or_else(|| {
        view.terms_in(TermKind::Site, &window).iter().rev().find_map(|site| {
            let primary = site.term.tag("primary").filter(|_| !site.term.is("node"))?;
            let before = view.folded.before(site.range.start, 3).trim_end();
            let heads = before.is_empty() || before.ends_with([':', '.', ';', '\n', '-', '"', ')']);
            let after = view.folded.slice(site.range.end..start);
            let heading = after.split([':', '\n']).next().unwrap_or_default();
            let ends = after.contains(':') || after.contains(" -");
            let named = after.starts_with([',', ':']) || after.starts_with(" and ");
            let procedure = PROCEDURES.iter().any(|word| heading.contains(word));
            let result = after.get(heading.len()..).unwrap_or_default();
            let benign = ["negative", "benign", "no ", "free of", "normal", "unremarkable"]
                .iter()
                .any(|word| result.contains(word));
            (heads && named && ends && procedure && !benign && result.len() <= WIDEST).then_some(primary)
        })
    })
}

/// Returns the organ that is the whole label before a name: "Caecum - mucinous adenocarcinoma", "rectum: adenoca".
pub(super) fn labelled_organ(view: &NoteView<'_>, start: usize) -> Option<&'static str> {
    const REACH: usize = 48;
    const QUALIFIERS: &str = "moderately poorly well mod diff differentiated invasive infiltrating a an";
    let window = start.saturating_sub(REACH)..start;
    let site = view.terms_in(TermKind::Site, &window).last()?;
    let before = view.folded.before(site.range.start, 3).trim_end();
    let heads = before.is_empty() || before.ends_with([':', '.', ';', '\n']);
    let after = view.folded.slice(site.range.end..start);
    let rest = after.strip_prefix(" - ").or_else(|| after.strip_prefix(": "))?;
    let qualified = rest.split(' ').all(|word| word.is_empty() || is_one_of(QUALIFIERS, word));
    site.term.tag("primary").filter(|_| heads && qualified && !site.term.is("node"))
}

/// Returns whether an organ in which the histology of an acronym is common is directly before it: "oropharyngeal SCC",
/// "lung NET". "Cervical SCC" may be a compression of the spinal cord.
pub(super) fn follows_organ(view: &NoteView<'_>, acronym: &Mention) -> bool {
    const AMBIGUOUS: [&str; 2] = ["cervix", "spinal cord"];
    let window = acronym.range.start.saturating_sub(32)..acronym.range.start;
    let site = view.terms_in(TermKind::Site, &window).last();
    site.is_some_and(|site| {
        let primary = site.term.tag("primary").is_some_and(|primary| !AMBIGUOUS.contains(&primary));
        primary && !site.term.is("node") && view.folded.slice(site.range.end..acronym.range.start) == " "
    })
}

/// Returns whether a Gleason score follows a name, which only tumours of the prostate have.
pub(super) fn has_gleason(view: &NoteView<'_>, name: &Range<usize>) -> bool {
    const REACH: usize = 30;
    view.folded.after(name.end, REACH).contains("gleason")
}

/// Returns the organ from which a tumour comes in the words after its name: "adenocarcinoma, consistent with a lung
/// primary", "carcinoma of breast origin". The organ that it was taken from is then another.
pub(super) fn stated_origin<'v>(view: &'v NoteView<'_>, end: usize) -> Option<&'v Mention> {
    const WIDEST: usize = 48;
    const LINKS: [&str; 13] = [
        "consistent",
        "compatible",
        "with",
        "of",
        "from",
        "favor",
        "favoring",
        "favour",
        "suggestive",
        "suggesting",
        "a",
        "an",
        "known",
    ];
    let site = view.terms_in(TermKind::Site, &(end..end + WIDEST)).first()?;
    let between = view.folded.slice(end..site.range.start);
    let mut words = between.split([' ', ',']).filter(|word| !word.is_empty()).peekable();
    let after = view.folded.after(site.range.end, 10).trim_start();
    let origin = ["primary", "origin"].iter().any(|word| after.starts_with(word));
    let linked = words.peek().is_some() && words.all(|word| LINKS.contains(&word));
    (origin && linked && site.term.tag("primary").is_some()).then_some(site)
}

/// Returns the organ after a name: "carcinoma of the left breast", "adenocarcinoma (lung)".
pub(super) fn following_site<'v>(view: &'v NoteView<'_>, range: &Range<usize>) -> Option<&'v Mention> {
    const LINKS: [&str; 7] = ["of the", "of", "(", "in the", "arising from the", "arising in the", "from the"];
    let sites = view.terms(TermKind::Site);
    let site = sites.get(sites.partition_point(|site| site.range.start < range.end))?;
    let gap = view.folded.slice(range.end..site.range.start).trim();
    let gap = gap.strip_suffix("left").or_else(|| gap.strip_suffix("right")).unwrap_or(gap).trim();
    let metastatic = view.folded.before(range.start, 12).trim_end().ends_with("metastatic");
    let linked = LINKS.contains(&gap) && (!metastatic || gap.starts_with("of"));
    ((linked || (!metastatic && is_direct(view, range, site))) && site.term.tag("primary").is_some()).then_some(site)
}

/// Returns whether an organ directly follows the name of a histology and ends its phrase, or a grade follows: "NET
/// terminal ileum G1", "adenocarcinoma lung, stage IV". "Carcinoid liver metastases" names a metastasis.
fn is_direct(view: &NoteView<'_>, range: &Range<usize>, site: &Mention) -> bool {
    const NEXT: [&str; 8] = [".", ",", ";", " g1", " g2", " g3", " grade", " stage"];
    let after = view.folded.after(site.range.end, 8);
    view.folded.slice(range.end..site.range.start) == " "
        && (after.is_empty() || NEXT.iter().any(|next| after.starts_with(next)))
        && !["cancer", "tumor", "tumour"].iter().any(|word| view.folded.slice(range.clone()).ends_with(word))
}
