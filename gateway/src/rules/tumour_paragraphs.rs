//! Finds the organ of a tumour of which the note names only the histology, by what else its sentence or its paragraph
//! speaks of: "Total thyroidectomy in December. Histology: papillary carcinoma."

use std::ops::Range;

use super::{
    cancer::NamedMalignancy,
    lexicon::{Mention, TermKind},
    tumour_organs::{AMBIGUOUS, SPREAD_TO},
    tumour_references::organ_of_origin,
    view::NoteView,
};
use crate::extraction::{Assertion, Field, first_alike};

/// Bytes before and after a name within which its paragraph counts, so that the work stays linear.
const BEFORE: usize = 600;
const AFTER: usize = 240;

/// Words beside a histology which tell that it is that of a metastasis, or of a tumour named elsewhere.
const OF_ANOTHER: [&str; 10] = [
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
];

/// An organ of which a piece is often removed with the tumour of another one.
const OFTEN_RESECTED: &str = "small bowel";

/// Words before an organ which tell that the tumour of another one reached it.
const REACHED: [&str; 8] = ["metasta", "mets", "spread", "invad", "invas", "adher", "infiltrat", "involv"];

/// Returns the organ of a name without one. `named`: the ranges of the names that tell their organ, in order.
pub(super) fn organ(view: &NoteView<'_>, name: &NamedMalignancy, named: &[Range<usize>]) -> Option<&'static str> {
    const BESIDE: usize = 60;
    let beside = view.near(&name.range, BESIDE, BESIDE);
    if !tells_histology(name) || OF_ANOTHER.iter().any(|word| beside.contains(word)) {
        return None;
    }
    let paragraph = paragraph(view, &name.range);
    let sentence = view.around(&name.range, BEFORE, 0);
    if names_between(named, &paragraph) {
        return None;
    }
    only(sites(view, &(sentence.start..name.range.start)))
        .or_else(|| only(operated(view, &paragraph)))
        .or_else(|| only(sites(view, &(paragraph.start..name.range.start))))
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

/// Returns the organs of a stretch in which tumours mostly began there.
fn sites(view: &NoteView<'_>, stretch: &Range<usize>) -> impl Iterator<Item = &'static str> {
    let of_origin = |site: &Mention| {
        let before = view.near(&(site.range.start..site.range.start), 24, 0);
        organ_of_origin(site)
            .filter(|organ| !SPREAD_TO.contains(organ) && *organ != OFTEN_RESECTED)
            .filter(|_| !REACHED.iter().any(|word| before.contains(word)))
    };
    view.terms_in(TermKind::Site, stretch).iter().filter_map(of_origin)
}

/// Returns the organs of the operations in a stretch that the patient had.
fn operated(view: &NoteView<'_>, stretch: &Range<usize>) -> impl Iterator<Item = &'static str> {
    let was_done = |mention: &&Mention| {
        mention.term.is("surgery")
            && matches!(view.assertion(&mention.range, Field::Treatment), Assertion::Present | Assertion::Historical)
    };
    let operations = view.terms_in(TermKind::Treatment, stretch).iter().filter(was_done);
    operations.filter_map(|mention| mention.term.tag("organ")).filter(|organ| !AMBIGUOUS.contains(organ))
}

/// Returns the first of some organs, if all are organs of one kind.
fn only(mut organs: impl Iterator<Item = &'static str>) -> Option<&'static str> {
    let first = organs.next()?;
    organs.all(|organ| first_alike(organ) == first_alike(first)).then_some(first)
}
