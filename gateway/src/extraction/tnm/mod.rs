//! TNM formulas: where a text has one, what it says, and which stage group it means.
//!
//! Reports write them run together (`pT3N1M0`), in a list (`pT3, pN1b`), on a line each (`pT: pT3`, `pN: pN1`), and,
//! after optical character recognition, with an `O` for a zero (`pT2NOMX`) or an `l` for a one (`Tlc`).

mod component;
mod edition;
mod groups;
mod stated;

use std::ops::Range;

use component::{Component, TnmLetter, components};
pub(crate) use groups::Organ;
pub use stated::TnmFormula;
pub(super) use stated::stated;

/// Maximum number of bytes between two components of one formula, if each letter has a prefix, as in `pT2 ... pN1`.
const LONGEST_GAP: usize = 800;

/// A formula: a tumour component and what follows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Formula {
    /// Byte range in the text, from the first component to the last.
    pub(crate) range: Range<usize>,
    tumour: Component,
    nodes: Option<Component>,
    metastasis: Option<Component>,
}

impl Formula {
    /// Returns whether tumour and nodes both have a degree: `T2 N0`, but not `T2 NX` or `T2`.
    pub(crate) fn is_graded(&self) -> bool {
        self.tumour.degree().is_some() && self.nodes.as_ref().is_some_and(|nodes| nodes.degree().is_some())
    }

    /// Returns whether the formula says that there is a distant metastasis.
    pub(crate) fn is_metastatic(&self) -> bool {
        self.metastasis.as_ref().is_some_and(|metastasis| metastasis.degree() == Some(1))
    }

    /// Returns whether the formula says that there is no distant metastasis: `M0`.
    pub(crate) fn excludes_metastasis(&self) -> bool {
        self.metastasis.as_ref().is_some_and(|metastasis| metastasis.degree() == Some(0))
    }

    /// Returns whether a tumour, its nodes or its metastases have another degree in the other formula. A missing one
    /// has none.
    pub(crate) fn differs(&self, other: &Self) -> bool {
        let degree = |component: &Option<Component>| component.as_ref().and_then(Component::degree);
        let both = |one: Option<u8>, other: Option<u8>| one.zip(other).is_some_and(|(one, other)| one != other);
        both(self.tumour.degree(), other.tumour.degree())
            || both(degree(&self.nodes), degree(&other.nodes))
            || both(degree(&self.metastasis), degree(&other.metastasis))
    }

    /// Returns whether a pathologist examined the tumour: `pT2`.
    pub(crate) fn has_pathological_tumour(&self) -> bool {
        self.tumour.is_pathological()
    }

    /// Returns whether the text has a letter for a digit, such as `NO` for `N0`.
    pub(crate) fn is_misread(&self) -> bool {
        self.components().any(|component| component.misread)
    }

    /// Returns whether this formula has every component of the other, which may leave out prefixes.
    pub(crate) fn says(&self, other: &Self) -> bool {
        other.components().all(|component| self.components().any(|mine| mine.says(component)))
    }

    fn components(&self) -> impl Iterator<Item = &Component> {
        [&self.tumour].into_iter().chain(&self.nodes).chain(&self.metastasis)
    }

    /// Returns whether the formula has a component for the nodes.
    pub(crate) fn has_nodes(&self) -> bool {
        self.nodes.is_some()
    }

    /// The formula as it is usually written, with the zeros and ones that were misread: `pT2 pN0 (i+) MX`.
    pub(crate) fn to_text(&self) -> String {
        self.components().map(Component::to_text).collect::<Vec<_>>().join(" ")
    }

    /// The stage group that the formula means in an organ, where the letters alone determine it.
    pub(crate) fn group(&self, organ: Organ) -> Option<&'static str> {
        groups::of(organ, &self.tumour, self.nodes.as_ref(), self.metastasis.as_ref())
    }
}

/// Finds the formulas of a text, in order. A `T` without a prefix counts only with an `N` after it: `T2` alone may also
/// be a vertebra, a relaxation time or a troponin. Letters may be upper or lower case.
pub(crate) fn find(text: &str) -> Vec<Formula> {
    let mut formulas = Vec::new();
    let mut open: Option<Formula> = None;
    for component in components(text) {
        match (&mut open, component.letter) {
            (_, TnmLetter::Tumour) => {
                formulas.extend(open.take().filter(Formula::counts));
                let range = component.range.clone();
                open = Some(Formula { range, tumour: component, nodes: None, metastasis: None });
            }
            (Some(formula), TnmLetter::Nodes)
                if formula.nodes.is_none() && formula.metastasis.is_none() && formula.continues(text, &component) =>
            {
                formula.range.end = component.range.end;
                formula.nodes = Some(component);
            }
            (Some(formula), TnmLetter::Metastasis)
                if formula.metastasis.is_none() && formula.continues(text, &component) =>
            {
                formula.range.end = component.range.end;
                formula.metastasis = Some(component);
            }
            _ => {}
        }
    }
    formulas.extend(open.filter(Formula::counts));
    formulas
}

impl Formula {
    /// Returns whether it may be a formula at all.
    fn counts(&self) -> bool {
        self.tumour.stands_alone() || self.nodes.is_some()
    }

    /// Returns whether a component belongs to this formula: it follows at once, or it has a prefix and follows soon.
    fn continues(&self, text: &str, component: &Component) -> bool {
        let Some(gap) = text.get(self.range.end..component.range.start) else { return false };
        let at_once =
            gap.len() <= 4 && gap.chars().all(|c| matches!(c, ' ' | ',' | ';' | '/' | '-' | '.' | '\n' | '\r'));
        let misread = component.is_a_word() && !(gap.is_empty() || component.is_closed(text));
        (at_once && !misread) || (component.has_prefix() && !component.is_a_word() && gap.len() <= LONGEST_GAP)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formulas_as_they_are_written() {
        for (text, expected) in [
            ("pT3N1M0", &["pT3 N1 M0"][..]),
            ("cT4b N2 M1a", &["cT4b N2 M1a"]),
            ("t2n0", &["T2 N0"]),
            ("pT3, pN1b", &["pT3 pN1b"]),
            ("ypT0 ypN0", &["ypT0 ypN0"]),
            ("ypT2N1a(sn)M0", &["ypT2 N1a (sn) M0"]),
            ("Stage: pT2NOMX.", &["pT2 N0 MX"]),
            ("PATHOLOGIC STAGE: pT2 NO MX", &["pT2 N0 MX"]),
            ("pT2NO (i-)MX", &["pT2 N0 (i-) MX"]),
            ("pT2, pNO (i+), Mx", &["pT2 pN0 (i+) MX"]),
            ("Tlc NO MX", &["T1c N0 MX"]),
            ("pT1mi pN0", &["pT1mi pN0"]),
            ("rT4a rN2b", &["rT4a rN2b"]),
            ("pTis pN0", &["pTis pN0"]),
            ("pT1a (m) pNX", &["pT1a (m) pNX"]),
            ("T1, NX, MX", &["T1 NX MX"]),
            ("Primary tumour (pT): pT3\nRegional nodes (pN): pN1a\nDistant (pM): not applicable", &["pT3 pN1a"]),
            ("pT 2 pN 0", &["pT2 pN0"]),
            ("pT3 N1 M# (AJCC Stage IIIA)", &["pT3 N1"]),
            ("pT2 N0 in 2019, now rpT3 N1", &["pT2 N0", "rpT3 N1"]),
            ("pT4", &["pT4"]),
            ("mrT3c N2", &["mrT3c N2"]),
            ("mrT3b mrN2", &["mrT3b mrN2"]),
            ("uT3 uN1", &["uT3 uN1"]),
        ] {
            let found: Vec<String> = find(text).iter().map(Formula::to_text).collect();
            assert_eq!(found, expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_formula() {
        for text in [
            "T2 weighted images",
            "the T12 vertebra",
            "T4 and N of 3",
            "T1 no lesion seen",
            "PT 12 seconds",
            "patient t2",
            "MRI T1N",
            "N0 M0",
            "At 3 months she was well",
            "PT 2 days post op",
            "AT3 level 80 %",
            "rT3 0.2 nmol/L",
            "at 4 weeks no change",
            "MRT 3 days later",
            "UT 2 weeks ago",
            "MR T2 images, N of 4",
            "",
        ] {
            assert!(find(text).is_empty(), "{text}: {:?}", find(text));
        }
        assert_eq!(find("pT3 L0 V0 Pn1 pN0 (0/18)").first().map(Formula::to_text).as_deref(), Some("pT3 pN0"));
        assert_eq!(find("Pt2 Pn1").first().map(Formula::to_text).as_deref(), Some("pT2 pN1"));
        assert_eq!(find("pT3. No lymph nodes were found.").first().map(Formula::to_text).as_deref(), Some("pT3"));
        assert_eq!(find("T2 no mass. N0").len(), 0);
    }

    #[test]
    fn ranges_are_of_the_text() {
        let text = "é pT2\u{a0}N0 é";
        for formula in find(text) {
            assert!(text.get(formula.range.clone()).is_some());
        }
        let text = "Stage pT2, N0 (i+), M0.";
        assert_eq!(text.get(find(text)[0].range.clone()), Some("pT2, N0 (i+), M0"));
    }
}
