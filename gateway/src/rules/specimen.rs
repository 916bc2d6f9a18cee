//! The organ of a specimen, from the heading of its report.

use super::{
    lexicon::{Mention, TermKind},
    view::NoteView,
};

/// Returns the organ of the specimen whose heading is before a name: "ESOPHAGUS, ESOPHAGECTOMY: A. ADENOCARCINOMA".
pub(super) fn specimen_organ(view: &NoteView<'_>, start: usize) -> Option<&'static str> {
    const REACH: usize = 200;
    const WIDEST: usize = 80;
    const PROCEDURES: [&str; 5] = ["ectomy", "resection", "excision", "biops", "amputation"];
    let window = start - view.folded.before(start, REACH).len()..start;
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
        let benign =
            ["negative", "benign", "no ", "free of", "normal", "unremarkable"].iter().any(|word| result.contains(word));
        (heads && named && ends && procedure && !benign && result.len() <= WIDEST).then_some(primary)
    })
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
