//! Reads metastatic sites: organs that a spread term refers to, as nouns, without the organ of the primary. Spread
//! terms are those of `lexicons/spread.txt`, such as "metastases".

mod formulas;
mod imaged;
mod lists;
mod refuted;
mod short_diagnosis;

use std::ops::Range;

pub(super) use self::short_diagnosis::is_shortened_diagnosis;
use self::{
    formulas::sites_of_formulas,
    imaged::imaged,
    lists::{is_answered_list, is_heading, is_list, leads_to},
};
use super::{
    benign,
    cancer::Diagnosis,
    formula,
    lexicon::{Mention, TermKind},
    meanings,
    view::{NoteView, Values, is_one_of},
};
use crate::extraction::Field;

/// How far the disease has spread.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Extent {
    /// The note does not say.
    #[default]
    Unknown,
    /// Locally advanced, or in regional nodes.
    Regional,
    /// The note names a distant organ, or metastasis without its site.
    Distant,
    /// The note calls the disease as a whole metastatic.
    Metastatic,
}

/// Metastatic sites and the extent of the disease.
#[derive(Debug, Default)]
pub(crate) struct MetastaticSpread {
    /// Organs, in order of appearance.
    pub(crate) sites: Values,
    /// The greatest extent that the note mentions.
    pub(crate) extent: Extent,
    /// Whether any site is outside the abdomen.
    pub(crate) beyond_belly: bool,
    /// Whether the note names an organ with metastases, other than lymph nodes.
    pub(crate) names_organ: bool,
}

/// How organs follow a diagnosis: "metastatic melanoma was found in the heart".
const AFTER_DIAGNOSIS: [&str; 7] =
    [" to ", " in ", " was found in ", " was detected in ", " was identified in ", " was seen in ", " was present in "];
/// Sites in the abdomen: an ovarian tumour that has spread only there is not stage IV.
const ABDOMINAL_SITES: &str = "peritoneum omentum pelvis mesentery diaphragm abdomen";
/// Maximum number of organs read in one list; the limit keeps the work linear.
const LONGEST_LIST: usize = 12;

/// A site found: its offset, its name, and whether it is lymph nodes.
type FoundSite = (usize, &'static str, bool);

/// Reads the metastatic sites of a note.
pub(crate) fn read(view: &NoteView<'_>, diagnosis: &Diagnosis, stage_iv: bool) -> MetastaticSpread {
    let words: Vec<&Mention> = view
        .terms(TermKind::Spread)
        .iter()
        .filter(|word| !is_other_noun(view, &word.range) && view.enters_record(&word.range, Field::MetastasisSite))
        .filter(|word| !is_open_label(view, word) && !is_of_none(view, word) && !meanings::is_another(view, word))
        .filter(|word| !refuted::is_refuted(view, word))
        .collect();
    let mut spread = MetastaticSpread { extent: extent(view, diagnosis, &words), ..MetastaticSpread::default() };
    let advanced = stage_iv || spread.extent >= Extent::Distant;
    let mut found: Vec<FoundSite> = words.iter().flat_map(|word| sites_of_term(view, word, advanced)).collect();
    found.extend(sites_of_formulas(view));
    let nodes = involved_nodes(view);
    if !nodes.is_empty() {
        spread.extent = spread.extent.max(Extent::Regional);
    }
    found.extend(nodes);
    found.sort_unstable();
    for (_, place, node) in found {
        let is_primary = diagnosis.organ == Some(place) || (diagnosis.organ == Some("skin") && place == "in-transit");
        if is_primary || matches!(place, "abdomen" | "head and neck" | "gastrointestinal tract") {
            continue;
        }
        if node {
            spread.extent = spread.extent.max(Extent::Regional);
        } else {
            spread.names_organ = true;
            spread.extent = spread.extent.max(Extent::Distant);
            spread.beyond_belly |= !is_one_of(ABDOMINAL_SITES, place);
        }
        spread.sites.add(place, place);
    }
    if diagnosis.organ == Some("ovary") && spread.sites.has("peritoneum") {
        spread.sites.remove("omentum");
    }
    // The nodes that a pathologist counts are regional; they are not a metastatic site of the record.
    if formula::of(view).is_some_and(|formula| formula.has_pathological_tumour() && formula.has_nodes()) {
        spread.sites.remove("lymph nodes");
        spread.sites.remove("regional lymph nodes");
    }
    // The unnamed nodes of a breast or pancreatic cancer without distant spread are its N category, and not a site.
    let regional = spread.extent <= Extent::Regional && matches!(diagnosis.organ, Some("breast" | "pancreas"));
    if regional {
        spread.sites.remove("lymph nodes");
        spread.sites.remove("regional lymph nodes");
    }
    let named_nodes = spread.sites.keys().any(|place| place.ends_with(" lymph nodes"));
    if named_nodes {
        spread.sites.remove("lymph nodes");
    }
    spread
}

/// Returns the extent according to the spread terms, regardless of their sites.
fn extent(view: &NoteView<'_>, diagnosis: &Diagnosis, words: &[&Mention]) -> Extent {
    let extent_of = |word: &&Mention| {
        if word.term.is("metastatic") && (is_nodal(view, word) || is_deposit(view, word)) {
            Extent::Unknown
        } else if word.term.is("metastatic") {
            let whole = view.folded.slice(word.range.clone()).contains("metastatic");
            if whole { Extent::Metastatic } else { Extent::Distant }
        } else if word.term.is("sited") && !diagnosis.haematologic {
            Extent::Distant
        } else if word.term.is("local") {
            Extent::Regional
        } else {
            Extent::Unknown
        }
    };
    words.iter().map(extent_of).max().unwrap_or_default()
}

/// Returns the sites of one spread term.
fn sites_of_term(view: &NoteView<'_>, word: &Mention, advanced: bool) -> Vec<FoundSite> {
    let found = |site: &Mention| (site.range.start, site.term.name, site.term.is("node"));
    if let Some(place) = word.term.tag("at") {
        let mut sited: Vec<FoundSite> = sites_of(view, word, false).map(found).collect();
        sited.push((word.range.start, place, false));
        return sited;
    }
    let strong = word.term.is("metastatic");
    let lesion = word.term.is("lesion") && (advanced || word.term.is("implant") || tells_of_spread(view, word));
    if !strong && !lesion {
        return Vec::new();
    }
    let sites: Vec<&Mention> = sites_of(view, word, strong || word.term.is("heading")).collect();
    if sites.is_empty() {
        return imaged(view, word).map(|place| (word.range.start, place, false)).into_iter().collect();
    }
    // In a list with bone, the pelvis is a bone and not a site of its own.
    let bone = sites.iter().any(|site| site.term.name == "bone");
    sites
        .into_iter()
        .filter(|site| !is_shortened_diagnosis(view, site) && !refuted::is_beside(view, site))
        .filter(|site| !(bone && site.term.name == "pelvis") && view.enters_record(&site.range, Field::MetastasisSite))
        .filter(|site| !refuted::is_counted_as_zero(view, site))
        .map(found)
        .collect()
}

/// Returns the lymph nodes that contain tumour: "positive sentinel node", "axillary nodes were involved".
fn involved_nodes(view: &NoteView<'_>) -> Vec<FoundSite> {
    const BEFORE: [&str; 4] = ["positive", "involved", "involving", "malignant"];
    const AFTER: [&str; 6] = ["positive", "involved", "involvement", "was positive", "were positive", "with metasta"];
    let mut found = Vec::new();
    for site in view.terms(TermKind::Site).iter().filter(|site| site.term.is("node")) {
        let before = view.folded.before(site.range.start, 12).trim_end();
        let after = view.folded.after(site.range.end, 24).trim_start_matches([' ', ':', '(']);
        let after = after.strip_prefix("biopsy ").unwrap_or(after);
        let involved =
            BEFORE.iter().any(|word| before.ends_with(word)) || AFTER.iter().any(|word| after.starts_with(word));
        let none = is_none_of(view.folded.before(site.range.start, 32))
            || before.contains("0/")
            || is_counted_as_none(view.folded.after(site.range.end, 64));
        if involved && !none && view.enters_record(&site.range, Field::MetastasisSite) {
            let sentinel = site.term.name == "sentinel lymph node";
            found.push((site.range.start, if sentinel { "regional lymph nodes" } else { site.term.name }, true));
        }
    }
    found
}

/// Returns whether the sentence of a lesion mentions metastasis, progression or a similar sign of spread.
fn tells_of_spread(view: &NoteView<'_>, word: &Mention) -> bool {
    let stretch = view.around(&word.range, 160, 160);
    let sentence = view.folded.slice(stretch.clone());
    // "Liver lesion biopsied: benign, not metastatic" describes no spread.
    let metastatic = || {
        sentence.match_indices("metasta").any(|(at, sign)| {
            let at = stretch.start + at;
            // The whole word, so that what follows it is read as its explanation.
            let word = view.folded.after(at, 24).bytes().take_while(u8::is_ascii_alphabetic).count();
            let range = at..at + word.max(sign.len());
            view.enters_record(&range, Field::MetastasisSite) && !benign::replaces(view, &range)
        })
    };
    metastatic()
        || ["progress", "recurr", "relaps", "disseminat", "hypermetabolic", "fdg", "enhancing", "multiple", "several"]
            .iter()
            .any(|sign| sentence.contains(sign))
}

/// Returns whether a spread term belongs to another noun and does not describe the tumour: "metastatic workup",
/// "metastatic abscess", "metastatic calcification". PD also means Parkinson's disease and peritoneal dialysis.
pub(crate) fn is_other_noun(view: &NoteView<'_>, range: &Range<usize>) -> bool {
    const OTHERS: &str = "effect|board|testing|profil|sequenc|mutation|workup|work up|abscess|infect|calcif|pneumonia|\
                          endophthalm|septic|potential";
    let after = view.folded.after(range.end, 14).trim_start();
    let before = view.folded.before(range.start, 4);
    if before.ends_with("non ") || before.ends_with("non-") {
        return true;
    }
    let other_pd = view.has_other_pd && view.folded.slice(range.clone()) == "pd";
    other_pd || OTHERS.split('|').any(|word| after.starts_with(word))
}

/// Returns whether the text after a label starts with a count of none: "positive lymph nodes / nodes examined: 0/10".
fn is_counted_as_none(after: &str) -> bool {
    let Some((label, answer)) = after.split_once(':') else { return false };
    let answer = answer.trim_start();
    let zero = answer.strip_prefix('0').is_some_and(|rest| !rest.starts_with(|c: char| c.is_ascii_digit() || c == '.'));
    !label.contains(['.', ';', '\n']) && (zero || answer.starts_with("none"))
}

/// Returns whether a spread term refers only to lymph nodes, by its own sites or as the finding in a row about nodes:
/// "lymph nodes: 2 of 9 positive for metastatic carcinoma", "metastatic carcinoma in three of 27 lymph nodes".
fn is_nodal(view: &NoteView<'_>, word: &Mention) -> bool {
    let mut sites = sites_of(view, word, true).peekable();
    if sites.peek().is_some() {
        return sites.all(|site| site.term.is("node"));
    }
    // Scanned reports have full stops within sentences, so the window crosses them, but not an empty line.
    let before = view.folded.before(word.range.start, 100).rsplit('\n').next().unwrap_or_default();
    let after = view.folded.after(word.range.end, 80).split('\n').next().unwrap_or_default();
    let after_node = before.rfind("node").is_some_and(|at| {
        let between = before.get(at..).unwrap_or_default();
        // "Sentinel lymph node, excision: metastatic carcinoma".
        if between.trim_end_matches([' ', '-']).ends_with(':') {
            return true;
        }
        [
            "positive",
            "negative",
            "contain",
            "involved",
            "free of",
            "show",
            "demonstrat",
            "reveal",
            "with ",
            "for ",
            "keeping",
        ]
        .iter()
        .any(|verb| between.contains(verb))
    });
    let before_node = after.find(" node").is_some_and(|at| {
        let between = after.get(..at).unwrap_or_default();
        [" in ", " to ", " involving ", " within "].iter().any(|link| between.contains(link))
            && !between.contains(" with ")
    });
    after_node || before_node
}

/// Returns whether a spread term names a deposit, which has a size and no organ: "largest metastatic focus: 0.4 cm".
fn is_deposit(view: &NoteView<'_>, word: &Mention) -> bool {
    let after = view.folded.after(word.range.end, 12);
    let before = view.folded.before(word.range.start, 12);
    let noun = [" focus", " foci", " deposit"].iter().any(|noun| after.starts_with(noun));
    (noun || before.ends_with("largest ")) && sites_of(view, word, true).next().is_none()
}

/// Returns whether a spread term is the label of a form whose answer names no metastasis: "Distant metastasis (pM):
/// pMX".
fn is_open_label(view: &NoteView<'_>, word: &Mention) -> bool {
    const AFFIRMATIONS: [&str; 8] = ["present", "yes", "positive", "identified", "pm1", "m1", "cm1", "+"];
    let after = view.folded.after(word.range.end, 64);
    let after = after.strip_prefix(" (pm)").or_else(|| after.strip_prefix(" (m)")).unwrap_or(after).trim_start();
    let Some(answer) = after.strip_prefix(':') else { return false };
    let answer = answer.trim_start();
    let affirmed = AFFIRMATIONS.iter().any(|word| answer.starts_with(word));
    !affirmed && sites_of(view, word, true).all(|site| refuted::is_counted_as_zero(view, site))
}

/// Returns whether words end in a count of none and at most three words of what is counted: "0 of 24 ", "zero out of 12
/// axillary lymph ".
fn is_none_of(words: &str) -> bool {
    const COUNTS: [&str; 6] = ["0 of ", "0 out of ", "zero of ", "zero out of ", "none of ", "none out of "];
    let Some((at, count)) = COUNTS.iter().filter_map(|count| Some((words.rfind(count)?, count))).max() else {
        return false;
    };
    let before = words.get(..at).unwrap_or_default();
    let rest = words.get(at + count.len()..).unwrap_or_default();
    let of_number = rest.starts_with(|c: char| c.is_ascii_digit()) || rest.starts_with("the ");
    let is_whole = !before.ends_with(|c: char| c.is_ascii_alphanumeric());
    is_whole && of_number && !rest.contains([',', ';', '.', '\n']) && rest.split_ascii_whitespace().count() <= 4
}

/// Returns whether a count of none is before a spread term: "0/17 positive for metastasis".
fn is_of_none(view: &NoteView<'_>, word: &Mention) -> bool {
    let before = view.folded.before(word.range.start, 48);
    // "0 of 24 lymph nodes with metastatic carcinoma"
    if view.folded.slice(word.range.clone()).contains("node") && is_none_of(before) {
        return true;
    }
    let nodes = before.rfind("node").and_then(|at| before.split_at_checked(at));
    let goes_on = |rest: &str| [" and ", " but ", ",", ";"].iter().any(|end| rest.contains(end));
    if nodes.is_some_and(|(counted, rest)| is_none_of(counted) && !goes_on(rest)) {
        return true;
    }
    before.match_indices(['0']).any(|(at, _)| {
        let digit_before = at.checked_sub(1).and_then(|at| before.as_bytes().get(at)).is_some_and(u8::is_ascii_digit);
        let rest = before.get(at + 1..).unwrap_or_default();
        !digit_before
            && (rest.starts_with('/') || rest.starts_with(" of "))
            && rest.contains("positive")
            && !goes_on(rest)
    })
}

/// Returns the organs that a spread term refers to: "hepatic and osseous metastases", "metastatic to the liver",
/// "metastases in the brain, bone and lung".
fn sites_of<'v>(view: &'v NoteView<'_>, word: &Mention, strong: bool) -> impl Iterator<Item = &'v Mention> + use<'v> {
    let sites = view.terms(TermKind::Site);
    let at = sites.partition_point(|site| site.range.start < word.range.start);
    let mut from = at;
    let mut edge = word.range.start;
    while let Some(site) = from.checked_sub(1).and_then(|before| sites.get(before)) {
        let gap = view.folded.slice(site.range.end..edge);
        if at - from == LONGEST_LIST || !is_list(gap) || (gap.contains(',') && follows_diagnosis(view, site)) {
            break;
        }
        edge = site.range.start;
        from -= 1;
    }
    // Skip a diagnosis in between: "metastatic colorectal adenocarcinoma to the liver".
    let mut edge = word.range.end;
    let cancers = view.terms(TermKind::Cancer);
    let mut next = cancers.partition_point(|cancer| cancer.range.start < edge);
    while let Some(cancer) =
        cancers.get(next).filter(|cancer| strong && view.folded.slice(edge..cancer.range.start) == " ")
    {
        edge = cancer.range.end;
        next += 1;
    }
    let after_diagnosis = edge > word.range.end;
    let first = sites.partition_point(|site| site.range.start < edge);
    let mut to = first;
    while let Some(site) = sites.get(to).filter(|_| to - first < LONGEST_LIST) {
        let gap = view.folded.slice(edge..site.range.start);
        let tied = if to > first {
            is_list(gap) || is_answered_list(gap)
        } else if after_diagnosis {
            AFTER_DIAGNOSIS.iter().any(|link| gap.starts_with(link)) && leads_to(gap, false)
        } else {
            leads_to(gap, strong)
        };
        if !tied {
            break;
        }
        edge = site.range.end;
        to += 1;
    }
    if from == at && strong {
        let heading = at.checked_sub(1).and_then(|before| sites.get(before));
        from -= usize::from(heading.is_some_and(|site| {
            !site.term.is("node") && is_heading(view.folded.slice(site.range.end..word.range.start))
        }));
    }
    let before = sites.get(from..at).unwrap_or_default();
    before.iter().chain(sites.get(first..to).unwrap_or_default())
}

/// Returns whether a site names where the tumour before it began, and not a metastasis: "NET G2 small bowel, liver
/// mets".
fn follows_diagnosis(view: &NoteView<'_>, site: &Mention) -> bool {
    const GRADES: &str = "g1 g2 g3 grade 1 2 3 low high of the in";
    let cancers = view.terms(TermKind::Cancer);
    let before = cancers.partition_point(|cancer| cancer.range.end <= site.range.start);
    let Some(cancer) = before.checked_sub(1).and_then(|at| cancers.get(at)) else { return false };
    let gap = view.folded.slice(cancer.range.end..site.range.start);
    gap.len() <= 16
        && site.term.tag("primary").is_some()
        && gap.split([' ', '(', ')']).all(|word| word.is_empty() || is_one_of(GRADES, word))
}

/// Compiles the pattern before a note needs it.
pub(super) fn compile() {
    formulas::compile();
}

#[cfg(test)]
mod tests;
