//! Tests of grounding with tables of notes and values.

mod bounds;
mod brackets;
mod order;

use proptest::prelude::*;

use super::*;

fn quote(text: &str, field: Field, value: &str) -> Option<String> {
    let note = Note::new(text.to_owned(), 1_000_000).unwrap();
    let mut record = Record::default();
    *record.get_mut(field) = Some(value.to_owned());
    let grounded = ground(&note, &record);
    assert_eq!(grounded.len(), 1, "one part expected in {value:?}");
    assert_eq!(grounded[0].basis == Basis::Unsupported, grounded[0].spans.is_empty());
    grounded[0].spans.first().map(|span| span.quote().to_owned())
}

fn check(field: Field, cases: &[(&str, &str, Option<&str>)]) {
    for &(text, value, expected) in cases {
        assert_eq!(quote(text, field, value).as_deref(), expected, "{value:?} in {text:?}");
    }
}

#[test]
fn case_spacing_hyphens_and_unicode_forms_are_tolerated() {
    check(
        Field::Biomarker,
        &[
            ("BRAF v600e found.", "BRAF V600E", Some("BRAF v600e")),
            ("Her-2 positive.", "HER2 positive", Some("Her-2 positive")),
            ("HER 2 positive.", "HER2 positive", Some("HER 2 positive")),
            ("PDL1 80%", "PD-L1 80%", Some("PDL1 80%")),
            ("PD L1 80 %", "PD-L1 80%", Some("PD L1 80 %")),
            ("PD\u{2011}L1 80 %", "PD-L1 80%", Some("PD\u{2011}L1 80 %")),
            ("CA125 was 40", "CA-125", Some("CA125")),
            ("PSA 0,9 ng/ml", "PSA 0.9 ng/mL", Some("PSA 0,9 ng/ml")),
            ("se\u{301}zary syndrome", "Sézary syndrome", Some("se\u{301}zary syndrome")),
        ],
    );
}

#[test]
fn order_gaps_and_plural_are_tolerated_within_a_clause() {
    check(
        Field::CancerType,
        &[
            ("widely metastatic cutaneous melanoma.", "melanoma (cutaneous)", Some("cutaneous melanoma")),
            ("HER2 testing was positive.", "HER2 positive", Some("HER2 testing was positive")),
            ("nivolumab plus ipilimumab", "nivolumab and ipilimumab", Some("nivolumab plus ipilimumab")),
            (
                "docetaxel, carboplatin and\ntrastuzumab",
                "docetaxel, carboplatin, trastuzumab",
                Some("docetaxel, carboplatin and\ntrastuzumab"),
            ),
            ("two brain metastases", "brain metastasis", Some("brain metastases")),
            ("liver nodules", "liver nodule", Some("liver nodules")),
            ("one liver nodule", "liver nodules", Some("liver nodule")),
            ("carcinoma of the left breast. Breast carcinoma", "breast carcinoma", Some("Breast carcinoma")),
        ],
    );
}

#[test]
fn results_of_neighbours_do_not_support_a_value() {
    check(
        Field::Biomarker,
        &[
            ("ER positive, HER2 negative.", "HER2 positive", None),
            ("HER2 negative, PR positive.", "HER2 positive", None),
            ("HER2 was not positive.", "HER2 positive", None),
            ("HER2 negative ER positive", "HER2 positive", None),
            ("ER negative PR positive", "PR negative", None),
            ("Positive for HER2.", "HER2 positive", Some("Positive for HER2")),
            ("ER was seen. Positive margins.", "ER positive", None),
            ("PD-L1 50%", "PD-L1 5%", None),
            ("PD-L1 1%", "PD-L1 <1%", None),
            ("PD-L1 <1%", "PD-L1 <1%", Some("PD-L1 <1%")),
            ("CA 1250", "CA 125", None),
            ("KRASG12D", "KRAS G12C", None),
            ("overexpressed", "expressed", None),
        ],
    );
}

#[test]
fn a_stage_group_needs_the_word_stage() {
    check(
        Field::Stage,
        &[
            ("IV contrast was given.", "IV", None),
            ("IV contrast; stage IV disease", "IV", Some("stage IV")),
            ("Stage: IIIA", "IIIA", Some("Stage: IIIA")),
            ("FIGO IIIC", "IIIC", Some("FIGO IIIC")),
            ("Lymphoma, Ann Arbor IIB", "IIB", Some("Arbor IIB")),
            ("Seen in Ann Arbor 3 weeks ago.", "III", None),
            ("stage IV", "III", None),
            ("pT2 N0 M0", "pT2 N0 M0", Some("pT2 N0 M0")),
            ("limited-stage disease", "limited stage", Some("limited-stage")),
        ],
    );
}

#[test]
fn the_narrowest_match_wins_then_the_earliest() {
    let note =
        "Lung was clear. Later lung and a mass, adenocarcinoma of lung. lung adenocarcinoma, lung adenocarcinoma";
    let note = Note::new(note.to_owned(), 1_000).unwrap();
    let record = Record { cancer_type: Some("lung adenocarcinoma".into()), ..Record::default() };
    let span = ground(&note, &record)[0].spans.first().copied().unwrap();
    assert_eq!((span.start(), span.quote()), (63, "lung adenocarcinoma"));
}

#[test]
fn every_part_is_grounded_in_order() {
    let note = Note::new("TMB-high; PD-L1 5%".to_owned(), 1_000).unwrap();
    let record = Record { biomarker: Some("PD-L1 5%; MSI-high; ; TMB-high".into()), ..Record::default() };
    let grounded = ground(&note, &record);
    let found: Vec<_> = grounded.iter().map(|g| (g.value, g.spans.first().copied().map(Span::quote))).collect();
    assert_eq!(found, [("PD-L1 5%", Some("PD-L1 5%")), ("MSI-high", None), ("TMB-high", Some("TMB-high"))]);
}

#[test]
fn repetitive_notes_are_searched_in_bounded_time() {
    let text = "lung ".repeat(20_000);
    assert_eq!(quote(&text, Field::CancerType, "lung cancer"), None);
    let text = format!("{}cancer", "lung mass ".repeat(10_000));
    assert!(quote(&text, Field::Treatment, &"lung cancer ".repeat(50)).is_none());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// Spans borrow the note, so only a panic or an empty quote is possible.
    #[test]
    fn any_text_and_value_give_valid_spans(text in "\\PC{1,80}|[a-c ,.;%+<é\u{301}\u{200b}\n0-9-]{1,200}", value in "\\PC{1,20}|[a-c ,.é0-9-]{1,12}") {
        prop_assume!(!text.trim().is_empty() && !text.contains('\0'));
        let note = Note::new(text, 1_000).unwrap();
        let record = Record { cancer_type: Some(value), ..Record::default() };
        for grounded in ground(&note, &record) {
            if let Some(span) = grounded.spans.first() {
                prop_assert_eq!(note.as_str().get(span.start()..span.end()), Some(span.quote()));
                prop_assert!(!span.quote().trim().is_empty());
            }
        }
    }

    /// Words in the note are found word for word.
    #[test]
    fn a_slice_of_words_is_found(words in prop::collection::vec("[b-z]{4,8}", 3..12), from in 0usize..8, len in 1usize..4) {
        let from = from.min(words.len() - 1);
        let value = words[from..(from + len).min(words.len())].join(" ");
        prop_assert!(quote(&words.join(" "), Field::CancerType, &value).is_some());
    }
}

#[test]
fn synonyms_and_rules_quote_their_words() {
    for (field, text, value, basis, rule, quote) in [
        (Field::MetastasisSite, "Hepatic lesions.", "liver", Basis::Normalized, "site_adjective", "Hepatic"),
        (
            Field::Stage,
            "Widely metastatic melanoma.",
            "IV",
            Basis::Inferred,
            "metastatic_implies_stage_iv",
            "Widely metastatic",
        ),
        (
            Field::Stage,
            "Peritoneal carcinomatosis.",
            "IV",
            Basis::Inferred,
            "metastatic_implies_stage_iv",
            "Peritoneal carcinomatosis",
        ),
        (
            Field::Stage,
            "Locally advanced cancer.",
            "III",
            Basis::Inferred,
            "locally_advanced_implies_stage_iii",
            "Locally advanced",
        ),
        (
            Field::Response,
            "CT: decrease in size of the tumour.",
            "partial response",
            Basis::Inferred,
            "shrinkage_implies_partial_response",
            "decrease in size",
        ),
    ] {
        let note = Note::new(text.to_owned(), 1_000).unwrap();
        let mut record = Record::default();
        *record.get_mut(field) = Some(value.to_owned());
        let found = &ground(&note, &record)[0];
        assert_eq!(
            (found.basis, found.rule, found.spans.first().copied().map(Span::quote)),
            (basis, Some(rule), Some(quote)),
            "{text}"
        );
    }
    check(Field::Stage, &[("No evidence of metastases.", "IV", None), ("Stage II.", "IV", None)]);
}

/// Value, basis, assertion, whether the value may be in the record, and the quotes.
type Row<'a> = (&'a str, Basis, Option<Assertion>, bool, &'a [&'a str]);

fn check_rows(text: &str, field: Field, value: &str, expected: &[Row<'_>]) {
    let note = Note::new(text.to_owned(), 10_000).unwrap();
    let mut record = Record::default();
    *record.get_mut(field) = Some(value.to_owned());
    let grounded = ground(&note, &record);
    assert_eq!(grounded.len(), expected.len(), "{value:?} in {text:?}: {grounded:?}");
    for (one, (value, basis, assertion, in_record, quotes)) in grounded.iter().zip(expected) {
        let found: Vec<&str> = one.spans.iter().map(|span| span.quote()).collect();
        assert_eq!(
            (one.value, one.basis, one.assertion, one.in_record(), &found[..]),
            (*value, *basis, *assertion, *in_record, *quotes),
            "{text:?}"
        );
    }
}

#[test]
fn denied_values_are_found_and_left_out() {
    use Assertion::{Declined, Family, Negated, NotTested, Planned, Present, WildType};
    use Basis::{Inferred, Normalized, Stated, Unsupported};
    for (text, field, value, expected) in [
        (
            "No hepatic metastases.",
            Field::MetastasisSite,
            "liver",
            &[("liver", Normalized, Some(Negated), false, &["hepatic"][..])][..],
        ),
        (
            "No liver lesion on CT. Later MRI: hepatic metastases.",
            Field::MetastasisSite,
            "liver",
            &[("liver", Normalized, Some(Present), true, &["hepatic"])],
        ),
        (
            "Liver clear, no evidence of liver metastases; bone metastases present.",
            Field::MetastasisSite,
            "liver, bone",
            &[
                ("liver", Stated, Some(Negated), false, &["Liver", "liver"]),
                ("bone", Stated, Some(Present), true, &["bone"]),
            ],
        ),
        (
            "No evidence of liver metastases. Peritoneal implants.",
            Field::MetastasisSite,
            "liver and peritoneum",
            &[
                ("liver", Stated, Some(Negated), false, &["liver"]),
                ("peritoneum", Normalized, Some(Present), true, &["Peritoneal", "implants"]),
            ],
        ),
        (
            "She will start osimertinib.",
            Field::Treatment,
            "osimertinib",
            &[("osimertinib", Stated, Some(Planned), false, &["osimertinib"])],
        ),
        (
            "He declined FOLFOX. Treated with Keytruda.",
            Field::Treatment,
            "FOLFOX followed by pembrolizumab",
            &[
                ("FOLFOX", Stated, Some(Declined), false, &["FOLFOX"]),
                ("pembrolizumab", Normalized, Some(Present), true, &["Keytruda"]),
            ],
        ),
        (
            "EGFR wild-type. KRAS not tested.",
            Field::GeneMutation,
            "EGFR; KRAS",
            &[("EGFR", Stated, Some(WildType), false, &["EGFR"]), ("KRAS", Stated, Some(NotTested), false, &["KRAS"])],
        ),
        (
            "Mother had breast cancer. Patient has colon cancer.",
            Field::CancerType,
            "breast cancer; colon cancer",
            &[
                ("breast cancer", Stated, Some(Family), false, &["breast cancer"]),
                ("colon cancer", Stated, Some(Present), true, &["colon cancer"]),
            ],
        ),
        (
            "ER negative breast cancer.",
            Field::Biomarker,
            "ER negative",
            &[("ER negative", Stated, Some(Present), true, &["ER negative"])],
        ),
        ("Widely metastatic.", Field::Stage, "IV", &[("IV", Inferred, Some(Present), true, &["Widely metastatic"])]),
        ("Stage II; no metastases.", Field::Stage, "IV", &[("IV", Unsupported, None, true, &[])]),
    ] {
        check_rows(text, field, value, expected);
    }
}

#[test]
fn values_are_found_by_synonyms_parts_and_phases() {
    use Assertion::Present;
    use Basis::{Inferred, Normalized, Stated, Unsupported};
    for (text, field, value, expected) in [
        (
            "PD-L1 was 5 % on IHC.",
            Field::Biomarker,
            "PD-L1 5%",
            &[("PD-L1 5%", Stated, Some(Present), true, &["PD-L1 was 5 %"][..])][..],
        ),
        (
            "PD-L1 by IHC low (approximately 5%).",
            Field::Biomarker,
            "PD-L1 5%",
            &[("PD-L1 5%", Stated, Some(Present), true, &["PD-L1 by IHC low (approximately 5%"])],
        ),
        (
            "Her-2/neu 3+ by IHC.",
            Field::Biomarker,
            "HER2 positive",
            &[("HER2 positive", Normalized, Some(Present), true, &["Her-2/neu 3+"])],
        ),
        (
            "Tumor is ER+/PR-.",
            Field::Biomarker,
            "ER positive, PR negative",
            &[
                ("ER positive", Normalized, Some(Present), true, &["ER+"]),
                ("PR negative", Normalized, Some(Present), true, &["PR-"]),
            ],
        ),
        (
            "Tumor is ER-/PR+.",
            Field::Biomarker,
            "ER positive, PR negative",
            &[("ER positive, PR negative", Unsupported, None, true, &[])],
        ),
        (
            "Biopsy: adenocarcinoma. A sigmoid mass was seen.",
            Field::CancerType,
            "colon adenocarcinoma",
            &[("colon adenocarcinoma", Inferred, Some(Present), true, &["adenocarcinoma", "sigmoid"])],
        ),
        (
            "breast cancer",
            Field::CancerType,
            "breast cancer (breast carcinoma)",
            &[("breast cancer (breast carcinoma)", Normalized, Some(Present), true, &["breast cancer"])],
        ),
        ("Stage IIIB.", Field::Stage, "III", &[("III", Normalized, Some(Present), true, &["Stage IIIB"])]),
        ("Stage III.", Field::Stage, "IIIB", &[("IIIB", Unsupported, None, true, &[])]),
        ("Staging: cT4 N1.", Field::Stage, "IV", &[("IV", Unsupported, None, true, &[])]),
        (
            "Partial response at first, progression in May.",
            Field::Response,
            "initial partial response then progression",
            &[(
                "initial partial response then progression",
                Normalized,
                Some(Present),
                true,
                &["Partial response", "progression"],
            )],
        ),
        (
            "Lung adenocarcinoma with brain metastases.",
            Field::MetastasisSite,
            "lung; brain",
            &[("lung", Unsupported, None, true, &[]), ("brain", Stated, Some(Present), true, &["brain"])],
        ),
        (
            "BRCA2 mutation, found in germline testing.",
            Field::GeneMutation,
            "BRCA2 (germline)",
            &[("BRCA2 (germline)", Stated, Some(Present), true, &["BRCA2", "germline"])],
        ),
    ] {
        check_rows(text, field, value, expected);
    }
}

#[test]
fn a_past_cancer_counts_if_no_present_one_is_named() {
    let past = "History of breast cancer. ";
    for (text, kept) in [(past.to_owned(), true), (format!("{past}Now has lung cancer."), false)] {
        let note = Note::new(text, 1_000).unwrap();
        let record = Record { cancer_type: Some("breast cancer; lung cancer".into()), ..Record::default() };
        assert_eq!(ground(&note, &record)[0].in_record(), kept, "{}", note.as_str());
    }
}
