//! Metastatic sites: organs that a word of spread belongs to, as nouns, without the primary's own.

use std::ops::Range;

use super::{
    cancer::Diagnosis,
    lexicon::{Kind, Mention},
    view::{Values, View},
};
use crate::extraction::Field;

/// Metastatic sites and what they say of the extent of the disease.
#[derive(Debug, Default)]
pub(crate) struct Spread {
    /// Organs, in order of appearance.
    pub(crate) sites: Values,
    /// Whether any of them is beyond regional nodes.
    pub(crate) distant: bool,
    /// Whether the note calls the disease metastatic, be it without a place.
    pub(crate) metastatic: bool,
    /// Whether it is called metastatic in so many words, of the disease and not of a place.
    pub(crate) says_metastatic: bool,
    /// Whether the disease is locally advanced or in the nodes.
    pub(crate) regional: bool,
}

/// Reads the metastatic sites.
pub(crate) fn read(view: &View<'_>, diagnosis: &Diagnosis, stage_iv: bool) -> Spread {
    let mut found: Vec<(usize, &'static str, bool)> = Vec::new();
    let mut spread = Spread::default();
    let counted: Vec<&Mention> = view
        .terms(Kind::Spread)
        .iter()
        .filter(|word| !is_chance(view, &word.range) && view.counts(&word.range, Field::MetastasisSite))
        .collect();
    spread.metastatic = counted.iter().any(|word| {
        (word.term.is("metastatic") && !is_nodal(view, word)) || (word.term.is("sited") && !diagnosis.haematologic)
    });
    spread.says_metastatic = counted.iter().any(|word| {
        word.term.is("metastatic")
            && !word.term.is("sited")
            && view.folded.slice(word.range.clone()).contains("metastatic")
            && !is_nodal(view, word)
    });
    spread.regional = counted.iter().any(|word| word.term.is("local"));
    for word in counted {
        if let Some(place) = word.term.tag("at") {
            found.push((word.range.start, place, false));
            found.extend(
                sites_of(view, word, false).map(|site| (site.range.start, site.term.name, site.term.is("node"))),
            );
        }
        let strong = word.term.is("metastatic");
        if strong || (word.term.is("lesion") && (spread.metastatic || stage_iv || tells_of_spread(view, word))) {
            let mut sites = sites_of(view, word, strong).peekable();
            if sites.peek().is_none() {
                found.extend(imaged(view, word).map(|place| (word.range.start, place, false)));
            }
            let bone = sites.clone().any(|site| site.term.name == "bone");
            for site in sites.filter(|site| !(bone && site.term.name == "pelvis")) {
                if view.counts(&site.range, Field::MetastasisSite) {
                    found.push((site.range.start, site.term.name, site.term.is("node")));
                }
            }
        }
    }
    let involved = involved_nodes(view);
    spread.regional |= !involved.is_empty()
        || ["fixed axillary", "matted axillary", "bulky axillary", "palpable axillary"]
            .iter()
            .any(|words| view.folded.as_str().contains(words));
    found.extend(involved);
    found.sort_unstable();
    for (_, place, node) in found {
        let own = diagnosis.organ == Some(place) || (diagnosis.organ == Some("skin") && place == "in-transit");
        let whole_belly = matches!(place, "abdomen" | "head and neck" | "bowel" | "heart");
        if !own && !whole_belly {
            spread.distant |= !node;
            spread.sites.add(place, place);
        }
    }
    if diagnosis.organ == Some("ovary") && spread.sites.has("peritoneum") {
        spread.sites.remove("omentum");
    }
    if spread.sites.has("regional lymph nodes") || spread.sites.has("axillary lymph nodes") {
        spread.sites.remove("lymph nodes");
    }
    spread
}

/// Nodes that are said to hold tumour: "fixed axillary nodes", "positive sentinel node".
fn involved_nodes(view: &View<'_>) -> Vec<(usize, &'static str, bool)> {
    const BEFORE: [&str; 4] = ["positive", "involved", "involving", "malignant"];
    const AFTER: [&str; 6] = ["positive", "involved", "involvement", "was positive", "were positive", "with metasta"];
    let mut found = Vec::new();
    for site in view.terms(Kind::Site).iter().filter(|site| site.term.is("node")) {
        let before = view.folded.before(site.range.start, 12).trim_end();
        let after = view.folded.after(site.range.end, 16).trim_start_matches([' ', ':', '(']);
        let told = BEFORE.iter().any(|word| before.ends_with(word)) || AFTER.iter().any(|word| after.starts_with(word));
        let none = view.folded.before(site.range.start, 8).contains("0/");
        if told && !none && view.counts(&site.range, Field::MetastasisSite) {
            let place = if site.term.name == "sentinel lymph node" { "regional lymph nodes" } else { site.term.name };
            found.push((site.range.start, place, true));
        }
    }
    found
}

/// Whether the sentence of a lesion speaks of metastasis or of a worse disease.
fn tells_of_spread(view: &View<'_>, word: &Mention) -> bool {
    let sentence = view.sentence(word.range.start);
    let sentence = view.folded.slice(sentence);
    ["metasta", "progress", "recurr", "relaps", "disseminat"].iter().any(|sign| sentence.contains(sign))
}

/// The organ that was imaged: "brain MRI showed two lesions".
fn imaged(view: &View<'_>, word: &Mention) -> Option<&'static str> {
    let sentence = view.sentence(word.range.start);
    let before = view.folded.slice(sentence.start..word.range.start);
    [
        ("brain mri", "brain"),
        ("mri brain", "brain"),
        ("mri of the brain", "brain"),
        ("mri head", "brain"),
        ("cranial mri", "brain"),
        ("bone scan", "bone"),
        ("bone scintigraphy", "bone"),
    ]
    .iter()
    .filter_map(|(words, place)| before.rfind(words).map(|at| (at, *place)))
    .max()
    .map(|(_, place)| place)
}

/// "Follow-up", "mass effect", "no mass": words of lesions that are none.
fn is_chance(view: &View<'_>, range: &Range<usize>) -> bool {
    ["effect", "spectrom", "index", "marker", "board", "testing", "profil", "sequenc", "mutation", "genotyp"]
        .iter()
        .any(|word| view.folded.after(range.end, 14).trim_start().starts_with(word))
}

/// Whether a word of spread is of regional nodes only.
fn is_nodal(view: &View<'_>, word: &Mention) -> bool {
    let mut sites = sites_of(view, word, true).peekable();
    sites.peek().is_some() && sites.all(|site| site.term.is("node"))
}

/// The organs that belong to a word of spread: "hepatic and osseous metastases", "metastatic to the
/// liver", "metastases in the brain, bone and lung".
fn sites_of<'v>(
    view: &'v View<'_>,
    word: &Mention,
    strong: bool,
) -> impl Iterator<Item = &'v Mention> + Clone + use<'v> {
    let sites = view.terms(Kind::Site);
    let at = sites.partition_point(|site| site.range.start < word.range.start);
    let mut from = at;
    let mut edge = word.range.start;
    while let Some(site) = from.checked_sub(1).and_then(|before| sites.get(before)) {
        if !is_list(view.folded.slice(site.range.end..edge)) {
            break;
        }
        edge = site.range.start;
        from -= 1;
    }
    let mut to = at;
    // "Metastatic colorectal adenocarcinoma to the liver": the diagnosis stands between.
    let mut edge = word.range.end;
    let cancers = view.terms(Kind::Cancer);
    let mut next = cancers.partition_point(|cancer| cancer.range.start < edge);
    while let Some(cancer) =
        cancers.get(next).filter(|cancer| strong && view.folded.slice(edge..cancer.range.start).trim().is_empty())
    {
        edge = cancer.range.end;
        next += 1;
    }
    if edge > word.range.end {
        to = sites.partition_point(|site| site.range.start < edge);
        if !view.folded.after(edge, 4).starts_with(" to ") {
            to = sites.len();
        }
    }
    let first = to;
    while let Some(site) = sites.get(to) {
        let gap = view.folded.slice(edge..site.range.start);
        if !(if to == first { leads_to(gap, strong && edge == word.range.end) } else { is_list(gap) }) {
            break;
        }
        edge = site.range.end;
        to += 1;
    }
    let before = sites.get(from..at).unwrap_or_default();
    before.iter().chain(sites.get(first..to).unwrap_or_default())
}

/// Whether words between an organ and the next are those of a list, or qualities of a lesion.
fn is_list(gap: &str) -> bool {
    const FILLERS: [&str; 44] = [
        "and",
        "or",
        "the",
        "both",
        "multiple",
        "left",
        "right",
        "bilateral",
        "new",
        "as",
        "well",
        "also",
        "to",
        "in",
        "on",
        "a",
        "several",
        "numerous",
        "small",
        "large",
        "diffuse",
        "distant",
        "lesions",
        "lesion",
        "metastases",
        "metastasis",
        "nodules",
        "nodule",
        "solitary",
        "enhancing",
        "lobe",
        "hypodense",
        "with",
        "extensive",
        "innumerable",
        "scattered",
        "sclerotic",
        "lytic",
        "widespread",
        "region",
        "parenchymal",
        "target",
        "mets",
        "dominant",
    ];
    gap.len() < 48
        && !gap.contains(['.', ':', '\n'])
        && gap
            .split([' ', ',', '/', '&', '+', '(', ')', ';', '-'])
            .all(|word| word.is_empty() || FILLERS.contains(&word))
}

/// Whether words between a word of spread and an organ after it tie them: "metastatic to the".
fn leads_to(gap: &str, strong: bool) -> bool {
    const TIES: [&str; 12] =
        ["to", "in", "involving", "within", "throughout", "of", "including", "at", "sites", "affecting", "on", "site"];
    let mut words = gap.split([' ', ',', '(', ':']).filter(|word| !word.is_empty()).peekable();
    let tie = words.peek().is_some_and(|word| TIES.contains(word))
        || (strong && gap.starts_with([':', '(']))
        || gap.trim_start().starts_with('(');
    let directly = strong && gap == " ";
    directly
        || (tie
            && gap.len() < 40
            && !gap.contains(['.', '\n'])
            && words.all(|word| TIES.contains(&word) || is_list(word) || word == "her" || word == "his"))
}
