//! Tests of the answers that follow their items.

use super::*;

#[test]
fn every_answer_passes_the_first_check() {
    for answer in NO.iter().chain(&DENIALS).chain(&YES) {
        let first = answer.split(' ').next().unwrap();
        assert!(may_answer(first) && may_answer(&first.to_uppercase()), "{answer}");
    }
}

#[test]
fn an_answer_denies_the_item_before_it() {
    for (text, expected) in [
        ("Liver metastases ........ no\nBone metastases ....... yes", "Liver metastases"),
        ("Chemotherapy: No\nRadiation: Yes\nTrastuzumab: No", "Chemotherapy/Trastuzumab"),
        ("Prior chemotherapy? No. Prior radiation? No.", "Prior chemotherapy/Prior radiation"),
        ("Tamoxifen (Y/N): N\nLetrozole (Y/N): Y", "Tamoxifen"),
        ("Metastases: liver no, bone yes.", "liver"),
        ("| Liver metastases | no |\n| Bone metastases | yes |", "Liver metastases"),
        ("Liver metastases\tNo\nBone\tYes", "Liver metastases"),
        ("Liver   absent\nBone   present", "Liver"),
        ("Liver [N] Bone [Y] Lung [N]", "Liver/Lung"),
        ("Brain mets (no), bone mets (yes)", "Brain mets"),
        ("Bone (-), liver (+), lung (-)", "Bone/lung"),
        ("Metastatic disease: lung +, liver -, brain -", "liver/brain"),
        ("Dx: KRAS G12D +, liver metastases -\nprogressing on FOLFIRINOX.", ""),
        ("LN +, FOLFIRINOX 6 cycles -\nstable disease", ""),
        ("Lymph nodes +, pancreatic cancer -", ""),
        ("nipple discharge N, mass Y, FOLFIRINOX C3 N", ""),
        ("Mets: lung -, liver - and more", ""),
        ("Mets: lung Y, liver N, bone N.", "liver/bone"),
        ("pT2 N, M0, grade 2", ""),
        ("Chest CT - clear, liver - clear", ""),
        ("Seen 2019 -, then 2021 -", ""),
        ("Liver (absent)\nBone (present)", "Liver"),
        ("Liver | - |\nBone | + |", "Liver"),
        ("HER2 overexpression: NEGATIVE (1+)", "HER2 overexpression"),
        ("Was radiotherapy given?: No.", "Was radiotherapy given"),
        ("Q: Do I have liver metastases? A: No.", "Do I have liver metastases"),
        ("EGFR mutation [ ]  KRAS mutation [x]  ALK fusion [ ]", "EGFR mutation/ALK fusion"),
        ("Given: [ ] chemotherapy [x] radiation [ ] trastuzumab", "chemotherapy/trastuzumab"),
        ("☐ liver ☒ bone", "liver"),
        ("Brain metastases: [ ] yes [x] no", "Brain metastases"),
        ("Brain metastases: [x] yes [ ] no", ""),
        ("KRAS G12C? Result not yet available.", "KRAS G12C"),
        ("No liver metastases. No, she is well.", ""),
        ("There is no liver lesion, no bone lesion.", ""),
        ("EGFR negative, ALK positive", ""),
        ("No.", ""),
    ] {
        let items: Vec<_> = read(text).into_iter().map(|one| text.get(one.item).unwrap().trim().to_owned()).collect();
        assert_eq!(items.join("/"), expected, "{text}");
    }
}
