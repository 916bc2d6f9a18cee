//! Tests cutting and merging with tables and with random notes.

use proptest::prelude::*;

use super::*;
use crate::extraction::{Field, Record};

fn note(text: &str) -> Note {
    Note::new(text.to_owned(), usize::MAX).unwrap()
}

fn own_texts<'a>(chunks: &[Chunk], text: &'a str) -> Vec<&'a str> {
    chunks.iter().map(|chunk| text.get(chunk.range()).unwrap()).collect()
}

#[test]
fn a_note_that_fits_is_one_chunk() {
    let note = note("Stage IV lung cancer.");
    let chunks = cut(&note, 21);
    assert_eq!(chunks.len(), 1);
    assert_eq!(chunks[0].note(&note).as_str(), note.as_str());
}

#[test]
fn cuts_prefer_sections_then_paragraphs_then_sentences() {
    let filler = "The patient feels well and walks daily. ".repeat(10);
    let opening = "Ms A has stage IV lung adenocarcinoma. ";
    for (between, begins) in [
        ("\nFamily history:\nMother had ovarian cancer. ", "Family history:"),
        ("\n\nShe then received osimertinib. ", "She then received"),
        ("She then received osimertinib. ", "She then received"),
    ] {
        let text = format!("{opening}{filler}{between}{filler}");
        let note = note(&text);
        let chunks = chunks(&text, 0..text.len(), 500);
        assert_eq!(chunks.len(), 2, "{between:?}");
        assert_eq!(own_texts(&chunks, &text).concat(), text);
        assert!(own_texts(&chunks, &text)[1].starts_with(begins), "{between:?}: {}", own_texts(&chunks, &text)[1]);
        assert!(chunks[1].note(&note).as_str().starts_with(opening.trim_end()));
    }
}

#[test]
fn a_heading_is_repeated_for_its_own_section_only() {
    let family = "An aunt had breast cancer at 40 and a cousin had colon cancer. ".repeat(16);
    let text = format!("Ms A has stage II melanoma.\n\nFamily history:\n{family}\n\nPlan:\n{family}");
    let note = note(&text);
    let chunks = chunks(&text, 0..text.len(), 600);
    let mut seen = 0;
    for chunk in &chunks {
        let sent = chunk.note(&note);
        let (sent, own) = (sent.as_str(), text.get(chunk.range()).unwrap());
        let at = text.find("\nPlan:").unwrap();
        if !own.starts_with("Ms A") && !own.starts_with("Family") && !own.starts_with("Plan") {
            let expected = if chunk.range().start < at { "Family history:" } else { "Plan:" };
            assert_eq!(sent.lines().nth(2), Some(expected), "{sent}");
            seen += 1;
        }
    }
    assert!(seen >= 2, "{}", chunks.len());
}

#[test]
fn a_chunk_is_halved_until_it_is_too_short() {
    let text = "One more sentence about nothing. ".repeat(40);
    let note = note(&text);
    let whole = cut(&note, 10_000).remove(0);
    let [first, second] = whole.halves(&note).unwrap();
    assert_eq!((first.range().start, second.range().end), (0, text.len()));
    assert_eq!(first.range().end, second.range().start);
    let mut short = first;
    while let Some([first, _]) = short.halves(&note) {
        assert!(first.range().len() < short.range().len());
        short = first;
    }
    assert!(short.range().len() < LEAST);
}

fn record(field: Field, value: &str) -> Record {
    let mut record = Record::default();
    *record.get_mut(field) = (!value.is_empty()).then(|| value.to_owned());
    record
}

#[test]
fn records_are_merged() {
    use Field::{Biomarker, CancerType, GeneMutation, MetastasisSite, Response, Stage, Treatment};
    for (field, values, expected, conflict) in [
        (Stage, &["IV", "", "IV"][..], "IV", false),
        (Stage, &["IV", "stage IVB"], "stage IVB", false),
        (Stage, &["IIIA", "3"], "IIIA", false),
        (Stage, &["II", "IV"], "II; IV", true),
        (Stage, &["I", "II"], "I; II", true),
        (Stage, &["pT2N1M0", "IIB"], "pT2N1M0; IIB", false),
        (CancerType, &["melanoma", "Cutaneous melanoma"], "Cutaneous melanoma", false),
        (CancerType, &["melanoma (cutaneous)", "cutaneous melanoma"], "melanoma (cutaneous)", false),
        (CancerType, &["breast cancer", "lung cancer"], "breast cancer; lung cancer", false),
        (GeneMutation, &["EGFR; TP53", "EGFR L858R"], "EGFR L858R; TP53", false),
        (MetastasisSite, &["bone; liver", "livers", "brain"], "bone; liver; brain", false),
        (Treatment, &["carboplatin", "carboplatin and pemetrexed", "pemetrexed"], "carboplatin and pemetrexed", false),
        (Biomarker, &["ER positive", "ER negative"], "ER positive; ER negative", true),
        (Biomarker, &["PD-L1 5%", "PD-L1 50%"], "PD-L1 5%; PD-L1 50%", true),
        (Biomarker, &["PD-L1 5%", "PD-L1 positive"], "PD-L1 5%; PD-L1 positive", false),
        (Biomarker, &["ER positive", "PR negative"], "ER positive; PR negative", false),
        (Response, &["partial response", "progression"], "partial response; progression", true),
        (Response, &["residual disease", "no residual disease"], "residual disease; no residual disease", true),
    ] {
        let records: Vec<Record> = values.iter().map(|value| record(field, value)).collect();
        let merged = merge(&records);
        assert_eq!(merged.record.get(field), Some(expected), "{values:?}");
        assert_eq!(!merged.conflicts.is_empty(), conflict, "{values:?}");
        assert_eq!(merge(std::slice::from_ref(&merged.record)).record, merged.record, "merging again changes nothing");
    }
    assert!(merge(&[Record::default(), Record::default()]).record.is_empty());
}

#[test]
fn hundred_thousand_characters_of_any_kind_are_cut() {
    for unit in ["a", "ab ", "e\u{301}", "👩\u{200d}🔬", "\n", "\r\n", "Plan:\n", "x. ", "\u{200b}", "م"] {
        let text = format!("s{}", unit.repeat(100_000 / unit.chars().count()));
        let note = note(&text);
        let chunks = cut(&note, 6_000);
        let length: usize = chunks.iter().map(|chunk| chunk.range().len()).sum();
        assert!(length <= text.len() && chunks.iter().all(|chunk| chunk.note(&note).code_points() <= 6_000));
        if unit == "e\u{301}" || unit == "👩\u{200d}🔬" {
            assert!(own_texts(&chunks, &text).iter().skip(1).all(|own| own.starts_with(unit.chars().next().unwrap())));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn chunks_cover_the_note(text in "(([A-Za-z,]{1,9}|[é👩م\u{200d}\u{301}])[ \\n\\r.:\u{a0}]{0,3}){1,300}", most in 390usize..900) {
        prop_assume!(!text.trim().is_empty());
        let note = note(&text);
        let chunks = cut(&note, most);
        let mut end = 0;
        for chunk in &chunks {
            let range = chunk.range();
            prop_assert!(text.get(end..range.start).is_some_and(|between| between.trim().is_empty()));
            prop_assert!(text.get(range.clone()).is_some_and(|own| !own.is_empty()));
            prop_assert!(chunk.note(&note).code_points() <= most);
            end = range.end;
        }
        prop_assert!(text.get(end..).is_some_and(|rest| rest.trim().is_empty()));
    }

    #[test]
    fn merging_is_idempotent(values in prop::collection::vec("([a-c]{1,2}( |-)?){1,3}(; [a-c]{1,2})?", 1..6), field in 0usize..7) {
        let field = Field::ALL[field];
        let records: Vec<Record> = values.iter().map(|value| record(field, value)).collect();
        let once = merge(&records).record;
        prop_assert_eq!(merge(std::slice::from_ref(&once)).record, once);
    }
}
