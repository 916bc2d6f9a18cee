//! Tests the kinds of inputs, the ids of notes, and the errors of notes that cannot be read.

use crate::command::{Workspace, by_id, failure, lines, note};

#[test]
fn a_broken_line_fails_only_its_own_note() {
    let workspace = Workspace::new();
    let mut ten: Vec<String> = lines(1..11).lines().map(str::to_owned).collect();
    ten[2] = "{\"id\": \"n-3\", \"text\": \"Stage".to_owned();
    workspace.put("ten.jsonl", ten.join("\n"));
    let output = workspace.run(&["ten.jsonl", "--out", "out.jsonl"]);
    assert_eq!(output.code, Some(3), "{}", output.err);
    let results = workspace.results("out.jsonl");
    assert_eq!(results.len(), 10);
    assert_eq!(failure(&results["line-3"]), (400, "invalid_json", ""));
    assert_eq!(results.values().filter(|line| line["status"] == 200).count(), 9);
    assert_eq!(results["n-7"]["result"]["stage"], "IV");
    assert!(
        output.err.contains("9 read, 1 failed (1 invalid_json)") && output.err.contains("--resume"),
        "{}",
        output.err
    );
    assert!(!output.err.contains("Patient"), "standard error contains text of a note");
}

#[test]
fn json_lines_of_every_kind() {
    let workspace = Workspace::new();
    let good = note(1);
    let escaped = "\\u0053tage IV colon cancer";
    workspace.put(
        "kinds.jsonl",
        format!(
            "\u{feff}{{\"id\": \"mark\", \"text\": \"{good}\", \"label\": [1, {{}}]}}\r\n\n   \n{{\"id\": 7, \"text\": \"{escaped}\"}}\n\
             {{\"text\": \"{good}\"}}\n[1]\n{{\"id\": \"no text\"}}\n{{\"id\": \"list\", \"text\": [\"{good}\"]}}\n\
             {{\"id\": [1], \"text\": \"{good}\"}}\n{{\"id\": \"blank\", \"text\": \" \\n\"}}\n{{\"id\": \"nul\", \"text\": \"a\\u0000\"}}\n\
             {{\"id\": \"mark\", \"text\": \"{good}\"}}\n{{\"id\": \"half\", \"text\": \"\\ud800\"}}\nStage II\n{{\"id\": \"last\", \"text\": \"{good}\"}}"
        ),
    );
    let output = workspace.run(&["kinds.jsonl"]);
    assert_eq!(output.code, Some(3), "{}", output.err);
    let results = by_id(&output.out);
    for read in ["mark", "7", "line-5", "last"] {
        assert_eq!(results[read]["status"], 200, "{read}");
    }
    for (id, status, code, rule) in [
        ("line-6", 400, "invalid_json", ""),
        ("no text", 422, "invalid_request", "required"),
        ("list", 422, "invalid_request", "type"),
        ("line-9", 422, "invalid_request", "type"),
        ("blank", 422, "invalid_request", "not_blank"),
        ("nul", 422, "invalid_request", "no_nul"),
        ("line-12", 422, "invalid_request", "unique"),
        ("line-13", 400, "invalid_json", ""),
        ("line-14", 400, "invalid_json", ""),
    ] {
        assert_eq!(failure(&results[id]), (status, code, rule), "{id}");
    }
    assert_eq!(results.len(), 13);
}

#[test]
fn keys_may_have_other_names() {
    let workspace = Workspace::new();
    workspace.put("other.jsonl", format!("{{\"key\": \"a\", \"input\": \"{}\"}}\n{{\"input\": \"x\"}}\n", note(1)));
    let output = workspace.run(&["other.jsonl", "--text-column", "input", "--id-column", "key"]);
    assert_eq!(output.code, Some(3), "{}", output.err);
    let results = by_id(&output.out);
    assert_eq!(results["a"]["status"], 200);
    assert_eq!(failure(&results["line-2"]), (422, "invalid_request", "required"));
}

#[test]
fn folders_are_read_with_subfolders_and_sorted() {
    let workspace = Workspace::new();
    workspace.put("study/b.txt", note(1));
    workspace.put("study/a/2.TXT", format!("\u{feff}{}\r\n", note(2)));
    workspace.put("study/a/10.txt", note(3));
    workspace.put("study/latin.txt", b"na\xefve stage IV colon cancer");
    workspace.put("study/wide.txt", b"\xff\xfeS\0\0\xd8x\0");
    workspace.put("study/empty.txt", "");
    workspace.put("study/readme.md", "not a note");
    workspace.put("study/.hidden.txt", "not a note");
    workspace.put("alone.txt", note(4));
    let output = workspace.run(&["study", "./alone.txt", "--concurrency", "1"]);
    assert_eq!(output.code, Some(3), "{}", output.err);
    let read: Vec<&str> = output.out.lines().filter(|line| line.contains("\"status\":200")).collect();
    let ids: Vec<&str> = read.iter().map(|line| line.split('"').nth(3).unwrap()).collect();
    assert_eq!(ids, ["a/10.txt", "a/2.TXT", "b.txt", "alone.txt"]);
    let results = by_id(&output.out);
    assert_eq!(results["a/2.TXT"]["result"]["stage"], "III");
    // The byte order mark is not part of the note: offsets count from the first letter.
    assert_eq!(results["a/2.TXT"]["result"]["evidence"]["stage"][0]["start"], 14);
    for (id, rule) in [("latin.txt", "utf8"), ("wide.txt", "readable"), ("empty.txt", "not_blank")] {
        assert_eq!(failure(&results[id]), (422, "invalid_request", rule), "{id}");
    }
    assert_eq!(results.len(), 7);
    assert!(output.err.contains("1 file(s) in the folders are not .txt or .pdf files"), "{}", output.err);
}

#[test]
fn the_same_file_name_in_two_folders_is_an_error_of_the_second() {
    let workspace = Workspace::new();
    workspace.put("a/1.txt", note(1));
    workspace.put("b/1.txt", note(2));
    let output = workspace.run(&["a", "b"]);
    let results = by_id(&output.out);
    assert_eq!((output.code, results["1.txt"]["status"].as_u64()), (Some(3), Some(200)));
    assert_eq!(failure(&results["b/1.txt"]), (422, "invalid_request", "unique"));
}

#[test]
fn csv_columns_may_have_other_names() {
    let workspace = Workspace::new();
    let quoted = "\"Stage IV, \"\"poorly\"\" differentiated\r\ncolon cancer\"";
    for (delimiter, name) in [(",", "comma.csv"), (";", "semicolon.csv"), ("\t", "tab.tsv")] {
        let row = |cells: &[&str]| format!("{}\r\n", cells.join(delimiter));
        let table = [
            row(&["\u{feff}case", "note", "age"]),
            row(&["x-1", quoted, "61"]),
            row(&["x-2", "Stage II breast cancer", "40"]),
            row(&["", "Stage I", "1"]),
            row(&["x-4"]),
            row(&["x-5", "", "3"]),
        ];
        workspace.put(name, table.concat());
        let output = workspace.run(&[name, "--text-column", "note", "--id-column", "case"]);
        assert_eq!(output.code, Some(3), "{name}: {}", output.err);
        let results = by_id(&output.out);
        assert_eq!(results["x-1"]["result"]["stage"], "IV", "{name}");
        assert_eq!(results["x-2"]["result"]["cancer_type"], "breast cancer", "{name}");
        for (id, rule) in [("row-3", "required"), ("x-4", "required"), ("x-5", "not_blank")] {
            assert_eq!(failure(&results[id]).2, rule, "{name} {id}");
        }
        assert_eq!(results.len(), 5, "{name}");
    }
}

#[test]
fn standard_input_is_json_lines_or_one_note() {
    let workspace = Workspace::new();
    let output = workspace.run_with(&["-"], format!("\n  {}", lines(1..3)));
    assert_eq!((output.code, by_id(&output.out).len()), (Some(0), 2), "{}", output.err);
    let output = workspace.run_with(&["-"], note(3));
    assert_eq!(by_id(&output.out)["stdin"]["result"]["stage"], "IV");
    let output = workspace.run_with(&["-"], "");
    assert_eq!((output.code, failure(&by_id(&output.out)["stdin"]).2), (Some(3), "not_blank"));
}

#[test]
fn mistakes_in_the_command_line_are_reported_before_anything_is_written() {
    let workspace = Workspace::new();
    workspace.put("plain.csv", "case,note\na,b\n");
    workspace.put("headless.csv", format!("{}\n", "Stage IV colon cancer ".repeat(9)));
    workspace.put("pictures/one.png", "x");
    std::fs::create_dir(workspace.path("nothing")).unwrap();
    workspace.put("notes.parquet", "PAR1 and no more");
    workspace.put("a.jsonl", lines(1..2));
    workspace.put("kept.jsonl", "kept");
    for (arguments, words) in [
        (&["gone.jsonl"][..], "gone.jsonl cannot be read"),
        (&["plain.csv"], "no column `text`; the columns are: case, note. Name it with --text-column"),
        (&["plain.csv", "--text-column", "note", "--id-column", "nr"], "no column `nr`"),
        (&["headless.csv"], "does not look like a header"),
        (&["pictures"], "there are 1 other file(s)"),
        (&["nothing"], "it is empty"),
        (&["notes.parquet"], "notes.parquet: it is broken"),
        (&["a.jsonl", "--out", "kept.jsonl"], "kept.jsonl exists. Give --resume"),
        (&["a.jsonl", "--out", "a.jsonl", "--force"], "is also an input"),
        (&["a.jsonl", "--resume"], "--out"),
        (&["a.jsonl", "--out", "o.json", "--resume"], "--format jsonl or csv"),
        (&["a.jsonl", "--out", "o.csv", "--resume", "--review", "r.html"], "needs --format jsonl"),
        (&["a.jsonl", "--out", "nothing"], "is a folder"),
        (&["a.jsonl", "--concurrency", "0"], "--concurrency"),
        (&["a.jsonl", "--model", "x"], "--server"),
        (&["a.jsonl", "--server", "ftp://x"], "--server must be an address"),
        (&["a.jsonl", "--server", "http://u:secret@x"], "--api-key-file"),
        (&["a.jsonl", "--server", "http://127.0.0.1:1", "--api-key-file", "no-key"], "no-key cannot be read"),
        (&["a.jsonl", "--server", "http://127.0.0.1:1", "--engine", "rules"], "that server's engine reads"),
        (&[], "INPUT"),
    ] {
        let mut arguments = arguments.to_vec();
        if !arguments.contains(&"--out") && !arguments.contains(&"--resume") {
            arguments.extend(["--out", "new.jsonl"]);
        }
        let output = workspace.run(&arguments);
        assert_eq!(output.code, Some(2), "{arguments:?}: {}", output.err);
        assert!(output.err.contains(words) && !output.err.contains("secret"), "{arguments:?}: {}", output.err);
        assert!(!output.err.contains("Stage IV"), "{arguments:?}");
        assert!(output.out.is_empty() && !workspace.path("new.jsonl").exists(), "{arguments:?}");
    }
    assert_eq!(workspace.text("kept.jsonl"), "kept");
}
