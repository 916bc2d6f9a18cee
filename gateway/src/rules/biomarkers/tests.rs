//! Tests of the markers and their results.

use super::*;

#[test]
fn pattern_compiles() {
    compile();
}

#[test]
fn results_are_read_from_many_wordings() {
    for (text, expected) in [
        ("PD-L1 was 5 % on IHC", "PD-L1 5%"),
        ("PD-L1 tumor proportion score of 60%", "PD-L1 60%"),
        ("PD-L1 (22C3) TPS <1%", "PD-L1 <1%"),
        ("PD-L1 CPS 12", "PD-L1 CPS 12"),
        ("PD-L1 testing was not performed", ""),
        ("ER-/PR-/HER2-", "ER negative; PR negative; HER2 negative"),
        ("ER+, PR+, HER2 3+", "ER positive; PR positive; HER2 IHC 3+"),
        ("ER -, PR +, HER2 (1+)", "ER negative; PR positive; HER2 IHC 1+"),
        ("ER (+), PR (-), HER2: -", "ER positive; PR negative; HER2 negative"),
        ("ER: +; PR: -; HER2 (-).", "ER positive; PR negative; HER2 negative"),
        ("ER - positive, PR - negative", "ER positive; PR negative"),
        ("ER/PR positive, HER2 amplified by FISH", "ER positive; PR positive; HER2 amplification"),
        ("estrogen receptor (ER) positive (90 %)", "ER positive (90%)"),
        ("HER-2/neu IHC 0", "HER2 negative"),
        ("negative for ER", "ER negative"),
        ("Ki-67 index: 30 %", "Ki-67 30%"),
        ("MSI-H, TMB-high (22 mut/Mb)", "MSI-H; TMB-high (22 mut/Mb)"),
        ("TMB 3 mut/Mb", "TMB 3 mut/Mb"),
        ("mismatch repair deficient (MSI-H)", "MSI-H (dMMR)"),
        ("PSA of 0,9 ng/ml", "PSA 0,9 ng/ml"),
        ("CA 19-9 was elevated at 1,200 U/mL", "CA 19-9 elevated (1,200 U/mL)"),
        ("CEA 45 ng/mL, later CEA 3 ng/mL", "CEA 45 ng/mL; CEA 3 ng/mL"),
        ("AFP 612 ng/mL. AFP was 300 ng/mL. AFP now 44 ng/mL.", "AFP 612 ng/mL; AFP 44 ng/mL"),
        ("AFP 612 ng/mL. AFP was 300 ng/mL. AFP again 612 ng/mL.", "AFP 612 ng/mL"),
        ("rising PSA", ""),
        ("LDH rose", ""),
        ("CEA is rising", ""),
        ("PSA rising to 6 ng/mL", "PSA 6 ng/mL"),
        ("LDH elevated at 900 U/L", "LDH elevated (900 U/L)"),
        ("creatinine 0.7 mg/dL, albumin 4 g/dL, lactate dehydrogenase 295 IU/L", ""),
        ("platelets 200, LDH elevated at 700 U/L", "LDH elevated (700 U/L)"),
        ("positive for estrogen receptor and negative for HER2", "ER positive; HER2 negative"),
        (
            "positive for estrogen and progesterone receptors but negative for HER2/neu",
            "ER positive; PR positive; HER2 negative",
        ),
        ("negative for ER and PR and positive for HER2", "ER negative; PR negative; HER2 positive"),
        ("elevated CEA", "CEA elevated"),
        ("p16 positive", "p16 positive"),
        ("best response was PR \u{2014} she continues", ""),
        ("he met his kit in the ER", ""),
        ("HER 2 NEU by IHC: NEGATIVE (1+)", "HER2 negative"),
        ("HER2-NEU OVEREXPRESSION BY FISH: NOT AMPLIFIED (1.2)", "HER2 negative"),
        ("HER2/neu overexpression: NEGATIVE (1+)", "HER2 negative"),
        ("HER2 overexpression", "HER2 positive"),
        ("HER2 FISH studies performed on the adenocarcinoma are negative", "HER2 negative"),
        ("HER2 IHC: equivocal", "HER2 equivocal"),
        ("HER2/NEU: WEAKLY POSITIVE BY IMMUNOHISTOCHEMISTRY (2+)", "HER2 equivocal"),
        ("HER2 2+ by IHC", "HER2 IHC 2+"),
        ("HER2 IHC 2+ equivocal, FISH not amplified", "HER2 negative"),
        ("HER2 2+, FISH amplified", "HER2 amplification"),
        ("PD-L1 TPS 60%, CPS 65", "PD-L1 60%; CPS 65"),
        ("ER: POSTTIVE (95%)", "ER positive (95%)"),
        ("ER/PR immunostains are strongly positive", "ER positive; PR positive"),
        ("ER/PR immunostains are negative", "ER negative; PR negative"),
        ("ESTROGEN RECEPTORS: Previously ordered and positive", "ER positive"),
        ("hormone receptor (HR)-positive", "HR positive"),
        ("ER Allred 8/8, PR 6/8", "ER positive (8/8); PR positive (6/8)"),
        ("ER H-score 250", "ER positive (H-score 250)"),
        ("CPS 20", "CPS 20"),
        ("TPS 60%", "TPS 60%"),
        ("PD-L1 combined positive score (CPS) of 15", "PD-L1 CPS 15"),
        ("MGMT promoter: methylated", "MGMT promoter methylation"),
        ("MGMT promoter status: unmethylated", "MGMT promoter unmethylated"),
        ("went to the ER, positive for influenza", ""),
        ("PR negative for blood", ""),
        ("PR interval 160", ""),
        ("s/p left CEA 2019", ""),
        ("CEA 12", "CEA 12"),
        ("moderate AR, positive bubble study", ""),
    ] {
        assert_eq!(read(&NoteView::of(text)).joined().unwrap_or_default(), expected, "{text}");
    }
}
