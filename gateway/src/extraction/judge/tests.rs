//! Tests of `judge`.

use proptest::prelude::*;

use super::*;

fn in_bytes() -> JudgeInput<'static> {
    JudgeInput { unit: OffsetUnit::Byte, ..JudgeInput::default() }
}

/// Returns the text between two offsets in a unit.
fn slice(text: &str, unit: OffsetUnit, start: usize, end: usize) -> String {
    match unit {
        OffsetUnit::Byte => text.get(start..end).unwrap().to_owned(),
        OffsetUnit::Codepoint => text.chars().skip(start).take(end - start).collect(),
        OffsetUnit::Utf16 => {
            let units: Vec<u16> = text.encode_utf16().skip(start).take(end - start).collect();
            String::from_utf16(&units).unwrap()
        }
    }
}

#[test]
fn what_stands_in_another_language_is_not_called_present() {
    for (text, field, value, expected) in [
        (
            "Patientin mit Lungenkarzinom, unter Osimertinib, ohne Nachweis einer Progression.",
            Field::Treatment,
            "Osimertinib",
            Assertion::Unknown,
        ),
        ("患者肺腺癌，拒绝使用 osimertinib 治疗，无脑转移。", Field::Treatment, "osimertinib", Assertion::Unknown),
        (
            "El paciente rechazo pembrolizumab por una decision del comite.",
            Field::Treatment,
            "pembrolizumab",
            Assertion::Unknown,
        ),
        (
            "The patient is on pembrolizumab for lung cancer and is doing well.",
            Field::Treatment,
            "pembrolizumab",
            Assertion::Present,
        ),
        (
            "Lung cancer; anti-PD-1 β-blocker trial: pembrolizumab given.",
            Field::Treatment,
            "pembrolizumab",
            Assertion::Present,
        ),
    ] {
        let note = Note::new(text.to_owned(), usize::MAX).unwrap();
        let mut record = Record::default();
        *record.get_mut(field) = Some(value.to_owned());
        let judged = judge(&note, record, in_bytes(), |_, _| None);
        let assertion = judged.evidence.get(field).first().and_then(|finding| finding.assertion);
        assert_eq!(assertion, Some(expected), "{text}");
        assert_eq!(judged.record.get(field), Some(value), "{text}");
        let warned = judged.warnings.iter().filter(|warning| warning.code == WarningCode::UnassessedLanguage).count();
        assert_eq!(warned, usize::from(expected == Assertion::Unknown), "{text}");
    }
}

#[test]
fn a_value_is_found_in_the_note_and_in_its_readable_text() {
    let text = "<p>Stage&nbsp;IV lung adeno-\ncarcinoma, PD-L1 &lt;1%, metas&shy;tases in the <b>li</b>ver.</p>";
    for (field, value, quote) in [
        (Field::CancerType, "lung adenocarcinoma", "lung adeno-\ncarcinoma"),
        (Field::CancerType, "lung adeno-\ncarcinoma", "lung adeno-\ncarcinoma"),
        (Field::CancerType, "lung adeno-carcinoma", "lung adeno-\ncarcinoma"),
        (Field::Biomarker, "PD-L1 <1%", "PD-L1 &lt;1%"),
        (Field::Biomarker, "PD-L1 &lt;1%", "PD-L1 &lt;1%"),
        (Field::Stage, "IV", "Stage&nbsp;IV"),
        (Field::MetastasisSite, "liver", "li</b>ver"),
    ] {
        let note = Note::new(text.to_owned(), usize::MAX).unwrap();
        let mut record = Record::default();
        *record.get_mut(field) = Some(value.to_owned());
        let JudgedRecord { record, evidence, warnings, .. } = judge(&note, record, in_bytes(), |_, _| None);
        let findings = evidence.get(field);
        let slice = findings[0].start.zip(findings[0].end).and_then(|(start, end)| text.get(start..end));
        assert_eq!(slice, findings[0].quote.as_deref(), "{value}");
        assert!(slice.is_some_and(|slice| slice.contains(quote) || quote.contains(slice)), "{value}: {slice:?}");
        assert_eq!((record.get(field), warnings.len()), (Some(value), 0), "{value}");
    }
}

proptest! {
    #[test]
    fn quotes_are_slices_in_every_unit(
        pieces in prop::collection::vec(
            prop::sample::select(vec![
                "liver metastases", "no brain lesion", "he\u{301}patic", "hep\u{200b}atic", "stage IV", "ER+/PR-", "😀",
                "👩\u{200d}🔬", "\r\n", "osimer-\n  tinib", "metas&shy;tases", "<td>IV</td>", "=C3=A9", "=\n", "&lt;", "\u{1e}", "\t", ". ", " ", "سرطان", "\u{202e}", "|", "Stage\u{a0}IIIB", "Ａ", "\u{fb01}", "PR",
                "0123456789", "\u{feff}", "will start osimertinib", "ＥＲ positive", "mother had breast cancer",
            ]),
            1..40,
        )
    ) {
        let text = pieces.concat() + "x";
        let note = Note::new(text.clone(), usize::MAX).unwrap();
        let record = Record {
            cancer_type: Some("breast cancer".into()),
            stage: Some("IV; IIIB".into()),
            biomarker: Some("ER positive, PR negative".into()),
            treatment: Some("osimertinib".into()),
            metastasis_site: Some("liver and brain".into()),
            ..Record::default()
        };
        for unit in [OffsetUnit::Codepoint, OffsetUnit::Utf16, OffsetUnit::Byte] {
            let judged = judge(&note, record.clone(), JudgeInput { unit, ..JudgeInput::default() }, |_, _| None);
            for finding in Field::ALL.into_iter().flat_map(|field| judged.evidence.get(field)) {
                if let (Some(quote), Some(start), Some(end)) = (&finding.quote, finding.start, finding.end) {
                    prop_assert_eq!(quote, &slice(&text, unit, start, end));
                    prop_assert!(text.contains(quote.as_str()));
                }
            }
        }
    }
}
