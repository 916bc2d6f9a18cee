//! Tests `gateway reviewed`: results with the decisions of a person. The decisions of `examples/decisions.jsonl` were saved
//! by the page's own modules.

use std::{path::Path, process::Command};

use calamine::{Reader, Xlsx, open_workbook};
use parquet::file::reader::{FileReader, SerializedFileReader};
use serde_json::{Value, json};

use crate::command::{RunOutput, Workspace, by_id, said};

/// Returns a folder with the results of the example notes and the decisions on them; one note has none.
fn workspace() -> Workspace {
    let workspace = Workspace::new();
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    workspace.put("notes.csv", std::fs::read(examples.join("notes.csv")).unwrap());
    workspace.put("decisions.jsonl", std::fs::read(examples.join("decisions.jsonl")).unwrap());
    let extract = ["notes.csv", "--text-column", "note", "--id-column", "case", "--keep", "patient"];
    let output = workspace.run(&[&extract[..], &["--concurrency", "1", "--out", "results.jsonl"]].concat());
    assert_eq!(output.code, Some(0), "{}", output.err);
    workspace
}

fn reviewed(workspace: &Workspace, arguments: &[&str]) -> RunOutput {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gateway"));
    command.current_dir(workspace.path("")).args(["reviewed", "results.jsonl", "--decisions"]);
    let named = arguments.first().is_some_and(|first| !first.starts_with("--"));
    command.args((!named).then_some("decisions.jsonl")).args(arguments);
    let output = said(&mut command);
    // Neither ids nor texts of notes.
    for secret in ["L-2", "P-01", "KRAS", "pembrolizumab"] {
        assert!(!output.err.contains(secret), "{}", output.err);
    }
    output
}

/// Runs with the unreviewed note, and returns what was printed.
fn all(workspace: &Workspace, arguments: &[&str]) -> String {
    let output = reviewed(workspace, &[arguments, &["--allow-unreviewed"]].concat());
    assert_eq!(output.code, Some(0), "{arguments:?}: {}", output.err);
    output.out
}

fn rows(text: &str) -> Vec<Vec<String>> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(text.as_bytes());
    reader.records().map(|row| row.unwrap().iter().map(str::to_owned).collect()).collect()
}

/// Returns the cells of these columns of a row.
fn cells<'a>(rows: &'a [Vec<String>], row: usize, columns: &[&str]) -> Vec<&'a str> {
    let at = |name: &&str| rows[0].iter().position(|column| column == name).unwrap();
    columns.iter().map(|name| rows[row][at(name)].as_str()).collect()
}

/// Changes the result of the second note.
fn edit(workspace: &Workspace, change: impl Fn(&mut Value)) {
    let mut lines: Vec<Value> =
        workspace.text("results.jsonl").lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    change(&mut lines[1]);
    workspace.put("results.jsonl", lines.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"));
}

fn refused(workspace: &Workspace, arguments: &[&str], why: &str) {
    let output = reviewed(workspace, arguments);
    assert!(output.code == Some(1) || output.code == Some(2), "{why}: {:?}", output.code);
    assert!(output.err.contains(why) && output.out.is_empty(), "{why}: {}", output.err);
}

#[test]
fn the_record_is_what_the_page_saved_and_each_value_says_what_was_done() {
    let workspace = workspace();
    let results = by_id(&all(&workspace, &["--format", "jsonl"]));
    let before = workspace.results("results.jsonl");
    for line in workspace.text("decisions.jsonl").lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        let result = &results[line["id"].as_str().unwrap()];
        for (field, expected) in line["expected"].as_object().unwrap() {
            assert_eq!(&result["result"][field], expected, "{} {field}", line["id"]);
        }
        assert_eq!(result["review"]["note"], "done");
    }
    let changed = &results["L-2"]["result"]["evidence"]["biomarker"][0];
    let place =
        json!([changed["value"], changed["value_before"], changed["review"], changed["basis"], changed["codes"]]);
    assert_eq!(place, json!(["PD-L1 TPS 40%", "PD-L1 40%", "changed", "person", []]));
    assert_eq!((&changed["quote"], &changed["start"]), (&json!("PD-L1 TPS 40%"), &json!(168)));
    assert_eq!(results["L-2"]["review"]["fields"]["stage"], json!(["accepted"]));
    let rejected = &results["L-3"]["result"]["evidence"]["treatment"][0];
    assert_eq!(json!([rejected["in_record"], rejected["review"]]), json!([false, "rejected"]));
    assert_eq!(results["L-1"]["result"]["evidence"]["biomarker"][0]["review"], "added");
    // A note without a review is unchanged, and its marks say so.
    let (now, then) = (&results["C-1"], &before["C-1"]);
    assert_eq!((&now["result"]["stage"], &now["review"]["note"]), (&then["result"]["stage"], &json!("not_reviewed")));
    assert_eq!(now["result"]["evidence"]["stage"][0]["review"], "not_reviewed");
    assert_eq!(results["O-1"]["result"]["evidence"]["stage"][0]["review"], "unchanged");
    assert_eq!(results["L-1"]["carried"], json!({"patient": "P-01"}));
}

#[test]
fn every_format_says_what_was_reviewed() {
    let workspace = workspace();
    let csv = rows(&all(&workspace, &[]));
    assert_eq!(
        cells(&csv, 2, &["id", "note_review", "patient", "biomarker"]),
        ["L-2", "done", "P-01", "PD-L1 TPS 40%"]
    );
    assert!(cells(&csv, 2, &["review"])[0].contains("stage: accepted; gene_mutation: unchanged; biomarker: changed"));
    assert_eq!(cells(&csv, 7, &["id", "note_review"]), ["C-1", "not_reviewed"]);
    let tidy = rows(&all(&workspace, &["--format", "tidy"]));
    let changed = tidy.iter().position(|row| row.contains(&"PD-L1 TPS 40%".to_owned())).unwrap();
    let columns = ["id", "review", "value_before", "in_record", "tumour"];
    assert_eq!(cells(&tidy, changed, &columns), ["L-2", "changed", "PD-L1 40%", "true", ""]);
    let patient = ["--patient-column", "patient", "--format"];
    let redcap = rows(&all(&workspace, &[&patient[..], &["redcap"]].concat()));
    let columns = ["patient", "redcap_repeat_instance", "note_id", "note_review", "oncology_note_complete"];
    assert_eq!(cells(&redcap, 2, &columns), ["P-01", "2", "L-2", "done", "2"]);
    assert_eq!(cells(&redcap, 7, &columns), ["P-04", "1", "C-1", "not_reviewed", "1"]);
    assert!(cells(&redcap, 2, &["value_review"])[0].contains("biomarker: changed"));
    all(&workspace, &[&patient[..], &["cbioportal", "--out", "study"]].concat());
    let samples = workspace.text("study/data_clinical_sample.txt");
    assert!(samples.contains("\tNOTE_REVIEW\tVALUE_REVIEW\tPATIENT\n"), "{samples}");
    assert!(samples.contains("\tWhether a person has reviewed the note\t") && samples.contains("\tnot_reviewed\t"));
    all(&workspace, &["--out", "out.xlsx"]);
    let mut book: Xlsx<_> = open_workbook(workspace.path("out.xlsx")).unwrap();
    for (sheet, expected) in [("notes", &csv), ("values", &tidy)] {
        let range = book.worksheet_range(sheet).unwrap();
        let found: Vec<Vec<String>> = range.rows().map(|row| row.iter().map(ToString::to_string).collect()).collect();
        assert_eq!(&found, expected, "{sheet}");
    }
    for format in ["parquet", "parquet-tidy"] {
        all(&workspace, &["--format", format, "--out", "out.parquet", "--force"]);
        let file = SerializedFileReader::new(std::fs::File::open(workspace.path("out.parquet")).unwrap()).unwrap();
        let row = file.get_row_iter(None).unwrap().next().unwrap().unwrap().to_string();
        assert!(row.contains("note_review: \"done\"") && row.contains("review: \""), "{format}: {row}");
        assert_eq!(row.contains("value_before: "), format == "parquet-tidy", "{row}");
    }
}

#[test]
fn note_nlp_follows_the_decision_and_has_the_words_of_the_note() {
    let workspace = Workspace::new();
    let text = "Stage IV lung cancer. No brain metastases. Given FOLFOX.";
    workspace.put("in.jsonl", json!({"id": "7", "text": text}).to_string());
    assert_eq!(workspace.run(&["in.jsonl", "--out", "results.jsonl"]).code, Some(0));
    let decision = |field: &str, action: &str, value: &str, in_record: bool| json!({"field": field, "action": action, "value": value, "from": null, "in_record": in_record, "start": null, "end": null});
    let list = [
        decision("metastasis_site", "accept", "brain", false),
        decision("treatment", "reject", "FOLFOX", true),
        decision("response", "add", "stable disease", false),
    ];
    workspace.put("decisions.jsonl", json!({"id": "7", "text": text, "done": true, "decisions": list}).to_string());
    let output = reviewed(&workspace, &["--format", "note-nlp"]);
    assert_eq!(output.code, Some(0), "{}", output.err);
    let rows = rows(&output.out);
    let row = |words: &str| {
        let at = rows.iter().position(|row| row[5] == words).unwrap();
        cells(&rows, at, &["term_exists", "term_modifiers", "snippet"])
    };
    let brain = row("brain");
    assert!(
        brain[0] == "Y" && brain[1].contains("; review=accepted;") && brain[2].starts_with("Stage IV"),
        "{brain:?}"
    );
    assert!(
        row("FOLFOX")[0].is_empty() && row("FOLFOX")[1].contains("in_record=false; tumour=t1; review=rejected"),
        "{:?}",
        row("FOLFOX")
    );
    assert!(row("stable disease")[0] == "Y" && row("stable disease")[1].contains("basis=unsupported"));
}

#[test]
fn reviewed_and_unreviewed_values_are_not_mixed_unasked() {
    let workspace = workspace();
    refused(&workspace, &["--out", "out.csv"], "1 of 8 notes are not marked as done (lines 7 of results.jsonl)");
    assert!(!workspace.path("out.csv").exists());
    // Decisions on a note do not make it done.
    let open = workspace.text("decisions.jsonl").replacen("\"done\":true", "\"done\":false", 2);
    workspace.put("decisions.jsonl", open);
    refused(&workspace, &[], "3 of 8 notes are not marked as done (lines 1, 2, 7 of");
    let rows = rows(&all(&workspace, &[]));
    assert_eq!(cells(&rows, 2, &["id", "note_review"]), ["L-2", "in_progress"]);
    assert!(cells(&rows, 2, &["review"])[0].starts_with("cancer_type: not_reviewed; stage: accepted"), "{rows:?}");
    refused(&workspace, &["--format", "table"], "has no column for the review");
}

#[test]
fn decisions_that_do_not_belong_to_the_results_are_refused() {
    let workspace = workspace();
    let decisions = workspace.text("decisions.jsonl");
    let stranger = json!({"id": "X", "text": "x", "done": true, "decisions": []});
    workspace.put("decisions.jsonl", format!("{decisions}{stranger}\n"));
    refused(
        &workspace,
        &[],
        "decisions.jsonl, line 8: results.jsonl has no note with this id; this is true of 1 of the 8 notes",
    );
    // The note was read again with another text.
    workspace.put("decisions.jsonl", decisions.replace("63-year-old woman", "63-year-old  woman"));
    refused(&workspace, &[], "decisions.jsonl, line 2: the decisions are on another text than the result");
    // A decided value and an undecided one have changed.
    workspace.put("decisions.jsonl", decisions.replace("\"from\":\"PD-L1 40%\"", "\"from\":\"PD-L1 50%\""));
    refused(&workspace, &[], "decisions.jsonl, line 2: the decisions are on other values");
    workspace.put("decisions.jsonl", &decisions);
    edit(&workspace, |line| line["result"]["response"] = json!("stable disease"));
    refused(&workspace, &[], "decisions.jsonl, line 2: the decisions are on other values");
    edit(&workspace, |line| {
        *line =
            json!({"id": "L-2", "status": 504, "error": {"code": "deadline_exceeded"}, "carried": {"patient": "P-01"}});
    });
    refused(&workspace, &[], "the note of this decision failed (results.jsonl, line 2)");
}

#[test]
fn two_files_that_contradict_each_other_are_refused_and_others_are_joined() {
    let workspace = workspace();
    let decisions = workspace.text("decisions.jsonl");
    let (first, rest) = decisions.split_at(decisions.find('\n').unwrap() + 1);
    workspace.put("one.jsonl", first);
    workspace.put("two.jsonl", rest);
    let joined = reviewed(&workspace, &["one.jsonl", "two.jsonl", "--allow-unreviewed"]);
    assert_eq!((joined.code, joined.out.as_str()), (Some(0), all(&workspace, &[]).as_str()), "{}", joined.err);
    workspace.put("three.jsonl", rest.replacen("\"accept\"", "\"reject\"", 1));
    refused(
        &workspace,
        &["two.jsonl", "three.jsonl"],
        "two.jsonl, line 1 and three.jsonl, line 1 contradict each other",
    );
}

#[test]
fn results_that_cannot_be_reviewed_are_refused() {
    let workspace = workspace();
    let results = workspace.text("results.jsonl");
    let first = results.lines().next().unwrap();
    let other = first.replace("\"patient\":", "\"mrn\":").replace("L-1", "L-9");
    for (content, why) in [
        ("id,stage\n".to_owned(), "line 1: this line is not the result of a note. Give the JSON lines"),
        ("{\"patient\": \"a\", \"notes\": [], \"timeline\": {}}".to_owned(), "timeline of a patient"),
        (format!("{first}\n{first}\n"), "line 2: an earlier result has the same id"),
        (format!("{first}\n{other}\n"), "line 2: this result carries other columns"),
        (String::new(), "has no results"),
    ] {
        workspace.put("results.jsonl", content);
        refused(&workspace, &["--allow-unreviewed"], why);
    }
    workspace.put("results.jsonl", results);
    let patient = ["--allow-unreviewed", "--patient-column", "mrn"];
    refused(&workspace, &[&patient[..], &["--format", "redcap"]].concat(), "they carry: patient");
    refused(&workspace, &patient, "--patient-column is for --format redcap and cbioportal");
    refused(&workspace, &["--allow-unreviewed", "--out", "decisions.jsonl", "--force"], "is also an input");
}

#[test]
fn a_failed_note_and_one_with_an_id_that_a_tool_does_not_take_are_not_lost() {
    let workspace = workspace();
    let decisions = workspace.text("decisions.jsonl");
    let without_second: Vec<&str> = decisions.lines().filter(|line| !line.contains("\"id\":\"L-2\"")).collect();
    workspace.put("decisions.jsonl", without_second.join("\n"));
    edit(
        &workspace,
        |line| *line = json!({"id": "L-2", "status": 504, "error": {"code": "deadline_exceeded", "detail": "Too slow."}, "carried": {"patient": "P-01"}}),
    );
    let output = reviewed(&workspace, &["--allow-unreviewed"]);
    assert_eq!(output.code, Some(3), "{}", output.err);
    assert_eq!(cells(&rows(&output.out), 2, &["id", "status", "note_review", "patient"]), ["L-2", "504", "", "P-01"]);
    let output = reviewed(&workspace, &["--allow-unreviewed", "--format", "note-nlp", "--out", "nlp.csv"]);
    assert_eq!(output.code, Some(3), "{}", output.err);
    let failed = by_id(&workspace.text("nlp.csv.failed.jsonl"));
    assert_eq!((failed.len(), &failed["O-1"]["error"]["errors"][0]["rule"]), (8, &json!("whole_number")));
}
