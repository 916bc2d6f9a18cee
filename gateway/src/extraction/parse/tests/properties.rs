//! Property tests of the parser with generated texts. The seed is fixed, so that runs are reproducible.

use std::sync::LazyLock;

use proptest::{prelude::*, sample::Index, test_runner::RngSeed};
use regex::Regex;

use super::super::{Field, Repair, RepairCode, Unusable, lenient, parse, value};
use crate::extraction::Record;

fn settings() -> ProptestConfig {
    ProptestConfig {
        cases: 10_000,
        rng_seed: RngSeed::Fixed(2),
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

/// The words and marks that the parser looks for, from which texts are generated.
const PIECES: [&str; 46] = [
    "{",
    "}",
    "[",
    "]",
    "\"",
    "'",
    "“",
    "”",
    "’",
    ":",
    ": ",
    ",",
    ", ",
    "\n",
    "\r\n",
    " ",
    "\\",
    "\\u",
    "\\ud83d",
    "\\\"",
    "null",
    "None",
    "true",
    "4",
    "-1.5",
    "<think>",
    "</think>",
    "```",
    "```json\n",
    "`",
    "**",
    "- ",
    "1. ",
    "N/A",
    "IV",
    "Hodgkin's",
    "é",
    "😀",
    "\u{feff}",
    "\0",
    "cancer_type",
    "\"stage\": ",
    "'biomarker'",
    "Treatment: ",
    "{\"x\": ",
    "...",
];

/// Generates values as the parser returns them: trimmed, and never a word without information.
fn value() -> impl Strategy<Value = Option<String>> {
    let any = prop::collection::vec(any::<char>(), 0..12)
        .prop_map(|chars| format!("v{}", chars.into_iter().collect::<String>()))
        .prop_map(|text| value::without_invisible(&text).unwrap_or(text).trim().to_owned());
    prop_oneof![
        1 => Just(None),
        1 => any.prop_map(Some),
        2 => "[A-Z][a-z]{0,6}( [a-z0-9{}\\[\\]\"'’“”:;,<>/\\\\-]{1,8}){0,3}[a-z0-9]"
            .prop_filter("carries information", |text| !["na", "nil", "none", "null"].contains(&text.to_lowercase().as_str()))
            .prop_map(Some),
    ]
}

fn record(value: impl Strategy<Value = Option<String>>) -> impl Strategy<Value = Record> {
    prop::collection::vec(value, Field::ALL.len()).prop_map(|values| {
        let mut record = Record::default();
        for (field, value) in Field::ALL.into_iter().zip(values) {
            *record.get_mut(field) = value;
        }
        record
    })
}

/// Generates values that every form can express: words with apostrophes inside.
fn plain_value() -> impl Strategy<Value = Option<String>> {
    prop::option::of("[A-Z][a-z]{1,6}('s)?( [a-z0-9+%é-]{1,5}){0,2}[a-z0-9]")
}

/// The forms of a record that the parser knows, each with the repair that reports it.
const FORMS: [(Form, Option<RepairCode>); 7] = [
    (Form { open: "{", key: ["\"", "\": "], value: ["\"", "\""], next: ", ", close: "}" }, None),
    (Form { open: "{\n  ", key: ["\"", "\": "], value: ["\"", "\""], next: ",\n  ", close: "\n}" }, None),
    (Form { open: "{", key: ["'", "': "], value: ["'", "'"], next: ", ", close: "}" }, Some(RepairCode::QuoteMarks)),
    (Form { open: "{", key: ["“", "”: "], value: ["“", "”"], next: ", ", close: "}" }, Some(RepairCode::QuoteMarks)),
    (Form { open: "{", key: ["", ": "], value: ["'", "'"], next: ",", close: ",}" }, Some(RepairCode::UnquotedKey)),
    (Form { open: "", key: ["", ": "], value: ["", ""], next: "\n", close: "" }, Some(RepairCode::KeyValueLines)),
    (
        Form { open: "", key: ["- **", ":** "], value: ["", ""], next: "\r\n", close: "" },
        Some(RepairCode::KeyValueLines),
    ),
];

#[derive(Clone, Copy, Debug)]
struct Form {
    open: &'static str,
    key: [&'static str; 2],
    value: [&'static str; 2],
    next: &'static str,
    close: &'static str,
}

impl Form {
    fn write(&self, record: &Record) -> String {
        let pairs = Field::ALL.map(|field| {
            let value = record
                .get(field)
                .map_or("null".to_owned(), |value| format!("{}{value}{}", self.value[0], self.value[1]));
            format!("{}{}{}{value}", self.key[0], field.name(), self.key[1])
        });
        format!("{}{}{}", self.open, pairs.join(self.next), self.close)
    }
}

#[derive(Clone, Debug)]
enum Change {
    Insert(Index, &'static str),
    Delete(Index, usize),
    Double(Index, usize),
    Cut(Index),
    Case(Index, usize),
}

fn change() -> impl Strategy<Value = Change> {
    let at = any::<Index>;
    prop_oneof![
        (at(), prop::sample::select(&PIECES[..])).prop_map(|(at, piece)| Change::Insert(at, piece)),
        (at(), 1..40_usize).prop_map(|(at, length)| Change::Delete(at, length)),
        (at(), 1..300_usize).prop_map(|(at, length)| Change::Double(at, length)),
        at().prop_map(Change::Cut),
        (at(), 1..20_usize).prop_map(|(at, length)| Change::Case(at, length)),
    ]
}

fn changed(text: &str, changes: &[Change]) -> String {
    let mut text: Vec<char> = text.chars().collect();
    for change in changes {
        let length = text.len();
        let place = |at: &Index| at.index(length + 1);
        let range = |at: &Index, wanted: usize| place(at)..(place(at) + wanted).min(length);
        match change {
            Change::Insert(at, piece) => drop(text.splice(place(at)..place(at), piece.chars())),
            Change::Delete(at, length) => drop(text.drain(range(at, *length))),
            Change::Double(at, length) => {
                let range = range(at, *length);
                let copy = text[range.clone()].to_vec();
                drop(text.splice(range.end..range.end, copy));
            }
            Change::Cut(at) => text.truncate(place(at)),
            Change::Case(at, length) => {
                for c in &mut text[range(at, *length)] {
                    *c = c.to_ascii_uppercase();
                }
            }
        }
    }
    text.into_iter().collect()
}

/// For each field, patterns for its key and for its key with a null, in any form. They do not use the parser's code.
static NULLS: LazyLock<Vec<(Field, Regex, Regex)>> = LazyLock::new(|| {
    let marks = "[\"'‘’“”„]";
    let words = r"null|none|nil|n/a|na|undefined|unknown|unspecified|not [a-z]+|-|--|—|[?]{1,3}|\[\]|\{\}";
    let pattern = |field: Field| {
        let key: Vec<_> = field.name().split('_').collect();
        format!(r"(?i){}[\s_\\*`-]*{marks}?[\s*_`-]*:", key.join(r"[\s_\\-]*"))
    };
    Field::ALL
        .map(|field| {
            let key = pattern(field);
            let null = format!(r"{key}[\s*_`]*(\[|{marks}?(\s|\\[nrtbf])*({words})?(\s|\\[nrtbf])*\.?\s*({marks}|[*`]*\s*[,}}\n<]|[*`]*\s*$))");
            (field, Regex::new(&key).unwrap(), Regex::new(&null).unwrap())
        })
        .to_vec()
});

/// Checks what holds for any text that is a record: the text has each key, or a reported synonym, with a colon, and a
/// null in the record is a null in the text.
fn check_any_text(text: &str) {
    let visible = text.replace('\u{feff}', "");
    if let Ok(parsed) = parse(text) {
        let by_synonym = |field| parsed.repairs.contains(&Repair { code: RepairCode::KeySynonym, field: Some(field) });
        let by_phrase = |field| parsed.repairs.contains(&Repair { code: RepairCode::NullWord, field: Some(field) });
        for (field, key, null) in NULLS.iter().filter(|(field, ..)| !by_synonym(*field)) {
            assert!(key.is_match(text), "the key of {field:?} is not in {text}");
            match parsed.record.get(*field) {
                // Which phrases say that there is no value, such as "null null", is tested where they are listed.
                None if by_phrase(*field) => {}
                None => assert!(null.is_match(text) || null.is_match(&visible), "{field:?} is not null in {text}"),
                Some(value) => assert!(!value.trim().is_empty() && value.trim() == value, "{field:?} {value:?}"),
            }
        }
        let repairs = &parsed.repairs;
        assert!(repairs.iter().enumerate().all(|(at, repair)| !repairs[..at].contains(repair)), "{repairs:?}");
    }
}

proptest! {
    #![proptest_config(settings())]

    #[test]
    fn training_json_is_read_back(record in record(value())) {
        let text = record.to_training_json();
        let parsed = parse(&text).unwrap();
        prop_assert_eq!(&parsed.record, &record);
        prop_assert!(parsed.repairs.is_empty());
        // The slow path agrees with the fast path, unless a value contains a think tag.
        match lenient::parse(&text) {
            Ok(slow) => prop_assert_eq!(slow, parsed),
            Err(unusable) => prop_assert!(text.contains("think>"), "{:?}", unusable),
        }
    }

    #[test]
    fn every_form_is_read_back(record in record(plain_value()), (form, repair) in prop::sample::select(&FORMS[..])) {
        let text = form.write(&record);
        let parsed = parse(&text).unwrap();
        prop_assert_eq!(&parsed.record, &record, "{}", text);
        prop_assert!(repair.is_none_or(|code| parsed.repairs.iter().any(|repair| repair.code == code)));
        let wrapped = format!("<think>{{</think>Sure:\n```json\n{text}\n```\n\nIs there {{more}}?");
        prop_assert_eq!(&parse(&wrapped).unwrap().record, &record, "{}", wrapped);
        check_any_text(&text);
    }

    #[test]
    fn a_prefix_is_not_a_record(record in record(value()), cut in any::<Index>()) {
        let text = record.to_training_json();
        let cuts: Vec<_> = text.char_indices().map(|(at, _)| at).collect();
        prop_assert!(parse(text.split_at(*cut.get(&cuts)).0).is_err());
    }

    #[test]
    fn a_prefix_of_another_form_is_cut_off(record in record(plain_value()), form in 0..5_usize, cut in any::<Index>()) {
        let text = FORMS[form].0.write(&record);
        let cuts: Vec<_> = text.char_indices().map(|(at, _)| at).skip(1).collect();
        prop_assert_eq!(parse(text.split_at(*cut.get(&cuts)).0).unwrap_err(), Unusable::CutOff);
    }

    #[test]
    fn random_texts(text in any::<String>()) {
        check_any_text(&text);
    }

    #[test]
    fn texts_of_pieces(pieces in prop::collection::vec(prop::sample::select(&PIECES[..]), 0..60)) {
        check_any_text(&pieces.concat());
    }

    #[test]
    fn changed_training_json(record in record(value()), changes in prop::collection::vec(change(), 1..4)) {
        check_any_text(&changed(&record.to_training_json(), &changes));
    }

    #[test]
    fn changed_forms(
        record in record(plain_value()),
        (form, _) in prop::sample::select(&FORMS[..]),
        changes in prop::collection::vec(change(), 1..4),
    ) {
        check_any_text(&changed(&form.write(&record), &changes));
    }

    #[test]
    fn spliced_texts(records in prop::collection::vec(record(plain_value()), 2), forms in prop::collection::vec(prop::sample::select(&FORMS[..]), 2), at in any::<(Index, Index)>()) {
        let texts: Vec<Vec<char>> =
            records.iter().zip(&forms).map(|(record, (form, _))| form.write(record).chars().collect()).collect();
        let (start, end) = (at.0.index(texts[0].len() + 1), at.1.index(texts[1].len() + 1));
        check_any_text(&texts[0][..start].iter().chain(&texts[1][end..]).collect::<String>());
        let both: String = texts.join(&['\n', '\n'][..]).into_iter().collect();
        prop_assert!(records[0] == records[1] || parse(&both).is_err(), "{}", both);
    }
}
