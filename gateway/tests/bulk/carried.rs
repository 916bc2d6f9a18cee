//! Tests the columns of the input that the output repeats (`--keep`).

use serde_json::{Value, json};

use crate::command::{Workspace, by_id};

const ROWS: &str = "\
id,mrn,site,stage,text
a,0012,=1+1,local,Stage IV colon cancer
b,0013,\"x, y\",,Stage II colon cancer
c,0014,Rome,regional,
";
const LINES: &str = "{\"id\": \"a\", \"mrn\": \"0012\", \"site\": 7, \"text\": \"Stage IV colon cancer\"}
{\"id\": \"b\", \"mrn\": null, \"site\": [true], \"text\": \"Stage II colon cancer\"}
{\"id\": \"c\", \"mrn\": \"0014\", \"text\": \" \"}
{
";

/// Returns the rows of a CSV, sorted by id after the header.
fn table(text: &str) -> Vec<Vec<String>> {
    let text = text.strip_prefix('\u{feff}').unwrap();
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(text.as_bytes());
    let mut rows: Vec<Vec<String>> =
        reader.records().map(|row| row.unwrap().iter().map(str::to_owned).collect()).collect();
    rows[1..].sort();
    rows
}

#[test]
fn columns_of_the_input_stand_in_each_format() {
    let workspace = Workspace::new();
    workspace.put("in.csv", ROWS);
    let run = |format: &str| {
        let output = workspace.run(&["in.csv", "--keep", "mrn,site", "--keep", "stage", "--format", format]);
        assert_eq!(output.code, Some(3), "{}", output.err);
        output.out
    };
    let values = [
        ["a", "200", "0012", "'=1+1", "local"],
        ["b", "200", "0013", "x, y", ""],
        ["c", "422", "0014", "Rome", "regional"],
    ];
    // Only the table of notes has a column `stage` of its own.
    for (format, stage) in [("csv", "input_stage"), ("tidy", "stage")] {
        let rows = table(&run(format));
        assert_eq!(rows[0][..5], ["id", "status", "mrn", "site", stage], "{format}");
        for value in values {
            assert!(rows.iter().any(|row| row[..5] == value), "{format}: {value:?} in {rows:?}");
        }
        assert!(rows.iter().all(|row| row.len() == rows[0].len()), "{format}: {rows:?}");
    }
    let lines = by_id(&run("jsonl"));
    assert_eq!(lines["a"]["carried"], json!({"mrn": "0012", "site": "=1+1", "stage": "local"}));
    assert_eq!(lines["c"]["carried"]["mrn"], "0014");
    let whole: Value = serde_json::from_str(&run("json")).unwrap();
    assert!(whole["results"].as_array().unwrap().iter().all(|line| line["carried"]["mrn"].is_string()));
}

#[test]
fn keys_of_json_lines_are_carried_as_text() {
    let workspace = Workspace::new();
    workspace.put("in.jsonl", LINES);
    let output = workspace.run(&["in.jsonl", "--keep", "mrn,site"]);
    let lines = by_id(&output.out);
    for (id, mrn, site) in [("a", "0012", "7"), ("b", "", "[true]"), ("c", "0014", ""), ("line-4", "", "")] {
        assert_eq!(lines[id]["carried"], json!({"mrn": mrn, "site": site}), "{id}");
    }
    let rows = table(&workspace.run(&["in.jsonl", "--keep", "mrn,site", "--format", "csv"]).out);
    assert_eq!(rows[1][..4], ["a", "200", "0012", "7"]);
    assert!(rows[4][..4] == ["line-4", "400", "", ""] && rows[4].len() == rows[0].len(), "{rows:?}");
}

#[test]
fn names_that_the_input_lacks_are_refused_before_anything_is_read() {
    let workspace = Workspace::new();
    workspace.put("in.csv", ROWS);
    workspace.put("in.jsonl", LINES);
    workspace.put("note.txt", "Stage IV colon cancer");
    for (arguments, expected) in [
        (&["in.csv", "--keep", "mrn,sex"][..], "no such column; the columns are: id, mrn, site, stage, text"),
        (&["in.jsonl", "--keep", "sex"], "the keys are: id, mrn, site, text"),
        (&["note.txt", "--keep", "mrn"], "has no columns, but --keep mrn"),
        (&["in.csv", "--keep", "mrn,mrn"], "names mrn twice"),
        (&["in.csv", "--keep", "mrn,"], "an empty name"),
        (&["in.csv", "--keep", "mrn", "--format", "table"], "--keep needs a format"),
    ] {
        let output = workspace.run(&[arguments, &["--out", "out"]].concat());
        assert_eq!((output.code, output.out.as_str()), (Some(2), ""), "{arguments:?}: {}", output.err);
        assert!(output.err.contains(expected), "{arguments:?}: {}", output.err);
        assert!(!workspace.path("out").exists(), "{arguments:?}");
    }
}

#[test]
fn a_run_is_resumed_only_with_the_same_columns() {
    for name in ["out.csv", "out.jsonl"] {
        let workspace = Workspace::new();
        workspace.put("in.csv", ROWS);
        let arguments = ["in.csv", "--out", name, "--keep", "mrn,site"];
        assert_eq!(workspace.run(&arguments).code, Some(3), "{name}");
        let written = workspace.text(name);
        for other in [&["--keep", "mrn"][..], &[]] {
            let output = workspace.run(&[&["in.csv", "--out", name, "--resume"], other].concat());
            assert_eq!((output.code, workspace.text(name)), (Some(2), written.clone()), "{name}: {}", output.err);
            assert!(output.err.contains("with the same --keep"), "{name}: {}", output.err);
        }
        workspace.put("in.csv", ROWS.replace("regional,", "regional,Stage I colon cancer"));
        let output = workspace.run(&[&arguments[..], &["--resume"]].concat());
        assert_eq!(output.code, Some(0), "{name}: {}", output.err);
        assert!(output.err.contains("2 notes are done, 1 failed notes are tried again"), "{name}: {}", output.err);
        assert_eq!(workspace.text(name).matches("Rome").count(), 1, "{name}");
    }
}
