//! Tests what other tools do not load: names that are already used, texts that are too long, and what one file can
//! hold.

use std::path::Path;

use parquet::file::reader::{FileReader, SerializedFileReader};
use serde_json::{Value, json};

use super::{
    columns::{Cell, Column, ColumnKind},
    failures::FailureFile,
    parquet::ParquetWriter,
    portal::Portal,
    redcap::Layout,
    terms::{self, TermWriter},
};
use crate::bulk::outcome::{EntryOutcome, NoteOrigin};

fn finding(value: &str, codes: &Value) -> Value {
    json!({"value": value, "in_record": true, "basis": "stated", "assertion": "present", "quote": value, "start": 300,
        "end": 300 + value.chars().count(), "codes": codes})
}

/// Returns the outcome of a note with these findings of its cancer type.
fn outcome(findings: &[Value], text: &str, carried: &[&str]) -> EntryOutcome {
    let result = json!({"cancer_type": "x", "engine": "rules", "evidence": {"cancer_type": findings}});
    EntryOutcome {
        id: "7".to_owned(),
        line: format!("{}\n", json!({"id": "7", "status": 200, "result": result})),
        remarks: Vec::new(),
        needs_change: false,
        failure: None,
        text: Some(text.to_owned()),
        origin: NoteOrigin::default(),
        carried: carried.iter().map(|&value| value.to_owned()).collect(),
        selected: None,
        text_bytes: text.len(),
        weight: 0,
    }
}

#[test]
fn note_nlp_cuts_texts_to_the_lengths_of_the_data_model() {
    let words = "ä".repeat(900);
    let codes: Vec<Value> = (0..400).map(|code| json!({"system": "ncit", "code": format!("C{code}")})).collect();
    let note = format!("{}{words} and so on", "x\n\t".repeat(100));
    let mut row = Vec::new();
    let many = outcome(&[finding(&words, &json!(codes))], &note, &[]);
    TermWriter::default().rows(&many, &mut |cells| row = cells.iter().cloned().map(text_of).collect());
    let at = |name: &str| terms::columns().iter().position(|column| column.name == name).unwrap();
    let length = |name: &str| row[at(name)].chars().count();
    let lengths = ["snippet", "lexical_variant", "term_modifiers"].map(length);
    assert_eq!(lengths, [250, 250, 2_000], "{row:?}");
    assert!(!row[at("snippet")].contains(['\n', '\t']));
    // A short one has the words around it, up to 60 characters on each side.
    let short = outcome(&[finding("IV", &json!([]))], &format!("{}IV{}", "a".repeat(300), "b".repeat(300)), &[]);
    TermWriter::default().rows(&short, &mut |cells| row = cells.iter().cloned().map(text_of).collect());
    assert_eq!(row[at("snippet")], format!("{}IV{}", "a".repeat(60), "b".repeat(60)));
}

fn text_of(cell: Cell<'_>) -> String {
    match cell {
        Cell::Empty => String::new(),
        Cell::Text(text) => text.into_owned(),
        Cell::Number(number) => number.to_string(),
        Cell::Flag(flag) => flag.to_string(),
    }
}

#[test]
fn cbioportal_attributes_have_names_of_their_own() {
    let keep = ["age", "Stage", "MRN", "mrn ", "Note Count", "tumor site"].map(str::to_owned);
    let head = Portal::new(Path::new("."), &keep, false).head();
    let names: Vec<&str> = head.lines().nth(4).unwrap().split('\t').skip(12).collect();
    // An attribute of the portal, one of the record, one that is taken, and one of the table of patients.
    assert_eq!(names, ["INPUT_AGE", "INPUT_STAGE", "MRN", "INPUT_MRN", "INPUT_NOTE_COUNT", "INPUT_TUMOR_SITE"]);
}

#[test]
fn cbioportal_gets_one_code_or_none_and_no_quotes_or_breaks() {
    let keep = ["a", "b", "c"].map(str::to_owned);
    let oncotree = |code: &str| json!([{"system": "ncit", "code": "C1"}, {"system": "oncotree", "code": code}]);
    let row = |findings: &[Value]| {
        let mut out = String::new();
        let carried = ["\"quoted\"", " a\tb\r\nc ", "\u{85}"];
        Portal::new(Path::new("."), &keep, false).add(&outcome(findings, "", &carried), &mut out);
        out.trim_end_matches('\n').split('\t').map(str::to_owned).collect::<Vec<_>>()
    };
    let (lung, again, breast) =
        (finding("x", &oncotree("LUNG")), finding("y", &oncotree("LUNG")), finding("z", &oncotree("BREAST")));
    let mut left_out = breast.clone();
    left_out["in_record"] = json!(false);
    assert_eq!(row(std::slice::from_ref(&lung))[9..], ["LUNG", "", "rules", "quoted", "a b  c", ""]);
    assert_eq!(row(&[lung.clone(), again])[9], "LUNG");
    assert_eq!(row(&[lung.clone(), breast])[9], "");
    assert_eq!(row(&[lung, left_out])[9], "LUNG");
    assert_eq!(row(&[])[9], "");
}

#[test]
fn redcap_variables_have_names_of_their_own() {
    let keep = ["Site Name", "site-name", "Stage", "redcap_event_name"].map(str::to_owned);
    let layout = Layout::new("mrn".to_owned(), true, &keep);
    let columns = layout.columns();
    let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).take(7).collect();
    let expected = [
        "mrn",
        "redcap_event_name",
        "redcap_repeat_instrument",
        "redcap_repeat_instance",
        "site_name",
        "input_site_name",
        "input_stage",
    ];
    assert_eq!(names, expected);
    // Columns of the tool itself are not variables.
    assert!(!layout.dictionary().contains("redcap_") && !layout.dictionary().contains("_complete"));
    assert!(Layout::new("stage".to_owned(), true, &keep).clashes() && !layout.clashes());
}

#[test]
fn a_parquet_file_is_written_in_groups_and_whole() {
    let columns = [Column::new("text", ColumnKind::Text), Column::new("number", ColumnKind::Number)];
    let mut writer = ParquetWriter::new(&columns);
    let (mut bytes, mut early) = (Vec::new(), 0);
    let long = "x".repeat(1 << 20);
    for number in 0..60_000u64 {
        // The last rows are so long that bytes end a group before its rows do.
        let text = if number < 59_960 { "short" } else { &long };
        let text = if number % 3 == 0 { Cell::Empty } else { Cell::text(text) };
        writer.add(&[text, Cell::Number(number)]);
        bytes.append(&mut writer.take());
        early = early.max(if number == 59_999 { bytes.len() } else { 0 });
    }
    writer.check().unwrap();
    bytes.append(&mut writer.end().unwrap());
    let reader = SerializedFileReader::new(bytes::Bytes::from(bytes)).unwrap();
    let groups: Vec<i64> =
        reader.metadata().row_groups().iter().map(parquet::file::metadata::RowGroupMetaData::num_rows).collect();
    assert_eq!(groups[0], 50_000);
    assert!(groups.len() == 2 || groups.len() == 3, "{groups:?}");
    assert!(early > 0, "a group is written before the end");
    let rows = reader.get_row_iter(None).unwrap().map(|row| row.unwrap().to_string());
    for (number, row) in rows.enumerate() {
        let text = if number % 3 == 0 { "null" } else { "\"" };
        assert!(
            row.starts_with(&format!("{{text: {text}")) && row.ends_with(&format!("number: {number}}}")),
            "{number}"
        );
    }
}

#[test]
fn failed_notes_of_an_earlier_run_are_removed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("failed.jsonl");
    std::fs::write(&path, "old\n").unwrap();
    let mut failures = FailureFile::new(&path);
    assert!(!path.exists() && failures.notice().is_none());
    failures.add("new\n").unwrap();
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "new\n");
    assert!(failures.notice().unwrap().contains("failed.jsonl, each with its error"));
}
