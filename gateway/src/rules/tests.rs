//! Tests of the rules with notes written by hand in many styles, and the expected values.

use std::collections::BTreeSet;

use proptest::prelude::*;
use serde::Deserialize;

use super::*;

#[derive(Deserialize)]
struct Cases {
    note: Vec<Case>,
}

/// A note and the expected values of some or all fields; "" means null.
#[derive(Deserialize)]
struct Case {
    name: String,
    text: String,
    #[serde(flatten)]
    expected: std::collections::BTreeMap<String, String>,
}

fn note(text: &str) -> Note {
    Note::new(text.to_owned(), 1_000_000).unwrap()
}

fn parts(value: &str) -> BTreeSet<&str> {
    value.split("; ").filter(|part| !part.is_empty()).collect()
}

/// Returns a message for each wrong field, so that one run shows all errors.
fn check(case: &Case, fields: impl Iterator<Item = Field>) -> Vec<String> {
    let reading = read(&note(&case.text));
    fields
        .filter_map(|field| {
            let expected = case.expected.get(field.name())?;
            let found = reading.record.get(field).unwrap_or_default();
            (parts(expected) != parts(found))
                .then(|| format!("{}: {} is {found:?}, expected {expected:?}", case.name, field.name()))
        })
        .collect()
}

fn cases(file: &str) -> Vec<Case> {
    let cases: Cases = toml::from_str(file).unwrap();
    for case in &cases.note {
        for name in case.expected.keys() {
            assert!(Field::named(name).is_some(), "{}: {name}", case.name);
        }
    }
    cases.note
}

#[test]
fn oncology_notes() {
    let wrong: Vec<_> =
        cases(include_str!("cases/styles.toml")).iter().flat_map(|case| check(case, Field::ALL.into_iter())).collect();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn notes_without_cancer_stay_empty() {
    let mut wrong = Vec::new();
    for case in cases(include_str!("cases/without_cancer.toml")) {
        let reading = read(&note(&case.text));
        for field in Field::ALL {
            if let Some(value) = reading.record.get(field) {
                wrong.push(format!("{}: {} is {value:?}", case.name, field.name()));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn negated_terms_are_recognised() {
    for (text, expected) in [
        ("No evidence of lung cancer.", true),
        ("Was offered pembrolizumab.", true),
        ("Sprained ankle, ibuprofen as needed.", false),
        ("El paciente refiere dolor.", false),
        // Drugs have the same names in Spanish, but the rules do not understand its negations.
        ("Paciente con cancer de mama en tratamiento con trastuzumab, sin metastasis.", false),
    ] {
        assert_eq!(read(&note(text)).recognised_terms, expected, "{text}");
    }
}

/// An empty record has a warning with the reason. A note with a part in another language has one even if values were
/// read.
#[tokio::test]
async fn empty_records_and_foreign_parts_have_warnings() {
    use crate::{
        admission::Admission,
        extraction::{AnswerOptions, Pipeline, TokenBudget, WarningCode},
    };
    let pipeline = Pipeline::new(Arc::new(RulesEngine::default()), Admission::new(1, 1), 10_000);
    let budget = TokenBudget::Adjustable(1_024);
    let request = EngineRequest::plain(budget, Arc::from("test"));
    let german_after_english = format!(
        "{}Patientin mit metastasiertem Adenokarzinom der Lunge, Stadium IV, Lebermetastasen, unter Osimertinib.",
        "She was seen in the clinic with lung cancer and is on osimertinib. ".repeat(40)
    );
    for (text, expected) in [
        ("Possible lung cancer.", Some(WarningCode::ContradictedValue)),
        ("Will start osimertinib.", Some(WarningCode::ContradictedValue)),
        ("On osimertinib since May.", Some(WarningCode::NoOncologyTerms)),
        ("Sprained ankle.", Some(WarningCode::NoOncologyTerms)),
        ("Patient mit Lungenkarzinom und Lebermetastasen unter Osimertinib.", Some(WarningCode::NoOncologyTerms)),
        ("Paciente con cancer de mama estadio IV en tratamiento con letrozole.", Some(WarningCode::NoOncologyTerms)),
        ("Paciente con melanoma estadio IV, sin metastasis en el higado.", Some(WarningCode::NoOncologyTerms)),
        ("Stage IV lung cancer, on <b>osimertinib</b>.", None),
        ("Stage IV lung cancer, on osimer&unknown;tinib.", Some(WarningCode::UnfamiliarText)),
        ("Stage IV lung cancer, on osimer\u{7}tinib.", Some(WarningCode::UnfamiliarText)),
        (&german_after_english, Some(WarningCode::UnfamiliarText)),
        ("Stage IV lung cancer, Ki-67 <5%.", None),
        ("T1N0 disease.", None),
    ] {
        let deadline = Deadline::after(std::time::Duration::from_secs(30));
        let answer = pipeline.extract(&note(text), &request, AnswerOptions::default(), deadline).await.unwrap().0;
        // Another warning also reports values in another language.
        let mut codes = answer.warnings.iter().filter(|warning| warning.field.is_none()).map(|warning| warning.code);
        let code = codes.find(|code| *code != WarningCode::UnassessedLanguage);
        assert_eq!(code, expected, "{text}: {:?}", answer.warnings);
    }
}

/// Of a clinical and a pathological stage that differ, the pathological one counts, with a warning.
#[tokio::test]
async fn a_clinical_stage_beside_another_pathological_one_is_warned_of() {
    use crate::{
        admission::Admission,
        extraction::{AnswerOptions, Pipeline, TokenBudget, WarningCode},
    };
    let pipeline = Pipeline::new(Arc::new(RulesEngine::default()), Admission::new(1, 1), 10_000);
    let request = EngineRequest::plain(TokenBudget::Adjustable(1_024), Arc::from("test"));
    for (text, stage, warned) in [
        ("Lung adenocarcinoma. cT1c cN0; pT2a pN1.", "IIB", true),
        ("Lung cancer. Clinical stage IIA. Pathological stage IIB.", "IIB", true),
        ("Breast cancer. Clinical cT2 N0, pathological pT2 pN0.", "IIA", false),
        ("Rectal cancer, cT3 N1. Neoadjuvant chemoradiation. ypT1 ypN0.", "IIIB", false),
        ("Breast cancer stage IIA. cT2 N0; pT1c pN0.", "IIA", false),
    ] {
        let deadline = Deadline::after(std::time::Duration::from_secs(30));
        let answer = pipeline.extract(&note(text), &request, AnswerOptions::default(), deadline).await.unwrap().0;
        let mut warnings = answer.warnings.iter();
        let found = warnings.any(|one| one.code == WarningCode::ConflictingValues && one.field == Some(Field::Stage));
        assert_eq!((answer.record.stage.as_deref().unwrap_or_default(), found), (stage, warned), "{text}");
    }
}

/// An acronym counts beside its organ and a grade or the operation that took the tissue.
#[test]
fn acronyms_count_beside_their_organ() {
    for (text, expected) in [
        ("Breast, left, biopsy: IDC, grade 2. ER positive 90%, HER2 negative.", "IDC"),
        ("Left breast core biopsy. IDC. ER 8/8.", "IDC"),
        ("ILC right breast, grade 2, ER+ PR+ HER2-.", "ILC"),
        ("TCC bladder, high grade.", "TCC"),
        ("Rt breast ILC 2024.", "ILC"),
        ("Oropharyngeal SCC, T2N1.", "SCC"),
        ("Admitted with cervical SCC, MRI spine done.", ""),
        ("No IDC in the breast biopsy.", ""),
        ("IDC number 12345, breast pain.", ""),
        ("TCC of the left knee, grade 2 sprain.", ""),
    ] {
        let found = read(&note(text)).record.cancer_type.unwrap_or_default();
        assert!(found.contains(expected) && found.is_empty() == expected.is_empty(), "{text}: {found}");
    }
}

/// While a worker reads a long note, it answers no other request, so long notes are read elsewhere.
#[tokio::test]
async fn a_long_note_is_read_beside_the_worker_and_a_short_one_at_once() {
    let engine = RulesEngine::default().with_cpu_pool(CpuPool::new(1, 1));
    let request = EngineRequest::plain(crate::extraction::TokenBudget::Adjustable(1_024), Arc::from("test"));
    let deadline = Deadline::after(std::time::Duration::from_mins(1));
    for (times, at_once) in [(1, true), (1_000, false)] {
        let note = note(&"Stage IV lung cancer. ".repeat(times));
        let mut draft = engine.draft(&note, &request, deadline);
        let first = futures_util::poll!(&mut draft);
        assert_eq!(first.is_ready(), at_once, "{times}");
        if first.is_pending() {
            assert!(draft.await.unwrap().text.as_str().contains("IV"));
        }
    }
}

/// Values that the rules recognise but leave out are listed even if the record stays empty.
#[test]
fn values_left_out_are_withheld() {
    for (text, field, value) in [
        ("Possible lung cancer.", Field::CancerType, "lung cancer"),
        ("Mother had breast cancer.", Field::CancerType, "breast cancer"),
        ("Pembrolizumab was declined.", Field::Treatment, "pembrolizumab"),
        ("No liver metastases.", Field::MetastasisSite, "liver"),
        ("Stage II colon cancer; will start FOLFOX.", Field::Treatment, "FOLFOX"),
    ] {
        let withheld = read(&note(text)).withheld;
        assert!(withheld.contains(&(field, value.to_owned())), "{text}: {withheld:?}");
    }
}

/// Without the name of a cancer, the other terms of the note decide whether fields are filled.
#[test]
fn fields_are_filled_without_a_named_diagnosis() {
    for (text, expected) in [
        ("Stage III disease, KRAS G12C mutation found.", [Some("III"), Some("KRAS G12C"), None, None]),
        ("Stage II, on adjuvant osimertinib.", [Some("II"), None, Some("adjuvant osimertinib"), None]),
        ("Metastases in the brain and the adrenal gland.", [Some("IV"), None, None, Some("brain; adrenal gland")]),
        ("Metastatic calcification of the lung. No tumor.", [None; 4]),
        ("Melanoma in 2005. Metastatic calcification of the skin.", [None; 4]),
        ("Prostate cancer and Parkinson disease. PD in the brain clinic.", [None; 4]),
        ("Stage III disease of the kidneys.", [None; 4]),
        ("Stage 2, continue lisinopril.", [None; 4]),
    ] {
        let record = read(&note(text)).record;
        let found = [Field::Stage, Field::GeneMutation, Field::Treatment, Field::MetastasisSite].map(|f| record.get(f));
        assert_eq!(found, expected, "{text}");
    }
}

proptest! {
    #[test]
    fn any_text_is_read_without_panic_and_with_the_same_result(text in "\\PC{1,200}") {
        let text = format!("stage {text} EGFR{text} HER2 {text} breast cancer metastatic to {text}");
        prop_assert_eq!(read(&note(&text)), read(&note(&text)));
    }

    #[test]
    fn pieces_of_notes_in_any_order_are_read_without_panic(
        pieces in prop::collection::vec(
            prop::sample::select(vec![
                "stage", " IV", "metastatic", " to the ", "liver", "\n\n", "é", "\u{200b}", "ER-/", "PR+", " (", ")",
                "p.V600E ", "BRAF ", "EML4", "-", "ALK", "no ", "evidence of ", "disease. ", "PD-L1 ", "5 %", "FOLFOX",
                "breast ", "cancer ", "T2", "N1", "M0", "\u{301}", "😀", " HER2 3+", "loss", "PSA 0,9 ng/ml", ";", ":",
                "[x] ", "[ ]", "(-)", " | ", "\t", "yes", "No", "....", "- ", "?", "(Y/N)", "pT", "yp", "(sn)", "\u{2082}",
                "\u{2163}", "IVB", "FIGO ", "rather than ", "if ", "but ", "<br>", "</li>", "&amp;", "&#x", "\\par ",
                "{\\rtf1 ", "\\.br\\", "\u{2028}", "\u{85}", "\u{ad}", "\u{ff25}\u{ff27}\u{ff26}\u{ff32}", "Allred ", "8/8",
            ]),
            1..60,
        )
    ) {
        let text = pieces.concat() + ".";
        prop_assert_eq!(read(&note(&text)), read(&note(&text)));
    }
}

/// Writes a text in the full-width letters of East Asian fonts.
fn full_width(text: &str) -> String {
    let wide = |c: char| match c {
        ' ' => '\u{3000}',
        '!'..='~' => char::from_u32(u32::from(c) + 0xfee0).unwrap(),
        other => other,
    };
    text.chars().map(wide).collect()
}

/// Fields are read from notes with line breaks, markup or encoded text inside words, and each quote is the text of the
/// note as received.
#[tokio::test]
async fn broken_and_encoded_words_are_read() {
    use crate::{
        admission::Admission,
        extraction::{AnswerOptions, OffsetUnit, Pipeline, TokenBudget},
    };
    let pipeline = Pipeline::new(Arc::new(RulesEngine::default()), Admission::new(1, 1), 10_000);
    let request = EngineRequest::plain(TokenBudget::Adjustable(1_024), Arc::from("test"));
    let plain = "Stage IV lung adenocarcinoma with EGFR L858R, ER negative, PD-L1 60%, on osimertinib with a partial response. \
                 Liver metastases, without brain metastases.";
    let deadline = || Deadline::after(std::time::Duration::from_secs(30));
    let answer_options = AnswerOptions { offsets: OffsetUnit::Byte, ..AnswerOptions::default() };
    let expected = pipeline.extract(&note(plain), &request, answer_options, deadline()).await.unwrap().0.record;
    assert!(Field::ALL.iter().all(|&field| expected.get(field).is_some()), "{expected:?}");
    let quoted_printable = plain.replace(' ', "=20").replace("carcinoma", "carci=\nnoma").replace('-', "=2D");
    for text in [
        plain
            .replace("adeno", "adeno-\n")
            .replace("osimer", "osimer-\r\n   ")
            .replace("with", "with-\n")
            .replace("with-\n ", "with ")
            .replace("ER negative", "ER-\nnegative")
            .replace("PD-", "PD-\n")
            .replace("metas", "metas- \n"),
        plain.to_uppercase().replace("ADENO", "ADENO-\n").replace("METAS", "METAS-\n"),
        plain.replace(' ', "&nbsp;").replace("adeno", "adeno<wbr>").replace("response", "<b>response</b>"),
        plain
            .replace(". ", ".<br/>")
            .replace(' ', "&#32;")
            .replace("tinib", "&shy;tinib")
            .replace("metas", "metas&#8203;"),
        format!("<td>{}</td>", plain.replace(' ', "</td><td>")),
        quoted_printable.clone(),
        // A string with the escapes of a string.
        plain.replace(". ", r".\n").replace("adeno", r"adeno-\r\n").replace("with ", r"with\t"),
        // HTML in a quoted-printable mail.
        format!("<p class=3D\"x\">{}</p>", quoted_printable.replace("negative", "<i>neg</i>ative")),
        plain.replace("adeno", "adeno\u{ad}").replace("osimer", "osimer\u{200b}").replace("metas", "metas\u{2060}"),
        plain.replace("adeno", "adeno\u{202e}").replace("osimer", "osimer\u{200f}").replace("metas", "\u{2067}metas"),
        plain.replace("adeno", "adeno\u{2}").replace("osimer", "osi\u{7}mer").replace(' ', "\u{1f}"),
        plain.replace("adeno", "adeno\u{ad}\n").replace("osimer", "o\u{feff}simer").replace("metas", "metas\u{8}"),
        plain.replace('-', "\u{2011}").replace(' ', "\u{a0}").replace("IV", "\u{2163}"),
        full_width(plain),
        format!(
            r"{{\rtf1\ansi{{\fonttbl{{\f0 Liver;}}}}\pard {}\par}}",
            plain.replace(". ", r".\par ").replace("IV", r"\b IV\b0 ")
        ),
        plain.replace(". ", r".\.br\"),
        plain
            .replace(". ", ".\u{2028}")
            .replace(", ", ",\u{b}")
            .replace("PD-L1 60%", "PD\u{2010}L\u{2081} \u{ff16}\u{ff10}\u{ff05}"),
    ] {
        let answer = pipeline.extract(&note(&text), &request, answer_options, deadline()).await.unwrap().0;
        let lower = |record: &Record| record.to_training_json().to_lowercase();
        assert_eq!(lower(&answer.record), lower(&expected), "{text:?}");
        for finding in Field::ALL.into_iter().flat_map(|field| answer.evidence.get(field)) {
            let (start, end) = (finding.start.unwrap(), finding.end.unwrap());
            assert_eq!(finding.quote.as_deref(), text.get(start..end), "{} in {text:?}", finding.value);
        }
    }
}

/// Wordings of case reports, with the treatments or the response that they state.
#[test]
fn case_reports_tell_of_operations_and_of_the_course() {
    for (text, field, expected) in [
        ("The mass of the thigh was excised; pathology showed liposarcoma.", Field::Treatment, "excised"),
        ("A brain metastasis of the melanoma was resected.", Field::Treatment, "resected"),
        (
            "A metastasis of the melanoma was resected. Four months after surgery she relapsed.",
            Field::Treatment,
            "resected",
        ),
        ("The pancreatic cancer was not resected.", Field::Treatment, ""),
        ("Melanoma. Three lymph nodes were resected and benign.", Field::Treatment, ""),
        ("The colon cancer was resected by right hemicolectomy.", Field::Treatment, "right hemicolectomy"),
        ("Esophageal cancer, Ivor Lewis esophagectomy performed.", Field::Treatment, "esophagectomy"),
        (
            "Early gastric cancer; endoscopic submucosal dissection was done.",
            Field::Treatment,
            "endoscopic submucosal dissection",
        ),
        ("Pancreatic cancer, duodenopancreatectomy performed.", Field::Treatment, "duodenopancreatectomy"),
        ("Appendiceal adenocarcinoma after appendectomy.", Field::Treatment, "appendectomy"),
        ("Ovarian carcinoma. Appendix, appendectomy: unremarkable.", Field::Treatment, ""),
        (
            "Breast cancer treated with taxane-based chemotherapy, then capecitabine.",
            Field::Treatment,
            "taxane-based chemotherapy; capecitabine",
        ),
        ("Breast cancer treated with taxane-based chemotherapy (docetaxel).", Field::Treatment, "docetaxel"),
        (
            "Breast cancer after anthracycline-based chemotherapy and lapatinib.",
            Field::Treatment,
            "anthracycline-based chemotherapy; lapatinib",
        ),
        ("Mycosis fungoides treated with bexarotene and PUVA.", Field::Treatment, "bexarotene; PUVA"),
        ("Lung cancer; past history of cholecystectomy and hysterectomy.", Field::Treatment, ""),
        (
            "History of radical resection of a retroperitoneal sarcoma including right nephrectomy.",
            Field::Treatment,
            "radical resection; right nephrectomy",
        ),
        (
            "Lung cancer: partial response to cisplatin. Two months later stable disease.",
            Field::Response,
            "partial response then stable disease",
        ),
        ("Seminoma. CT showed disappearance of the mass after BEP.", Field::Response, "complete response"),
        ("Endometrial carcinoma; she is alive without disease.", Field::Response, "no evidence of disease"),
    ] {
        let reading = read(&note(text));
        assert_eq!(reading.record.get(field).unwrap_or_default(), expected, "{text}");
    }
}
