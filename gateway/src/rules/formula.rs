//! The TNM formula of the note's tumour.

use std::borrow::Cow;

use super::{cancer::Diagnosis, lexicon::TermKind, retracted, view::NoteView};
use crate::extraction::{
    Assertion, Field,
    tnm::{self, Formula, Organ},
};

/// A longer quote has other words between the components: `pT: pT3 ... pN: pN1b`.
const LONGEST_QUOTE: usize = 28;

/// Returns the first formula with graded T and N that the note does not doubt, plan or retract; otherwise the first
/// with a component for the nodes, then the first. Of equals, a corrected one comes first, then a pathological one,
/// unless the tumour was treated before; one of imaging or after therapy comes last. A distant metastasis stays until
/// an `M0` denies it. Formulas that the note negates count: reports write "no M1" for M0.
pub(crate) fn of<'v>(view: &'v NoteView<'_>) -> Option<&'v Formula> {
    view.formula.get_or_init(|| find(view)).as_ref()
}

fn find(view: &NoteView<'_>) -> Option<Formula> {
    let mut counting = counting(view);
    let first = counting.next()?;
    let mut others = counting.peekable();
    // Ranks only decide between formulas.
    if others.peek().is_none() {
        return Some(first);
    }
    let mut best: Option<(FormulaRank, Formula)> = None;
    let after_therapy = is_after_therapy(view);
    for formula in std::iter::once(first).chain(others) {
        let rank = rank(view, &formula, after_therapy);
        let goes_before = best.as_ref().is_none_or(|(best_rank, best)| {
            let keeps_metastasis = best.is_metastatic() && !formula.excludes_metastasis() && !rank.corrected;
            *best_rank < rank && !keeps_metastasis
        });
        if goes_before {
            best = Some((rank, formula));
        }
    }
    best.map(|(_, formula)| formula)
}

/// Returns the folded text without perineural invasion, which only its letter case tells from nodes: "pT3 L0 V0 Pn1 pN0".
fn formula_text<'v>(view: &'v NoteView<'_>) -> Cow<'v, str> {
    let text = view.folded.as_str();
    let perineural = |at: &usize| view.folded.quote(&(*at..*at + 2)) == "Pn";
    let places: Vec<usize> = view.folded.places("pn").filter(perineural).collect();
    // A note that writes "Pt2 Pn1" writes all prefixes so.
    let capital = view.folded.places("pt").any(|at| view.folded.quote(&(at..at + 2)) == "Pt");
    if places.is_empty() || capital {
        return Cow::Borrowed(text);
    }
    let mut masked = text.to_owned();
    for at in places {
        masked.replace_range(at..at + 2, "xx");
    }
    Cow::Owned(masked)
}

/// Returns the formulas that the note does not doubt, plan or retract, in order.
fn counting(view: &NoteView<'_>) -> impl Iterator<Item = Formula> {
    tnm::find(&formula_text(view)).into_iter().filter(|formula| {
        let assertion = view.assertion(&formula.range, Field::Stage);
        let counts = assertion.in_record(Field::Stage) || assertion == Assertion::Negated;
        counts && !retracted::is_taken_back(view, &formula.range)
    })
}

/// Returns a clinical formula and the pathological one that takes precedence over it, if they mean different stages.
pub(super) fn conflict(view: &NoteView<'_>, diagnosis: &Diagnosis) -> Vec<String> {
    let Some(counted) = of(view).filter(|formula| formula.is_graded() && !is_after_therapy(view)) else {
        return Vec::new();
    };
    let method = |formula: &Formula| rank(view, formula, false).method;
    if method(counted) != Method::Pathological {
        return Vec::new();
    }
    let organ = diagnosis.organ.and_then(organ);
    let differs = |other: &Formula| {
        let groups = organ.and_then(|organ| other.group(organ).zip(counted.group(organ)));
        groups.map_or_else(|| other.differs(counted), |(one, other)| one != other)
    };
    let is_other = |other: &Formula| {
        let corrected = rank(view, counted, false).corrected;
        other.is_graded() && !corrected && method(other) == Method::Clinical && differs(other)
    };
    let other = counting(view).find(is_other);
    other.map_or_else(Vec::new, |other| vec![text(view, &other), text(view, counted)])
}

/// What decides which of two formulas takes precedence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct FormulaRank {
    graded: bool,
    nodes: bool,
    corrected: bool,
    method: Method,
}

/// How the extent of a tumour was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Method {
    /// By ultrasound or magnetic resonance, or after therapy.
    ImagedOrTreated,
    /// In the clinic, or the note does not say.
    Clinical,
    /// By a pathologist, in a tumour that was not treated before.
    Pathological,
}

fn rank(view: &NoteView<'_>, formula: &Formula, after_therapy: bool) -> FormulaRank {
    const CORRECTIONS: [&str; 4] = ["corrected", "revised", "amended", "correct"];
    let text = view.folded.slice(formula.range.clone());
    let before = view.near(&(formula.range.start..formula.range.start), 32, 0);
    let method = if text.starts_with(['u', 'y']) || text.starts_with("mr") {
        Method::ImagedOrTreated
    } else if is_pathological(formula, before) && !after_therapy {
        Method::Pathological
    } else {
        Method::Clinical
    };
    FormulaRank {
        graded: formula.is_graded() || formula.is_metastatic(),
        nodes: formula.has_nodes(),
        corrected: before.split([' ', ':', ',', '(']).any(|word| CORRECTIONS.contains(&word)),
        method,
    }
}

/// Returns whether a pathologist gave the formula: by its prefix, or by the word before it ("Path: T2 N0").
fn is_pathological(formula: &Formula, before: &str) -> bool {
    const WORDS: [&str; 5] = ["path", "pathology", "pathologic", "pathological", "pathologically"];
    let mut words = before.rsplit([' ', ':', ',', '(']).filter(|word| !word.is_empty());
    let last = words.find(|word| !matches!(*word, "stage" | "staging" | "tnm" | "was" | "is"));
    formula.has_pathological_tumour() || last.is_some_and(|word| WORDS.contains(&word))
}

/// Returns whether the note describes a treatment before an operation. The clinical stage then remains the stage.
pub(super) fn is_after_therapy(view: &NoteView<'_>) -> bool {
    const WORDS: [&str; 35] = [
        "preoperative chemo",
        "preoperative radi",
        "preoperative treat",
        "preoperative therap",
        "preop chemo",
        "pre op chemo",
        "pre op radi",
        "neoadjuvant",
        "neo adjuvant",
        "perioperative chemo",
        "perioperative treat",
        "perioperative therap",
        "perioperative flot",
        "perioperative fol",
        "perioperative durva",
        "perioperative pembro",
        "perioperative nivo",
        "induction",
        "primary systemic",
        "primary chemo",
        "primary endocrine",
        "short course r",
        "short course pelvic",
        "short course pre",
        "long course",
        "nact",
        "nac ",
        "downstag",
        " tnt",
        "before surgery",
        "prior to surgery",
        "then surgery",
        "followed by surgery",
        "followed by resection",
        "chemoradi",
    ];
    WORDS.iter().any(|word| view.folded.places(word).any(|at| is_given(view, at, word))) || is_treated_between(view)
}

/// Returns whether a treatment before the operation was given: it is not denied, and the word is not part of "adjuvant
/// chemoradiation".
fn is_given(view: &NoteView<'_>, at: usize, word: &str) -> bool {
    const DENIED: [&str; 9] =
        ["without ", "no ", "not ", "never ", "declined ", "refused ", "denied ", "unfit for ", "instead of "];
    const REACH: usize = 36;
    let before = view.near(&(at..at), REACH, 0);
    let clause = before.rsplit([',', ';', ':']).next().unwrap_or_default();
    let denied = DENIED.iter().any(|word| clause.starts_with(word) || clause.contains(&*format!(" {word}")));
    let adjuvant = word == "chemoradi" && clause.ends_with("adjuvant ") && !clause.ends_with("neoadjuvant ");
    !denied && !adjuvant
}

/// Returns whether the note names a drug or radiotherapy between two formulas, as a history in the order of events
/// does.
fn is_treated_between(view: &NoteView<'_>) -> bool {
    let formulas = tnm::find(&formula_text(view));
    let (Some(first), Some(last)) = (formulas.first(), formulas.last()) else { return false };
    let between = first.range.end..last.range.start;
    between.start < between.end
        && view
            .terms_in(TermKind::Treatment, &between)
            .iter()
            .any(|treatment| !treatment.term.is("surgery") && view.enters_record(&treatment.range, Field::Treatment))
}

/// Returns the formula as the note writes it, or in the usual spelling if the note spreads it over several lines or has
/// it misread.
pub(crate) fn text(view: &NoteView<'_>, formula: &Formula) -> String {
    let quote = view.folded.quote(&formula.range);
    if formula.is_misread() || quote.len() > LONGEST_QUOTE || quote.contains('\n') {
        formula.to_text()
    } else {
        quote.to_owned()
    }
}

/// Returns the organ whose stage groups are known, for the name that a diagnosis gives it.
pub(crate) fn organ(name: &str) -> Option<Organ> {
    Some(match name {
        "bladder" => Organ::Bladder,
        "breast" => Organ::Breast,
        "colon" | "rectum" => Organ::Bowel,
        "kidney" => Organ::Kidney,
        "lung" => Organ::Lung,
        "pancreas" => Organ::Pancreas,
        "prostate" => Organ::Prostate,
        "skin" => Organ::Melanoma,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_formula_of_the_note() {
        for (note, expected) in [
            ("pT3N1M0", "pT3N1M0"),
            ("cT4b N2 M1a", "cT4b N2 M1a"),
            ("pT3, pN1b", "pT3, pN1b"),
            ("Stage: pT2NOMX.", "pT2 N0 MX"),
            ("Primary tumour (pT): pT3\nRegional nodes (pN): pN1b\nDistant metastasis (pM): pMX", "pT3 pN1b pMX"),
            ("This would otherwise be pTX. Final: pT2 pN0 (i-).", "pT2 pN0 (i-)"),
            ("MRI: mrT3b N1. Low anterior resection: pT2 pN0.", "pT2 pN0"),
            ("Anal cancer uT2 uN0.", "uT2 uN0"),
            ("cT1c cN0; pT2a pN1", "pT2a pN1"),
            ("Clinical cT2 N1, pathological pT1c pN0.", "pT1c pN0"),
            ("cT3 N1, neoadjuvant FOLFOX, then pT1 pN0", "cT3 N1"),
            ("ypT1 ypN0, initially cT3 N1", "cT3 N1"),
            ("Pre-op MRI: T3 N1. Path: T2 N0.", "T2 N0"),
            ("cT3a cN1 cM1; final pT3a pN0 cM0", "pT3a pN0 cM0"),
            ("cT3a cN1 cM1; nephrectomy pT3a pN0", "cT3a cN1 cM1"),
            ("ORIGINAL: pT2 N1. CORRECTED: pT2 N0 (node recounted).", "pT2 N0"),
            ("pT2 N1. The stage was revised to pT2 N0.", "pT2 N0"),
            ("If confirmed, the stage would be T2a N0 M0.", ""),
            ("Stage T2a N0 M0 if the nodule is confirmed.", ""),
            ("T2 weighted images", ""),
            ("the T12 vertebra", ""),
        ] {
            let view = NoteView::of(note);
            assert_eq!(of(&view).map_or(String::new(), |formula| text(&view, formula)), expected, "{note}");
        }
    }
}
