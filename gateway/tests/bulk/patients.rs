//! Tests the dates of notes and the timelines of patients.

use serde_json::{Value, json};

use crate::{
    command::{Workspace, lines},
    server::Gateway,
};

const ROWS: &str = "\
pid,id,day,text
P1,1,2021-03-10,\"Breast cancer, stage II. Lumpectomy two months ago.\"
P2,1,2022-01-01,Stage IV lung adenocarcinoma on osimertinib.
P1,2,2022-06-01 10:00,Breast cancer. No evidence of disease.
P2,1,2022-02-01,The second note with this id.
,9,2022-02-01,Melanoma.
P2,7,31/02/2022,Melanoma.
P3,1,,Melanoma stage III.
";

fn values(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Returns the codes of the notes of a patient, `ok` for one that was read.
fn outcomes(patient: &Value) -> Vec<&str> {
    let notes = patient["notes"].as_array().unwrap().iter();
    notes.map(|note| note["error"]["code"].as_str().unwrap_or("ok")).collect()
}

#[test]
fn the_day_of_a_note_resolves_its_relative_dates() {
    let workspace = Workspace::new();
    workspace.put("in.csv", ROWS);
    let output = workspace.run(&["in.csv", "--date-column", "day", "--id-column", "id", "--format", "jsonl"]);
    assert_eq!(output.code, Some(3), "{}", output.err);
    let first = values(&output.out).into_iter().find(|line| line["id"] == "1" && line["status"] == 200).unwrap();
    let treatment = &first["result"]["evidence"]["treatment"][0];
    assert_eq!((&treatment["value"], &treatment["date"]["value"]), (&json!("lumpectomy"), &json!("2021-01")));
    let lines = "{\"text\": \"Breast cancer. Lumpectomy two months ago.\", \"day\": \"2021-03-10T08:00\"}\n{\"text\": \"x\", \"day\": [1]}\n";
    workspace.put("in.jsonl", lines);
    let output = workspace.run(&["in.jsonl", "--date-column", "day"]);
    let read = values(&output.out);
    let of_status = |status: u64| read.iter().find(|line| line["status"] == status).unwrap();
    assert_eq!(of_status(200)["result"]["evidence"]["treatment"][0]["date"]["value"], "2021-01");
    assert_eq!(of_status(422)["error"]["errors"][0]["rule"], "calendar_date");
}

#[test]
fn each_patient_gets_one_timeline_here_and_from_a_gateway() {
    let workspace = Workspace::new();
    workspace.put("in.csv", ROWS);
    let columns = ["in.csv", "--patient-column", "pid", "--date-column", "day"];
    let output = workspace.run(&columns);
    assert_eq!(output.code, Some(3), "{}", output.err);
    let patients = values(&output.out);
    let shown: Vec<(&Value, Vec<&str>, &Value)> =
        patients.iter().map(|one| (&one["patient"], outcomes(one), &one["timeline"]["complete"])).collect();
    let (yes, no, bad) = (json!(true), json!(false), "invalid_request");
    let names = [json!("P1"), json!("P2"), Value::Null, json!("P3")];
    let expected = vec![
        (&names[0], vec!["ok", "ok"], &yes),
        (&names[1], vec!["ok", bad, bad], &no),
        (&names[2], vec![bad], &no),
        (&names[3], vec!["ok"], &yes),
    ];
    assert_eq!(shown, expected);
    let breast = &patients[0]["timeline"]["tumours"][0];
    assert_eq!(
        (&breast["treatment"][0]["date"]["value"], &breast["response"][0]["date"]["value"]),
        (&json!("2021-01"), &json!("2022-06-01"))
    );
    assert!(output.err.contains("marked as not complete"), "{}", output.err);
    // Through a gateway, and as one JSON text.
    let server = Gateway::start(&[]);
    let remote = workspace.run(&[&columns[..], &["--server", &server.url]].concat());
    assert_eq!(values(&remote.out), patients);
    let json = workspace.run(&[&columns[..], &["--format", "json"]].concat());
    let json: Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!(json, json!({"patients": patients, "summary": {"ok": 4, "failed": 3}}));
}

#[test]
fn columns_that_do_not_fit_are_refused_before_anything_is_read() {
    let workspace = Workspace::new();
    workspace.put("in.csv", ROWS);
    workspace.put("in.jsonl", lines(0..1));
    workspace.put("note.txt", "Melanoma.");
    for (arguments, why) in [
        (&["in.csv", "--patient-column", "name"][..], "the columns are: pid, id, day, text"),
        (&["in.csv", "--date-column", "when"], "--date-column"),
        (&["in.csv", "--patient-column", "pid", "--format", "csv"], "--format jsonl or json"),
        (&["in.csv", "--patient-column", "pid", "--out", "o.csv"], "--format jsonl or json"),
        (&["in.csv", "--patient-column", "pid", "--out", "o.jsonl", "--resume"], "cannot be used with"),
        (&["note.txt", "--patient-column", "pid"], "has no columns"),
        (&[".", "--date-column", "day"], "have no columns"),
    ] {
        let output = workspace.run(arguments);
        assert_eq!((output.code, output.out.as_str()), (Some(2), ""), "{arguments:?}");
        assert!(output.err.contains(why), "{arguments:?}: {}", output.err);
    }
    let output = workspace.run(&["in.jsonl", "--patient-column", "pid"]);
    assert_eq!(output.code, Some(3));
    assert_eq!(outcomes(&values(&output.out)[0]), ["invalid_request"]);
}
