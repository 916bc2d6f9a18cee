//! Finds the organ in which a named malignancy began.

use std::ops::Range;

use super::{
    cancer::NamedMalignancy,
    lexicon::{Mention, TermKind},
    masses::{self, OFTEN_METASTATIC},
    specimen,
    tumour_references::UNSPECIFIC,
    view::NoteView,
};

/// Organs whose operations also treat tumours of others: castration, debulking, the lobe of a thyroid.
pub(super) const AMBIGUOUS: [&str; 4] = ["testis", "uterus", "ovary", "lung"];

/// Further organs in which a histology is often that of a tumour of another one.
pub(super) const SPREAD_TO: [&str; 5] = ["skin", "soft tissue", "ovary", "retroperitoneum", "mediastinum"];

/// Bytes before a name within which the heading of a specimen may name its organ.
const ORGAN_BEFORE: usize = 90;

/// Returns the organ that the name itself, the words directly after it or the heading before it name.
pub(super) fn own_organ(view: &NoteView<'_>, name: &NamedMalignancy) -> Option<&'static str> {
    let range = &name.range;
    let specific = name.organ.filter(|organ| !UNSPECIFIC.contains(organ));
    let beside = organ_beside(view, range, specific.is_some());
    let is_metastatic = view.folded.before(range.start, 12).contains("metasta");
    if is_metastatic && specific.is_some_and(|organ| OFTEN_METASTATIC.contains(&organ)) {
        return None;
    }
    if beside.is_some() || name.term.tag("site").is_some() {
        return beside.or(specific);
    }
    if is_metastatic {
        return None;
    }
    let heading = heading_organ(view, name);
    let is_named = |site: &Mention| site.term.tag("primary") == specific;
    if specific.is_some() {
        let named = view.terms_in(TermKind::Site, range).iter().any(is_named)
            || specimen::following_site(view, range).is_some_and(is_named)
            || heading == specific
            || specimen::labelled_organ(view, range.start) == specific
            || (specific == Some("prostate") && specimen::has_gleason(view, range))
            || organ_of_operation(view, range) == specific
            || organ_of_presentation(view, name) == specific;
        return specific.filter(|_| named);
    }
    let other = || name.value.starts_with("cutaneous ").then_some("skin").or_else(|| organ_of_operation(view, range));
    heading.or_else(other).filter(|_| !name.term.is("weak"))
}

/// Returns the organ directly after a name: "carcinoma of the left ureter", "SCC left tonsil", "NET at the appendix".
/// It replaces the usual organ of a name only after "of".
fn organ_beside(view: &NoteView<'_>, name: &Range<usize>, has_organ: bool) -> Option<&'static str> {
    const MODIFIERS: [&str; 14] =
        ["the", "a", "his", "her", "left", "right", "l", "r", "lower", "upper", "mid", "middle", "distal", "proximal"];
    const PLACES: [&str; 8] = ["metast", "mets", "lesion", "deposit", "involve", "biops", "invas", "bx"];
    const WIDEST: usize = 30;
    let sites = view.terms(TermKind::Site);
    let site = sites.get(sites.partition_point(|site| site.range.start < name.end))?;
    if site.range.start > name.end + WIDEST {
        return None;
    }
    let gap = view.folded.slice(name.end..site.range.start);
    let mut words = gap.split_ascii_whitespace().peekable();
    let of = words.next_if_eq(&"of").is_some();
    words.next_if_eq(&"at");
    let modified = words.all(|word| MODIFIERS.contains(&word));
    let linked = gap.starts_with(' ') && modified && (of || !has_organ);
    let after = view.folded.after(site.range.end, 10).trim_start();
    let is_place = site.term.is("node") || PLACES.iter().any(|place| after.starts_with(place));
    site.term.tag("primary").filter(|_| linked && !is_place)
}

/// Returns the organ of the mass whose histology is stated: "a mass in the sigmoid; biopsy: adenocarcinoma". Where
/// tumours of other organs spread to, it may be one of these; in the lung it is not if the note calls it a primary.
fn organ_of_presentation(view: &NoteView<'_>, name: &NamedMalignancy) -> Option<&'static str> {
    const AFTER: usize = 80;
    const METASTASIS: [&str; 4] = ["metasta", "secondary", "spread from", "mets"];
    let organ = masses::organ_of_mass(view, &name.range).filter(|_| name.term.is("head") && !name.term.is("weak"))?;
    let behind = view.near(&name.range, 0, AFTER);
    let is_primary = || behind.contains("primary");
    if METASTASIS.iter().any(|word| behind.contains(word)) {
        return None;
    }
    let is_own = !OFTEN_METASTATIC.contains(&organ) && !SPREAD_TO.contains(&organ) && (organ != "lung" || is_primary());
    Some(organ).filter(|_| is_own)
}

/// Returns the organ of the operation by which a tumour was removed: "a papillary carcinoma, removed by thyroidectomy".
fn organ_of_operation(view: &NoteView<'_>, name: &Range<usize>) -> Option<&'static str> {
    const REACH: usize = 56;
    const BY: [&str; 4] = [" by ", " with ", " underwent ", " had "];
    let near = view.around(&(name.end..name.end), 0, REACH);
    let operation = view.terms_in(TermKind::Treatment, &near).iter().find(|mention| mention.term.is("surgery"))?;
    let between = view.folded.slice(name.end..operation.range.start);
    let linked = BY.iter().any(|word| between.contains(word)) && !between.contains([';', ':', '\n']);
    operation.term.tag("organ").filter(|organ| linked && !AMBIGUOUS.contains(organ))
}

/// Returns whether an organ is in the line of a specimen above a name: "A. Right vulva, excision", and below it the
/// name.
fn heads_item(view: &NoteView<'_>, site: &Mention, name: &NamedMalignancy) -> bool {
    const LONGEST_START: usize = 24;
    // With more names, none of them is compared, so that the work stays linear.
    const MOST_COMPARED: usize = 64;
    const REACH: usize = 60;
    const TAKEN: [&str; 6] = ["excision", "resection", "ectomy", "biops", "wedge", "curett"];
    const ELSEWHERE: [&str; 5] = ["exten", "metasta", "invas", "from the", "in situ"];
    let gap = view.folded.quote(&(site.range.end..name.range.start));
    let Some((rest, below)) = gap.split_once('\n') else { return false };
    let rest_in_lower = rest.to_ascii_lowercase();
    // What grew into the organ, or spread to it, began elsewhere; so may one of two tumours of one histology.
    let names = view.terms(TermKind::Cancer);
    let of_name = |other: &&Mention| other.term.name == name.term.name;
    if !TAKEN.iter().any(|word| rest_in_lower.contains(word))
        || ELSEWHERE.iter().any(|word| view.near(&name.range, 0, REACH).contains(word))
        || names.len() > MOST_COMPARED
        || names.iter().filter(of_name).nth(1).is_some()
    {
        return false;
    }
    let length = view.folded.before(site.range.start, LONGEST_START).len();
    let before = view.folded.quote(&(site.range.start - length..site.range.start));
    let line = before.rsplit('\n').next().unwrap_or_default();
    let mark = line.strip_prefix(|c: char| c.is_ascii_alphanumeric()).and_then(|line| line.strip_prefix(['.', ')']));
    mark.is_some() && !rest.contains('.') && !below.contains('\n')
}

/// Returns the organ of the heading before a name: "Lung, right upper lobe: adenocarcinoma".
fn heading_organ(view: &NoteView<'_>, name: &NamedMalignancy) -> Option<&'static str> {
    let before = name.range.start - view.folded.before(name.range.start, ORGAN_BEFORE).len()..name.range.start;
    view.terms_in(TermKind::Site, &before).iter().find_map(|site| {
        let gap = view.folded.slice(site.range.end..name.range.start);
        let ends = [". ", ".\n", "\n\n"].iter().any(|end| gap.contains(end));
        let heads = (gap.contains(':') || heads_item(view, site, name)) && !ends && !site.term.is("node");
        // What is taken from an organ to which tumours spread may be a metastasis.
        let organ = site.term.tag("primary").filter(|_| heads)?;
        let before = view.folded.before(site.range.start, 24);
        let taken =
            ["biops", "bx", "aspirat", "fna", "metasta"].iter().any(|word| before.contains(word) || gap.contains(word));
        Some(organ).filter(|organ| !taken || !OFTEN_METASTATIC.contains(organ))
    })
}
