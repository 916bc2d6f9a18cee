//! Codes of cancer types: `OncoTree` and the NCI Thesaurus.
//!
//! A value gets a code by one of these rules:
//! - the whole value is a name in the list;
//! - the value is a name with words of extent, side or state around it: "metastatic melanoma", "HER2-positive breast
//!   cancer"; words of state make the code broader;
//! - the value is a name with a bracket that only describes the same type further: "melanoma (cutaneous)", "breast
//!   cancer (invasive ductal carcinoma)". Both must lie on one path of the tree; the code is that of the narrower type;
//! - the bracket only names a histology or an immunoglobulin: "multiple myeloma (`IgG` kappa)" has the broader code of
//!   the name before it.

use std::sync::LazyLock;

use super::{
    code::{Code, CodeBasis, CodeSystem},
    fold::fold,
    list::{code, names, rows, same_basis},
};
use crate::extraction::table::Table;

pub(super) const LIST: &str = include_str!("cancers.txt");

/// A node of `OncoTree`.
#[derive(Clone, Copy, Debug)]
struct CancerType {
    /// The codes from the organ to this type, separated by slashes.
    path: &'static str,
    display: &'static str,
    /// The code in the NCI Thesaurus; `-` if there is none.
    ncit: &'static str,
}

/// A type with the basis of its code for one value.
type Match = (CancerType, CodeBasis);

static NAMES: LazyLock<Table<String, Match>> = LazyLock::new(|| {
    let mut map = Table::default();
    for [path, display, ncit, same, broader] in rows(LIST) {
        let cancer_type = CancerType { path, display, ncit };
        map.extend(names(same).map(|name| (fold(name), (cancer_type, same_basis(name, display)))));
        map.extend(names(broader).map(|name| (fold(name), (cancer_type, CodeBasis::Broader))));
    }
    map
});

/// Words of extent and side. They do not change the type of the cancer. Longer phrases come before shorter ones.
const EXTENT: [&str; 21] = [
    "locally advanced",
    "locally recurrent",
    "newly diagnosed",
    "de novo",
    "oligometastatic",
    "metastatic",
    "advanced",
    "localized",
    "recurrent",
    "relapsed",
    "refractory",
    "unresectable",
    "resectable",
    "resected",
    "inoperable",
    "residual",
    "primary",
    "left",
    "right",
    "bilateral",
    "unilateral",
];

/// Words of grade, receptors and other states. The code of the type says less than a value with such words.
const STATE: [&str; 46] = [
    "moderately to poorly differentiated",
    "well to moderately differentiated",
    "poorly differentiated",
    "moderately differentiated",
    "well differentiated",
    "non muscle invasive",
    "muscle invasive",
    "castration resistant",
    "castrate resistant",
    "castration sensitive",
    "hormone refractory",
    "hormone sensitive",
    "hormone receptor positive",
    "hormone receptor negative",
    "platinum resistant",
    "platinum sensitive",
    "who grade iv",
    "who grade 4",
    "triple negative",
    "triple positive",
    "high grade",
    "low grade",
    "node positive",
    "node negative",
    "her2 positive",
    "her2 negative",
    "her2 amplified",
    "her2 low",
    "her2+",
    "hr positive",
    "hr+",
    "er positive",
    "er negative",
    "er+/pr+",
    "er+",
    "pr positive",
    "pr negative",
    "pr+",
    "egfr mutant",
    "egfr mutated",
    "alk positive",
    "braf mutant",
    "kras mutant",
    "hpv associated",
    "hpv positive",
    "p16 positive",
];

/// Builds the table before a value needs it.
pub(super) fn compile() {
    LazyLock::force(&NAMES);
}

/// Returns the codes of a cancer type.
pub(super) fn codes(value: &str) -> Vec<Code> {
    let Some((found, basis)) = find(&fold(value)) else { return Vec::new() };
    let oncotree = found.path.rsplit('/').next().map(|last| code(CodeSystem::OncoTree, last, found.display, basis));
    let ncit = (found.ncit != "-").then(|| code(CodeSystem::Ncit, found.ncit, found.display, basis));
    oncotree.into_iter().chain(ncit).collect()
}

fn find(folded: &str) -> Option<Match> {
    if let Some(found) = NAMES.get(folded) {
        return Some(*found);
    }
    let Some((outside, inside)) = folded.strip_suffix(')').and_then(|rest| rest.split_once('(')) else {
        return reduced(folded)?.found;
    };
    let (outside, inside) = (outside.trim(), inside.trim());
    let joined = [format!("{inside} {outside}"), format!("{outside} {inside}")];
    if let Some((found, basis)) = joined.iter().find_map(|name| NAMES.get(name.as_str())) {
        return Some((*found, (*basis).max(CodeBasis::Synonym)));
    }
    let inside_name = inside.to_owned();
    let (outside, inside) = (reduced(outside)?, reduced(inside)?);
    let (found, basis) = match (outside.found?, inside.found) {
        (outer, None) if inside.is_empty => outer,
        ((outer, _), None) if is_apposed(&inside_name) => (outer, CodeBasis::Broader),
        (outer, Some(inner)) => narrower(outer, inner)?,
        _ => return None,
    };
    Some((found, basis.max(outside.least).max(inside.least).max(CodeBasis::Synonym)))
}

/// Returns whether a bracket holds a histology without its noun, or the immunoglobulin of a myeloma: the code of the
/// name before it says less.
fn is_apposed(inside: &str) -> bool {
    const HISTOLOGIES: [&str; 14] = [
        "squamous",
        "squamous cell",
        "ductal",
        "lobular",
        "clear cell",
        "papillary",
        "chromophobe",
        "mucinous",
        "serous",
        "endometrioid",
        "urothelial",
        "small cell",
        "large cell",
        "neuroendocrine",
    ];
    let immunoglobulin = ["igg ", "iga ", "igd "].iter().any(|class| inside.starts_with(class));
    immunoglobulin || HISTOLOGIES.contains(&inside)
}

/// A name without the words of extent and state.
struct Reduced {
    /// The type that the rest names.
    found: Option<Match>,
    /// Whether nothing is left.
    is_empty: bool,
    /// The least basis that the removed words leave.
    least: CodeBasis,
}

/// Removes words of extent and state from a name. Returns `None` if the name has brackets.
fn reduced(name: &str) -> Option<Reduced> {
    if name.contains(['(', ')']) {
        return None;
    }
    if let Some(found) = NAMES.get(name) {
        return Some(Reduced { found: Some(*found), is_empty: false, least: CodeBasis::Exact });
    }
    let mut rest = format!(" {name} ");
    let mut least = CodeBasis::Exact;
    for (phrases, basis) in [(&STATE[..], CodeBasis::Broader), (&EXTENT[..], CodeBasis::Exact)] {
        for phrase in phrases {
            let padded = format!(" {phrase} ");
            if rest.contains(&padded) {
                rest = rest.replace(&padded, " ");
                least = least.max(basis);
            }
        }
    }
    let rest = rest.trim();
    let found = NAMES.get(rest).filter(|(found, _)| !may_be_a_metastasis(name, found));
    let found = found.map(|(found, basis)| (*found, (*basis).max(least)));
    Some(Reduced { found, is_empty: rest.is_empty(), least })
}

/// Returns whether a name may mean metastases of another cancer: "metastatic brain cancer".
fn may_be_a_metastasis(name: &str, found: &CancerType) -> bool {
    name.contains("metastatic") && matches!(found.path, "BRAIN" | "PERITONEUM")
}

/// Returns the narrower of two types on one path of the tree; `None` if they are on different paths.
fn narrower(one: Match, other: Match) -> Option<Match> {
    let contains = |outer: &str, inner: &str| {
        inner.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    match (one, other) {
        ((outer, one), (inner, other)) if outer.path == inner.path => Some((inner, one.max(other))),
        (outer, inner) if contains(outer.0.path, inner.0.path) => Some(inner),
        (inner, outer) if contains(outer.0.path, inner.0.path) => Some(inner),
        _ => None,
    }
}
