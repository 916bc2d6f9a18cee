//! What a note says about a diagnosis beside its name: that it was the first opinion, that it holds, or that it names a
//! study and not the patient's disease.

use std::ops::Range;

use super::{
    lexicon::{Mention, TermKind},
    view::NoteView,
};
use crate::extraction::Field;

/// What the note says about a diagnosis among several in its course.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DiagnosisStatus {
    /// Nothing.
    Plain,
    /// It was the first opinion: "the initial diagnosis was".
    First,
    /// It is the diagnosis that holds: "confirmed as".
    Final,
}

/// Returns what the words around a name say about the diagnosis: the first opinion, or the one that holds.
pub(super) fn diagnosis_status(view: &NoteView<'_>, range: &Range<usize>) -> DiagnosisStatus {
    const FIRST_OPINION: [&str; 20] = [
        "initial diagnosis was",
        "initial histological diagnosis",
        "initial histologic diagnosis",
        "initial pathological diagnosis",
        "initial pathologic diagnosis",
        "initial clinical diagnosis",
        "misdiagnosed as",
        "provisional diagnosis",
        "initial impression",
        "preoperative diagnosis",
        "initially interpreted as",
        "initially reported as",
        "first reported",
        "first thought to be",
        "originally reported as",
        "had been reported as",
        "submitted diagnosis",
        "outside diagnosis",
        "referring diagnosis",
        "initially thought to be",
    ];
    const HOLDS_BEFORE: [&str; 10] = [
        "confirmed as",
        "confirmed to be",
        "revised to",
        "changed to",
        "reclassified as",
        "final diagnosis of",
        "final diagnosis was",
        "definitive diagnosis of",
        "turned out to be",
        "proved to be",
    ];
    const HOLDS_AFTER: [&str; 3] = ["was confirmed", "was established", "was made"];
    let before = view.near(&(range.start..range.start), 110, 0);
    let before = before.rsplit([';', '\n']).next().unwrap_or_default();
    let before = before.rsplit(" but ").next().unwrap_or_default();
    if FIRST_OPINION.iter().any(|words| before.contains(words)) || is_label_that_fell(view, range, before) {
        return DiagnosisStatus::First;
    }
    let near = before.get(before.len().saturating_sub(36)..).unwrap_or(before);
    let after = view.folded.after(range.end, 20).trim_start();
    let holds = HOLDS_BEFORE.iter().any(|words| near.contains(words))
        || HOLDS_AFTER.iter().any(|words| after.starts_with(words));
    if holds { DiagnosisStatus::Final } else { DiagnosisStatus::Plain }
}

/// Returns whether a name is what a disease was mistaken for, or a label that the same sentence retracts: "labelled as
/// lung cancer elsewhere, but it is".
fn is_label_that_fell(view: &NoteView<'_>, range: &Range<usize>, before: &str) -> bool {
    const MISTAKES: [&str; 2] = ["mistaken for", "mistaken as"];
    const LABELS: [&str; 4] = ["labelled as", "labeled as", "labelled it as", "labeled it as"];
    const ARTICLES: [&str; 3] = [" a", " an", " the"];
    const TAKEN_BACK: [&str; 7] = ["it is", "it was", "this is", "in fact", "turned out", "proved", "biops"];
    const REACH: usize = 90;
    let ahead = before.trim_end();
    let ahead = ARTICLES.iter().find_map(|article| ahead.strip_suffix(article)).unwrap_or(ahead);
    if MISTAKES.iter().any(|words| ahead.ends_with(words)) {
        return true;
    }
    let behind = view.near(range, 0, REACH);
    let taken_back = || {
        let rest = behind.split(';').next().and_then(|clause| clause.split_once(" but "));
        rest.is_some_and(|(_, rest)| TAKEN_BACK.iter().any(|words| rest.contains(words)))
    };
    LABELS.iter().any(|words| ahead.ends_with(words)) && taken_back()
}

/// Returns whether a mention belongs to the name of a study, a screening or a clinic, and so not to the patient.
pub(super) fn is_of_study(view: &NoteView<'_>, mention: &Mention) -> bool {
    let after = view.folded.after(mention.range.end, 16).trim_start();
    // "CLL clinic 09/2024", as the title of a note with a treatment for it, is about a patient who has it.
    let title = mention.range.start < 4 && mention.term.is("haem") && after.starts_with("clinic");
    let treated = || {
        let mut treatments = view.terms(TermKind::Treatment).iter().filter(|treatment| treatment.term.is("onco"));
        treatments.any(|treatment| view.enters_record(&treatment.range, Field::Treatment))
    };
    ["trial", "study", "guideline", "cell line", "screening", "center", "risk", "clinic"]
        .iter()
        .any(|word| after.starts_with(word))
        && !(title && treated())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::cancer;

    #[test]
    fn the_diagnosis_that_holds_counts() {
        for (note, expected) in [
            (
                "The initial histological diagnosis was cholangiocarcinoma. The diagnosis was revised to hepatoblastoma.",
                "hepatoblastoma",
            ),
            (
                "The preoperative diagnosis was ovarian carcinoma; the final diagnosis was colon adenocarcinoma.",
                "colon adenocarcinoma",
            ),
            (
                "Initially reported as lymphoma of the stomach. Gastric adenocarcinoma was confirmed by a second biopsy.",
                "gastric adenocarcinoma",
            ),
            ("Lung adenocarcinoma was confirmed. Stage IV.", "lung adenocarcinoma"),
            (
                "A cavity was labelled as lung cancer elsewhere, but it is a recurrence of cervical cancer.",
                "cervical cancer",
            ),
            (
                "Pain was mistaken for gastritis until gastroscopy showed gastric cancer. Prostate cancer in 2012.",
                "gastric cancer",
            ),
            (
                "Labelled as colon cancer stage IV, but only the liver is involved. Breast cancer in 2010.",
                "colon cancer",
            ),
            ("Craniotomy on day 3: metastatic adenocarcinoma, not of the brain.", "adenocarcinoma"),
            ("Liver biopsy: metastatic adenocarcinoma. Craniotomy in May.", "adenocarcinoma"),
            ("Craniotomy for a mass in the brain: metastatic adenocarcinoma.", "adenocarcinoma"),
            (
                "Breast cancer in 2010. Now lung adenocarcinoma was confirmed; breast cancer is in remission.",
                "breast cancer",
            ),
        ] {
            assert_eq!(cancer::read(&NoteView::of(note)).value.as_deref(), Some(expected), "{note}");
        }
    }
}
