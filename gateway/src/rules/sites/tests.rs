//! Tests of the metastatic sites and the extent of the disease.

use super::*;
use crate::rules::cancer;

/// The sites and the extent of a note.
fn spread(note: &str) -> (String, Extent) {
    let view = NoteView::of(note);
    let diagnosis = cancer::read(&view);
    let spread = read(&view, &diagnosis, false);
    (spread.sites.joined().unwrap_or_default(), spread.extent)
}

#[test]
fn nodes_of_a_resection_are_no_distant_metastasis() {
    for note in [
        "Colon adenocarcinoma. Metastatic carcinoma in three of 27 lymph nodes (3/27).",
        "Breast carcinoma. Lymph nodes: 2 of 9 positive for metastatic carcinoma.",
        "Breast carcinoma. Sentinel lymph node, excision: positive for metastatic ductal carcinoma. Largest metastatic focus: 0.4 cm.",
        "Oesophageal carcinoma. Two nodes were examined. One of them demonstrated metastasis.",
        "Colon adenocarcinoma. Thirteen of 41 mesenteric nodes contain metastatic adenocarcinoma.",
        "Colon adenocarcinoma. Distant metastasis (pM): cannot be assessed.",
        "Colon adenocarcinoma. Lymph nodes: 0/17 positive for metastasis.",
        "Colon adenocarcinoma. 0 of 24 lymph nodes positive for metastasis.",
        "Colon adenocarcinoma. Zero of 12 nodes involved.",
        "Gastric carcinoma. Number of positive lymph nodes / nodes examined: 0/10.",
        "Breast carcinoma. Axillary node, core biopsy: - metastatic carcinoma of breast origin.",
    ] {
        let (sites, extent) = spread(note);
        assert!(extent < Extent::Distant, "{note}: {sites} {extent:?}");
    }
}

#[test]
fn distant_metastases_stay() {
    for (note, expected) in [
        ("Colon cancer. Distant metastasis: liver.", "liver"),
        ("Breast cancer, metastatic to bone and liver.", "bone; liver"),
        ("Breast cancer\nMetastases:\n\u{2022} liver\n\u{2022} bone", "liver; bone"),
        ("Metastatic sites: [ ] liver [x] bone [ ] brain [x] lung\nProstate cancer", "bone; lung"),
        ("Colon cancer\nMetastases:\nLiver\nLung", "liver; lung"),
        ("Metastases: bone, lung\nProstate cancer, castration resistant", "bone; lung"),
        ("Colon cancer\nSites of metastatic disease:\n- Liver\n- Lung", "liver; lung"),
        ("Metastatic breast cancer with axillary lymph node involvement.", ""),
        ("Melanoma. Metastatic breast lesion and metastatic pancreas deposit.", "breast; pancreas"),
        ("Renal cell carcinoma, metastatic pancreas, on sunitinib.", "pancreas"),
        ("Lobular breast cancer. Colonoscopy: metastatic colon.", "colon"),
        ("Ovarian cancer with metastatic breast on PET-CT. Carboplatin.", "breast"),
        ("Lung cancer with brain metastases; mediastinal nodes are enlarged.", "brain"),
        ("Colon cancer. Sites of metastases:\n- liver: no\n- lung: yes\n- bone: no", "lung"),
        ("Colon cancer\nMetastases:\nLiver | No\nLung | Yes\nBone | Yes", "lung; bone"),
        ("Breast cancer. Metastatic disease: lung +, liver -, brain +", "lung; brain"),
        ("Breast cancer. Mets: lung Y, liver N, bone Y", "lung; bone"),
        ("Lung cancer with \"hepatic\" metastases.", "liver"),
        ("Neuroendocrine tumor G2 small bowel, liver mets.", "liver"),
        ("Neuroendocrine tumor G2, small bowel and liver mets.", "small bowel; liver"),
    ] {
        let (sites, extent) = spread(note);
        assert!(extent >= Extent::Distant && sites.starts_with(expected), "{note}: {sites} {extent:?}");
    }
}

#[test]
fn an_organ_that_is_short_for_its_cancer_is_no_metastasis() {
    for note in [
        "Mesothelioma. His metastatic prostate has been quiet since 2020.",
        "Lung cancer. Metastatic breast on letrozole.",
        "Lung cancer. Her metastatic breast has been stable since May.",
    ] {
        assert_eq!(spread(note).0, "", "{note}");
    }
}

#[test]
fn unnamed_regional_nodes_are_no_site_of_a_breast_or_pancreatic_cancer() {
    for (note, expected) in [
        ("Breast cancer, stage IIA. The sentinel node was positive.", ""),
        ("Breast cancer, one of 12 nodes positive.", ""),
        ("Pancreatic cancer, 3/15 nodes positive.", ""),
        ("Breast cancer with bulky axillary nodal involvement.", "axillary lymph nodes"),
        ("Breast cancer metastatic to lymph nodes and liver.", "lymph nodes; liver"),
        ("Cutaneous melanoma, sentinel node positive.", "regional lymph nodes"),
        ("At autopsy, metastatic melanoma was found in the heart, liver and brain.", "heart; liver; brain"),
        ("Metastatic lung cancer. The FDG uptake in the brain is physiological.", ""),
    ] {
        assert_eq!(spread(note).0, expected, "{note}");
    }
}

#[test]
fn sites_follow_a_formula_and_stand_before_a_single_metastasis() {
    for (note, expected) in [
        ("Breast cancer T3N1M1 (bone).", "bone"),
        ("Colon cancer pT3 pN1 pM1a (liver).", "liver"),
        ("Colon cancer M0 (liver clear).", ""),
        ("Breast cancer with L ischium met.", "bone"),
        ("Melanoma, single R frontal met.", "brain"),
        ("Lung cancer, adrenal met 1.1 cm.", "adrenal gland"),
        ("Lung cancer. We met in the liver clinic.", ""),
        ("Colon cancer with liver (bilobar) mets.", "liver"),
        ("Colon cancer. A lung nodule thought to be a metastasis was resected and proved to be a hamartoma.", ""),
        ("Breast cancer. Liver lesion thought to be a metastasis is a haemangioma on MRI.", ""),
        ("Gastric cancer cM1 (HEP, PER).", "liver; peritoneum"),
        ("Colon cancer stage IV (liver, peritoneum).", "liver; peritoneum"),
        ("Melanoma. Liver: multiple metastases. Lung: benign granuloma.", "liver"),
        ("Lung cancer. Brain: three enhancing metastases.", "brain"),
        ("Colon cancer. Liver: metastases in segments 2 and 7.", "liver"),
        ("Colon cancer. Liver: no metastases.", ""),
        ("Kidney cancer. Pulmonary nodules more likely granulomas than metastases.", ""),
        ("Breast cancer. T8 compression fracture is osteoporotic rather than metastatic.", ""),
        ("Melanoma with lung + subcut mets.", "lung"),
    ] {
        assert_eq!(spread(note).0, expected, "{note}");
    }
}
