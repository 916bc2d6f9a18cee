//! Limits of links and matches: pairs of similar notes of which one supports the value and one does not.

use super::*;

/// Field, value, note, and whether the note supports the value.
type Row<'a> = (Field, &'a str, &'a str, bool);

fn check(rows: &[Row<'_>]) {
    let wrong: Vec<_> = rows
        .iter()
        .filter(|(field, value, text, expected)| quote(text, *field, value).is_some() != *expected)
        .map(|(_, value, text, expected)| format!("{value} in {text:?}: {}", !expected))
        .collect();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn changes_are_a_response_only_if_the_disease_changes() {
    check(&[
        (Field::Response, "progression", "She developed neuropathy.", false),
        (Field::Response, "progression", "She developed new liver lesions.", true),
        (Field::Response, "progression", "Hair growth has resumed.", false),
        (Field::Response, "progression", "Interval growth of the primary tumour.", true),
        (Field::Response, "progression", "Increasing fatigue and worsening appetite.", false),
        (Field::Response, "progression", "Failed extubation twice.", false),
        (Field::Response, "progression", "Word of the outbreak spread.", false),
        (Field::Response, "stable disease", "Vital signs are stable.", false),
        (Field::Response, "stable disease", "The nodes in the neck are stable.", true),
        (Field::Response, "stable disease", "Restaging CT was stable.", true),
        (Field::Response, "stable disease", "Her pain is controlled.", false),
        (Field::Response, "stable disease", "Weight unchanged.", false),
        (Field::Response, "partial response", "A reduction in steroid dose.", false),
        (Field::Response, "partial response", "A marked reduction in tumor burden.", true),
        (Field::Response, "partial response", "The infection is responding to antibiotics.", false),
        (Field::Response, "partial response", "Excellent response to chemotherapy.", false),
        (Field::Response, "complete response", "Resolution of the rash.", false),
        (Field::Response, "complete response", "Resolution of all pulmonary nodules.", true),
        (Field::Response, "no evidence of disease", "Viral load undetectable.", false),
        (Field::Response, "undetectable PSA", "Viral load undetectable.", false),
        (Field::Response, "undetectable PSA", "His PSA has been undetectable.", true),
    ]);
}

#[test]
fn results_stay_with_their_symbol() {
    check(&[
        (Field::Biomarker, "MSI-H", "The tumour is MSI-low.", false),
        (Field::Biomarker, "MSI-high", "Microsatellite instability: low.", false),
        (Field::Biomarker, "MSI-high", "MSI testing was low and TMB high.", false),
        (Field::Biomarker, "MSI-H", "Microsatellite instability was found.", true),
        (Field::Biomarker, "HRD positive", "HRD testing was requested.", false),
        (Field::Biomarker, "HRD positive", "HRD negative.", false),
        (Field::Biomarker, "PD-L1 (high)", "PD-L1 5%, high grade.", false),
        (Field::Biomarker, "PD-L1 (50%)", "PD-L1 expressed, Ki-67 50%.", false),
        (Field::Biomarker, "PD-L1 (50%)", "PD-L1 TPS was 50%.", true),
        (Field::Biomarker, "ER positive", "ER and PR are positive.", true),
        (Field::GeneMutation, "KRAS V600E", "KRAS G12C and BRAF V600E were found.", false),
        (Field::GeneMutation, "KRAS G12C", "KRAS G12C and BRAF V600E were found.", true),
        (Field::GeneMutation, "KRAS V600E", "Panel: KRAS and BRAF V600E.", false),
        (Field::GeneMutation, "EGFR mutation", "EGFR and TP53 mutations.", true),
        (Field::GeneMutation, "t(9;22)", "Karyotype with t(9;22) in all cells.", true),
        (Field::GeneMutation, "t(9;22)", "Karyotype with t(9;11); 22 cells were counted.", false),
        (Field::GeneMutation, "EGFR T790M", "EGFR L858R and T790M.", true),
    ]);
}

#[test]
fn non_belongs_to_the_word_after_it() {
    check(&[
        (Field::CancerType, "small cell lung cancer", "She has non-small cell lung cancer.", false),
        (Field::CancerType, "small cell lung cancer", "She has non small-cell lung cancer.", false),
        (Field::CancerType, "non-small cell lung cancer", "She has small cell lung cancer.", false),
        (Field::CancerType, "non small cell lung cancer", "Non\u{2011}small cell lung cancer.", true),
        (Field::CancerType, "Hodgkin lymphoma", "Non-Hodgkin lymphoma of the stomach.", false),
        (Field::CancerType, "non-Hodgkin lymphoma", "Hodgkin lymphoma.", false),
        (Field::CancerType, "non-Hodgkin lymphoma", "Non Hodgkin's lymphoma.", true),
        (Field::Stage, "IV", "Non-metastatic melanoma.", false),
    ]);
}

#[test]
fn stages_of_other_diseases_do_not_count() {
    check(&[
        (Field::Stage, "IV", "CKD stage IV. Breast cancer.", false),
        (Field::Stage, "IV", "A stage IV sacral pressure ulcer.", false),
        (Field::Stage, "III", "Heart failure, NYHA stage III.", false),
        (Field::Stage, "III", "Stage 3 chronic kidney disease.", false),
        (Field::Stage, "III", "Stage III kidney cancer.", true),
        (Field::Stage, "IV", "CKD, stage IV lung cancer.", true),
        (Field::Stage, "IV", "Stage IV lung cancer with heart failure.", true),
        (Field::Stage, "III", "Stage III rectal cancer, CKD stage 4.", true),
    ]);
}

#[test]
fn organ_and_histology_must_belong_to_one_tumour() {
    check(&[
        (Field::CancerType, "pancreatic adenocarcinoma", "A pancreatic head adenocarcinoma.", true),
        (Field::CancerType, "liver cancer", "Colon cancer with liver metastases.", false),
        (Field::CancerType, "breast adenocarcinoma", "Lung adenocarcinoma and breast cancer.", false),
        (Field::CancerType, "breast adenocarcinoma", "Adenocarcinoma of the left breast, lung clear.", true),
        (Field::CancerType, "lung cancer", "A lung nodule was seen. She has breast cancer.", false),
        (Field::CancerType, "lung cancer", "Breast cancer, with a lung nodule.", false),
        (Field::CancerType, "lung cancer", "Cancer of the left breast, nodule in the lung.", false),
        (
            Field::CancerType,
            "lung adenocarcinoma",
            "Biopsy of the mass in the left lung, taken in May, was adenocarcinoma.",
            true,
        ),
    ]);
}

#[test]
fn abbreviations_count_only_in_their_context() {
    check(&[
        (Field::Response, "partial response", "Best response: PR.", true),
        (Field::Response, "partial response", "ER 90%, PR 80% by IHC; CT of the chest is clear.", false),
        (Field::Response, "partial response", "ER/PR positive, restaging CT ordered.", false),
        (Field::Response, "partial response", "CT done. PR interval 180 ms.", false),
        (Field::Response, "complete response", "Restaging PET: CR.", true),
        (Field::Response, "complete response", "Restaging PET: CMR.", true),
        (Field::Response, "complete metabolic response", "CMR on the interim PET.", true),
        (Field::Response, "complete response", "CMR showed an ejection fraction of 55 %.", false),
        (Field::Response, "partial response", "Steroids for PMR.", false),
        (Field::Response, "pathologic complete response", "Breast cancer, TCHP: pCR.", true),
        (Field::Response, "pathologic complete response", "Urine PCR negative.", false),
        (Field::Response, "complete response", "CR 1.4 mg/dL before the CT.", false),
        (Field::Response, "disease progression", "PD-L1 5%, CT chest clear.", false),
        (Field::Response, "disease progression", "PD on the last scan.", true),
        (Field::Response, "stable disease", "Response after 4 cycles: SD.", true),
        (Field::Response, "very good partial response", "VGPR after four cycles.", true),
        (Field::Biomarker, "ER positive (95%)", "Breast core: ER 95%, PR 10%.", true),
        (Field::Biomarker, "PR positive (95%)", "Breast core: ER 95%, PR 10%.", false),
        (Field::Biomarker, "ER positive (0%)", "ER 0%.", false),
        (Field::Biomarker, "HER2 IHC 2+", "HER2: 2+.", true),
        (Field::Biomarker, "HER2 IHC 2+", "HER2: 3+.", false),
        (Field::Stage, "IIB", "Breast cancer, pT2N1M0.", true),
        (Field::Stage, "IIB", "Breast cancer, cT3 N0.", true),
        (Field::Stage, "IIB", "Breast cancer, pT2N0.", false),
        (Field::Stage, "IIB", "Gastric cancer, pT2N1M0.", false),
        (Field::GeneMutation, "BRCA1 mutation (germline)", "A gBRCA1 mutation.", true),
        (Field::GeneMutation, "BRAF V600E", "BRAF testing positive for V600E.", true),
        (Field::GeneMutation, "BRAF V600E", "BRAF V600K.", false),
        (Field::MetastasisSite, "regional lymph nodes", "One positive sentinel lymph node.", true),
    ]);
}

#[test]
fn organs_are_metastatic_only_if_the_disease_is_there() {
    check(&[
        (Field::MetastasisSite, "bone", "Fracture at T12 after a fall.", false),
        (Field::MetastasisSite, "bone", "A new metastasis at T12.", true),
        (Field::MetastasisSite, "peritoneum", "Ascites from cirrhosis.", false),
        (Field::MetastasisSite, "peritoneum", "Malignant ascites.", true),
        (Field::Response, "recurrence", "Recurrent urinary infections.", false),
        (Field::Response, "recurrence", "Recurrent tumour in the bed.", true),
    ]);
}
