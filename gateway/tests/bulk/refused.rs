//! Tests what is refused so that two patients do not become one note, and what the command says to do next.

use crate::command::{Workspace, by_id, note};

#[test]
fn several_notes_in_one_text_are_refused() {
    let workspace = Workspace::new();
    let text = format!("Patient ID: 17\n{}\n=====\nPatient ID: 18\n{}\n", note(1), note(2));
    let page =
        format!("<html><table><tr><th>MRN<th>Note<tr><td>1<td>{}<tr><td>2<td>{}</table></html>", note(1), note(2));
    for (name, content, words) in [("text.txt", text, "2 notes"), ("page.html", page, "2 patients")] {
        workspace.put(name, &content);
        let output = workspace.run(&[name]);
        assert_eq!(output.code, Some(2), "{name}: {}", output.err);
        assert!(output.err.contains(words) && output.err.contains("--from text"), "{name}: {}", output.err);
        let output = workspace.run_with(&["-"], &content);
        assert!(output.code == Some(3) && output.out.contains(words), "{name}: {}", output.out);
        assert_eq!(workspace.run(&[name, "--from", "text"]).code, Some(0), "{name}");
    }
}

#[test]
fn no_second_try_is_advised_where_only_a_change_helps() {
    let workspace = Workspace::new();
    workspace.put("twice.csv", format!("id,text\n1,\"{}\"\n1,\"{}\"\n", note(1), note(2)));
    let output = workspace.run(&["twice.csv", "--out", "out.jsonl"]);
    assert_eq!(output.code, Some(3), "{}", output.err);
    assert!(!output.err.contains("--resume") && output.err.contains("what to change"), "{}", output.err);
    assert!(workspace.text("out.jsonl").contains("--number-repeated-ids"), "{}", workspace.text("out.jsonl"));
    workspace.put("keys.jsonl", "{\"id\": \"a\", \"note\": \"Stage IV lung cancer\"}\n");
    let output = workspace.run(&["keys.jsonl", "--out", "keys-out.jsonl"]);
    assert!(output.code == Some(3) && !output.err.contains("--resume"), "{}", output.err);
    // A fault of one note alone can be corrected in the input, and the others are not read again.
    workspace.put("mixed.csv", format!("id,text\n1,\"{}\"\n1,\"{}\"\n2,\n", note(1), note(2)));
    assert!(workspace.run(&["mixed.csv", "--out", "mixed.jsonl"]).err.contains("--resume"));
}

#[test]
fn a_wrong_encoding_is_warned_about() {
    let workspace = Workspace::new();
    let text = "Größe 2 cm. Stage IV melanoma.";
    workspace.put("study/utf8.txt", text);
    workspace.put("study/latin.txt", b"Gr\xf6\xdfe 2 cm. Stage IV melanoma.");
    workspace.put("table.csv", format!("id,text\n1,{text}\n"));
    for (input, name) in [("study", "study/utf8.txt"), ("table.csv", "table.csv")] {
        let output = workspace.run(&[input, "--encoding", "windows-1252"]);
        assert_eq!(output.code, Some(0), "{}", output.err);
        let warnings: Vec<&str> = output.err.lines().filter(|line| line.starts_with("warning: ")).collect();
        assert!(warnings.len() == 1 && warnings[0].contains(name) && warnings[0].contains("UTF-8"), "{}", output.err);
    }
    assert!(!workspace.run(&["study"]).err.contains("warning: "));
}

#[test]
fn days_that_may_be_two_are_refused() {
    let workspace = Workspace::new();
    let rows = ["2024-03-31T10:00:00+01:00", "20240331", "31.03.2024", "03/04/2020", "31/03/2024"];
    let rows: Vec<String> = (1..).zip(rows).map(|(id, day)| format!("{id},{day},\"{}\"\n", note(id))).collect();
    workspace.put("days.csv", format!("id,day,text\n{}", rows.concat()));
    let arguments = ["days.csv", "--date-column", "day"];
    let output = workspace.run(&arguments);
    assert_eq!(output.code, Some(3), "{}", output.err);
    let failed: Vec<String> =
        by_id(&output.out).into_iter().filter(|(_, line)| line["status"] != 200).map(|(id, _)| id).collect();
    assert!(failed == ["4"] && output.out.contains("--date-format dmy or mdy"), "{}", output.out);
    let output = workspace.run(&[&arguments[..], &["--date-format", "dmy"]].concat());
    assert_eq!(output.code, Some(0), "{}", output.out);
}

#[test]
fn the_review_page_has_the_kept_columns() {
    let workspace = Workspace::new();
    workspace.put("in.csv", format!("id,ward,text\n1,K7,\"{}\"\n", note(1)));
    let output = workspace.run(&["in.csv", "--keep", "ward", "--out", "out.csv", "--review", "page.html"]);
    assert_eq!(output.code, Some(0), "{}", output.err);
    assert!(workspace.text("page.html").contains("\"carried\":{\"ward\":\"K7\"}"));
}
