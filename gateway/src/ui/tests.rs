//! Tests that the page's texts and files match the types that they show.

use serde_json::{Value, json};

use super::*;
use crate::{
    extraction::{Assertion, Basis, Field},
    http,
};

/// Returns the JSON of the data blocks in a review file.
fn blocks(html: &str) -> Vec<Value> {
    let parts = html.split("<script type=\"application/json\">").skip(1);
    parts.map(|part| serde_json::from_str(part.split("</script>").next().unwrap()).unwrap()).collect()
}

#[test]
fn markup_in_a_note_stays_in_its_block() {
    let hostile =
        "</script><script>alert(1)</script><!-- <SCRIPT> ]]> & \u{2028}\u{2029} \u{0}\r\n\u{1f600} \\u003c \"";
    let mut writer = ReviewWriter::begin(Vec::new()).unwrap();
    let before = writer.out.clone();
    let outcome = json!({"id": hostile, "status": 200, "result": {"stage": hostile}});
    for _ in 0..3 {
        writer.note(hostile, hostile, &outcome).unwrap();
    }
    writer.patient(&json!({"patient": hostile})).unwrap();
    let html = String::from_utf8(writer.end().unwrap()).unwrap();
    let notes = html.strip_prefix(std::str::from_utf8(&before).unwrap()).unwrap();
    let (notes, patient) = notes.split_once("<script type=\"application/json\" data-patient>").unwrap();
    assert_eq!(blocks(notes), vec![json!({"id": hostile, "text": hostile, "outcome": outcome}); 3]);
    let patient = patient.split_once("</script>").unwrap();
    assert_eq!(serde_json::from_str::<Value>(patient.0).unwrap(), json!({"patient": hostile}));
    assert_eq!(
        notes.matches('<').count() + patient.1.matches('<').count(),
        3 * 2 + 2,
        "only the writer's own elements begin with <"
    );
}

#[test]
fn the_review_contains_every_module_and_loads_none() {
    let html = String::from_utf8(ReviewWriter::begin(Vec::new()).unwrap().end().unwrap()).unwrap();
    for placeholder in ["{policy}", "{style}", "{script}", "{legend}", "{corrections}"] {
        assert!(!html.contains(placeholder), "{placeholder}");
    }
    let script = html.split("<script type=\"module\">").nth(1).unwrap().split("</script>").next().unwrap();
    assert!(script.contains("class Reading") && script.contains("listFailed()"));
    assert!(!script.lines().any(|line| line.starts_with("import ") || line.starts_with("export ")));
    assert!(!script.contains("<!--") && !script.contains("<script"));
    assert!(!html.contains("src=") && !html.contains("href=") && !html.contains("url("));
}

#[test]
fn the_page_has_a_text_for_every_code_of_an_answer() {
    let keys = |object: &str| -> Vec<String> {
        let body =
            WORDS.body.split(&format!("export const {object} = {{\n")).nth(1).unwrap().split("\n};").next().unwrap();
        body.lines().map(|line| line.trim().split(':').next().unwrap().to_owned()).collect()
    };
    assert_eq!(keys("FIELDS"), Field::ALL.map(Field::name));
    assert_eq!(keys("MEANINGS"), Field::ALL.map(Field::name));
    assert_eq!(keys("BASES"), Basis::ALL.map(Basis::name));
    assert_eq!(keys("ASSERTIONS"), Assertion::ALL.map(Assertion::name));
    let document = http::document(&http::DocumentSettings::default());
    for (object, schema) in [
        ("WARNINGS", "WarningCode"),
        ("COMPARISONS", "Agreement"),
        ("ROLES", "TumourRole"),
        ("CONTRADICTIONS", "ContradictionKind"),
        ("REVIEW_REASONS", "ReviewReason"),
        ("SCAN_REASONS", "ScanReviewReason"),
    ] {
        let names = document.pointer(&format!("/components/schemas/{schema}/enum")).unwrap();
        assert_eq!(json!(keys(object)), *names, "{schema}");
    }
}

#[test]
fn the_page_loads_only_its_own_files() {
    let html = page(&Service { max_note_chars: 7, engine: "rules", guarded: true, dictation: false, scans: false });
    assert!(html.contains("data-max-note-chars=\"7\" data-engine=\"rules\" data-guarded=\"yes\""));
    assert!(!html.contains("style=") && !html.contains("onclick"));
    assert!(!html.contains("{legend}") && !html.contains("{corrections}"));
    let named = |start: &str| -> Vec<String> {
        html.split(start).skip(1).map(|rest| rest.split('"').next().unwrap().to_owned()).collect()
    };
    for file in named("src=\"ui/").iter().chain(&named("href=\"ui/")) {
        assert!(FILES.iter().any(|known| known.name == file), "{file}");
    }
    for file in FILES {
        for import in file.body.split(" from './").skip(1) {
            let name = import.split('\'').next().unwrap();
            assert!(FILES.iter().any(|known| known.name == name), "{} imports {name}", file.name);
        }
        assert!(!file.body.contains("innerHTML") && !file.body.contains("localStorage"), "{}", file.name);
    }
}
