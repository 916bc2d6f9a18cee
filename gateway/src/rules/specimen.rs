//! The organ of a specimen, from the heading of its report.

use super::{lexicon::TermKind, view::NoteView};

/// Returns the organ of the specimen whose heading stands before a name: "ESOPHAGUS, ESOPHAGECTOMY: A. ADENOCARCINOMA".
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
