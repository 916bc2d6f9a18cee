//! Values with words in brackets: each part is judged as what it is.

use super::*;

#[test]
fn a_status_in_the_brackets_of_a_diagnosis_is_judged_as_a_biomarker() {
    for (text, value, kept) in [
        (
            "Invasive ductal carcinoma of the breast, HER2 3+ by IHC, ER negative, PR negative.",
            "breast cancer (invasive ductal carcinoma, HER2-positive)",
            true,
        ),
        ("Breast cancer: lobular carcinoma, ER positive.", "breast cancer (lobular carcinoma, ER-positive)", true),
        ("No breast cancer; lobular carcinoma in situ was excluded.", "breast cancer (lobular carcinoma)", false),
        ("She had a hemicolectomy and no adjuvant chemotherapy.", "hemicolectomy (no adjuvant chemotherapy)", true),
        ("She had a hemicolectomy and no adjuvant chemotherapy.", "adjuvant chemotherapy", false),
        (
            "Two cycles of chemotherapy were given; maintenance chemotherapy is planned.",
            "maintenance chemotherapy",
            true,
        ),
        ("He is on capecitabine; maintenance chemotherapy is planned.", "maintenance chemotherapy", false),
    ] {
        let note = Note::new(text.to_owned(), 1_000).unwrap();
        let mut record = Record::default();
        let field = if value.contains("chemo") { Field::Treatment } else { Field::CancerType };
        *record.get_mut(field) = Some(value.to_owned());
        assert_eq!(ground(&note, &record).iter().all(Grounded::in_record), kept, "{value} in {text}");
    }
}
