//! Recognises responses that do not describe the whole disease now: no recurrence at one place beside distant
//! metastases, a benign lesion that did not change, the finding of an earlier examination.

use std::ops::Range;

use super::{
    benign,
    cancer::Diagnosis,
    lexicon::{Mention, TermKind},
    view::{NoteView, is_one_of},
};

/// Returns whether "no recurrence" refers to one place only: "no local recurrence", "no recurrence at the resection
/// margin".
pub(super) fn is_local(view: &NoteView<'_>, free: &Range<usize>) -> bool {
    const ELSEWHERE: [&str; 3] = ["distant", "metasta", "systemic"];
    const PLACES: [&str; 14] = [
        " at the anastomo",
        " at the resection",
        " at the surgical",
        " at the primary",
        " at the operat",
        " at the margin",
        " at the scar",
        " at the stoma",
        " in the breast",
        " in the surgical",
        " in the resection",
        " in the operative",
        " in the neobladder",
        " in the prostate bed",
    ];
    let text = view.folded.slice(free.clone());
    let after = view.folded.after(free.end, 36);
    let beside = after.split(['.', ';', '\n']).next().unwrap_or_default();
    let goes_on = [" or ", "/", " and no ", ", regional", ", distant"].iter().any(|join| beside.starts_with(join));
    let of_whole = goes_on || ELSEWHERE.iter().any(|word| text.contains(word));
    let local = ["local", "locoregional", "loco regional"].iter().any(|word| text.contains(word));
    !of_whole && (local || PLACES.iter().any(|place| beside.starts_with(place)))
}

/// Returns whether a statement is the finding of an earlier examination: "prior CT showed", "CT of 2022, which had
/// shown".
pub(super) fn is_of_earlier(view: &NoteView<'_>, at: usize) -> bool {
    const EARLIER: [&str; 3] = ["prior", "previous", "earlier"];
    const STUDIES: [&str; 11] =
        ["ct", "pet", "pet/ct", "mri", "scan", "imaging", "study", "examination", "exam", "mammogram", "ultrasound"];
    let before = view.near(&(at..at), 90, 0);
    let before = before.rsplit([';', '\n']).next().unwrap_or_default();
    let mut words = before.split([' ', ',', ':', '(', ')']).filter(|word| !word.is_empty());
    let named = words.by_ref().any(|word| EARLIER.contains(&word)) && words.take(3).any(|word| STUDIES.contains(&word));
    named || before.contains("which had shown") || before.contains("that had shown")
}

/// Returns whether a response is called the best of the course.
pub(super) fn is_best(view: &NoteView<'_>, at: usize) -> bool {
    let before = view.folded.before(at, 28).trim_end_matches([' ', ':', '=', '-']);
    let before = before.strip_suffix(" was").or_else(|| before.strip_suffix(" is")).unwrap_or(before);
    ["best response", "best overall response", "bor"].iter().any(|words| before.ends_with(words))
}

/// Returns whether a change describes something benign: "stable hepatic haemangioma", "incidental meningioma,
/// unchanged".
pub(super) fn is_of_benign(view: &NoteView<'_>, change: &Range<usize>, diagnosis: &Diagnosis) -> bool {
    const MALIGNANT: [&str; 15] = [
        "metasta",
        "tumor",
        "tumour",
        "carcinoma",
        "cancer",
        "lymphoma",
        "melanoma",
        "disease",
        "primary",
        "deposit",
        "implant",
        "sarcoma",
        "mass",
        "malignan",
        "recurr",
    ];
    let before = view.near(&(change.start..change.start), 90, 0);
    let before = before.rsplit([';', '\n']).next().unwrap_or_default();
    let after = view.near(&(change.end..change.end), 0, 70);
    let after = own_clauses(after.split([';', '\n']).next().unwrap_or_default());
    let malignant = MALIGNANT.iter().any(|word| before.contains(word) || after.contains(word));
    let value = diagnosis.value.as_deref().unwrap_or_default().to_lowercase();
    [before, after].iter().any(|part| {
        benign::finding(part).is_some_and(|found| {
            // The tumour of the note may itself have the name of something benign.
            let name = part.get(found).unwrap_or_default();
            !malignant && !value.contains(name)
        })
    })
}

/// Returns the clauses after a change without those that state something of their own: ", renal cyst unchanged".
fn own_clauses(after: &str) -> &str {
    const VERBS: &str =
        "is are was were has have unchanged stable noted seen present larger smaller grew increased decreased";
    let mut end = 0;
    loop {
        let rest = after.get(end..).unwrap_or_default();
        let next = [", ", " and "].iter().filter_map(|join| rest.find(join).map(|at| at + join.len())).min();
        let clause = rest.get(..next.unwrap_or(rest.len())).unwrap_or_default();
        let states = end > 0 && clause.split([' ', ',', '.']).any(|word| is_one_of(VERBS, word));
        if states {
            return after.get(..end).unwrap_or(after);
        }
        match next {
            Some(length) => end += length,
            None => return after,
        }
    }
}

/// Returns whether the words around a stated response say that it is not the response of the malignancy.
pub(super) fn is_of_something_else(view: &NoteView<'_>, mention: &Mention) -> bool {
    let next = view.folded.after(mention.range.end, 16).trim_start();
    let begins = |words: &[&str]| words.iter().any(|word| next.starts_with(word));
    match mention.term.tag("cat") {
        Some("pd") => {
            begins(&["free", "of symptoms", "of labor"])
                || is_transition(view, mention.range.end)
                || is_of_other_condition(view, &mention.range)
        }
        Some("ned") => {
            begins(&["progress", "interval", "survival", "period", "margin"]) || is_of_specimen(view, &mention.range)
        }
        Some("pcr") if mention.term.spelled.starts_with("no ") => false,
        Some("recurrence") => begins(&["score", "risk"]) || is_of_other_condition(view, &mention.range),
        _ => {
            begins(&["of infection", "to antibiotic", "of symptoms", "infection"])
                || is_of_other_condition(view, &mention.range)
        }
    }
}

/// Returns whether the subject of a change is a symptom, a side effect or a function: "pulmonary embolism has resolved".
pub(super) fn is_of_health(before: &str) -> bool {
    const SUBJECTS: &str = "pain fatigue toxicity toxicities function functions enzymes embolism embolus oedema edema \
                            infection pneumonia pneumonitis anaemia anemia hepatitis colitis rash symptoms symptom \
                            appetite weight mood neuropathy nausea cough breathlessness dyspnoea dyspnea ejection";
    const VERBS: &str = "has have had is are was were been being remains remained also now completely gradually";
    let mut words = before.split([' ', ',']).filter(|word| !word.is_empty()).rev();
    words.find(|word| !is_one_of(VERBS, word)).is_some_and(|word| is_one_of(SUBJECTS, word))
}

/// Returns whether "no evidence of malignancy" is the result of one specimen: "sentinel node: no evidence of malignancy".
pub(super) fn is_of_specimen(view: &NoteView<'_>, free: &Range<usize>) -> bool {
    const SPECIMENS: [&str; 8] =
        ["biops", " fna", "cytolog", "margin", "bone marrow", "sentinel", "contralateral", "smear"];
    let before = view.near(&(free.start..free.start), 48, 0);
    let before = before.rsplit([';', ',', '\n']).next().unwrap_or_default();
    // "Margins were negative and she is without evidence of disease."
    let before = before.rsplit(" and ").next().unwrap_or_default();
    SPECIMENS.iter().any(|word| before.contains(word))
}

/// Returns whether words after "progression" name what the disease became, and not where it spread: "progression to
/// AML", "progressed from smouldering myeloma". "Progression to the brain" and "from the prior scan" are of the disease.
fn is_transition(view: &NoteView<'_>, end: usize) -> bool {
    const STUDIES: [&str; 9] = ["prior", "previous", "baseline", "earlier", "last", "nadir", "best", "ct", "scan"];
    const MONTHS: &str = "january february march april may june july august september october november december";
    let next = view.folded.after(end, 40);
    let Some(rest) = next.strip_prefix(" to ").or_else(|| next.strip_prefix(" from ")) else { return false };
    let rest_at = end + next.len() - rest.len();
    let rest = rest.strip_prefix("the ").unwrap_or(rest);
    if next.starts_with(" to ") {
        return view.terms_in(TermKind::Site, &(rest_at..rest_at + 24)).is_empty();
    }
    let word = rest.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
    !STUDIES.contains(&word) && !is_one_of(MONTHS, word) && !word.starts_with(|c: char| c.is_ascii_digit())
}

/// Returns whether a response is that of another disease, a symptom or a side effect: "depression in remission",
/// "complete resolution of the rash", "relapse of depression".
fn is_of_other_condition(view: &NoteView<'_>, range: &Range<usize>) -> bool {
    const CONDITIONS: &str = "depression depressive anxiety bipolar diabetes asthma copd crohn crohn's colitis arthritis lupus \
                              eczema psoriasis migraine epilepsy dementia pneumonia pneumonitis hepatitis nephritis \
                              rash infection sepsis cellulitis thrombosis embolism diarrhea diarrhoea pain \
                              cough fever nausea oedema edema mucositis neuropathy symptoms alcohol addiction \
                              schizophrenia vasculitis sarcoidosis gout heart renal";
    let words = |text: &str| text.split([' ', ',', '(', ')', ':', '.']).any(|word| is_one_of(CONDITIONS, word));
    let after = view.near(&(range.end..range.end), 0, 40);
    let after = after.split([',', ';', '\n']).next().unwrap_or_default();
    let named = after.strip_prefix(" of ").is_some_and(|rest| words(rest.split(" and ").next().unwrap_or_default()));
    let before = view.near(&(range.start..range.start), 40, 0).trim_end();
    let before = before.strip_suffix(" clinical").or_else(|| before.strip_suffix(" complete")).unwrap_or(before);
    let is_in = view.folded.slice(range.clone()).starts_with("in ").then_some(before);
    let subject = is_in
        .or_else(|| before.strip_suffix(" in"))
        .map(|subject| subject.trim_end_matches([',', ' ']).rsplit([',', ';', '.', '\n']).next().unwrap_or_default());
    named || subject.is_some_and(words)
}

/// Returns whether "on" and a treatment directly follow: "PD on nivo".
pub(super) fn is_on_treatment(view: &NoteView<'_>, range: &Range<usize>) -> bool {
    let treatment = view.terms_in(TermKind::Treatment, &(range.end..range.end + 24)).first();
    treatment.is_some_and(|treatment| view.folded.slice(range.end..treatment.range.start) == " on ")
}

/// Returns whether "in" and an organ directly follow.
pub(super) fn names_site_next(view: &NoteView<'_>, range: &Range<usize>) -> bool {
    let reach = range.end..range.end + 20;
    let site = view.terms_in(TermKind::Site, &reach).first();
    site.is_some_and(|site| matches!(view.folded.slice(range.end..site.range.start), " in " | " in the "))
}

#[cfg(test)]
mod tests {
    use crate::rules::{Record, read};

    fn response(text: &str) -> String {
        let note = crate::extraction::Note::new(text.to_owned(), 10_000).unwrap();
        let Record { response, .. } = read(&note).record;
        response.unwrap_or_default()
    }

    #[test]
    fn responses_of_something_else_are_none_of_the_disease() {
        for (note, expected) in [
            ("Breast cancer. New liver metastases. No local recurrence.", "disease progression"),
            ("Breast cancer. Hepatic and osseous metastases. No evidence of locoregional recurrence.", ""),
            ("Colon cancer. No recurrence at the resection margin. Growing liver metastases.", "disease progression"),
            ("Breast cancer. No local recurrence.", "no evidence of disease"),
            ("Colon cancer, liver metastases resected. No recurrence at follow up.", "no evidence of disease"),
            (
                "Breast cancer with liver metastases, resected. No local or distant recurrence.",
                "no evidence of disease",
            ),
            ("Breast cancer with liver metastases, resected. No evidence of disease.", "no evidence of disease"),
            ("Breast cancer. Stable hepatic haemangioma.", ""),
            ("Lung cancer. Hepatic cysts, unchanged since 2019.", ""),
            ("Lung cancer. Nodule unchanged since 2019, benign.", ""),
            ("Lung cancer. A 5 mm dural lesion is unchanged from 2021, incidental meningioma.", ""),
            ("Lung cancer. The liver metastases are stable, the hepatic cyst is unchanged.", "stable disease"),
            ("Ovarian cancer. Prior CT showed no evidence of disease. New peritoneal deposits.", "disease progression"),
            ("Breast cancer. Prior PET: complete response. Today: new liver metastases.", "disease progression"),
            ("Breast cancer. Prior PET: complete response.", "complete response"),
            (
                "Renal cell carcinoma. Wk 8 SD; Wk 16 PR; Wk 24 PD\nBest overall response: PR",
                "partial response then disease progression",
            ),
            ("Lung cancer. Best response: PR.", "partial response"),
            ("Lung cancer on nivolumab. Lung lesions are stable, renal cyst unchanged.", "stable disease"),
            ("Colon cancer on FOLFIRI. Liver lesions smaller, hepatic cyst unchanged.", "partial response"),
            ("Lung cancer. She had progression to the brain on osimertinib.", "disease progression"),
            ("Lung cancer. CT shows progression from the prior scan in May.", "disease progression"),
            ("MDS with progression to AML.", ""),
            ("Breast cancer. Sentinel node: no evidence of malignancy.", ""),
            ("Melanoma, excised. Margins were negative and she is free of disease.", "no evidence of disease"),
            ("Lung cancer. Pulmonary embolism has resolved.", ""),
            ("Breast cancer. Hepatic function stable.", ""),
            ("Lung cancer. We hope for a partial response.", ""),
            ("Breast cancer. Anxious about recurrence.", ""),
            ("Lung cancer. Pulmonary nodules have resolved.", "partial response"),
            ("Breast cancer. Trial endpoint is disease-free survival.", ""),
            ("Breast cancer. Tumor-free margins of 5 mm.", ""),
            ("Breast cancer. Depression in remission.", ""),
            ("Lung cancer. Crohn's disease in clinical remission.", ""),
            ("Lung cancer. Complete resolution of the rash.", ""),
            ("Lung cancer. Progression of COPD.", ""),
            ("Lymphoma in remission.", "remission"),
            ("Lung cancer. Complete resolution of the lung mass.", "complete resolution"),
            (
                "70 year old, CT after two cycles: partial response of the lung cancer. Then progression.",
                "partial response then disease progression",
            ),
        ] {
            assert_eq!(response(note), expected, "{note}");
        }
    }
}
