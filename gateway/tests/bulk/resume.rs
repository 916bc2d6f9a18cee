//! Runs that did not come to their end, and the run after them.

use std::{
    fs::OpenOptions,
    io::{BufRead, BufReader, Write},
    process::{Command, Stdio},
};

use crate::command::{Desk, ended, lines};

#[test]
fn a_run_that_was_killed_among_ten_thousand_notes() {
    for name in ["out.jsonl", "out.csv"] {
        let desk = Desk::new();
        desk.put("all.jsonl", lines(0..10_000));
        let mut child =
            desk.command(&["-", "--out", name]).stdin(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        // What a pipe and the program's own short queues hold is far less than what was written: it is in the middle.
        child.stdin.as_mut().unwrap().write_all(lines(0..5_000).as_bytes()).unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        let killed = desk.text(name).lines().count();
        assert!((1_000..5_001).contains(&killed), "{killed}");
        // As if it had been killed within a line.
        let mut out = OpenOptions::new().append(true).open(desk.path(name)).unwrap();
        out.write_all(if name == "out.csv" { b"n-4999,200,\"colon" } else { b"{\"id\":\"n-4999\",\"sta" }).unwrap();

        let said = desk.run(&["all.jsonl", "--out", name, "--resume"]);
        assert_eq!(said.code, Some(0), "{}", said.err);
        assert!(said.err.contains("a line that was torn was taken out"), "{}", said.err);
        let ids: std::collections::BTreeSet<String> = if name == "out.csv" {
            let text = desk.text(name);
            let mut reader = csv::Reader::from_reader(text.as_bytes());
            let ids: Vec<String> = reader.records().map(|row| row.unwrap()[0].to_owned()).collect();
            assert_eq!(ids.len(), 10_000);
            ids.into_iter().collect()
        } else {
            desk.results(name).into_keys().collect()
        };
        assert_eq!(ids, (0..10_000).map(|number| format!("n-{number}")).collect());
    }
}

#[test]
fn failed_notes_are_tried_again_and_their_old_lines_go() {
    let desk = Desk::new();
    desk.put("a.txt", b"na\xefve");
    desk.put("b.txt", "Stage IV colon cancer");
    desk.put("c.txt", b"na\xefve");
    let all = ["a.txt", "b.txt", "c.txt", "--out", "out.jsonl"];
    assert_eq!(desk.run(&all).code, Some(3));
    desk.put("a.txt", "Stage II colon cancer");
    let said = desk.run(&[&all[..], &["--resume"]].concat());
    assert_eq!(said.code, Some(3), "{}", said.err);
    assert!(said.err.contains("1 notes are done, 2 that failed are tried again"), "{}", said.err);
    let results = desk.results("out.jsonl");
    assert_eq!(results.values().map(|line| line["status"].as_u64().unwrap()).collect::<Vec<_>>(), [200, 200, 422]);
    desk.put("c.txt", "Stage I colon cancer");
    assert_eq!(desk.run(&[&all[..], &["--resume"]].concat()).code, Some(0));
    assert_eq!(desk.results("out.jsonl").len(), 3);
    assert!(!desk.path("out.jsonl.resume").exists());
}

#[test]
fn a_file_that_is_not_ours_is_not_touched() {
    let desk = Desk::new();
    desk.put("in.jsonl", lines(0..2));
    assert_eq!(desk.run(&["in.jsonl", "--out", "ours.jsonl"]).code, Some(0));
    let ours = desk.text("ours.jsonl");
    for (name, content) in [
        ("notes.jsonl", lines(5..8)),
        ("one.jsonl", "{\"id\": 1, \"text\": \"a\"}".to_owned()),
        ("text.jsonl", "Stage IV".to_owned()),
        ("holed.jsonl", format!("{ours}\0\0\0\n{ours}")),
        ("table.csv", "id,status\na,200\n".to_owned()),
        ("note.csv", "id,no".to_owned()),
    ] {
        desk.put(name, &content);
        let said = desk.run(&["in.jsonl", "--out", name, "--resume"]);
        assert_eq!(said.code, Some(2), "{name}: {}", said.err);
        assert!(said.err.contains("this is no result of this command"), "{name}: {}", said.err);
        assert_eq!(desk.text(name), content, "{name}");
    }
}

#[test]
fn an_output_that_is_not_there_yet_or_empty_is_begun() {
    for (name, content) in
        [("none.jsonl", None), ("empty.jsonl", Some("")), ("empty.csv", Some("")), ("torn.csv", Some("\u{feff}id,sta"))]
    {
        let desk = Desk::new();
        desk.put("in.jsonl", lines(0..2));
        if let Some(content) = content {
            desk.put(name, content);
        }
        assert_eq!(desk.run(&["in.jsonl", "--out", name, "--resume"]).code, Some(0), "{name}");
        let expected = if name.ends_with("csv") { 3 } else { 2 };
        assert_eq!(desk.text(name).lines().count(), expected, "{name}");
        assert!(desk.text(name).starts_with(if name.ends_with("csv") { "\u{feff}id,status" } else { "{\"id\"" }));
    }
}

#[test]
fn ctrl_c_ends_what_runs_and_says_how_to_go_on() {
    for signal in ["INT", "TERM"] {
        let desk = Desk::new();
        desk.put("all.jsonl", lines(0..3_000));
        let mut command = desk.command(&["-", "--out", "out.jsonl"]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(lines(0..2_000).as_bytes()).unwrap();
        let done = Command::new("kill").args([&format!("-{signal}"), &child.id().to_string()]).status().unwrap();
        assert!(done.success());
        // Its input is still open: it ends all the same.
        let said = ended(child);
        drop(stdin);
        assert_eq!(said.code, Some(130), "{}", said.err);
        assert!(said.err.contains("next: stopped. To go on: the same command with --resume"), "{}", said.err);
        let stopped = desk.results("out.jsonl").len();
        assert!((1..2_001).contains(&stopped), "{stopped}");
        assert_eq!(desk.run(&["all.jsonl", "--out", "out.jsonl", "--resume"]).code, Some(0));
        assert_eq!(desk.results("out.jsonl").len(), 3_000);
    }
}

#[test]
fn ctrl_c_ends_a_run_that_waits_for_its_input() {
    let desk = Desk::new();
    let mut command = desk.command(&["-"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(lines(0..3).as_bytes()).unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    for _ in 0..3 {
        assert_ne!(out.read_line(&mut String::new()).unwrap(), 0);
    }
    // All that came is read, and more may come.
    let done = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(done.success());
    let said = ended(child);
    drop(stdin);
    assert!(said.code == Some(130) && said.err.contains("3 read"), "{}", said.err);
}

#[test]
fn two_runs_do_not_write_to_one_file() {
    let desk = Desk::new();
    desk.put("in.jsonl", lines(0..2));
    let mut first =
        desk.command(&["-", "--out", "out.jsonl"]).stdin(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    // More than a pipe holds: once it is written, the first run reads, and it has its output before it reads.
    first.stdin.as_mut().unwrap().write_all(lines(10..1_500).as_bytes()).unwrap();
    for flag in ["--resume", "--force"] {
        let said = desk.run(&["in.jsonl", "--out", "out.jsonl", flag]);
        assert_eq!(said.code, Some(5), "{flag}: {}", said.err);
    }
    drop(first.stdin.take());
    assert_eq!(first.wait().unwrap().code(), Some(0));
    assert_eq!(desk.results("out.jsonl").len(), 1_490);
}
