use super::*;

#[test]
fn a_progression_that_ends_a_plan_has_not_come() {
    for (note, expected) in [
        ("Colon cancer. Continue capecitabine until disease progression.", ""),
        ("Colon cancer. She will stay on capecitabine until progression.", ""),
        ("Colon cancer. Plan: capecitabine until disease progression", ""),
        ("Colon cancer. Received capecitabine until disease progression in May.", "disease progression"),
        ("Colon cancer. Was switched to capecitabine until progression.", "disease progression"),
        ("Colon cancer. Continue capecitabine. Earlier FOLFOX until progression.", "disease progression"),
    ] {
        let view = NoteView::of(note);
        let read = read(&view, &crate::rules::cancer::read(&view), &MetastaticSpread::default());
        assert_eq!(read.unwrap_or_default(), expected, "{note}");
    }
}

#[test]
fn abbreviations_of_a_course_show_each_other() {
    for (note, expected) in [
        ("Lung cancer on osimertinib. Response: SD then PD.", "stable disease then disease progression"),
        ("Lung cancer on osimertinib, PR initially, then SD, now PD.", "partial response then disease progression"),
        ("Breast cancer, ER/PR positive, PD-L1 negative.", ""),
        ("Breast cancer. Parkinson's disease (PD).", ""),
        ("Follicular lymphoma, PMR on interim PET.", "partial response"),
        ("DLBCL after R-CHOP: CMR (Deauville 2).", "complete response"),
        ("Follicular lymphoma. Steroids for PMR.", ""),
        ("DLBCL after R-CHOP. [x] CMR [ ] PMR [ ] PD", "complete response"),
        ("Lung cancer on osimertinib. Response: [ ] CR [ ] PR [x] SD [ ] PD", "stable disease"),
        ("Lung cancer. 3 month PET: [ ] response [ ] stable disease [x] disease progression", "disease progression"),
        ("Lung cancer on osimertinib. Response:        SD   \n", "stable disease"),
        ("Lung cancer. PET: [ ] stable disease [ ] disease progression", ""),
        ("DLBCL. Response: [ ] CR [x] PR [ ] SD [ ] PD", "partial response"),
        ("Lung cancer on osimertinib, CT: no new lesions, PR.", "partial response"),
        ("AML M4. BM 15/2: CR.", "complete response"),
        ("AML. In 1st CR.", "complete response"),
        ("Lung cancer, carboplatin; CR.", "complete response"),
        ("Breast cancer on letrozole. Imp: clinical PR.", "partial response"),
        ("Breast cancer. Labs: CR; K 4.1.", ""),
        ("Metastatic renal cell carcinoma, PD on nivolumab.", "disease progression"),
        ("Prostate cancer. PSA <0.1, CR in soft tissue.", "complete response"),
        ("Breast cancer. CMR: ejection fraction 55 %.", ""),
        ("Breast cancer, ER, PR, PD-L1 pending.", ""),
        ("Pancreatic cancer. Meds: oxycodone CR, PR bisacodyl.", ""),
        ("Pancreatic cancer. Labs: Cr, PR, SD. On dialysis, PD to SD.", ""),
    ] {
        let view = NoteView::of(note);
        let read = read(&view, &crate::rules::cancer::read(&view), &MetastaticSpread::default());
        assert_eq!(read.unwrap_or_default(), expected, "{note}");
    }
}

#[test]
fn pattern_compiles() {
    compile();
}
