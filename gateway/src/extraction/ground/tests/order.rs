//! Another word order must keep the meaning: results, numbers, sides and directions stay with their words.

use super::*;

fn is_supported(text: &str, field: Field, value: &str) -> bool {
    let note = Note::new(text.to_owned(), 1_000).unwrap();
    let mut record = Record::default();
    *record.get_mut(field) = Some(value.to_owned());
    ground(&note, &record).iter().all(|one| one.basis != Basis::Unsupported)
}

fn check_all(supported: bool, cases: &[(&str, Field, &str)]) {
    let wrong: Vec<_> =
        cases.iter().filter(|(text, field, value)| is_supported(text, *field, value) != supported).collect();
    assert!(wrong.is_empty(), "expected supported = {supported}: {wrong:#?}");
}

#[test]
fn words_of_opposite_results_do_not_support_a_value() {
    use Field::{Biomarker, CancerType, GeneMutation, MetastasisSite, Response};
    check_all(
        false,
        &[
            ("ER+ HER2- breast cancer, stage II.", Biomarker, "ER- HER2+"),
            ("ER positive PR negative breast cancer.", Biomarker, "PR positive ER negative"),
            ("EGFR negative and ALK positive lung cancer.", GeneMutation, "EGFR positive ALK negative"),
            ("EGFR mutated and ALK wild type lung cancer.", GeneMutation, "EGFR wild type ALK mutated"),
            ("Patient with ER positive and HER2 negative breast cancer.", Biomarker, "ER negative HER2 positive"),
            ("ER positive and HER2 negative breast cancer.", CancerType, "ER negative HER2 positive breast cancer"),
            ("MSI high and TMB low colon cancer.", Biomarker, "TMB high"),
            ("MSI high TMB low colon cancer.", Biomarker, "TMB high"),
            ("CEA 120 and CA 19-9 35. Colon cancer.", Biomarker, "CA 19-9 120"),
            ("Ki-67 20% ER 90% breast cancer.", Biomarker, "Ki-67 90% ER 20%"),
            ("HER2 1+ and ER 3+ breast cancer.", Biomarker, "ER 1+"),
            ("AFP normal and CEA elevated.", Biomarker, "CEA normal"),
            ("EGFR exon 19 deletion and exon 20 insertion in lung cancer.", GeneMutation, "EGFR exon 20 deletion"),
            ("KRAS G12C and BRAF V600E.", GeneMutation, "BRAF G12C"),
            ("Breast cancer metastatic to lung.", CancerType, "lung cancer metastatic to breast"),
            ("Left breast cancer and right kidney cancer.", CancerType, "right breast cancer"),
            ("Left breast cancer and right kidney cancer.", CancerType, "left kidney cancer"),
            (
                "Partial response in liver and progression in bone.",
                Response,
                "progression in liver and partial response in bone",
            ),
            ("Lung cancer with bone metastases and no liver metastases.", MetastasisSite, "no bone metastases"),
        ],
    );
}

#[test]
fn another_order_with_the_same_meaning_supports_a_value() {
    use Field::{Biomarker, CancerType, GeneMutation, MetastasisSite, Response, Treatment};
    check_all(
        true,
        &[
            ("Carcinoma of the breast.", CancerType, "breast carcinoma"),
            ("Adenocarcinoma of the left lung.", CancerType, "left lung adenocarcinoma"),
            ("Ductal and lobular carcinoma of the breast.", CancerType, "lobular and ductal breast carcinoma"),
            ("Breast cancer metastatic to lung.", CancerType, "metastatic breast cancer"),
            ("Breast cancer metastatic to lung.", CancerType, "breast cancer metastatic to lung"),
            ("High grade serous carcinoma of the ovary.", CancerType, "serous carcinoma high grade"),
            ("ER positive HER2 negative breast cancer.", CancerType, "breast cancer ER positive HER2 negative"),
            ("HER2- ER+ breast cancer.", Biomarker, "ER+ HER2-"),
            ("Positive for HER2.", Biomarker, "HER2 positive"),
            ("Positive for ER and PR.", Biomarker, "PR positive"),
            ("High PD-L1 expression.", Biomarker, "PD-L1 expression high"),
            ("High TMB and low CEA.", Biomarker, "TMB high"),
            ("MSI high and TMB low colon cancer.", Biomarker, "MSI high"),
            ("CEA 120 and CA 19-9 35. Colon cancer.", Biomarker, "CA 19-9 35"),
            ("HER2 3+ by IHC breast cancer.", Biomarker, "HER2 amplification (IHC 3+)"),
            ("HER2 amplified (IHC 3+, FISH positive).", Biomarker, "HER2 amplification (IHC 3+, FISH+)"),
            ("Elevated PSA.", Biomarker, "PSA elevated"),
            ("Mutation in KRAS.", GeneMutation, "KRAS mutation"),
            ("Mutations in KRAS and NRAS.", GeneMutation, "NRAS mutation"),
            ("Deletion of exon 19 in EGFR.", GeneMutation, "EGFR exon 19 deletion"),
            ("Exon 19 deletion of EGFR.", GeneMutation, "EGFR exon 19 deletion"),
            ("V600E mutation of BRAF.", GeneMutation, "BRAF V600E mutation"),
            ("Pathogenic BRCA2 variant c.5946delT.", GeneMutation, "BRCA2 c.5946delT pathogenic variant"),
            (
                "Partial response in liver and progression in bone.",
                Response,
                "progression in bone and partial response in liver",
            ),
            ("Metastases to the liver.", MetastasisSite, "liver metastases"),
            ("Metastases to bone and liver.", MetastasisSite, "liver and bone metastases"),
            ("She got 6 cycles of FOLFOX.", Treatment, "FOLFOX 6 cycles"),
        ],
    );
}

#[test]
fn a_bound_or_a_range_does_not_state_its_number() {
    for (text, value, supported) in [
        ("PD-L1 <1%.", "PD-L1 1%", false),
        ("PD-L1 < 1 %.", "PD-L1 1%", false),
        ("PD-L1 less than 1%.", "PD-L1 1%", false),
        ("PD-L1 >50%.", "PD-L1 50%", false),
        ("PD-L1 \u{2264}50%.", "PD-L1 50%", false),
        ("PD-L1 \u{2265} 50%.", "PD-L1 50%", false),
        ("PD-L1 at least 50%.", "PD-L1 50%", false),
        ("PD-L1 1-49%.", "PD-L1 49%", false),
        ("PD-L1 1\u{2013}49%.", "PD-L1 49%", false),
        ("PD-L1 1 to 49%.", "PD-L1 49%", false),
        ("PD-L1 <1%.", "PD-L1 <1%", true),
        ("PD-L1 1-49%.", "PD-L1 1-49%", true),
        ("PD-L1 1%.", "PD-L1 1%", true),
        ("PD-L1 of 1%.", "PD-L1 1%", true),
        ("CA 19-9 35.", "CA 19-9 35", true),
        ("CEA rose from 4 to 12.", "CEA 12", true),
        ("PD-L1 <1%, repeat PD-L1 1%.", "PD-L1 1%", true),
    ] {
        assert_eq!(is_supported(text, Field::Biomarker, value), supported, "{value} in {text}");
    }
}

#[test]
fn a_treatment_that_calls_itself_planned_is_not_given() {
    for (value, kept) in [
        ("osimertinib (planned)", false),
        ("planned osimertinib", false),
        ("recommended osimertinib", false),
        ("first-line osimertinib", true),
        ("osimertinib", true),
    ] {
        let note = Note::new("She received osimertinib for lung cancer.".to_owned(), 1_000).unwrap();
        let record = Record { treatment: Some(value.to_owned()), ..Record::default() };
        assert_eq!(ground(&note, &record).iter().all(Grounded::in_record), kept, "{value}");
    }
}
