//! Tests how decisions of several lines are joined, and that JSON keeps what is not decided.

use super::{decisions, object::Object};

/// A line with decisions on a stage IV, a treatment and an added biomarker.
fn line(text: &str, done: bool, decisions: &str) -> String {
    format!(
        "{{\"id\": \"a\", \"text\": \"{text}\", \"expected\": {{}}, \"done\": {done}, \"decisions\": [{decisions}]}}\n"
    )
}

const ACCEPT: &str =
    r#"{"field": "stage", "action": "accept", "value": "IV", "from": null, "in_record": true, "start": 0, "end": 2}"#;
const ACCEPT_THERE: &str =
    r#"{"field": "stage", "action": "accept", "value": "IV", "from": null, "in_record": true, "start": 4, "end": 6}"#;
const REJECT: &str =
    r#"{"field": "stage", "action": "reject", "value": "IV", "from": null, "in_record": true, "start": 0, "end": 2}"#;
const CHANGE: &str = r#"{"field": "stage", "action": "change", "value": "IIIB", "from": "IV", "in_record": true, "start": null, "end": null}"#;
const DENIED: &str =
    r#"{"field": "stage", "action": "reject", "value": "IV", "from": null, "in_record": false, "start": 0, "end": 2}"#;
const OTHER: &str = r#"{"field": "treatment", "action": "reject", "value": "FOLFOX", "from": null, "in_record": true, "start": 5, "end": 9}"#;
const ADD: &str = r#"{"field": "biomarker", "action": "add", "value": "pMMR", "from": null, "in_record": false, "start": 1, "end": 2}"#;

/// Reads two files of one line each, and returns the number of decisions and whether the note is done; the error else.
fn joined(first: &str, second: &str) -> Result<(usize, bool), String> {
    let folder = tempfile::tempdir().unwrap();
    let paths = [folder.path().join("one.jsonl"), folder.path().join("two.jsonl")];
    std::fs::write(&paths[0], first).unwrap();
    std::fs::write(&paths[1], second).unwrap();
    let all = decisions::read(&paths).map_err(|error| error.to_string())?;
    Ok((all["a"].decisions.len(), all["a"].done))
}

#[test]
fn decisions_of_two_files_are_joined_unless_they_contradict_each_other() {
    let both = |one: &str, other: &str| format!("{one}, {other}");
    let cases = [
        ("the same twice", line("t", false, ACCEPT), line("t", false, ACCEPT), Some((1, false))),
        ("the same at another place", line("t", false, ACCEPT), line("t", false, ACCEPT_THERE), Some((1, false))),
        ("different values", line("t", false, ACCEPT), line("t", false, &both(OTHER, ADD)), Some((3, false))),
        ("a later sitting", line("t", false, ACCEPT), line("t", true, &both(ACCEPT, OTHER)), Some((2, true))),
        ("an earlier sitting", line("t", true, &both(ACCEPT, OTHER)), line("t", false, ACCEPT), Some((2, true))),
        ("done twice", line("t", true, ACCEPT), line("t", true, ACCEPT), Some((1, true))),
        ("in the record and beside it", line("t", false, ACCEPT), line("t", false, DENIED), Some((2, false))),
        ("accepted and rejected", line("t", false, ACCEPT), line("t", false, REJECT), None),
        ("accepted and changed", line("t", false, ACCEPT), line("t", false, CHANGE), None),
        ("left as it was and rejected", line("t", true, ACCEPT), line("t", false, &both(ACCEPT, OTHER)), None),
        ("rejected and left as it was", line("t", false, OTHER), line("t", true, ACCEPT), None),
        ("done differently", line("t", true, ACCEPT), line("t", true, &both(ACCEPT, ADD)), None),
        ("another text", line("t", false, ACCEPT), line("u", false, ACCEPT), None),
    ];
    for (name, first, second, expected) in cases {
        match (joined(&first, &second), expected) {
            (found, Some(expected)) => assert_eq!(found, Ok(expected), "{name}"),
            (Err(error), None) => {
                assert!(
                    error.contains("contradict each other") && error.contains("two.jsonl, line 1"),
                    "{name}: {error}"
                );
            }
            (found, None) => panic!("{name}: {found:?}"),
        }
    }
}

#[test]
fn lines_that_are_no_decisions_are_refused_without_their_content() {
    let wrong = [
        "{",
        "[]",
        r#"{"id": "a", "text": "secret", "expected": {"stage": "IV"}}"#,
        r#"{"id": 7, "text": "secret", "decisions": []}"#,
        &line("secret", true, r#"{"field": "secret", "action": "accept", "value": "IV", "in_record": true}"#),
        &line("secret", true, r#"{"field": "stage", "action": "forget", "value": "IV", "in_record": true}"#),
        &line("secret", true, r#"{"field": "stage", "action": "change", "value": "IV", "in_record": true}"#),
        &line(
            "secret",
            true,
            r#"{"field": "stage", "action": "accept", "value": "IV", "from": "III", "in_record": true}"#,
        ),
        &line("secret", true, r#"{"field": "stage", "action": "add", "value": " ", "in_record": false}"#),
        &line("secret", true, r#"{"field": "stage", "action": "add", "value": "I", "in_record": false, "start": 3}"#),
    ];
    for wrong in wrong {
        let error = joined(&line("t", false, ACCEPT), wrong).unwrap_err();
        assert!(error.contains("two.jsonl, line 1: this line is not a decision"), "{wrong}: {error}");
        assert!(!error.contains("secret"), "{error}");
    }
    assert!(joined("", "\n").unwrap_err().contains("nothing was reviewed"));
}

#[test]
fn an_object_keeps_its_order_and_its_numbers() {
    let text = r#"{"z":1.50,"a":{"y":[1e3],"b":null},"m":"\u00e4"}"#;
    let mut object = Object::of(text).unwrap();
    assert_eq!(object.to_json(), text);
    object.set("a", &"now");
    object.set("end", &true);
    object.remove("m");
    assert_eq!(object.to_json(), r#"{"z":1.50,"a":"now","end":true}"#);
}
