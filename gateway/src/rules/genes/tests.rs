//! Tests of the genes and their alterations.

use super::*;

#[test]
fn alterations_are_read_from_many_wordings() {
    for (text, expected) in [
        ("BRAF V600E", "BRAF V600E"),
        ("positive for EGFR L858R and T790M", "EGFR L858R; EGFR T790M"),
        ("a V600E mutation in BRAF", "BRAF V600E"),
        ("acquired T790M", "EGFR T790M"),
        ("KRAS and TP53 mutations", "KRAS mutation; TP53 mutation"),
        ("KRAS G12D mutation", "KRAS G12D"),
        ("EML4-ALK fusion", "EML4-ALK fusion"),
        ("ALK-rearranged", "ALK rearrangement"),
        ("MET exon 14 skipping", "MET exon 14 skipping"),
        ("MET amplification", "MET amplification"),
        ("HER2 amplification", ""),
        ("ERBB2 S310F mutation", "ERBB2 S310F"),
        ("a deleterious germline BRCA2 mutation", "BRCA2 deleterious mutation (germline)"),
        ("a pathogenic BRCA1 variant", "BRCA1 pathogenic variant"),
        ("BRCA1 (germline)", "BRCA1 germline"),
        ("EML4-ALK (E13;A20) fusion", "EML4-ALK"),
        ("EML4-ALK variant 3", "EML4-ALK fusion"),
        ("a KIAA1549-BRAF fusion", "KIAA1549-BRAF fusion"),
        ("FGFR3-TACC3 and FGFR2-BICC1 fusions", "FGFR3-TACC3 fusion; FGFR2-BICC1 fusion"),
        ("SQSTM1-NTRK1-rearranged lung cancer", "SQSTM1-NTRK1 fusion"),
        ("BCR-ABL variants, H396R was seen", "BCR-ABL H396R"),
        ("MSH6:NM_000179.2:exon5:c.3254delC:p.F1088Sfs*2", "MSH6 c.3254delC; MSH6 p.F1088Sfs*2"),
        ("EGFR p.Leu858Arg", "EGFR p.Leu858Arg"),
        ("EGFR exon nineteen deletion", "EGFR exon 19 deletion"),
        ("EGFR L858R/T790M", "EGFR L858R; EGFR T790M"),
        ("CDKN2A loss", "CDKN2A loss"),
        ("loss of PTEN", "PTEN loss"),
        ("loss of PTEN expression", ""),
        ("loss of MLH1", ""),
        ("MYCN amplification, 1p loss and 17q gain", "MYCN amplification; 1p loss; 17q gain"),
        ("a CHEK2 variant of uncertain significance", ""),
        ("VUS: ATM P1054R, FANCA S858R. KRAS G12D", "KRAS G12D"),
        ("ROS: positive for cough", ""),
        ("BRAF wild-type", ""),
        ("the patient met his doctor, mutations of mood", ""),
        ("KRAS testing", ""),
    ] {
        let values = read(&NoteView::of(text), &Diagnosis::default());
        assert_eq!(values.joined().unwrap_or_default(), expected, "{text}");
    }
}
