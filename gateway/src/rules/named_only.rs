//! Recognises treatments that a note names but that were not given: the interpretation of a molecular report ("KRAS
//! G12C is associated with response to sotorasib"), a condition ("cystectomy if muscle-invasive"), a talk ("adjuvant
//! chemotherapy discussion").

use super::{
    lexicon::{Mention, TermKind},
    view::NoteView,
};

/// Returns whether the words around a treatment say that it was not given.
pub(super) fn is_only_named(view: &NoteView<'_>, treatment: &Mention) -> bool {
    is_interpretation(view, treatment)
        || is_conditional(view, treatment)
        || is_advised(view, treatment)
        || is_upcoming(view, treatment)
        || is_ordered(view, treatment)
}

/// Returns whether a sentence begins with the order to start a treatment: "Start cabozantinib 60 mg tomorrow", "Outcome:
/// start bicalutamide". In "2019 start imatinib" and "Start letrozole 03/2021, stopped 2022" it was given.
fn is_ordered(view: &NoteView<'_>, treatment: &Mention) -> bool {
    const LABELS: [&str; 6] = ["outcome", "plan", "rx", "a/p", "advice", "recommendation"];
    const GIVEN: [&str; 9] =
        ["stopp", "complet", "until", "then ", "switch", "progress", "tolerat", "response", "since"];
    let sentence = view.sentence(treatment.range.start);
    let before = view.near(&(treatment.range.start..treatment.range.start), 48, 0);
    let (label, order) = before.rsplit_once(':').unwrap_or(("", before));
    let order = order.trim_start_matches(|c: char| !c.is_alphanumeric());
    let labelled = label.is_empty() || LABELS.iter().any(|known| label.trim().ends_with(known));
    let begins = treatment.range.start - sentence.start <= 48;
    let after = view.near(&(treatment.range.end..treatment.range.end), 0, 80);
    // A year, or a month with its year, says when it was.
    let dated = after.split(|c: char| !c.is_ascii_digit()).any(|digits| digits.len() == 4 && digits.starts_with("20"));
    begins && labelled && order == "start " && !dated && !GIVEN.iter().any(|word| after.contains(word))
}

/// Returns whether an operation or radiotherapy is to come: "for mastectomy next week", "for hemicolectomy on Thursday".
fn is_upcoming(view: &NoteView<'_>, treatment: &Mention) -> bool {
    const TIMES: [&str; 16] = [
        " next week",
        " next month",
        " next monday",
        " next tuesday",
        " next wednesday",
        " next thursday",
        " next friday",
        " tomorrow",
        " later this week",
        " later this month",
        " in the coming",
        " in due course",
        " in one week's time",
        " in two weeks' time",
        " in 2 weeks' time",
        " in the new year",
    ];
    const DAYS: [&str; 5] = [" on monday", " on tuesday", " on wednesday", " on thursday", " on friday"];
    const CAME: [&str; 6] = ["admitted", "came", "attended", "presented", "was", "had"];
    if !(treatment.term.is("surgery") || treatment.term.is("radiation")) {
        return false;
    }
    let after = view.folded.after(treatment.range.end, 24);
    if TIMES.iter().any(|time| after.starts_with(time)) {
        return true;
    }
    let before = view.near(&(treatment.range.start..treatment.range.start), 40, 0);
    let clause = before.rsplit([',', ';', ':', '\n']).next().unwrap_or_default();
    let intended = clause.ends_with("for ") || clause.ends_with("for a ");
    intended && DAYS.iter().any(|day| after.starts_with(day)) && !clause.split(' ').any(|word| CAME.contains(&word))
}

/// Returns whether the sentence says what an alteration means for the treatment.
fn is_interpretation(view: &NoteView<'_>, treatment: &Mention) -> bool {
    const REACH: usize = 130;
    const MEANINGS: [&str; 21] = [
        "confers",
        "conferring",
        "confer ",
        "predicts",
        "predict ",
        "predictive of",
        "predicting",
        "may respond to",
        "likely to respond to",
        "expected to respond to",
        "predicted to respond to",
        "lack of benefit from",
        "lack of response to",
        "no benefit from",
        "is sensitive to",
        "are sensitive to",
        ": sensitive to",
        ": sensitivity to",
        "is resistant to",
        ": resistant to",
        ": resistance to",
    ];
    const OUTCOMES: [&str; 8] = ["response", "sensitiv", "resist", "benefit", "lack ", "reduced", "poor", "improved"];
    const OF_PATIENT: [&str; 24] = [
        " on ",
        "commenc",
        "taking",
        "complet",
        "induction",
        " so ",
        "therefore",
        " now ",
        " after ",
        " she ",
        " he ",
        "patient",
        " pt ",
        " her ",
        " his ",
        "received",
        "treated",
        "started",
        " given",
        "developed",
        "progress",
        "continu",
        "switched",
        "began",
    ];
    const APPROVED: [&str; 10] = [
        " is an approved",
        " is approved",
        " are approved",
        " is fda approved",
        " are fda approved",
        " is an fda",
        " is licensed",
        " are licensed",
        " is available",
        " are available",
    ];
    if APPROVED.iter().any(|words| view.folded.after(treatment.range.end, 20).starts_with(words)) {
        return true;
    }
    let stretch = view.around(&treatment.range, REACH, 0);
    let genes = view.terms_in(TermKind::Gene, &(stretch.start..treatment.range.start));
    let Some(gene) = genes.first() else { return false };
    let between = view.folded.slice(gene.range.end..treatment.range.start);
    let associated = between.rfind("associated with").is_some_and(|at| {
        let outcome = between.get(at..).unwrap_or_default();
        OUTCOMES.iter().any(|word| outcome.contains(word))
    });
    // "In a patient with EGFR L858R, it was associated with response to" describes this patient.
    let of_one = view.near(&treatment.range, 240, 0).contains("patient ") || between.contains("was associated");
    if between.contains(';') {
        return false;
    }
    let tells = associated || MEANINGS.iter().any(|words| between.contains(words));
    tells && !of_one && !OF_PATIENT.iter().any(|word| between.contains(word)) && !is_given_after(view, treatment)
}

/// Returns whether the rest of the sentence says that the patient received the treatment: "osimertinib was commenced".
fn is_given_after(view: &NoteView<'_>, treatment: &Mention) -> bool {
    const GIVEN: [&str; 12] = [
        " he ",
        " she ",
        " was commenced",
        " were commenced",
        " was started",
        " were started",
        " was given",
        " were given",
        " is being given",
        " are being given",
        " since ",
        " after ",
    ];
    let after = view.near(&(treatment.range.end..treatment.range.end), 0, 60);
    let after = after.split(';').next().unwrap_or_default();
    GIVEN.iter().any(|words| after.contains(words))
}

/// Returns whether a treatment depends on a condition: "cystectomy if muscle-invasive", "would be indicated if pT2".
fn is_conditional(view: &NoteView<'_>, treatment: &Mention) -> bool {
    const CONDITIONS: [&str; 6] =
        [" if ", " only if ", " would be ", " in case of ", " may be considered", " to be considered"];
    // Courses that continue under a condition, and those that were given.
    const GIVEN: [&str; 19] = [
        "tolerating",
        "taking",
        "continue",
        "continues",
        "continuing",
        "on",
        "receiving",
        "received",
        "maintain",
        "underwent",
        "had",
        "was",
        "were",
        "after",
        "following",
        "with",
        "started",
        "stopped",
        "resume",
    ];
    // "Hold pembrolizumab if the creatinine rises", "capecitabine if tolerated".
    const OTHER: [&str; 5] = ["tolerated", "needed", "possible", "able", "necessary"];
    let after = view.folded.after(treatment.range.end, 24);
    let Some(rest) = CONDITIONS.iter().find_map(|condition| after.strip_prefix(condition)) else { return false };
    let before = view.near(&(treatment.range.start..treatment.range.start), 40, 0);
    let clause = before.rsplit([',', ';', ':', '\n']).next().unwrap_or_default();
    let mut words = clause.split(' ').filter(|word| !word.is_empty());
    let verb = words.any(|word| GIVEN.contains(&word) || matches!(word, "hold" | "held" | "reduce" | "stop"));
    !verb && !OTHER.iter().any(|word| rest.starts_with(word))
}

/// Returns whether a treatment is the subject of a talk or the content of an advice: "chemo discussion", "Adv: chemo,
/// RT".
fn is_advised(view: &NoteView<'_>, treatment: &Mention) -> bool {
    const NOUNS: [&str; 12] = [
        " discussion",
        " consult",
        " referral",
        " candidacy",
        " eligibility",
        " counsel",
        " options discussed",
        " teaching",
        " education",
        " planning ct",
        " planning scan",
        " planning appointment",
    ];
    if NOUNS.iter().any(|noun| view.folded.after(treatment.range.end, 18).starts_with(noun)) {
        return true;
    }
    let before = view.near(&(treatment.range.start..treatment.range.start), 80, 0);
    let clause = before.rsplit([';', '\n']).next().unwrap_or_default();
    let label = ["adv:", "adv :", "adv -", "advised:"].iter().find_map(|label| clause.find(label));
    label.is_some_and(|at| {
        !clause.get(..at).unwrap_or_default().ends_with(char::is_alphanumeric)
            && !["received", "completed", "started", " on ", "given", "continu"]
                .iter()
                .any(|word| clause.contains(word))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::cancer;

    #[test]
    fn what_is_only_named_is_no_treatment() {
        for (note, expected) in [
            ("Lung cancer. KRAS G12C is associated with response to sotorasib and adagrasib.", ""),
            ("Melanoma. BRAF V600E confers sensitivity to dabrafenib plus trametinib.", ""),
            ("Lung cancer. EGFR L858R predicts sensitivity to osimertinib.", ""),
            ("Lung cancer. EGFR L858R: sensitive to osimertinib, gefitinib.", ""),
            ("Lung cancer. Sotorasib is an approved therapy for KRAS G12C.", ""),
            ("Colon cancer. KRAS G12D: lack of benefit from anti-EGFR therapy (cetuximab).", ""),
            ("Lung cancer. In a patient with EGFR L858R it was associated with response to erlotinib.", "erlotinib"),
            ("Lung cancer. In patients with EGFR L858R it is associated with response to erlotinib.", ""),
            ("Clinical trial of entrectinib; lung cancer with ALK F1245V, on entrectinib.", "entrectinib"),
            ("Melanoma. BRAF V600E. Clinical trials: dabrafenib, encorafenib.", ""),
            ("Lung cancer. EGFR L858R, treated with osimertinib.", "osimertinib"),
            ("Lung cancer. EGFR T790M; she developed resistance to erlotinib.", "erlotinib"),
            ("BRAF V600E melanoma resistant to dabrafenib.", "dabrafenib"),
            ("Lung cancer. EGFR L858R confers sensitivity; started osimertinib.", "osimertinib"),
            ("GIST, KIT exon 11 mutation: resistant to imatinib, now on sunitinib.", "sunitinib"),
            ("Lung cancer. EGFR L858R confers sensitivity to TKIs and osimertinib was commenced.", "osimertinib"),
            ("Colorectal cancer. BRAF V600E is associated with poor prognosis, on FOLFOX since April.", "FOLFOX"),
            ("Melanoma. BRAF V600E is resistant to dabrafenib after nine months.", "dabrafenib"),
            ("Breast cancer. Tolerating letrozole if taken at night.", "letrozole"),
            ("Breast cancer. Adv: continue tamoxifen.", "tamoxifen"),
            ("Bladder cancer pT1. Cystectomy if muscle-invasive.", ""),
            ("Bladder cancer. Radical cystectomy would be indicated if pT2.", ""),
            ("Bladder cancer. Cystectomy was done.", "cystectomy"),
            ("Renal cell carcinoma. Start cabozantinib 60 mg tomorrow.", ""),
            ("Prostate cancer. Outcome: Start bicalutamide 50 mg.", ""),
            ("CML. 2019 start imatinib.", "imatinib"),
            ("Breast cancer. Start letrozole 03/2021, stopped 2022.", "letrozole"),
            ("Breast cancer right, for mastectomy next week.", ""),
            ("Colon cancer. For right hemicolectomy on Thursday.", ""),
            ("Colon cancer. Admitted for right hemicolectomy on Thursday, uneventful.", "right hemicolectomy"),
            ("Breast cancer. Mastectomy last week.", "mastectomy"),
            ("Colon cancer. On capecitabine if tolerated.", "capecitabine"),
            ("Lung cancer. Continue osimertinib if the scan is stable.", "osimertinib"),
            ("Lung adenocarcinoma. Adv: adj chemo discussion.", ""),
            ("Breast cancer. Adv: chemo, RT.", ""),
            ("Breast cancer. Adv: follow up; received paclitaxel.", "paclitaxel"),
            ("Testis: nonseminoma (EC 60%, teratoma 40%) stage IA, no adjuvant.", ""),
            ("Breast cancer, adjuvant EC followed by paclitaxel.", "adjuvant EC; paclitaxel"),
        ] {
            let view = NoteView::of(note);
            let read = crate::rules::treatment::read(&view, &cancer::read(&view)).joined();
            assert_eq!(read.unwrap_or_default(), expected, "{note}");
        }
    }
}
