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
        ("Metastatic breast cancer with axillary lymph node involvement.", ""),
        ("Lung cancer with brain metastases; mediastinal nodes are enlarged.", "brain"),
    ] {
        let (sites, extent) = spread(note);
        assert!(extent >= Extent::Distant && sites.starts_with(expected), "{note}: {sites} {extent:?}");
    }
}
