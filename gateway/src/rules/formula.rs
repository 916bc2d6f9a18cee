//! The TNM formula of the note's tumour.

use super::view::NoteView;
use crate::extraction::{
    Assertion, Field,
    tnm::{self, Formula, Organ},
};

/// A longer quote has other words between the components: `pT: pT3 ... pN: pN1b`.
const LONGEST_QUOTE: usize = 28;

/// Returns the first formula with graded T and N that the note does not doubt or plan; otherwise the first with a component
/// for the nodes, then the first. Of equals, one of ultrasound or magnetic resonance gives way to a later one. Formulas that
/// the note negates count: reports write "no M1" for M0.
pub(crate) fn of<'v>(view: &'v NoteView<'_>) -> Option<&'v Formula> {
    view.formula.get_or_init(|| find(view)).as_ref()
}

fn find(view: &NoteView<'_>) -> Option<Formula> {
    let mut best: Option<Formula> = None;
    let is_imaged = |formula: &Formula| {
        let text = view.folded.slice(formula.range.clone());
        ["u", "mr", "yu", "ymr"].iter().any(|prefix| text.starts_with(prefix))
    };
    let rank =
        |formula: &Formula| (formula.is_graded() || formula.is_metastatic(), formula.has_nodes(), !is_imaged(formula));
    for formula in tnm::find(view.folded.as_str()) {
        let assertion = view.assertion(&formula.range, Field::Stage);
        let enters_record = assertion.in_record(Field::Stage) || assertion == Assertion::Negated;
        if enters_record && best.as_ref().is_none_or(|best| rank(best) < rank(&formula)) {
            best = Some(formula);
        }
    }
    best
}

/// Returns the formula as the note writes it, or in the usual spelling if the note spreads it over several lines or has it misread.
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
            ("T2 weighted images", ""),
            ("the T12 vertebra", ""),
        ] {
            let view = NoteView::of(note);
            assert_eq!(of(&view).map_or(String::new(), |formula| text(&view, formula)), expected, "{note}");
        }
    }
}
