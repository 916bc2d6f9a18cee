//! Recognises responses that do not describe the whole disease now: no recurrence at one place beside distant
//! metastases, a benign lesion that did not change, the finding of an earlier examination.

use std::ops::Range;

use super::{benign, cancer::Diagnosis, view::NoteView};

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
    let after = after.split([';', '\n']).next().unwrap_or_default();
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
            (
                "70 year old, CT after two cycles: partial response of the lung cancer. Then progression.",
                "partial response then disease progression",
            ),
        ] {
            assert_eq!(response(note), expected, "{note}");
        }
    }
}
