//! Finds the organ of a tumour of which the note names only the histology, by what its sentence or its paragraph says
//! about an organ: "radiotherapy to the tonsil for a squamous carcinoma", "Total thyroidectomy. Histology: papillary
//! carcinoma."
//!
//! An organ that is only mentioned nearby does not count: it was examined, removed with the tumour, or reached by it.

use std::ops::Range;

use super::{
    cancer::NamedMalignancy,
    lexicon::{Mention, TermKind},
    tumour_organs::SPREAD_TO,
    tumour_references::organ_of_origin,
    view::NoteView,
};
use crate::extraction::{Assertion, Field};

/// Bytes before and after a name within which its paragraph counts, so that the work stays linear.
const BEFORE: usize = 600;
const AFTER: usize = 240;

/// Words beside a histology that say that it is the histology of a metastasis, or of a tumour named elsewhere.
const OF_ANOTHER: [&str; 11] = [
    "metasta",
    "secondar",
    "spread",
    "deposit",
    "recurren",
    "relapse",
    "known ",
    "node",
    "compatible with",
    "consistent with",
    "exten",
];

/// Returns the organ of a name without one. `named`: the ranges of the names that state their organ, in order.
pub(super) fn organ(view: &NoteView<'_>, name: &NamedMalignancy, named: &[Range<usize>]) -> Option<&'static str> {
    const BESIDE: usize = 60;
    let beside = view.near(&name.range, BESIDE, BESIDE);
    if !tells_histology(name) || OF_ANOTHER.iter().any(|word| beside.contains(word)) {
        return None;
    }
    let paragraph = paragraph(view, &name.range);
    if names_between(named, &paragraph) {
        return None;
    }
    treated_for(view, name)
        .or_else(|| operated(view, &paragraph, name))
        .or_else(|| called_primary(view, &(paragraph.start..name.range.start)))
}

/// Returns whether a name says more of a tumour than that it is a carcinoma.
fn tells_histology(name: &NamedMalignancy) -> bool {
    const PLAIN: [&str; 4] = ["invasive ", "infiltrating ", "residual ", "primary "];
    let plain = !name.value.contains(' ') || PLAIN.iter().any(|word| name.value.starts_with(word));
    name.term.is("head") && !name.term.is("weak") && !(name.term.name == "carcinoma" && plain)
}

/// Returns whether a name lies in a stretch.
fn names_between(named: &[Range<usize>], stretch: &Range<usize>) -> bool {
    let from = named.partition_point(|name| name.start < stretch.start);
    named.get(from).is_some_and(|name| name.start < stretch.end)
}

/// Returns the part of the paragraph that is near a name.
fn paragraph(view: &NoteView<'_>, name: &Range<usize>) -> Range<usize> {
    // The folded form of an empty line.
    const BREAK: char = '\n';
    let before = view.folded.before(name.start, BEFORE);
    let before = before.rsplit(BREAK).next().unwrap_or_default();
    let after = view.folded.after(name.end, AFTER);
    let after = after.split(BREAK).next().unwrap_or_default();
    name.start - before.len()..name.end + after.len()
}

/// Returns the organ that was treated for a histology: "radiotherapy to the tonsil for a squamous carcinoma", "operated
/// on the stomach because of an adenocarcinoma".
fn treated_for(view: &NoteView<'_>, name: &NamedMalignancy) -> Option<&'static str> {
    const LINKS: [&str; 2] = [" for ", " because of "];
    const TREATED: [&str; 5] = ["radi", "operat", "surg", "resect", "remov"];
    const WIDEST: usize = 60;
    let near = view.around(&(name.range.start..name.range.start), WIDEST, 0);
    let site = view.terms_in(TermKind::Site, &near).last()?;
    let between = view.folded.slice(site.range.end..name.range.start);
    let linked = LINKS.iter().any(|link| between.starts_with(link)) && !between.contains([';', '.', ':']);
    let before = view.near(&(site.range.start..site.range.start), WIDEST, 0);
    let treated = TREATED.iter().any(|word| before.contains(word));
    // Pieces of the bowel are removed for tumours of others too.
    let own = |organ: &&str| !SPREAD_TO.contains(organ) && !["colon", "small bowel"].contains(organ);
    organ_of_origin(site).filter(own).filter(|_| linked && treated)
}

/// Returns the organ of the only operation of a paragraph, if its histology is stated directly after it.
fn operated(view: &NoteView<'_>, paragraph: &Range<usize>, name: &NamedMalignancy) -> Option<&'static str> {
    // Organs that are seldom removed for a tumour of another one.
    const OWN: [&str; 4] = ["thyroid", "breast", "kidney", "stomach"];
    const TOLD: [&str; 3] = ["histolog", "patholog", "specimen"];
    const WIDEST: usize = 80;
    // Nodes are taken out with any tumour.
    let is_surgery = |mention: &&Mention| {
        mention.term.is("surgery")
            && !["dissection", "lymph"].iter().any(|of_nodes| mention.term.name.contains(of_nodes))
    };
    let mut operations = view.terms_in(TermKind::Treatment, paragraph).iter().filter(is_surgery);
    let operation = operations.next().filter(|_| operations.next().is_none())?;
    let done = view.assertion(&operation.range, Field::Treatment) == Assertion::Present;
    let near = name.range.start.checked_sub(operation.range.end).is_some_and(|gap| gap <= WIDEST);
    let between = if near { view.folded.slice(operation.range.end..name.range.start) } else { "" };
    let of_it = between.trim_end().ends_with(':') && !between.contains(". ");
    let told = of_it || TOLD.iter().any(|word| between.contains(word));
    let told = told && !between.contains("biops") && !between.starts_with(" for ");
    operation.term.tag("organ").filter(|organ| done && told && OWN.contains(organ))
}

/// Returns the last organ of a stretch that "primary" follows.
fn called_primary(view: &NoteView<'_>, stretch: &Range<usize>) -> Option<&'static str> {
    let is_called = |site: &&Mention| {
        view.folded.after(site.range.end, 8) == " primary"
            && view.assertion(&site.range, Field::CancerType) == Assertion::Present
    };
    view.terms_in(TermKind::Site, stretch).iter().rfind(is_called).and_then(organ_of_origin)
}
