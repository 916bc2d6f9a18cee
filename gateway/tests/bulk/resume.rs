//! Tests interrupted runs, and the runs that resume them.

use std::{
    fs::OpenOptions,
    io::{BufRead, BufReader, Write},
    process::{Command, Stdio},
};

use crate::command::{Workspace, ended, lines};

#[test]
fn a_killed_run_of_ten_thousand_notes_is_resumed() {
    for name in ["out.jsonl", "out.csv"] {
        let workspace = Workspace::new();
        workspace.put("all.jsonl", lines(0..10_000));
        let mut child =
            workspace.command(&["-", "--out", name]).stdin(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        // The pipe and the queues of the program hold far fewer notes than were written, so that the run is half done.
        child.stdin.as_mut().unwrap().write_all(lines(0..5_000).as_bytes()).unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        let killed = workspace.text(name).lines().count();
        assert!((1_000..5_001).contains(&killed), "{killed}");
        // An incomplete line, as if the run had been killed while it wrote the line.
        let mut out = OpenOptions::new().append(true).open(workspace.path(name)).unwrap();
        out.write_all(if name == "out.csv" { b"n-4999,200,\"colon" } else { b"{\"id\":\"n-4999\",\"sta" }).unwrap();

        let output = workspace.run(&["all.jsonl", "--out", name, "--resume"]);
        assert_eq!(output.code, Some(0), "{}", output.err);
        assert!(output.err.contains("an incomplete last line was removed"), "{}", output.err);
        let ids: std::collections::BTreeSet<String> = if name == "out.csv" {
            let text = workspace.text(name);
            let mut reader = csv::Reader::from_reader(text.as_bytes());
            let ids: Vec<String> = reader.records().map(|row| row.unwrap()[0].to_owned()).collect();
            assert_eq!(ids.len(), 10_000);
            ids.into_iter().collect()
        } else {
            workspace.results(name).into_keys().collect()
        };
        assert_eq!(ids, (0..10_000).map(|number| format!("n-{number}")).collect());
    }
}

#[test]
fn failed_notes_are_tried_again_and_their_old_lines_are_removed() {
    let workspace = Workspace::new();
    workspace.put("a.txt", b"na\xefve");
    workspace.put("b.txt", "Stage IV colon cancer");
    workspace.put("c.txt", b"na\xefve");
    let all = ["a.txt", "b.txt", "c.txt", "--out", "out.jsonl"];
    assert_eq!(workspace.run(&all).code, Some(3));
    workspace.put("a.txt", "Stage II colon cancer");
    let output = workspace.run(&[&all[..], &["--resume"]].concat());
    assert_eq!(output.code, Some(3), "{}", output.err);
    assert!(output.err.contains("1 notes are done, 2 failed notes are tried again"), "{}", output.err);
    let results = workspace.results("out.jsonl");
    assert_eq!(results.values().map(|line| line["status"].as_u64().unwrap()).collect::<Vec<_>>(), [200, 200, 422]);
    workspace.put("c.txt", "Stage I colon cancer");
    assert_eq!(workspace.run(&[&all[..], &["--resume"]].concat()).code, Some(0));
    assert_eq!(workspace.results("out.jsonl").len(), 3);
    assert!(!workspace.path("out.jsonl.resume").exists());
}

#[test]
fn a_file_of_another_program_is_not_changed() {
    let workspace = Workspace::new();
    workspace.put("in.jsonl", lines(0..2));
    assert_eq!(workspace.run(&["in.jsonl", "--out", "ours.jsonl"]).code, Some(0));
    let result = workspace.text("ours.jsonl");
    for (name, content) in [
        ("notes.jsonl", lines(5..8)),
        ("one.jsonl", "{\"id\": 1, \"text\": \"a\"}".to_owned()),
        ("text.jsonl", "Stage IV".to_owned()),
        ("holed.jsonl", format!("{result}\0\0\0\n{result}")),
        ("table.csv", "id,status\na,200\n".to_owned()),
        ("note.csv", "id,no".to_owned()),
    ] {
        workspace.put(name, &content);
        let output = workspace.run(&["in.jsonl", "--out", name, "--resume"]);
        assert_eq!(output.code, Some(2), "{name}: {}", output.err);
        assert!(output.err.contains("this line is not a result of this command"), "{name}: {}", output.err);
        assert_eq!(workspace.text(name), content, "{name}");
    }
}

#[test]
fn resume_begins_an_output_that_is_missing_or_empty() {
    for (name, content) in
        [("none.jsonl", None), ("empty.jsonl", Some("")), ("empty.csv", Some("")), ("torn.csv", Some("\u{feff}id,sta"))]
    {
        let workspace = Workspace::new();
        workspace.put("in.jsonl", lines(0..2));
        if let Some(content) = content {
            workspace.put(name, content);
        }
        assert_eq!(workspace.run(&["in.jsonl", "--out", name, "--resume"]).code, Some(0), "{name}");
        let expected = if name.ends_with("csv") { 3 } else { 2 };
        assert_eq!(workspace.text(name).lines().count(), expected, "{name}");
        assert!(workspace.text(name).starts_with(if name.ends_with("csv") { "\u{feff}id,status" } else { "{\"id\"" }));
    }
}

#[test]
fn ctrl_c_finishes_notes_in_progress_and_says_how_to_continue() {
    for signal in ["INT", "TERM"] {
        let workspace = Workspace::new();
        workspace.put("all.jsonl", lines(0..3_000));
        let mut command = workspace.command(&["-", "--out", "out.jsonl"]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(lines(0..2_000).as_bytes()).unwrap();
        let done = Command::new("kill").args([&format!("-{signal}"), &child.id().to_string()]).status().unwrap();
        assert!(done.success());
        // The run ends although its input is still open.
        let output = ended(child);
        drop(stdin);
        assert_eq!(output.code, Some(130), "{}", output.err);
        assert!(
            output.err.contains("next: stopped. To continue, run the same command with --resume"),
            "{}",
            output.err
        );
        let stopped = workspace.results("out.jsonl").len();
        assert!((1..2_001).contains(&stopped), "{stopped}");
        assert_eq!(workspace.run(&["all.jsonl", "--out", "out.jsonl", "--resume"]).code, Some(0));
        assert_eq!(workspace.results("out.jsonl").len(), 3_000);
    }
}

#[test]
fn ctrl_c_ends_a_run_that_waits_for_its_input() {
    let workspace = Workspace::new();
    let mut command = workspace.command(&["-"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(lines(0..3).as_bytes()).unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    for _ in 0..3 {
        assert_ne!(out.read_line(&mut String::new()).unwrap(), 0);
    }
    // All notes so far are read, and the input is still open.
    let done = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(done.success());
    let output = ended(child);
    drop(stdin);
    assert!(output.code == Some(130) && output.err.contains("3 read"), "{}", output.err);
}

#[test]
fn a_second_run_cannot_write_to_the_same_file() {
    let workspace = Workspace::new();
    workspace.put("in.jsonl", lines(0..2));
    let mut first =
        workspace.command(&["-", "--out", "out.jsonl"]).stdin(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    // The text is larger than a pipe. Once it is written, the first run reads, and it locks its output before it reads.
    first.stdin.as_mut().unwrap().write_all(lines(10..1_500).as_bytes()).unwrap();
    for flag in ["--resume", "--force"] {
        let output = workspace.run(&["in.jsonl", "--out", "out.jsonl", flag]);
        assert_eq!(output.code, Some(5), "{flag}: {}", output.err);
    }
    drop(first.stdin.take());
    assert_eq!(first.wait().unwrap().code(), Some(0));
    assert_eq!(workspace.results("out.jsonl").len(), 1_490);
}
