//! Outputs that cannot be written, and readers who leave.

use std::{
    io::{BufRead, BufReader},
    process::Stdio,
};

use crate::command::{Desk, ended, lines};

#[test]
fn a_full_disk_is_said_and_ends_the_run() {
    let desk = Desk::new();
    desk.put("in.jsonl", lines(0..100));
    let said = desk.run(&["in.jsonl", "--out", "/dev/full", "--format", "jsonl"]);
    assert_eq!(said.code, Some(1), "{}", said.err);
    assert!(said.err.contains("/dev/full cannot be written") && said.err.contains("--resume"), "{}", said.err);
}

#[test]
fn what_was_written_before_the_disk_was_full_is_whole() {
    let desk = Desk::new();
    desk.put("in.jsonl", lines(0..2_000));
    // A limit of file size stands for the disk: a megabyte, and the signal that goes with it ignored.
    let inner = desk.command(&["in.jsonl", "--out", "out.jsonl"]);
    let program = inner.get_program().to_str().unwrap();
    let arguments: Vec<&str> = inner.get_args().map(|argument| argument.to_str().unwrap()).collect();
    let script = format!("trap '' XFSZ; ulimit -f 1024; exec '{program}' {}", arguments.join(" "));
    let mut shell = std::process::Command::new("bash");
    shell.args(["-c", &script]).current_dir(desk.path(""));
    let said = crate::command::said(&mut shell);
    assert_eq!(said.code, Some(1), "{}", said.err);
    assert!(said.err.contains("out.jsonl cannot be written"), "{}", said.err);
    let written = desk.results("out.jsonl").len();
    assert!((10..2_000).contains(&written), "{written}");
    assert!(said.err.contains(&format!("{written} read")), "{written}: {}", said.err);
    let said = desk.run(&["in.jsonl", "--out", "out.jsonl", "--resume"]);
    assert_eq!((said.code, desk.results("out.jsonl").len()), (Some(0), 2_000), "{}", said.err);
}

#[test]
fn an_output_that_cannot_be_made() {
    let desk = Desk::new();
    desk.put("in.jsonl", lines(0..1));
    for arguments in [["--out", "no/such/folder/out.jsonl"], ["--review", "no/such/folder/page.html"]] {
        let said = desk.run(&[&["in.jsonl"][..], &arguments].concat());
        assert_eq!(said.code, Some(1), "{}", said.err);
        assert!(said.err.contains("cannot be written: No such file"), "{}", said.err);
    }
}

#[test]
fn who_has_seen_enough_may_leave() {
    let desk = Desk::new();
    desk.put("in.jsonl", lines(0..3_000));
    let mut child = desk.command(&["in.jsonl"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut first = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut first).unwrap();
    assert!(first.starts_with("{\"id\""));
    let said = ended(child);
    assert_eq!((said.code, said.err.contains("error")), (Some(0), false), "{}", said.err);
}
