//! The TNM formulas that an answer shows beside the stage group.

use std::ops::Range;

use serde::Serialize;
use utoipa::ToSchema;

use super::{
    super::{Assertion, Context, Field, Note, OffsetUnit, Readable, StatedDate},
    Formula, edition, find,
};

/// Maximum number of formulas in an answer. Each further one is left out; notes with several tumours have fewer than
/// ten.
const MOST_FORMULAS: usize = 32;

/// A TNM formula of the note, by its parts. A misread zero or one is written as a digit; the quote shows it as it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct TnmFormula {
    /// The tumour, without the prefix of the formula.
    #[schema(example = "T2a")]
    pub t: String,
    /// The regional nodes; null if the formula has none. A prefix other than the formula's stays: `cN1`.
    #[schema(required = true, example = "N1")]
    pub n: Option<String>,
    /// Distant metastasis; null if the formula has none. A prefix other than the formula's stays: `cM0`.
    #[schema(required = true, example = "cM0")]
    pub m: Option<String>,
    /// The letters before the tumour: c (clinical), p (pathological), y (after therapy), r (recurrence), a (autopsy),
    /// m (several tumours), u (ultrasound), mr (magnetic resonance), or several of them; null if there is none.
    #[schema(required = true, example = "p")]
    pub prefix: Option<String>,
    /// The text in brackets after a part, such as `sn` for a sentinel node.
    #[schema(example = json!(["sn"]))]
    pub suffixes: Vec<String>,
    /// The edition of the AJCC or UICC manual that the note names next to the formula, 5 to 9; null if it names none.
    #[schema(required = true, example = 8, minimum = 5, maximum = 9)]
    pub edition: Option<u8>,
    /// The words of the note from the first part of the formula to the last.
    #[schema(example = "pT2a N1(sn) cM0")]
    pub quote: String,
    /// The first position of the quote, in the unit of the request.
    #[schema(example = 20, minimum = 0)]
    pub start: usize,
    /// One past the last position of the quote.
    #[schema(example = 35, minimum = 0)]
    pub end: usize,
    /// The `id` of the tumour in `tumours` that the formula stages; null where the note does not say.
    #[schema(required = true, example = "t1")]
    pub tumour: Option<String>,
    /// The date of the formula, from the words near it; null if the note states none.
    #[schema(required = true)]
    pub date: Option<StatedDate>,
}

/// Returns the formulas of a note in their order, each once. Formulas that the note plans, doubts, or states of a
/// relative are left out. `context` returns the context of the readable text, `context_of` the id of the tumour and the
/// date that belong to a range of it.
pub(in crate::extraction) fn stated<'c>(
    note: &Note,
    read: &Readable<'_>,
    unit: OffsetUnit,
    context: impl FnOnce() -> &'c Context<'c>,
    context_of: impl Fn(&Range<usize>) -> (Option<String>, Option<StatedDate>),
) -> Vec<TnmFormula> {
    let text = read.note().as_str();
    let formulas = find(text);
    if formulas.is_empty() {
        return Vec::new();
    }
    let context = context();
    let (mut shown, mut seen, mut offsets) = (Vec::new(), Vec::new(), note.offsets(unit));
    for formula in &formulas {
        // Reports deny an M: "no M1" for M0.
        let assertion = context.assess(formula.range.clone(), Field::Stage);
        let counts = assertion.in_record(Field::Stage) || assertion == Assertion::Negated;
        if shown.len() == MOST_FORMULAS {
            break;
        }
        let (tumour, date) = context_of(&formula.range);
        // Two tumours may have the same formula.
        let spelled = (formula.to_text(), tumour.clone());
        if !counts || seen.contains(&spelled) {
            continue;
        }
        let origin: Range<usize> = read.origin(formula.range.clone());
        let Some(span) = note.span(origin.start, origin.end) else { continue };
        let (start, end) = (offsets.convert(origin.start), offsets.convert(origin.end));
        let edition = edition::beside(text, &formula.range);
        shown.push(TnmFormula { tumour, date, ..of(formula, edition, span.quote().to_owned(), start..end) });
        seen.push(spelled);
    }
    shown
}

fn of(formula: &Formula, edition: Option<u8>, quote: String, place: Range<usize>) -> TnmFormula {
    let prefix = formula.tumour.prefix();
    TnmFormula {
        t: formula.tumour.without_prefix(prefix),
        n: formula.nodes.as_ref().map(|nodes| nodes.without_prefix(prefix)),
        m: formula.metastasis.as_ref().map(|metastasis| metastasis.without_prefix(prefix)),
        prefix: (!prefix.is_empty()).then(|| prefix.to_owned()),
        suffixes: formula.components().filter_map(|component| component.in_brackets().map(str::to_owned)).collect(),
        edition,
        quote,
        start: place.start,
        end: place.end,
        tumour: None,
        date: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the formulas as `prefix t n m [suffixes] edition`.
    fn shown(text: &str) -> Vec<String> {
        let note = Note::new(text.to_owned(), 10_000).unwrap();
        let context = Context::of(text);
        let formulas = stated(&note, &Readable::of(&note), OffsetUnit::Byte, || &context, |_| (None, None));
        let dash = |part: &Option<String>| part.clone().unwrap_or_else(|| "-".to_owned());
        let one = |formula: &TnmFormula| {
            assert_eq!(text.get(formula.start..formula.end), Some(&*formula.quote));
            let TnmFormula { t, n, m, prefix, suffixes, edition, .. } = formula;
            let edition = edition.map_or("-".to_owned(), |edition| edition.to_string());
            format!("{} {t} {} {} [{}] {edition}", dash(prefix), dash(n), dash(m), suffixes.join(","))
        };
        formulas.iter().map(one).collect()
    }

    #[test]
    fn formulas_are_shown_by_their_parts() {
        for (text, expected) in [
            ("Breast cancer, pT2a N1(sn) cM0.", &["p T2a N1 cM0 [sn] -"][..]),
            ("Stage: pT2NOMX.", &["p T2 N0 MX [] -"]),
            ("cT3 N1 M0; after therapy ypT1 ypN0.", &["c T3 N1 M0 [] -", "yp T1 N0 - [] -"]),
            ("pT3 (m), pN1b, AJCC 8th edition", &["p T3 N1b - [m] 8"]),
            ("TNM classification (UICC, 7th ed.): pT1b pN0 M0", &["p T1b N0 M0 [] 7"]),
            ("T\u{2082}N\u{2081}M\u{2080}", &["- T2 N1 M0 []  -"]),
            ("pT2 N0. The tumour is pT2 N0.", &["p T2 N0 - [] -"]),
            ("Primary tumour (pT): pT3\nRegional nodes (pN): pN1a", &["p T3 N1a - [] -"]),
            ("Stage T4 weighted MRI.", &[]),
            ("No cancer.", &[]),
        ] {
            let expected: Vec<String> = expected.iter().map(|one| one.replace("  ", " ")).collect();
            assert_eq!(shown(text), expected, "{text}");
        }
    }

    #[test]
    fn the_number_of_formulas_is_bounded() {
        let formulas: Vec<String> =
            (0..200).map(|at| format!("pT{}{} pN{}", at % 5, ['a', 'b', 'c'][at % 3], at % 4)).collect();
        let text = formulas.join("; ");
        assert_eq!(shown(&text).len(), MOST_FORMULAS);
    }
}
