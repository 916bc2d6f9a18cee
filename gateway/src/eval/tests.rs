//! Tests the measure with small tables that were worked out by hand, and the printed report with snapshots.

use std::{collections::BTreeMap, io::Write};

use super::{gold::Label, *};

fn labels(fields: &[(Field, Option<&str>)]) -> BTreeMap<Field, Label> {
    let label = |value: Option<&str>| Label { value: value.map(str::to_owned), ..Label::default() };
    fields.iter().map(|(field, value)| (*field, label(*value))).collect()
}

fn values(fields: &[(Field, &str)]) -> BTreeMap<Field, String> {
    fields.iter().map(|(field, value)| (*field, (*value).to_owned())).collect()
}

#[test]
fn one_field_is_scored_exactly_and_by_parts() {
    // Label, prediction, (right, wrong, missing) exactly, the same by parts, spurious.
    for (field, label, value, exact, relaxed, spurious) in [
        (Field::Stage, Some("IV"), "stage 4", (1, 0, 0), (1, 0, 0), 0),
        (Field::Stage, Some("IIIB"), "III", (0, 1, 1), (0, 1, 1), 0),
        (Field::Stage, None, "II", (0, 1, 0), (0, 1, 0), 1),
        (Field::Stage, None, "", (0, 0, 0), (0, 0, 0), 0),
        (Field::Stage, Some("II"), "", (0, 0, 1), (0, 0, 1), 0),
        (Field::MetastasisSite, Some("liver; bone"), "bone; liver", (1, 0, 0), (2, 0, 0), 0),
        (Field::MetastasisSite, Some("liver, bone"), "liver", (0, 1, 1), (1, 0, 1), 0),
        (Field::Treatment, Some("carboplatin and paclitaxel"), "paclitaxel; carboplatin", (0, 1, 1), (2, 0, 0), 0),
        (Field::Treatment, Some("FOLFOX"), "FOLFOX; FOLFOX", (1, 0, 0), (1, 0, 0), 0),
        (Field::Biomarker, Some("ER+/PR+"), "ER positive; PR positive", (0, 1, 1), (1, 0, 0), 0),
        (Field::CancerType, Some("melanoma (cutaneous)"), "cutaneous melanomas", (0, 1, 1), (1, 0, 0), 0),
        (Field::Response, Some("none"), "", (0, 0, 0), (0, 0, 0), 0),
    ] {
        let counts = measure::score(&labels(&[(field, label)]), &values(&[(field, value)]));
        let counts = counts[&field];
        let tally = |tally: measure::MatchCounts| (tally.right, tally.wrong, tally.missing);
        assert_eq!(
            (tally(counts.exact), tally(counts.relaxed), counts.spurious),
            (exact, relaxed, spurious),
            "{label:?} {value:?}"
        );
    }
}

#[test]
fn an_alternative_is_as_right_as_the_label_and_an_accepted_part_is_neither_right_nor_wrong() {
    // Label, alternatives, accepted parts, prediction; (right, wrong, missing) exactly and by parts, spurious.
    for (field, label, alternatives, accepted, value, exact, relaxed, spurious) in [
        (Field::Stage, Some("pT1a pNx"), &["T1a Nx", "stage I"][..], "", "I", (1, 0, 0), (1, 0, 0), 0),
        (Field::Stage, Some("pT1a pNx"), &["T1a Nx"], "", "II", (0, 1, 1), (0, 1, 1), 0),
        (Field::Treatment, Some("excision"), &[], "core biopsy", "excision; core biopsy", (0, 1, 1), (1, 0, 0), 0),
        (Field::Treatment, Some("excision"), &[], "core biopsy", "core biopsy", (0, 1, 1), (0, 0, 1), 0),
        (Field::Stage, None, &[], "metastatic", "metastatic", (0, 0, 0), (0, 0, 0), 0),
        (Field::Stage, None, &[], "metastatic", "metastatic; II", (0, 1, 0), (0, 1, 0), 1),
        (Field::Treatment, Some("mastectomy; FAC"), &["mastectomy"], "", "mastectomy", (1, 0, 0), (1, 0, 0), 0),
    ] {
        let alternatives = alternatives.iter().map(|&value| value.to_owned()).collect();
        let label = Label { value: label.map(str::to_owned), alternatives, accepted: accepted.to_owned() };
        let counts = measure::score(&BTreeMap::from([(field, label)]), &values(&[(field, value)]));
        let counts = counts[&field];
        let tally = |tally: measure::MatchCounts| (tally.right, tally.wrong, tally.missing);
        assert_eq!(
            (tally(counts.exact), tally(counts.relaxed), counts.spurious),
            (exact, relaxed, spurious),
            "{value:?}"
        );
    }
}

#[test]
fn a_field_without_a_label_is_not_scored() {
    let counts = measure::score(&labels(&[(Field::Stage, Some("IV"))]), &values(&[(Field::Treatment, "x")]));
    assert_eq!(counts.keys().collect::<Vec<_>>(), [&Field::Stage]);
}

fn file(lines: &str) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(lines.as_bytes()).unwrap();
    file
}

const GOLD: &str = r#"{"id": "a", "text": "Stage IV lung cancer.", "expected": {"stage": "IV", "cancer_type": "lung cancer", "response": null}}

{"id": 2, "text": "Stage II melanoma, stable disease.", "expected": {"stage": "II", "response": "stable disease"}}
{"instruction": "", "input": "No evidence of disease.", "output": {"stage": null}}
"#;

#[tokio::test]
async fn predictions_and_the_engine_are_reported() {
    let gold = file(GOLD);
    let answers = file(
        "{\"id\": \"a\", \"stage\": \"IV\", \"cancer_type\": \"lung cancer\", \"response\": \"progression\"}\n\
         {\"id\": 2, \"prediction\": {\"stage\": \"III\", \"response\": [\"stable\", \"disease\"]}}",
    );
    let sources = Sources { gold: gold.path().to_owned(), predictions: Some(answers.path().to_owned()), against: None };
    let report = evaluate(&sources, Settings::default(), |_, _| {}).await.unwrap();
    assert_eq!(report.failed(), 1);
    insta::assert_snapshot!("predictions", report.written(ReportFormat::Table));
    let json: serde_json::Value = serde_json::from_str(&report.written(ReportFormat::Json)).unwrap();
    assert_eq!((&json["notes"], &json["failed"]["no_prediction"]), (&serde_json::json!(3), &serde_json::json!(1)));
    assert_eq!(json["fields"]["response"]["spurious"], 1.0);

    let sources = Sources { gold: gold.path().to_owned(), predictions: None, against: None };
    let mut seen = 0;
    let report = evaluate(&sources, Settings::default(), |done, _| seen = done).await.unwrap();
    assert_eq!((seen, report.failed()), (3, 0));
    insta::assert_snapshot!("rules", report.written(ReportFormat::Table));
}

#[tokio::test]
async fn a_bad_file_is_named_by_line_and_never_quoted() {
    let gold = |lines: &str| file(lines);
    for (lines, expected) in [
        ("{\"id\": 1}\n", "line 1: no string `text`"),
        ("{\"text\": \"CANARY\"}", "line 1: no object"),
        ("{\"text\": \"a\", \"expected\": {\"CANARY\": null}}", "not one of the seven"),
        ("{\"text\": \"a\", \"expected\": {\"stage\": 4}}", "neither a string"),
        ("{\"text\": \"a\", \"expected\": {}, \"id\": []}", "`id`"),
        ("{\"text\": \"a\", \"expected\": {}, \"alt\": {\"CANARY\": []}}", "`alt` has a key"),
        ("{\"text\": \"a\", \"expected\": {}, \"alt\": {\"stage\": \"CANARY\"}}", "not a list"),
        ("{\"text\": \"a\", \"expected\": {}, \"accept\": [\"CANARY\"]}", "not an object"),
        ("{\"text\": \"a\", \"expected\": {}, \"accept\": {\"CANARY\": \"x\"}}", "`accept` has a key"),
        ("\n\nCANARY", "line 3: not JSON"),
        ("\n", "no line"),
    ] {
        let gold = gold(lines);
        let sources = Sources { gold: gold.path().to_owned(), predictions: None, against: None };
        let error = evaluate(&sources, Settings::default(), |_, _| {}).await.unwrap_err().to_string();
        assert!(error.contains(expected) && !error.contains("CANARY"), "{error}");
    }
    let sources = Sources { gold: "/nowhere".into(), predictions: None, against: None };
    assert!(evaluate(&sources, Settings::default(), |_, _| {}).await.is_err());
}

/// Twenty notes; the stage is read right in all of them but the first `wrong`.
fn stages(wrong: usize) -> (String, String) {
    let note = |number: usize| format!(r#"{{"id": "{number}", "text": "Stage IV.", "expected": {{"stage": "IV"}}}}"#);
    let answer =
        |number: usize| format!(r#"{{"id": "{number}", "stage": "{}"}}"#, if number < wrong { "II" } else { "IV" });
    let lines =
        |line: &dyn Fn(usize) -> String| (0..20).fold(String::new(), |lines, number| lines + &line(number) + "\n");
    (lines(&note), lines(&answer))
}

#[tokio::test]
async fn two_models_are_compared_on_the_same_notes() {
    let gold = file(&stages(0).0);
    // Wrong notes of the scored predictions and of the others; is the whole interval below 0, above 0?
    for (wrong, others, below, above) in
        [(8, 0, true, false), (0, 8, false, true), (4, 4, false, false), (1, 0, false, false)]
    {
        let (answers, other_answers) = (file(&stages(wrong).1), file(&stages(others).1));
        let sources = Sources {
            gold: gold.path().to_owned(),
            predictions: Some(answers.path().to_owned()),
            against: Some(other_answers.path().to_owned()),
        };
        let report = evaluate(&sources, Settings::default(), |_, _| {}).await.unwrap();
        let json: serde_json::Value = serde_json::from_str(&report.written(ReportFormat::Json)).unwrap();
        let interval = [0, 1].map(|end| json["against"]["difference_interval_95"][end].as_f64().unwrap());
        assert_eq!((interval[1] < 0.0, interval[0] > 0.0), (below, above), "{wrong} {others}: {json}");
        let f1 = |part: &serde_json::Value| part["micro"]["relaxed"]["f1"].as_f64().unwrap();
        let difference = f1(&json) - f1(&json["against"]);
        assert!((json["against"]["difference"].as_f64().unwrap() - difference).abs() < 1e-9, "{json}");
        assert!(report.written(ReportFormat::Table).contains("(the same notes drawn for both)"));
    }
    // The same answers differ in nothing, whichever notes are drawn.
    let same = file(&stages(4).1);
    let sources = Sources {
        gold: gold.path().to_owned(),
        predictions: Some(same.path().to_owned()),
        against: Some(same.path().to_owned()),
    };
    let report = evaluate(&sources, Settings::default(), |_, _| {}).await.unwrap();
    let json: serde_json::Value = serde_json::from_str(&report.written(ReportFormat::Json)).unwrap();
    assert_eq!(json["against"]["difference_interval_95"], serde_json::json!([0.0, 0.0]));
    let half = file(&stages(0).1.lines().take(10).fold(String::new(), |lines, line| lines + line + "\n"));
    let sources = Sources { against: Some(half.path().to_owned()), ..sources };
    assert_eq!(evaluate(&sources, Settings::default(), |_, _| {}).await.unwrap().failed(), 10);
}
