//! Tests outputs that cannot be written, and a standard output that its reader closes.

use std::{
    io::{BufRead, BufReader},
    process::Stdio,
};

use crate::command::{Workspace, ended, lines};

#[test]
fn a_full_disk_is_reported_and_ends_the_run() {
    let workspace = Workspace::new();
    workspace.put("in.jsonl", lines(0..100));
    let output = workspace.run(&["in.jsonl", "--out", "/dev/full", "--format", "jsonl"]);
    assert_eq!(output.code, Some(1), "{}", output.err);
    assert!(output.err.contains("/dev/full cannot be written") && output.err.contains("--resume"), "{}", output.err);
}

#[test]
fn lines_before_a_full_disk_are_complete() {
    let workspace = Workspace::new();
    workspace.put("in.jsonl", lines(0..2_000));
    // A file size limit of one megabyte simulates the full disk. The signal of the limit is ignored, so that writes
    // fail.
    let command = workspace.command(&["in.jsonl", "--out", "out.jsonl"]);
    let program = command.get_program().to_str().unwrap();
    let arguments: Vec<&str> = command.get_args().map(|argument| argument.to_str().unwrap()).collect();
    let script = format!("trap '' XFSZ; ulimit -f 1024; exec '{program}' {}", arguments.join(" "));
    let mut shell = std::process::Command::new("bash");
    shell.args(["-c", &script]).current_dir(workspace.path(""));
    let output = crate::command::said(&mut shell);
    assert_eq!(output.code, Some(1), "{}", output.err);
    assert!(output.err.contains("out.jsonl cannot be written"), "{}", output.err);
    let written = workspace.results("out.jsonl").len();
    assert!((10..2_000).contains(&written), "{written}");
    assert!(output.err.contains(&format!("{written} read")), "{written}: {}", output.err);
    let output = workspace.run(&["in.jsonl", "--out", "out.jsonl", "--resume"]);
    assert_eq!((output.code, workspace.results("out.jsonl").len()), (Some(0), 2_000), "{}", output.err);
}

#[test]
fn an_output_that_cannot_be_created_is_an_error() {
    let workspace = Workspace::new();
    workspace.put("in.jsonl", lines(0..1));
    for arguments in [["--out", "no/such/folder/out.jsonl"], ["--review", "no/such/folder/page.html"]] {
        let output = workspace.run(&[&["in.jsonl"][..], &arguments].concat());
        assert_eq!(output.code, Some(1), "{}", output.err);
        assert!(output.err.contains("cannot be written: No such file"), "{}", output.err);
    }
}

#[test]
fn a_reader_may_close_standard_output_early() {
    let workspace = Workspace::new();
    workspace.put("in.jsonl", lines(0..3_000));
    let mut child = workspace.command(&["in.jsonl"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut first = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut first).unwrap();
    assert!(first.starts_with("{\"id\""));
    let output = ended(child);
    assert_eq!((output.code, output.err.contains("error")), (Some(0), false), "{}", output.err);
}
